//! Activations, clocks and queues for the tests of the gate and the review queue.
#![allow(dead_code)]

use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use wakegate::decision::{Reason, Verdict};
use wakegate::gate::{
    AudioBuffer, Clock, Gate, Heard, IntendedClip, LiveAudio, Moment, State, system_draw,
};
use wakegate::model::{Posteriors, WakeScores};
use wakegate::pipeline::{Activation, Decision, Part};
use wakegate::review::{ClipId, Person, Queue, Settings, Stored};
use wakegate::stream::Judge;
use wakegate::{Error, ErrorKind};

/// Samples a second.
pub const RATE: u64 = 16_000;
/// 2026-03-02 10:00:00 UTC, a Monday.
pub const START_MS: i64 = 1_772_445_600_000;
pub const HOUR_MS: i64 = 3_600_000;
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// A clock that stands still until it is turned.
pub struct HandClock {
    unix_ms: AtomicI64,
    steady_ms: AtomicU64,
}

impl HandClock {
    pub fn new() -> Arc<Self> {
        Self::at(START_MS)
    }

    pub fn at(unix_ms: i64) -> Arc<Self> {
        Arc::new(Self { unix_ms: AtomicI64::new(unix_ms), steady_ms: AtomicU64::new(0) })
    }

    /// Lets time pass.
    pub fn pass(&self, ms: i64) {
        self.unix_ms.fetch_add(ms, Ordering::SeqCst);
        self.steady_ms.fetch_add(ms.unsigned_abs(), Ordering::SeqCst);
    }

    /// Sets the wall clock; the steady one does not notice.
    pub fn set(&self, unix_ms: i64) {
        self.unix_ms.store(unix_ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Moment {
        Moment {
            unix_ms: self.unix_ms.load(Ordering::SeqCst),
            steady_ms: self.steady_ms.load(Ordering::SeqCst),
            utc_offset_s: 0,
        }
    }
}

/// Settings under which everything intended is kept.
pub fn open_settings() -> Settings {
    Settings { enabled: true, min_free_mb: 0, daily_cap: 10_000, ..Settings::default() }
}

pub fn person(name: &str) -> Person {
    name.parse().unwrap()
}

/// An activation with the word from `start_s` to `end_s`.
pub fn heard(verdict: Verdict, p_intended: f32, start_s: f64, end_s: f64) -> Heard {
    let at = |seconds: f64| (seconds * RATE as f64).round() as u64;
    let reason = match verdict {
        Verdict::Intended => Reason::Intended,
        _ => Reason::NotAddressed,
    };
    let rest = 1.0 - p_intended;
    Heard {
        wake_word: "alexa".to_owned(),
        model: "tiny-1".to_owned(),
        activation: Activation {
            // One number for each word.
            number: at(start_s),
            verdict,
            reason,
            posteriors: Posteriors::new([p_intended, rest / 4.0, rest * 3.0 / 4.0]).unwrap(),
            scores: WakeScores::new([0.9, 0.8]).unwrap(),
            start_sample: at(start_s),
            end_sample: at(end_s),
            decided_sample: at(end_s + 0.8),
            word_decided_sample: Some(at(end_s + 0.1)),
            spotter_peak: Some(0.75),
        },
    }
}

pub fn intended(start_s: f64, end_s: f64) -> Heard {
    heard(Verdict::Intended, 0.97, start_s, end_s)
}

/// Noise that no other seed gives and that is found again bit for bit after 16-bit PCM.
pub fn noise(samples: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678);
    (0..samples)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            f32::from((state >> 40) as i16) / 32_768.0
        })
        .collect()
}

/// `samples`, from the start of the stream.
pub fn live(samples: &[f32]) -> LiveAudio {
    LiveAudio { buffer: AudioBuffer::copy_of(samples), first_sample: 0 }
}

/// What the gate is told where nothing stands in the way.
pub fn open_state() -> State {
    State { consented: true, stored_today: 0, free_bytes: Some(u64::MAX), certified_at: None }
}

