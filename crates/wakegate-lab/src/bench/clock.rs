//! Where times come from.

use std::fs;
use std::time::{Duration, Instant};

/// A clock, and what else is read beside it.
pub trait Meter {
    /// Nanoseconds since a moment of its own; never goes back.
    fn now(&self) -> u64;

    /// Sleeps until `now` is `at` or later.
    fn wait_until(&self, at: u64);

    /// Processor time of the calling thread in nanoseconds, where the system tells.
    fn cpu_ns(&self) -> Option<u64> {
        None
    }

    /// Allocations of the calling thread so far, where they are counted.
    fn allocations(&self) -> Option<u64> {
        None
    }
}

/// The system's monotonic clock. It counts no allocations: a counting allocator costs something
/// with every one, in a program that is otherwise the one to measure.
#[derive(Debug, Clone, Copy)]
pub struct Monotonic {
    start: Instant,
}

impl Monotonic {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// What one reading costs in nanoseconds: every time that is measured holds about one.
    pub fn cost_ns(&self) -> f64 {
        const READINGS: u64 = 10_000;
        let first = self.now();
        let last = (0..READINGS).fold(first, |_, _| self.now());
        (last - first) as f64 / READINGS as f64
    }
}

impl Meter for Monotonic {
    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    fn wait_until(&self, at: u64) {
        // A sleep may end early on some systems, never here for good.
        while let Some(left) = at.checked_sub(self.now()).filter(|&left| left > 0) {
            std::thread::sleep(Duration::from_nanos(left));
        }
    }

    fn cpu_ns(&self) -> Option<u64> {
        // Time on the processor, time in the queue, turns.
        let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split_whitespace().next()?.parse().ok()
    }
}
