//! From the judging thread to the receivers: a bounded queue and a thread for each.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use tracing::warn;

use super::metrics::{Counters, SinkCounters, VERDICTS};
use wakegate::decision::Verdict;
use wakegate::pipeline::{Activation, Event, Observer};
use wakegate::{Error, ErrorKind, Result};

/// How often a thread that ends is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// An activation on its way.
pub struct Decided {
    pub(super) number: u64,
    pub(super) source: Arc<str>,
    pub(super) wake_word: Arc<str>,
    pub(super) model: Arc<str>,
    pub(super) activation: Activation,
}

impl Decided {
    fn event(&self) -> Event<'_> {
        Event {
            number: self.number,
            source: &self.source,
            wake_word: &self.wake_word,
            model: &self.model,
            activation: &self.activation,
        }
    }
}

/// The ways to all receivers.
#[derive(Clone, Default)]
pub struct Fanout {
    ways: Vec<Way>,
}

#[derive(Clone)]
struct Way {
    queue: Sender<Arc<Decided>>,
    counters: Arc<SinkCounters>,
    wanted: [bool; VERDICTS.len()],
}

impl Way {
    fn wants(&self, verdict: Verdict) -> bool {
        VERDICTS.iter().zip(self.wanted).any(|(&v, wanted)| wanted && v == verdict)
    }
}

/// A receiver that runs; it ends when the last [`Fanout`] to it is gone.
pub struct Sink {
    name: &'static str,
    thread: thread::JoinHandle<()>,
}

impl Fanout {
    /// Starts `observer` on a thread of its own, behind a queue for `room` activations.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where no thread can be started.
    pub fn add(
        &mut self,
        name: &'static str,
        observer: Box<dyn Observer>,
        room: usize,
        counters: &Counters,
    ) -> Result<Sink> {
        let (queue, waiting) = bounded(room);
        let counters = counters.sink(name);
        let wanted = VERDICTS.map(|verdict| observer.wants(verdict));
        let theirs = Arc::clone(&counters);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || deliver(&waiting, observer, &theirs))
            .map_err(|e| Error::new(ErrorKind::Io, "cannot start a thread").found(e.to_string()))?;
        self.ways.push(Way { queue, counters, wanted });
        Ok(Sink { name, thread })
    }

    /// These ways and those of `others`.
    #[must_use]
    pub(super) fn and(mut self, others: &Self) -> Self {
        self.ways.extend(others.ways.iter().cloned());
        self
    }

    /// Hands `decided` to all receivers; whose queue is full misses it, and that is counted.
    pub(super) fn send(&self, decided: Decided) {
        let decided = Arc::new(decided);
        let verdict = decided.activation.verdict;
        for way in self.ways.iter().filter(|way| way.wants(verdict)) {
            if way.queue.try_send(Arc::clone(&decided)).is_err() {
                way.counters.dropped.up();
            }
        }
    }
}

fn deliver(waiting: &Receiver<Arc<Decided>>, mut observer: Box<dyn Observer>, own: &SinkCounters) {
    for decided in waiting {
        let event = decided.event();
        // One event that a receiver can't take is no reason to miss the next.
        match catch_unwind(AssertUnwindSafe(|| observer.on_activation(&event))) {
            Ok(()) if observer.counts_deliveries() => {}
            Ok(()) => own.delivered.up(),
            Err(_) => own.failed.up(),
        }
    }
}

impl Sink {
    /// Waits until `deadline` for the receiver to finish what is in its queue; one that is still
    /// busy then is left behind.
    pub fn join(self, deadline: Instant) {
        while !self.thread.is_finished() {
            if Instant::now() >= deadline {
                warn!(receiver = self.name, "still busy; what waits for it is lost");
                return;
            }
            thread::sleep(LOOK);
        }
        if self.thread.join().is_err() {
            warn!(receiver = self.name, "ended with a panic");
        }
    }
}
