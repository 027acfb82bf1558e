//! What the daemon counts. Every number only goes up, and can be read at any time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wakegate::ErrorKind;
use wakegate::decision::{Reason, Verdict};
use wakegate::metric::{Counter, Metric};
use wakegate::pipeline::Numbers;

/// Upper ends of the buckets of the time that a block takes, in microseconds.
const STEP_US: [u64; 10] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000];
/// Upper ends of the buckets of the delay from a word's end to its decision, in microseconds.
const WORD_US: [u64; 8] =
    [50_000, 100_000, 150_000, 200_000, 250_000, 500_000, 1_000_000, 2_500_000];
/// Upper ends of the buckets of the delay from a word's end to its verdict, in microseconds.
const DELAY_US: [u64; 8] =
    [250_000, 500_000, 750_000, 900_000, 1_000_000, 1_500_000, 2_500_000, 5_000_000];

/// All verdicts, in the order in which they are shown.
pub const VERDICTS: [Verdict; 3] = [Verdict::Intended, Verdict::Accidental, Verdict::Unsure];
/// All reasons, in the order in which they are shown.
pub const REASONS: [Reason; 3] = [Reason::Intended, Reason::NotWakeWord, Reason::NotAddressed];

/// Durations in buckets.
#[derive(Debug)]
pub struct Histogram {
    ends_us: &'static [u64],
    buckets: Box<[Counter]>,
    sum_us: Counter,
}

impl Histogram {
    fn new(ends_us: &'static [u64]) -> Self {
        let buckets = (0..=ends_us.len()).map(|_| Counter::default()).collect();
        Self { ends_us, buckets, sum_us: Counter::default() }
    }

    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.buckets[self.ends_us.partition_point(|&end| end < us)].inc();
        self.sum_us.add(us);
    }

    /// Upper end in seconds and cumulative count of each bucket, but for the last, endless one.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut sum = 0;
        self.ends_us.iter().zip(&self.buckets).map(move |(&end, bucket)| {
            sum += bucket.get();
            (end as f64 / 1e6, sum)
        })
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(Counter::get).sum()
    }

    /// The sum of all, in seconds.
    pub fn sum_s(&self) -> f64 {
        self.sum_us.get() as f64 / 1e6
    }
}

/// What is counted for one wake word.
#[derive(Debug)]
pub struct WordCounters {
    /// The wake word.
    pub wake_word: Arc<str>,
    /// Candidates that the first stage proposed.
    pub candidates: Counter,
    /// Words decided as said, whatever they were meant for.
    pub words: Counter,
    /// Candidates that never got a verdict: audio was lost, an error, a stop. Nothing passes.
    pub abandoned: Counter,
    verdicts: [[Counter; 3]; 3],
}

impl WordCounters {
    fn new(wake_word: &str) -> Self {
        Self {
            wake_word: wake_word.into(),
            candidates: Counter::default(),
            words: Counter::default(),
            abandoned: Counter::default(),
            verdicts: Default::default(),
        }
    }

    /// Verdicts of a kind.
    pub fn verdicts(&self, verdict: Verdict, reason: Reason) -> &Counter {
        let verdict = VERDICTS.iter().position(|&v| v == verdict).unwrap_or(0);
        let reason = REASONS.iter().position(|&r| r == reason).unwrap_or(0);
        &self.verdicts[verdict][reason]
    }

    /// Verdicts of a kind, whatever the reason.
    pub fn verdict(&self, verdict: Verdict) -> u64 {
        REASONS.iter().map(|&reason| self.verdicts(verdict, reason).get()).sum()
    }
}

/// What is counted for one receiver of activations.
#[derive(Debug)]
pub struct SinkCounters {
    /// The receiver: stdout, mqtt, a hook.
    pub name: &'static str,
    /// Activations given to it; for a broker, those that it has acknowledged.
    pub delivered: Counter,
    /// Activations that found its queue full.
    pub dropped: Counter,
    /// What it could not do: write, start a command, publish.
    pub failed: Counter,
    /// Commands killed because they took too long.
    pub killed: Counter,
}

/// Reads what another module counts.
struct Show(Box<dyn Fn() -> Vec<Metric> + Send>);

impl fmt::Debug for Show {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((self.0)()).finish()
    }
}

