//! From the judging thread to the receivers: a bounded queue and a thread for each.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use tracing::warn;

use super::metrics::{Counters, SinkCounters, VERDICTS};
use wakegate::pipeline::{Decision, Event, Observer, WordEvent};
use wakegate::{Error, ErrorKind, Result};

/// How often a thread that ends is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// A word or a verdict on its way.
pub struct Decided {
    pub(super) source: Arc<str>,
    pub(super) wake_word: Arc<str>,
    pub(super) model: Arc<str>,
    pub(super) decision: Decision,
}

impl Decided {
    /// Tells `observer`.
    fn tell(&self, observer: &mut dyn Observer) {
        let Self { source, wake_word, model, decision } = self;
        match decision {
            Decision::Word(word) => {
                observer.on_word(&WordEvent { source, wake_word, model, word });
            }
            Decision::Verdict(activation) => {
                observer.on_activation(&Event { source, wake_word, model, activation });
            }
            // It is between the pipeline and the gate alone.
            Decision::Settled(_) => {}
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
    words: bool,
}

impl Way {
    fn wants(&self, decision: &Decision) -> bool {
        match decision {
            Decision::Word(_) => self.words,
            Decision::Verdict(activation) => {
                let wanted = |(&v, wanted)| wanted && v == activation.verdict;
                VERDICTS.iter().zip(self.wanted).any(wanted)
            }
            Decision::Settled(_) => false,
        }
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
        let words = observer.wants_words();
        let theirs = Arc::clone(&counters);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || deliver(&waiting, observer, &theirs))
            .map_err(|e| Error::new(ErrorKind::Io, "cannot start a thread").found(e.to_string()))?;
        self.ways.push(Way { queue, counters, wanted, words });
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
        for way in self.ways.iter().filter(|way| way.wants(&decided.decision)) {
            if way.queue.try_send(Arc::clone(&decided)).is_err() {
                way.counters.dropped.inc();
            }
        }
    }
}

fn deliver(waiting: &Receiver<Arc<Decided>>, mut observer: Box<dyn Observer>, own: &SinkCounters) {
    for decided in waiting {
        // One event that a receiver can't take is no reason to miss the next.
        match catch_unwind(AssertUnwindSafe(|| decided.tell(&mut *observer))) {
            Ok(()) if observer.counts_deliveries() => {}
            Ok(()) => own.delivered.inc(),
            Err(_) => own.failed.inc(),
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
