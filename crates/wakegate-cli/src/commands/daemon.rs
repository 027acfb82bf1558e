//! `wakegate listen` on a microphone or for Wyoming clients: the daemon.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use crate::config::{Config, Level};
use crate::daemon::{
    Counters, Daemon, End, Ended, ReadAgain, Setup, SinkCounters, Stop, wall_clock,
};
use clap::Args;
use serde::Serialize;
use tracing::{debug, warn};
use wakegate::gate::harden;
use wakegate::pipeline::{Event, Observer, Report};
use wakegate::{Error, ErrorKind, Result};

use super::queue_location::QueueLocation;
use super::wyoming::WyomingOptions;
use super::{Engine, Outcome, log, output};

/// What a microphone is listened to with.
#[derive(Args)]
pub struct DaemonArguments {
    #[command(flatten)]
    place: QueueLocation,
    /// Input device: an identifier, a name or a part of one, or - for raw PCM on stdin
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    device: Option<String>,
    /// Shell command for each wake word, before it is known what it was meant for
    #[arg(long, value_name = "CMD")]
    on_word: Option<String>,
    /// Shell command for each intended activation, with the event on its stdin
    #[arg(long, value_name = "CMD")]
    on_intended: Option<String>,
    /// Shell command for each accidental or unsure activation
    #[arg(long, value_name = "CMD")]
    on_accidental: Option<String>,
    #[command(flatten)]
    wyoming: WyomingOptions,
}

/// Listens until a signal, the end of the source or a failure.
pub fn run(arguments: DaemonArguments, engine: Engine) -> Result<Outcome> {
    let arguments = Arc::new(arguments);
    let config = read(&arguments, &engine)?;
    engine.runtime.choose()?;
    let set_level = log::start(config.log.level);
    let swappable = Swappable { problems: harden().problems, warned: Cell::new(false) };
    swappable.tell(&config);
    let daemon = Daemon::new()?;
    let counters = Arc::new(Counters::default());
    // A service waits for its sound card; a person wants to know.
    let patient = arguments.place.file().is_some();
    let again = Arc::clone(&arguments);
    let read_again: ReadAgain = Box::new(move || {
        again.place.is_plain()?;
        let config = read(&again, &engine)?;
        swappable.tell(&config);
        Ok(config)
    });
    let mut setup = Setup {
        read_again: Some(read_again).filter(|_| patient),
        patient,
        receivers: Vec::new(),
        set_level,
        serving: Box::new(|uri| output::talk(format_args!("wakegate serves Wyoming at {uri}"))),
        counters: Arc::clone(&counters),
        config,
    };
    if setup.config.runtime.stdout {
        let lines = Lines::new(daemon.stop(), counters.sink("stdout"))?;
        setup.receivers.push(("stdout", Box::new(lines)));
    }
    let end = daemon.run(setup)?;
    arguments.wyoming.tell(&counters);
    match end {
        End::Worker(Ended::Stopped | Ended::SourceEnded) => Ok(Outcome::AllWell),
        End::Worker(Ended::SourceFailed(error)) if counters.opened.get() == 0 => Err(error),
        End::Worker(Ended::SourceFailed(error)) => {
            output::error(&error);
            Ok(Outcome::SomeFailed)
        }
        End::Worker(Ended::Panicked) => Ok(Outcome::Panicked),
        End::Hung => Ok(Outcome::Hung),
    }
}

/// What of the memory may be swapped out. It matters where clips wait in it; elsewhere it is worth knowing.
struct Swappable {
    problems: Vec<String>,
    warned: Cell<bool>,
}

impl Swappable {
    /// Says so once where clips are kept, whether from the start or since a reload.
    fn tell(&self, config: &Config) {
        if !config.review.enabled {
            return self.problems.iter().for_each(|problem| debug!("{problem}"));
        }
        if !self.warned.replace(true) {
            self.problems.iter().for_each(|problem| warn!("{problem}"));
        }
    }
}

/// The configuration: the file's, and before it what the command line says.
pub fn read(arguments: &DaemonArguments, engine: &Engine) -> Result<Config> {
    let DaemonArguments { place, device, on_word, on_intended, on_accidental, wyoming } = arguments;
    let mut config = place.config(Some(engine))?;
    if place.file().is_none() && wyoming.is_asked_for() {
        // Who asks for clients alone gets clients alone, and is at a terminal.
        config.audio.enabled = device.is_some();
        config.log.level = Level::Info;
    }
    let replace = |value: &mut Option<String>, new: &Option<String>| {
        if new.is_some() {
            value.clone_from(new);
        }
    };
    replace(&mut config.audio.device, device);
    replace(&mut config.hooks.on_word, on_word);
    replace(&mut config.hooks.on_intended, on_intended);
    replace(&mut config.hooks.on_accidental, on_accidental);
    wyoming.apply(&mut config)?;
    config.validate()?;
    place.warn_if_off(&config);
    Ok(config)
}

/// A report with the time of day of its verdict.
#[derive(Serialize)]
struct Timed<'a> {
    #[serde(flatten)]
    report: &'a Report<'a>,
    at: String,
}

/// Activations as lines on stdout.
struct Lines {
    out: File,
    stop: Stop,
    counters: Arc<SinkCounters>,
    /// Whether the last line was cut off.
    torn: bool,
    warned: bool,
}

impl Lines {
    fn new(stop: Stop, counters: Arc<SinkCounters>) -> Result<Self> {
        // Without a buffer: a line is written or it is not.
        let out = io::stdout().as_fd().try_clone_to_owned().map_err(|error| {
            Error::new(ErrorKind::Io, "cannot write to stdout").found(error.to_string())
        })?;
        Ok(Self { out: out.into(), stop, counters, torn: false, warned: false })
    }

    fn write(&mut self, report: &Report<'_>) -> io::Result<()> {
        let mut line = if self.torn { b"\n".to_vec() } else { Vec::new() };
        let at = wall_clock();
        serde_json::to_writer(&mut line, &Timed { report, at })?;
        line.push(b'\n');
        self.torn = true;
        self.out.write_all(&line)?;
        self.torn = false;
        Ok(())
    }
}

impl Observer for Lines {
    fn on_activation(&mut self, event: &Event<'_>) {
        let Err(error) = self.write(&Report::from(event)) else { return };
        self.counters.failed.inc();
        if error.kind() == io::ErrorKind::BrokenPipe {
            // Whoever read the lines has gone.
            return self.stop.ask();
        }
        if !self.warned {
            self.warned = true;
            warn!(%error, "an activation could not be written to stdout");
        }
    }
}
