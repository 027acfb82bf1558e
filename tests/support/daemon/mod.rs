//! Devices, receivers and judges for the tests of the daemon.
#![allow(dead_code)]

pub mod broker;
pub mod live;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use wakegate::audio::ring::{Channel, Writer, ring};
use wakegate::audio::{FaultSender, Input, Stream, faults};
use wakegate::model::Model;
use wakegate::pipeline::{Activation, Decision, Event, Observer, Part, Pipeline, Report};
use wakegate::review::Feed;
use wakegate::stream::Judge;
use wakegate::{Error, ErrorKind, Result};
use wakegate_cli::config::Audio;
use wakegate_cli::daemon::{
    Counters, Ended, Fanout, ListenedWord, Sink, Work, Worker, listened_word, listened_word_by,
};

/// Longest that anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// What a device does on its own thread.
pub type Play = Box<dyn FnOnce(&mut Writer, &mut FaultSender) + Send>;

/// What one attempt to open the device brings.
pub enum Opening {
    /// It can't be opened.
    Refused,
    /// It runs this on the device's thread; the device falls silent when it returns.
    Plays(Play),
}

/// A device that does what it is told. After its last opening it is refused.
pub struct Fake {
    pub rate: u32,
    pub channels: usize,
    pub ring_frames: usize,
    pub openings: VecDeque<Opening>,
    /// How often it was tried.
    pub tried: Arc<AtomicUsize>,
    /// Whether a silent device has ended; else it is stalled.
    pub ends: bool,
}

impl Fake {
    pub fn new(openings: impl IntoIterator<Item = Opening>) -> Self {
        Self {
            rate: 16_000,
            channels: 1,
            ring_frames: 32_000,
            openings: openings.into_iter().collect(),
            tried: Arc::default(),
            ends: false,
        }
    }
}