/// Everything that the daemon counts.
#[derive(Debug)]
pub struct Counters {
    /// Frames that came from the device, lost ones included.
    pub frames: Counter,
    /// Frames that found the ring full.
    pub lost_frames: Counter,
    /// Blocks that found the ring full.
    pub overruns: Counter,
    /// Overruns that the device itself reported.
    pub xruns: Counter,
    /// Gaps in the audio; after each everything starts afresh.
    pub gaps: Counter,
    /// Times that the device was opened.
    pub opened: Counter,
    /// Times that the device failed, or could not be opened.
    pub device_faults: Counter,
    /// 16 kHz samples that were judged.
    pub judged_samples: Counter,
    /// Errors while judging: samples that are no numbers, posteriors that are none.
    pub audio_errors: Counter,
    /// Errors of a network or of what it says.
    pub model_errors: Counter,
    /// Panics of the judging thread.
    pub panics: Counter,
    /// Looks at the models' files that found them altered.
    pub model_altered: Counter,
    /// Configurations that were taken while running.
    pub reloads: Counter,
    /// Configurations that were refused while running.
    pub reloads_refused: Counter,
    /// Frames that wait in the ring.
    pub waiting_frames: Counter,
    /// Time to take one block of the device through all wake words.
    pub step: Histogram,
    /// Audio time from a word's end to its decision, with what waited in the ring.
    pub word_delay: Histogram,
    /// Audio time from a word's end to its verdict, with what waited in the ring.
    pub delay: Histogram,
    numbers: Numbers,
    flowing: AtomicBool,
    healthy: AtomicBool,
    words: Mutex<Vec<Arc<WordCounters>>>,
    sinks: Mutex<Vec<Arc<SinkCounters>>>,
    others: Mutex<BTreeMap<&'static str, Show>>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            frames: Counter::default(),
            lost_frames: Counter::default(),
            overruns: Counter::default(),
            xruns: Counter::default(),
            gaps: Counter::default(),
            opened: Counter::default(),
            device_faults: Counter::default(),
            judged_samples: Counter::default(),
            audio_errors: Counter::default(),
            model_errors: Counter::default(),
            panics: Counter::default(),
            model_altered: Counter::default(),
            reloads: Counter::default(),
            reloads_refused: Counter::default(),
            waiting_frames: Counter::default(),
            step: Histogram::new(&STEP_US),
            word_delay: Histogram::new(&WORD_US),
            delay: Histogram::new(&DELAY_US),
            numbers: Numbers::default(),
            flowing: AtomicBool::new(false),
            healthy: AtomicBool::new(false),
            words: Mutex::default(),
            sinks: Mutex::default(),
            others: Mutex::default(),
        }
    }
}

impl Counters {
    /// The counters of `wake_word`; the same ones each time.
    pub fn word(&self, wake_word: &str) -> Arc<WordCounters> {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = words.iter().find(|word| &*word.wake_word == wake_word) {
            return Arc::clone(found);
        }
        let word = Arc::new(WordCounters::new(wake_word));
        words.push(Arc::clone(&word));
        word
    }

    /// The counters of the receiver `name`; the same ones each time.
    pub fn sink(&self, name: &'static str) -> Arc<SinkCounters> {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = sinks.iter().find(|sink| sink.name == name) {
            return Arc::clone(found);
        }
        let sink = Arc::new(SinkCounters {
            name,
            delivered: Counter::default(),
            dropped: Counter::default(),
            failed: Counter::default(),
            killed: Counter::default(),
        });
        sinks.push(Arc::clone(&sink));
        sink
    }

    /// The counters of every wake word so far.
    pub fn words(&self) -> Vec<Arc<WordCounters>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The counters of every receiver so far.
    pub fn sinks(&self) -> Vec<Arc<SinkCounters>> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Verdicts of a kind, over all wake words.
    pub fn verdicts(&self, verdict: Verdict) -> u64 {
        self.words().iter().map(|word| word.verdict(verdict)).sum()
    }

    /// The numbers of all activations, whoever hears them.
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// Shows what another module counts, instead of what it showed before.
    pub fn show(&self, module: &'static str, read: impl Fn() -> Vec<Metric> + Send + 'static) {
        self.lock_others().insert(module, Show(Box::new(read)));
    }

    /// Shows nothing of that module any more.
    pub fn hide(&self, module: &str) {
        self.lock_others().remove(module);
    }

    /// What the other modules count, each family in one piece.
    pub fn others(&self) -> Vec<Metric> {
        self.lock_others().values().flat_map(|show| (show.0)()).collect()
    }

    fn lock_others(&self) -> MutexGuard<'_, BTreeMap<&'static str, Show>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether audio was judged in the last seconds.
    pub fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Gives what it was before.
    pub(super) fn set_healthy(&self, healthy: bool) -> bool {
        self.healthy.swap(healthy, Ordering::Relaxed)
    }

    /// Whether the last block was judged.
    pub fn is_flowing(&self) -> bool {
        self.flowing.load(Ordering::Relaxed)
    }

    pub(super) fn set_flowing(&self, flowing: bool) {
        self.flowing.store(flowing, Ordering::Relaxed);
    }

    /// Counts an error of the judging thread by its kind.
    pub(super) fn judging_failed(&self, kind: ErrorKind) {
        match kind {
            ErrorKind::Audio => self.audio_errors.inc(),
            _ => self.model_errors.inc(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_cumulative_and_its_last_bucket_endless() {
        let histogram = Histogram::new(&[10, 100]);
        for us in [5, 10, 11, 1_000_000] {
            histogram.observe(Duration::from_micros(us));
        }
        let found: Vec<_> = histogram.cumulative().collect();
        assert_eq!(found, [(0.000_01, 2), (0.000_1, 3)]);
        assert_eq!(histogram.count(), 4);
        assert!((histogram.sum_s() - 1.000_026).abs() < 1e-9);
    }

    #[test]
    fn the_same_name_has_the_same_counters() {
        let counters = Counters::default();
        let word: Arc<str> = "tiny".into();
        counters.word(&word).verdicts(Verdict::Accidental, Reason::NotAddressed).inc();
        counters.word(&word).verdicts(Verdict::Accidental, Reason::NotWakeWord).inc();
        assert_eq!(counters.verdicts(Verdict::Accidental), 2);
        assert_eq!(counters.verdicts(Verdict::Intended), 0);
        counters.sink("stdout").dropped.inc();
        assert_eq!(counters.sink("stdout").dropped.get(), 1);
        assert_eq!((counters.words().len(), counters.sinks().len()), (1, 1));
    }
}
