//! The daemon as a whole, and its main thread: signals, reload, watchdog, the models' files.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use tracing::{error, info, warn};

use super::judging_thread::{Ended, Order, Work, Worker};
use super::metrics::Counters;
use super::metrics_server::Page;
use super::review_queue::ReviewQueue;
use super::sinks::{Named, Receivers};
use super::startup;
use super::systemd_notify::Watch;
use super::wyoming_server::WyomingServer;
use crate::config;
use crate::config::{Config, Level};
use crate::wyoming::Uri;
use wakegate::model::Model;
use wakegate::{Error, ErrorKind, Result};

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
    /// Is told where the Wyoming server listens, each time that it starts.
    pub serving: Box<dyn Fn(&Uri)>,
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
        let Setup { config, read_again, patient, receivers, set_level, serving, counters } = setup;
        let models = startup::models(&config)?;
        let review = ReviewQueue::open(&config.review)?;
        review.show(&counters);
        let input = config.audio.enabled.then(|| startup::input(&config.audio)).transpose()?;
        let words = startup::listened_words(&models, &counters, input.is_some())?;
        let page = startup::page(&config, &counters)?;
        let receivers = Receivers::start(receivers, &config, &counters)?;
        let start = |input| {
            Worker::start(Work {
                input,
                audio: config.audio.clone(),
                words,
                fanout: receivers.fanout(),
                feed: review.feed(),
                counters: Arc::clone(&counters),
                priority: config.runtime.priority,
                patient,
            })
        };
        let worker = input.map(start).transpose()?;
        let watch = Watch::new(Arc::clone(&counters), worker.is_some());
        let mut running = Running {
            config,
            read_again,
            models,
            review,
            retired: Vec::new(),
            counters,
            page,
            receivers,
            satellites: None,
            worker,
            watch,
            set_level,
            serving,
        };
        running.satellites = running.serve()?;
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
    review: ReviewQueue,
    /// Those before it, as long as they are fed: the judging thread must not wait for their end.
    retired: Vec<ReviewQueue>,
    counters: Arc<Counters>,
    page: Option<Page>,
    receivers: Receivers,
    satellites: Option<WyomingServer>,
    /// None where no device is listened to.
    worker: Option<Worker>,
    watch: Watch,
    set_level: Box<dyn Fn(Level)>,
    serving: Box<dyn Fn(&Uri)>,
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
            self.retired.retain(ReviewQueue::is_fed);
            let now = Instant::now();
            self.watch.look(now);
            if now >= models_due {
                self.check_models();
                models_due = now + Duration::from_secs_f64(self.config.runtime.model_check_s);
            }
            if self.worker.as_ref().is_some_and(Worker::has_ended) {
                break;
            }
        }
        self.watch.stopping();
        let Self { worker, receivers, satellites, review, retired, .. } = self;
        drop(satellites);
        if let Some(worker) = &worker {
            worker.order(Order::Stop);
        }
        let ended = worker.map_or(Some(Ended::Stopped), |it| it.join(Instant::now() + GRACE));
        let Some(ended) = ended else {
            error!("the judging thread does not end: it is left behind");
            return End::Hung;
        };
        receivers.finish(GRACE);
        // Stores what was offered.
        drop((review, retired));
        End::Worker(ended)
    }

    /// Starts the Wyoming server, where there is to be one.
    fn serve(&self) -> Result<Option<WyomingServer>> {
        if self.config.wyoming.listen.is_none() {
            self.counters.hide("wyoming");
            return Ok(None);
        }
        let satellites = WyomingServer::start(
            &self.config.wyoming,
            self.models.clone(),
            self.receivers.fanout(),
            self.review.recorder(),
            &self.counters,
        )?;
        (self.serving)(satellites.address());
        Ok(Some(satellites))
    }

    /// Reads the file again; takes all of it or nothing.
    fn reload(&mut self) {
        self.watch.reloading(false);
        match self.try_reload() {
            Ok(()) => self.counters.reloads.inc(),
            Err(error) => {
                self.counters.reloads_refused.inc();
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
        let models = startup::models(&new)?;
        let changed = models.len() != self.models.len()
            || models.iter().zip(&self.models).any(|(new, old)| new.manifest() != old.manifest());
        let listens = self.worker.is_some();
        let words = changed
            .then(|| startup::listened_words(&models, &self.counters, listens))
            .transpose()?;
        let piped = old.audio.is_stdin() || new.audio.is_stdin();
        // A device that was not there from the start comes, or one goes, at the next start.
        let fixed = piped || new.audio.enabled != old.audio.enabled || !listens;
        let capture = new.audio != old.audio && !fixed;
        let capture = capture.then(|| startup::input(&new.audio)).transpose()?;
        let moved = new.metrics != old.metrics;
        let page = if moved { startup::page(&new, &self.counters)? } else { None };
        let reviews = new.review != old.review;
        let review = reviews.then(|| ReviewQueue::open(&new.review)).transpose()?;
        let queue = new.runtime.queue != old.runtime.queue;
        if new.hooks != old.hooks || new.mqtt != old.mqtt || queue {
            self.receivers.reconfigure(&new)?;
            self.order(Order::Report(self.receivers.fanout()));
            if let Some(satellites) = &self.satellites {
                satellites.report_to(self.receivers.fanout());
            }
        }
        if let Some(words) = words {
            self.order(Order::Listen(words));
        }
        if let Some(input) = capture {
            self.order(Order::Capture(input, new.audio.clone()));
        }
        if let Some(review) = review {
            review.show(&self.counters);
            self.order(Order::Review(review.feed()));
            self.retired.push(std::mem::replace(&mut self.review, review));
        }
        if moved {
            self.page = page;
        }
        (self.set_level)(new.log.level);
        let later = |key: &str| {
            let start = ["runtime.priority", "runtime.stdout"].contains(&key);
            start || (fixed && key.starts_with("audio."))
        };
        for change in config::changes(old, &new) {
            let key = change.split(':').next().unwrap_or_default();
            let when = if later(key) { "at the next start" } else { "now" };
            warn!(change, when, "the configuration changed");
        }
        info!(wake_words_anew = changed, "the configuration was read again");
        let served = changed || reviews || new.wyoming != old.wyoming;
        let old = std::mem::replace(&mut self.config, new);
        self.models = models;
        if served {
            self.serve_anew(old);
        }
        Ok(())
    }

    /// Starts the Wyoming server again; its clients have to connect again. Where that fails it
    /// goes on with its old settings, or not at all.
    fn serve_anew(&mut self, old: Config) {
        // It holds the address that the new one may need.
        self.satellites = None;
        let error = match self.serve() {
            Ok(satellites) => return self.satellites = satellites,
            Err(error) => error,
        };
        self.config.wyoming = old.wyoming;
        self.satellites = self.serve().unwrap_or_else(|error| {
            error!(%error, "the Wyoming server is gone; hint: correct the configuration and reload");
            None
        });
        error!(%error, "[wyoming] stays as it was; the rest of the configuration was taken");
    }

    /// Tells the judging thread, where there is one.
    fn order(&self, order: Order) {
        if let Some(worker) = &self.worker {
            worker.order(order);
        }
    }

    /// Whether the models' files are still what was loaded. What runs is what was loaded.
    fn check_models(&self) {
        for model in &self.models {
            if let Err(error) = model.check_files() {
                self.counters.model_altered.inc();
                warn!(%error, "a model's files were altered: the one that was loaded goes on");
            }
        }
    }
}