/// A gate for `settings`.
pub fn gate(settings: &Settings) -> Gate {
    Gate::new(settings.policy().unwrap(), system_draw()).unwrap()
}

/// A clip of three seconds of `noise(_, seed)`, the word from 1.0 to 1.5 s.
pub fn clip(seed: u64) -> IntendedClip {
    let settings = Settings { before_s: 10.0, after_s: 30.0, ..open_settings() };
    let moment = HandClock::new().now();
    let samples = noise(3 * RATE as usize, seed);
    let admitted = gate(&settings).admit(intended(1.0, 1.5), live(&samples), &open_state(), moment);
    admitted.unwrap_or_else(|stop| panic!("the gate stopped it: {stop}"))
}

/// A queue in `directory` with a consent.
pub fn queue(directory: &Path, settings: &Settings, clock: &Arc<HandClock>) -> Queue {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    let mut queue = Queue::open(directory, settings, clock).unwrap();
    queue.give_consent(&person("Owner")).unwrap();
    queue
}

/// Opens a queue that may fail to.
pub fn reopen(
    directory: &Path,
    settings: &Settings,
    clock: &Arc<HandClock>,
) -> wakegate::Result<Queue> {
    Queue::open(directory, settings, Arc::clone(clock) as _)
}

/// Stores `clip(seed)`.
pub fn store(queue: &mut Queue, seed: u64) -> ClipId {
    match queue.store(clip(seed)).unwrap() {
        Stored::Kept(id) => id,
        Stored::Dropped(stop) => panic!("the queue dropped it: {stop}"),
    }
}

/// Every file below `directory` with its bytes.
pub fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Whether `haystack` holds `needle`.
pub fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    assert!(!needle.is_empty());
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// What a callback was given.
pub type Given = Mutex<Vec<(Heard, Vec<f32>, u64)>>;

/// A queue's folder, with what it is opened by.
pub struct Fixture {
    pub folder: tempfile::TempDir,
    pub clock: Arc<HandClock>,
    pub settings: Settings,
}

impl Fixture {
    pub fn new() -> Self {
        Self::with(open_settings())
    }

    pub fn with(settings: Settings) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: HandClock::new(), settings }
    }

    pub fn queue(&self) -> Queue {
        queue(&self.folder.path().join("queue"), &self.settings, &self.clock)
    }

    pub fn reopen(&self) -> wakegate::Result<Queue> {
        reopen(&self.folder.path().join("queue"), &self.settings, &self.clock)
    }
}

/// A judge that says what it was told to, once so many samples of a stream have come; or fails.
#[derive(Default)]
pub struct Scripted {
    pub script: Vec<(u64, Option<Decision>)>,
    pub heard: u64,
}

impl Scripted {
    /// Says that `heard` was meant, once it is decided.
    pub fn saying(heard: impl IntoIterator<Item = Heard>) -> Self {
        let verdict = |heard: Heard| {
            (heard.activation.decided_sample, Some(Decision::Verdict(heard.activation)))
        };
        Self { script: heard.into_iter().map(verdict).collect(), heard: 0 }
    }
}

impl Judge for Scripted {
    fn decide(
        &mut self,
        samples: &[f32],
        on_decision: &mut dyn FnMut(Decision),
        _: &mut dyn FnMut(Part),
    ) -> wakegate::Result<()> {
        let before = self.heard;
        self.heard += samples.len() as u64;
        for (at, decision) in &self.script {
            if (before..self.heard).contains(at) {
                on_decision(decision.ok_or_else(|| Error::new(ErrorKind::Audio, "as scripted"))?);
            }
        }
        Ok(())
    }

    fn decide_rest(
        &mut self,
        on_decision: &mut dyn FnMut(Decision),
        mark: &mut dyn FnMut(Part),
    ) -> wakegate::Result<()> {
        self.decide(&[0.0; 2 * RATE as usize], on_decision, mark)
    }

    fn reset(&mut self) -> wakegate::Result<()> {
        self.heard = 0;
        Ok(())
    }

    fn waiting(&self) -> usize {
        0
    }
}
