//! The daemon as a whole, and its main thread: signals, reload, watchdog, the models' files.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use tracing::{error, info, warn};

use super::counters::Counters;
use super::ear::Ear;
use super::http::Page;
use super::notify::Watch;
use super::receivers::{Named, Receivers};
use super::worker::{Ended, Order, Work, Worker};
use crate::audio::{Input, Pipe, SAMPLE_RATE};
use crate::config::{self, Audio, Config, Level, WakeWord};
use crate::model::Model;
use crate::{Error, ErrorKind, Result};

/// How often the main thread looks around.
const TICK: Duration = Duration::from_millis(250);
/// What the judging thread may take to end, and then the receivers.
const GRACE: Duration = Duration::from_secs(5);

/// What a daemon starts with.
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// Reads it again, for a reload.
    pub read_again: Option<ReadAgain>,
    /// Whether a device that can't be opened at the start is waited for.
    pub patient: bool,
    /// Receivers besides those of the configuration.
    pub receivers: Vec<Named>,
    /// Sets how much is said.
    pub set_level: Box<dyn Fn(Level)>,
    /// What is counted.
    pub counters: Arc<Counters>,
}

/// Reads a configuration again.
pub type ReadAgain = Box<dyn Fn() -> Result<Config>>;

/// How a daemon ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// By itself, or because it was told to.
    Worker(Ended),
    /// The judging thread did not end when it was told to.
    Hung,
}

/// What reaches the main thread.
enum Call {
    Signal(i32),
    Stop,
}

/// Asks a daemon to end, from anywhere.
#[derive(Clone)]
pub struct Stop(Sender<Call>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        let _ = self.0.send(Call::Stop);
    }
}

/// A daemon that has not started yet.
pub struct Daemon {
    calls: Receiver<Call>,
    stop: Stop,
    signals: Handle,
}

impl Daemon {
    /// Takes over SIGTERM, SIGINT and SIGHUP.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where that can't be done.
    pub fn new() -> Result<Self> {
        let (sender, calls) = crossbeam_channel::unbounded();
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Io, "cannot take signals").found(error.to_string())
        };
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(failed)?;
        let handle = signals.handle();
        let out = sender.clone();
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || signals.forever().all(|signal| out.send(Call::Signal(signal)).is_ok()))
            .map_err(failed)?;
        Ok(Self { calls, stop: Stop(sender), signals: handle })
    }

    /// What ends it.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Runs until it is told to end or can't go on.
    ///
    /// # Errors
    /// What keeps it from starting: the configuration, a model, an address.
    pub fn run(self, setup: Setup) -> Result<End> {
        let Setup { config, read_again, patient, receivers, set_level, counters } = setup;
        let models = open_models(&config.wake_word)?;
        let ears = ears(&models, &counters)?;
        let input = input(&config.audio)?;
        let page = open_page(&config, &counters)?;
        let receivers = Receivers::start(receivers, &config, &counters)?;
        let worker = Worker::start(Work {
            input,
            audio: config.audio.clone(),
            ears,
            fanout: receivers.fanout(),
            counters: Arc::clone(&counters),
            priority: config.runtime.priority,
            patient,
        })?;
        let watch = Watch::new(Arc::clone(&counters));
        let running = Running {
            config,
            read_again,
            models,
            counters,
            page,
            receivers,
            worker,
            watch,
            set_level,
        };
        let end = running.until_the_end(&self.calls);
        self.signals.close();
        Ok(end)
    }
}

/// A daemon that runs.
struct Running {
    config: Config,
    read_again: Option<ReadAgain>,
    models: Vec<Model>,
    counters: Arc<Counters>,
    page: Option<Page>,
    receivers: Receivers,
    worker: Worker,
    watch: Watch,
    set_level: Box<dyn Fn(Level)>,
}

