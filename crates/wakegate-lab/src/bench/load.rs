//! Where the measurement runs, and what else runs beside it.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use wakegate::{Error, ErrorKind, Result};

/// Bytes that a busy thread walks over: more than a small device's second-level cache.
const WALKED: usize = 1 << 20;
/// Most busy threads.
const MOST: usize = 256;

/// Busy threads, until it is dropped.
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts `count` threads that compute and read memory without a pause.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for more than 256, [`ErrorKind::Io`] where one can't be started.
    pub fn start(count: usize) -> Result<Self> {
        if count > MOST {
            return Err(Error::new(ErrorKind::Settings, "--load is refused")
                .expected(format!("0 to {MOST} threads"))
                .found(count.to_string()));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let mut load = Self { stop, threads: Vec::with_capacity(count) };
        for _ in 0..count {
            let stop = Arc::clone(&load.stop);
            let thread = std::thread::Builder::new()
                .name("load".to_owned())
                .spawn(move || busy(&stop))
                .map_err(|error| {
                    Error::new(ErrorKind::Io, "cannot start a thread").found(error.to_string())
                })?;
            load.threads.push(thread);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It ends by itself, and a panic in it would change nothing here.
            let _ = thread.join();
        }
    }
}

fn busy(stop: &AtomicBool) {
    let mut walked = vec![1_u64; WALKED / size_of::<u64>()];
    while !stop.load(Ordering::Relaxed) {
        let sum = walked.iter().fold(0_u64, |sum, &value| sum.rotate_left(7) ^ value);
        walked[sum as usize % (WALKED / size_of::<u64>())] = black_box(sum);
    }
}

/// Keeps the calling thread, and threads that it starts from now on, on processor `cpu`.
///
/// # Errors
/// [`ErrorKind::Settings`] where there is no such processor or the system forbids it.
#[cfg(target_os = "linux")]
pub fn pin(cpu: usize) -> Result<()> {
    use rustix::thread::{CpuSet, sched_setaffinity};

    let refused = |found: String| {
        Error::new(ErrorKind::Settings, format!("cannot run on processor {cpu}"))
            .expected("one of those in /sys/devices/system/cpu/online")
            .found(found)
            .hint("leave --cpu out to run on any")
    };
    if cpu >= CpuSet::MAX_CPU {
        return Err(refused("a number too high".to_owned()));
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(|error| refused(error.to_string()))
}

/// Elsewhere a thread can't be kept on a processor.
///
/// # Errors
/// [`ErrorKind::Settings`], always.
#[cfg(not(target_os = "linux"))]
pub fn pin(cpu: usize) -> Result<()> {
    Err(Error::new(ErrorKind::Settings, format!("cannot run on processor {cpu}"))
        .expected("Linux")
        .hint("leave --cpu out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_ends_when_it_is_dropped() {
        let load = Load::start(2).unwrap();
        let stop = Arc::downgrade(&load.stop);
        drop(load);
        assert_eq!(stop.strong_count(), 0);
        assert_eq!(Load::start(MOST + 1).err().unwrap().kind(), ErrorKind::Settings);
    }

    #[test]
    fn a_processor_that_is_not_there_is_refused() {
        for cpu in [1_000, 1_000_000] {
            assert_eq!(pin(cpu).unwrap_err().kind(), ErrorKind::Settings);
        }
    }
}
