//! `wakegate listen --wyoming`: the server and the proxy on the command line.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use crossbeam_channel::{Receiver, bounded, select};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use wakegate::model::Model;
use wakegate::wyoming::{Judged, Observer, Server, Settings};
use wakegate::{Error, ErrorKind, Result};

use super::output::JsonLines;
use super::record::Record;
use super::{Engine, Outcome};

/// Verdicts that may wait for stdout; what comes beyond them is counted and not printed.
const MOST_WAITING: usize = 256;

/// Options of the Wyoming server and proxy.
#[derive(Args)]
pub struct WyomingOptions {
    /// Serve the Wyoming protocol at tcp://HOST:PORT or unix://PATH, in place of --input
    #[arg(long = "wyoming", value_name = "URI", conflicts_with_all = ["input", "pace"])]
    listen: Option<String>,
    /// Judge the detections of the Wyoming wake-word engine there, instead of detecting
    #[arg(long, value_name = "URI", requires = "listen")]
    upstream: Option<String>,
    /// How long after the end of the word that engine reports it
    #[arg(long, value_name = "N", requires = "upstream")]
    upstream_lag_ms: Option<u32>,
    /// Serve the wake word of this model package too; can be given again
    #[arg(long, value_name = "DIR", requires = "listen")]
    also_model: Vec<PathBuf>,
    /// Another setting of the Wyoming server, as in the configuration; can be given again
    #[arg(long, value_name = "KEY=VALUE", requires = "listen")]
    wyoming_set: Vec<String>,
}

impl WyomingOptions {
    /// Whether the server is asked for.
    pub fn is_asked_for(&self) -> bool {
        self.listen.is_some()
    }

    /// Serves until SIGTERM or SIGINT.
    pub fn run(&self, engine: &Engine) -> Result<Outcome> {
        log_to_stderr();
        let settings = self.settings()?;
        let mut models = vec![engine.open()?];
        for directory in &self.also_model {
            models.push(Model::open(directory)?);
        }
        serve(&settings, models)
    }

    fn settings(&self) -> Result<Settings> {
        let mut settings: Settings = toml::from_str(&self.wyoming_set.join("\n")).map_err(|e| {
            Error::new(ErrorKind::Settings, "--wyoming-set is refused")
                .expected("KEY=VALUE with a key of the section wyoming, such as most_clients=8")
                .found(e.message().split_whitespace().collect::<Vec<_>>().join(" "))
        })?;
        settings.listen = self.listen.clone().or(settings.listen);
        settings.upstream = self.upstream.clone().or(settings.upstream);
        settings.upstream_lag_ms = self.upstream_lag_ms.unwrap_or(settings.upstream_lag_ms);
        Ok(settings)
    }
}

/// Runs a server, and prints what is judged as JSON lines, until a signal ends it.
fn serve(settings: &Settings, models: Vec<Model>) -> Result<Outcome> {
    let signals = signals()?;
    let manifests: Vec<_> = models.iter().map(|model| model.manifest().clone()).collect();
    let (sender, judged) = bounded::<Judged>(MOST_WAITING);
    let observer: Observer = Arc::new(move |judged| sender.try_send(judged).is_ok());
    let server = Server::start(settings, models, Some(observer))?;
    anstream::eprintln!("wakegate serves Wyoming at {}", server.address());
    let mut lines = JsonLines::stdout();
    let mut number = 0;
    loop {
        let judged = select! {
            recv(signals) -> _ => break,
            recv(judged) -> judged => judged,
        };
        let Ok(judged) = judged else { break };
        let manifest = manifests.iter().find(|manifest| manifest.wake_word == judged.wake_word);
        let Some(manifest) = manifest.filter(|_| !lines.is_closed()) else { continue };
        number += 1;
        let path = format!("wyoming:{}:{}", judged.client, judged.peer);
        lines.print(&Record::of_activation(&path, manifest, number, &judged.activation, None))?;
    }
    let counters = Arc::clone(server.counters());
    drop(server);
    for metric in counters.metrics().iter().filter(|metric| metric.value > 0) {
        anstream::eprintln!("{} {}", metric.name, metric.value);
    }
    Ok(Outcome::AllWell)
}

/// A channel that gets the signals that end the program.
fn signals() -> Result<Receiver<()>> {
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Io, "cannot wait for signals").found(error.to_string())
    };
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(failed)?;
    let (sender, receiver) = bounded(1);
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                // One is enough: the receiver ends the program.
                let _ = sender.try_send(());
            }
        })
        .map_err(failed)?;
    Ok(receiver)
}

/// Logs go to stderr, unless somebody has decided otherwise already.
fn log_to_stderr() {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_target(false)
        .finish();
    // Whoever came first has the say.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
