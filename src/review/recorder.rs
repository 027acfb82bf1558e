//! The daemon's way into the queue: a thread that takes activations with their audio and does
//! policy, encryption, storage and audit, and never makes its caller wait.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::queue::Queue;
use super::settings::Settings;
use super::store::Stored;
use crate::gate::{Clock, Counters, Draw, Gate, Heard, LiveAudio, Policy, Stop, intended};
use crate::metric::{Counter, Metric};
use crate::{Error, ErrorKind, Result};

/// Clips that may wait for the thread; each is a few hundred kilobytes.
const WAITING: usize = 8;
/// How often expired clips are looked for, and what was stopped is added to the day's counts.
const SWEEP: Duration = Duration::from_secs(60);

/// Takes activations with their audio, and keeps what the gate lets through.
///
/// [`offer`](Self::offer) never blocks. Whatever fails, nothing is kept, a counter says so, and
/// [`last_error`](Self::last_error) why.
pub struct Recorder {
    sender: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    policy: Policy,
    clock: Arc<dyn Clock>,
}

enum Message {
    Offer(Box<Offer>),
    /// Answers once everything before it is done.
    Flush(Sender<()>),
}

struct Offer {
    heard: Heard,
    audio: LiveAudio,
    /// When the first of the audio was heard, by the steady clock; none for a recording.
    since_ms: Option<u64>,
}

#[derive(Default)]
struct Shared {
    gate: Arc<Counters>,
    stored: Counter,
    errors: Counter,
    /// Clips without a label when the queue was last looked at.
    waiting: Counter,
    /// Stops that the day's counts do not hold yet.
    uncounted: Mutex<BTreeMap<&'static str, (Stop, u64)>>,
    last_error: Mutex<Option<Error>>,
}

impl Shared {
    fn stop(&self, stop: Stop) {
        self.gate.count_stop(stop);
        let mut uncounted = self.uncounted.lock().unwrap_or_else(PoisonError::into_inner);
        uncounted.entry(stop.as_str()).or_insert((stop, 0)).1 += 1;
    }

    fn fail(&self, error: Error) {
        self.errors.inc();
        tracing::warn!(%error, "the review queue failed: nothing was kept");
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

impl Recorder {
    /// Opens the queue in `directory` and starts the thread; where review is not enabled it
    /// does neither, and everything that is offered is wiped.
    ///
    /// # Errors
    /// As [`Queue::open`]; [`ErrorKind::Runtime`] where no thread can be started.
    pub fn start(
        directory: &Path,
        settings: &Settings,
        clock: Arc<dyn Clock>,
        draw: Draw,
    ) -> Result<Self> {
        settings.validate()?;
        let policy = settings.policy()?;
        let gate = Gate::new(policy.clone(), draw)?;
        let shared = Arc::new(Shared { gate: gate.counters(), ..Shared::default() });
        if !settings.enabled {
            return Ok(Self { sender: None, thread: None, shared, policy, clock });
        }
        let queue = Queue::open(directory, settings, Arc::clone(&clock))?;
        let (sender, receiver) = bounded(WAITING);
        let worker = Worker { queue, gate, shared: Arc::clone(&shared) };
        let thread = std::thread::Builder::new()
            .name("review".to_owned())
            .spawn(move || worker.run(&receiver))
            .map_err(|error| {
                Error::new(ErrorKind::Runtime, "cannot start the review thread")
                    .found(error.to_string())
            })?;
        Ok(Self { sender: Some(sender), thread: Some(thread), shared, policy, clock })
    }

    /// Takes an activation with the audio around it, as a [`Tape`](crate::gate::Tape) gives
    /// them. What was not judged intended is wiped here and now; what is, goes to the thread,
    /// or is wiped where that is behind.
    pub fn offer(&self, heard: Heard, audio: LiveAudio) {
        self.offer_since(heard, audio, None);
    }

    /// The steady clock, by which [`offer_since`](Self::offer_since) counts.
    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now().steady_ms
    }

    /// As [`offer`](Self::offer), of audio that was heard from that moment on: a consent that was
    /// given later is none to keep it.
    pub(super) fn offer_since(&self, heard: Heard, audio: LiveAudio, since_ms: Option<u64>) {
        if let Err(stop) = intended(&heard.activation) {
            drop(audio);
            return self.shared.stop(stop);
        }
        let Some(sender) = &self.sender else {
            drop(audio);
            return self.shared.stop(Stop::Disabled);
        };
        match sender.try_send(Message::Offer(Box::new(Offer { heard, audio, since_ms }))) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.shared.stop(Stop::Busy),
            Err(TrySendError::Disconnected(_)) => self.shared.stop(Stop::Failed),
        }
    }