impl Input for Fake {
    fn open(&mut self) -> Result<Stream> {
        self.tried.fetch_add(1, Ordering::Relaxed);
        let refused = || Error::new(ErrorKind::Device, "the fake is busy").hint("wait");
        let Some(Opening::Plays(play)) = self.openings.pop_front() else { return Err(refused()) };
        let (mut writer, reader) = ring(self.ring_frames, self.channels, Channel::Mix)?;
        let (mut fault_in, fault_out) = faults();
        let silent = !self.ends;
        thread::spawn(move || {
            play(&mut writer, &mut fault_in);
            while silent && !writer.is_abandoned() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        let stream = Stream::new(reader, self.rate, "a fake".into(), fault_out, Box::new(()));
        Ok(if self.ends { stream.that_ends() } else { stream })
    }

    fn name(&self) -> &str {
        "fake"
    }
}

/// Writes `samples` in blocks of 10 ms at 16 kHz, as fast as they are read: nothing is lost.
pub fn feed(writer: &mut Writer, samples: &[f32]) {
    for block in samples.chunks(160) {
        let late = Instant::now() + PATIENCE;
        while writer.room() < block.len() && !writer.is_abandoned() {
            assert!(Instant::now() < late, "nobody reads the ring");
            thread::sleep(Duration::from_millis(1));
        }
        writer.push(block, |sample| sample);
    }
}

/// A device that plays `samples` and then ends or falls silent.
pub fn plays(samples: Vec<f32>) -> Opening {
    Opening::Plays(Box::new(move |writer, _| feed(writer, &samples)))
}

/// An event as a receiver got it.
#[derive(Debug, Clone)]
pub struct Told {
    pub report: serde_json::Value,
    pub activation: Activation,
}

/// A receiver that keeps everything; a test may, nobody else.
pub struct Keeper(Sender<Told>);

pub fn keeper() -> (Box<dyn Observer>, Receiver<Told>) {
    let (out, told) = unbounded();
    (Box::new(Keeper(out)), told)
}

impl Observer for Keeper {
    fn on_activation(&mut self, event: &Event<'_>) {
        let report = serde_json::to_value(Report::from(event)).unwrap();
        let _ = self.0.send(Told { report, activation: *event.activation });
    }
}

/// A worker with one receiver.
pub struct Rig {
    pub worker: Worker,
    pub counters: Arc<Counters>,
    pub told: Receiver<Told>,
    sinks: Vec<Sink>,
}

pub fn audio() -> Audio {
    Audio { stall_s: 0.5, ..Audio::default() }
}

impl Rig {
    /// A worker on `input` that listens with what `words` builds.
    pub fn start(input: Fake, words: impl FnOnce(&Counters) -> Vec<ListenedWord>) -> Self {
        Self::start_with(input, None, words)
    }

    /// The same, with a way into a review queue.
    pub fn start_with(
        input: Fake,
        feed: Option<Feed>,
        words: impl FnOnce(&Counters) -> Vec<ListenedWord>,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let mut fanout = Fanout::default();
        let (observer, told) = keeper();
        let sinks = vec![fanout.add("keeper", observer, 1_000, &counters).unwrap()];
        let words = words(&counters);
        let worker = Worker::start(Work {
            input: Box::new(input),
            audio: audio(),
            words,
            fanout,
            feed,
            counters: Arc::clone(&counters),
            priority: 0,
            patient: true,
        });
        Self { worker: worker.unwrap(), counters, told, sinks }
    }

    /// Waits until `done` says so.
    pub fn wait_until(&self, what: &str, done: impl Fn(&Counters) -> bool) {
        let late = Instant::now() + PATIENCE;
        while !done(&self.counters) {
            assert!(Instant::now() < late, "{what}: never; {:#?}", self.counters);
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for the end, and for everything that was told.
    pub fn end(self) -> (Ended, Vec<Told>, Arc<Counters>) {
        let deadline = Instant::now() + PATIENCE;
        let ended = self.worker.join(deadline).expect("the worker does not end");
        self.sinks.into_iter().for_each(|sink| sink.join(deadline));
        (ended, self.told.try_iter().collect(), self.counters)
    }
}

/// One ear for `model`.
pub fn ear(model: &Model) -> impl FnOnce(&Counters) -> Vec<ListenedWord> + use<> {
    let model = model.clone();
    move |counters| vec![listened_word(model, counters).unwrap()]
}

/// What `model` finds in `samples`, judged at once.
pub fn offline(model: &Model, samples: &[f32]) -> Vec<Activation> {
    let mut pipeline = Pipeline::new(model).unwrap();
    let mut found = Vec::new();
    pipeline.push(samples, &mut |activation| found.push(activation)).unwrap();
    pipeline.finish(&mut |activation| found.push(activation)).unwrap();
    found
}

/// The tiny model, with thresholds between which nothing lies: `low` passes everything.
pub fn tiny(verifier: &str, intended_at: f32) -> Model {
    let directory = tempfile::tempdir().unwrap();
    crate::cli_support::package_of(directory.path(), "spotter", verifier);
    let model = Model::open(directory.path()).unwrap();
    model.with_thresholds(Some(intended_at), Some(intended_at), None).unwrap()
}

/// Panics when it has heard `at` samples, in the lives that `lives` says.
pub struct Bomb {
    inner: Box<dyn Judge + Send>,
    heard: usize,
    at: usize,
}

impl Judge for Bomb {
    fn decide(
        &mut self,
        samples: &[f32],
        on: &mut dyn FnMut(Decision),
        mark: &mut dyn FnMut(Part),
    ) -> Result<()> {
        self.heard += samples.len();
        assert!(self.heard < self.at, "a bomb, for the test");
        self.inner.decide(samples, on, mark)
    }
    fn decide_rest(
        &mut self,
        on: &mut dyn FnMut(Decision),
        mark: &mut dyn FnMut(Part),
    ) -> Result<()> {
        self.inner.decide_rest(on, mark)
    }
    fn reset(&mut self) -> Result<()> {
        self.inner.reset()
    }
    fn waiting(&self) -> usize {
        self.inner.waiting()
    }
}

/// An ear whose first `lives` judges panic after `at` samples each.
pub fn bomb(at: usize, lives: usize) -> impl FnOnce(&Counters) -> Vec<ListenedWord> {
    let model = tiny("verifier", 0.001);
    move |counters| {
        let built = AtomicUsize::new(0);
        let make = move || {
            let inner = Box::new(Pipeline::new(&model)?);
            let armed = built.fetch_add(1, Ordering::Relaxed) < lives;
            let at = if armed { at } else { usize::MAX };
            Ok(Box::new(Bomb { inner, heard: 0, at }) as Box<dyn Judge + Send>)
        };
        vec![listened_word_by("tiny", "tiny-1", counters, Box::new(make)).unwrap()]
    }
}
