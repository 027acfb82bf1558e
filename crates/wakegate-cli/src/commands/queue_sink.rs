//! Recordings through the gate, into a review queue: `score --queue`, `listen --input`.

use std::collections::BTreeMap;
use std::sync::Arc;

use wakegate::Result;
use wakegate::gate::{Gate, Policy, Stop, SystemClock, harden, system_draw};
use wakegate::review::{Queue, Settings, Stored};
use wakegate_lab::scoring::Excerpts;

use super::output;
use super::output::counted;

/// The gate and the queue behind it. Unlike the daemon, it waits for the queue and drops
/// nothing for want of time.
pub struct Sink {
    gate: Gate,
    queue: Queue,
    stored: usize,
    /// By reason: how many, and how many of them the queue has not counted itself.
    stopped: BTreeMap<&'static str, (Stop, u64, u64)>,
}

impl Sink {
    /// Opens the queue that `settings` names.
    pub fn open(settings: &Settings) -> Result<Self> {
        for problem in harden().problems {
            output::warning("memory", &problem);
        }
        let clock = Arc::new(SystemClock::new());
        let queue = Queue::open(&settings.directory, settings, clock)?;
        let gate = Gate::new(settings.policy()?, system_draw())?;
        Ok(Self { gate, queue, stored: 0, stopped: BTreeMap::new() })
    }

    /// What is kept around a word.
    pub fn policy(&self) -> Policy {
        self.gate.policy().clone()
    }

    /// Puts what one recording has for the gate through it.
    pub fn put(&mut self, excerpts: Excerpts) -> Result<()> {
        let Excerpts { clips, stops, .. } = excerpts;
        for (heard, audio) in clips {
            match self.queue.take(&mut self.gate, heard, audio, None)? {
                Stored::Kept(_) => self.stored += 1,
                // The queue has added this one to the day's counts itself.
                Stored::Dropped(stop) => self.count(stop, 0),
            }
        }
        stops.into_iter().for_each(|stop| self.count(stop, 1));
        Ok(())
    }

    fn count(&mut self, stop: Stop, uncounted: u64) {
        let entry = self.stopped.entry(stop.as_str()).or_insert((stop, 0, 0));
        entry.1 += 1;
        entry.2 += uncounted;
    }

    /// Adds what was stopped to the day's counts and says what became of it all, on stderr.
    pub fn end(mut self) -> Result<()> {
        let stops: Vec<_> = self.stopped.values().copied().collect();
        let uncounted: Vec<(Stop, u64)> = stops.iter().map(|s| (s.0, s.2)).collect();
        self.queue.count_stops(&uncounted)?;
        let reasons: Vec<String> =
            stops.iter().map(|(stop, count, _)| format!("{count} {stop}")).collect();
        let reasons =
            if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
        let hint = if self.stopped.contains_key(Stop::NoConsent.as_str()) {
            " (hint: `wakegate review consent --by NAME` records that the owner agrees)"
        } else {
            ""
        };
        let stopped: u64 = stops.iter().map(|(_, count, _)| count).sum();
        output::talk(format_args!(
            "review queue: {} stored, {stopped} stopped and wiped{reasons}{hint}",
            counted(self.stored, "clip")
        ));
        Ok(())
    }
}