    /// Counts an activation whose audio is wiped already.
    pub(super) fn stop(&self, stop: Stop) {
        self.shared.stop(stop);
    }

    /// What may be kept; `None` where review is off.
    pub fn policy(&self) -> Option<&Policy> {
        self.sender.is_some().then_some(&self.policy)
    }

    /// Waits until everything offered so far is stored or stopped, and counted.
    pub fn flush(&self) {
        let Some(sender) = &self.sender else { return };
        let (done, wait) = bounded(1);
        if sender.send(Message::Flush(done)).is_ok() {
            // An error means that the thread is gone: there is nothing to wait for.
            let _ = wait.recv();
        }
    }

    /// Clips that are on the medium.
    pub fn stored(&self) -> u64 {
        self.shared.stored.get()
    }

    /// Activations that were stopped for this reason.
    pub fn stopped(&self, stop: Stop) -> u64 {
        self.shared.gate.stopped(stop)
    }

    /// The latest error of the thread.
    pub fn last_error(&self) -> Option<Error> {
        self.shared.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every counter, by the name that it has in Prometheus.
    pub fn metrics(&self) -> Vec<Metric> {
        let shared = &self.shared;
        let errors = shared.errors.get();
        let waiting = shared.waiting.get();
        let plain = |name, kind, help, value| Metric { name, kind, help, reason: None, value };
        let mut metrics = vec![
            plain(
                "wakegate_gate_admitted_total",
                "counter",
                "Activations that the gate let through.",
                shared.gate.admitted(),
            ),
            plain(
                "wakegate_review_stored_total",
                "counter",
                "Clips stored for review.",
                self.stored(),
            ),
            plain("wakegate_review_errors_total", "counter", "Errors of the review queue.", errors),
            plain(
                "wakegate_review_waiting_clips",
                "gauge",
                "Clips that wait for a label.",
                waiting,
            ),
        ];
        metrics.extend(Stop::ALL.map(|stop| Metric {
            name: "wakegate_gate_stopped_total",
            kind: "counter",
            help: "Activations whose audio was wiped, by reason.",
            reason: Some(stop.as_str()),
            value: self.stopped(stop),
        }));
        metrics
    }
}

impl Drop for Recorder {
    /// Stores what was offered, and ends the thread.
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been told already; dropping must not panic again.
            let _ = thread.join();
        }
    }
}

struct Worker {
    queue: Queue,
    gate: Gate,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(mut self, receiver: &Receiver<Message>) {
        self.sweep();
        let mut next_sweep = Instant::now() + SWEEP;
        loop {
            let wait = next_sweep.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                self.sweep();
                next_sweep = Instant::now() + SWEEP;
                continue;
            }
            match receiver.recv_timeout(wait) {
                Ok(Message::Offer(offer)) => {
                    self.take(*offer);
                    self.look();
                }
                Ok(Message::Flush(done)) => {
                    self.sweep();
                    // Nobody waits any more where this fails.
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.sweep();
    }

    fn take(&mut self, offer: Offer) {
        let Offer { heard, audio, since_ms } = offer;
        // An error drops the audio, which wipes it.
        match self.queue.take(&mut self.gate, heard, audio, since_ms) {
            Ok(Stored::Kept(_)) => {
                self.shared.stored.inc();
            }
            Ok(Stored::Dropped(_)) => {}
            Err(error) => {
                self.shared.stop(Stop::Failed);
                self.shared.fail(error);
            }
        }
    }

    /// Adds the stops since the last time to the day's counts, where there are any, and does
    /// what time asks for.
    fn sweep(&mut self) {
        let uncounted = {
            let mut held = self.shared.uncounted.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *held)
        };
        if !uncounted.is_empty() {
            let stops: Vec<(Stop, u64)> = uncounted.into_values().collect();
            if let Err(error) = self.queue.count_stops(&stops) {
                self.shared.fail(error);
            }
        }
        if let Err(error) = self.queue.tend() {
            self.shared.fail(error);
        }
        self.look();
    }

    /// Notes how many clips wait.
    fn look(&mut self) {
        match self.queue.waiting() {
            Ok(waiting) => self.shared.waiting.set(waiting),
            Err(error) => self.shared.fail(error),
        }
    }
}