impl Running {
    fn until_the_end(mut self, calls: &Receiver<Call>) -> End {
        let mut models_due = Instant::now();
        loop {
            match calls.recv_timeout(TICK) {
                Ok(Call::Signal(SIGHUP)) => self.reload(),
                Ok(Call::Signal(_) | Call::Stop) => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = Instant::now();
            self.watch.look(now);
            if now >= models_due {
                self.check_models();
                models_due = now + Duration::from_secs_f64(self.config.runtime.model_check_s);
            }
            if self.worker.has_ended() {
                break;
            }
        }
        self.watch.stopping();
        let Self { worker, receivers, .. } = self;
        worker.order(Order::Stop);
        let Some(ended) = worker.join(Instant::now() + GRACE) else {
            error!("the judging thread does not end: it is left behind");
            return End::Hung;
        };
        receivers.finish(GRACE);
        End::Worker(ended)
    }

    /// Reads the file again; takes all of it or nothing.
    fn reload(&mut self) {
        self.watch.reloading(false);
        match self.try_reload() {
            Ok(()) => self.counters.reloads.up(),
            Err(error) => {
                self.counters.reloads_refused.up();
                error!(%error, "the configuration stays as it was");
            }
        }
        self.watch.reloading(true);
    }

    fn try_reload(&mut self) -> Result<()> {
        let Some(read_again) = &self.read_again else {
            return Err(Error::new(ErrorKind::Settings, "there is nothing to read again")
                .expected("--config FILE"));
        };
        let new = read_again()?;
        let old = &self.config;
        // First everything that can fail, so that a refusal leaves everything as it was.
        let models = open_models(&new.wake_word)?;
        let changed = models.len() != self.models.len()
            || models.iter().zip(&self.models).any(|(new, old)| new.manifest() != old.manifest());
        let ears = if changed { Some(ears(&models, &self.counters)?) } else { None };
        let piped = old.audio.is_stdin() || new.audio.is_stdin();
        let capture = (new.audio != old.audio && !piped).then(|| input(&new.audio)).transpose()?;
        let moved = new.metrics != old.metrics;
        let page = if moved { open_page(&new, &self.counters)? } else { None };
        let queue = new.runtime.queue != old.runtime.queue;
        if new.hooks != old.hooks || new.mqtt != old.mqtt || queue {
            self.receivers.reconfigure(&new)?;
            self.worker.order(Order::Report(self.receivers.fanout()));
        }
        if let Some(ears) = ears {
            self.worker.order(Order::Listen(ears));
        }
        if let Some(input) = capture {
            self.worker.order(Order::Capture(input, new.audio.clone()));
        }
        if moved {
            self.page = page;
        }
        (self.set_level)(new.log.level);
        let later = |key: &str| {
            let start = ["runtime.priority", "runtime.stdout"].contains(&key);
            start || (piped && key.starts_with("audio."))
        };
        for change in config::changes(old, &new) {
            let key = change.split(':').next().unwrap_or_default();
            let when = if later(key) { "at the next start" } else { "now" };
            warn!(change, when, "the configuration changed");
        }
        info!(wake_words_anew = changed, "the configuration was read again");
        (self.config, self.models) = (new, models);
        Ok(())
    }

    /// Whether the models' files are still what was loaded. What runs is what was loaded.
    fn check_models(&self) {
        for model in &self.models {
            if let Err(error) = model.check_files() {
                self.counters.model_altered.up();
                warn!(%error, "a model's files were altered: the one that was loaded goes on");
            }
        }
    }
}

fn open_models(words: &[WakeWord]) -> Result<Vec<Model>> {
    let open = |word: &WakeWord| {
        let model = word.model.as_deref().map_or_else(Model::embedded, Model::open)?;
        model.with_thresholds(word.intended_at, word.accidental_below, word.spotter_threshold)
    };
    words.iter().map(open).collect()
}

fn ears(models: &[Model], counters: &Counters) -> Result<Vec<Ear>> {
    models.iter().map(|model| Ear::new(model.clone(), counters)).collect()
}

fn open_page(config: &Config, counters: &Arc<Counters>) -> Result<Option<Page>> {
    let open = |address| Page::open(address, Arc::clone(counters));
    let page = config.metrics.listen.map(open).transpose()?;
    if let Some(page) = &page {
        info!(address = %page.address(), "metrics");
    }
    Ok(page)
}

/// The device that the settings name.
fn input(audio: &Audio) -> Result<Box<dyn Input>> {
    if audio.is_stdin() {
        let rate = audio.rate_hz.unwrap_or(SAMPLE_RATE);
        let frames = (audio.ring_s * f64::from(rate)).ceil() as usize;
        let channels = audio.channels.unwrap_or(1).into();
        let reader = Box::new(std::io::stdin());
        let pipe = Pipe::new("stdin", reader, rate, channels, audio.chosen_channel(), frames)?;
        return Ok(Box::new(pipe));
    }
    card(audio)
}

#[cfg(feature = "live")]
fn card(audio: &Audio) -> Result<Box<dyn Input>> {
    Ok(Box::new(crate::audio::Card::new(crate::audio::CardSettings {
        device: audio.device.clone(),
        rate: audio.rate_hz,
        channels: audio.channels,
        channel: audio.chosen_channel(),
        ring_s: audio.ring_s,
    })))
}

#[cfg(not(feature = "live"))]
fn card(_: &Audio) -> Result<Box<dyn Input>> {
    Err(Error::new(ErrorKind::Device, "there is no sound card in this program")
        .expected("audio.device = \"-\", raw PCM on standard input")
        .found("a program built without the feature live")
        .hint("build it with --features live"))
}
