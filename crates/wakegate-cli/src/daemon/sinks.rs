//! The receivers of activations: those that are given, and those of the configuration.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::fanout::{Fanout, Sink};
use super::hooks::{Hook, When};
use super::metrics::Counters;
use super::mqtt::Publisher;
use crate::config::Config;
use wakegate::Result;
use wakegate::pipeline::Observer;

/// A receiver with the name that its counters have.
pub type Named = (&'static str, Box<dyn Observer>);

/// All receivers that run, with their threads.
pub struct Receivers {
    counters: Arc<Counters>,
    /// Those that are given, for as long as the daemon runs.
    given: Fanout,
    /// Those of the configuration.
    configured: Configured,
    sinks: Vec<Sink>,
    /// Held by whoever talks to the broker: its end says that we are gone, so the next has to say
    /// that we are here after it.
    turn: Arc<Mutex<()>>,
}

/// The receivers of one configuration.
struct Configured {
    fanout: Fanout,
    ending: Arc<AtomicBool>,
}

impl Receivers {
    /// Starts all receivers.
    ///
    /// # Errors
    /// For settings that can't be used, or where no thread can be started.
    pub fn start(given: Vec<Named>, config: &Config, counters: &Arc<Counters>) -> Result<Self> {
        let (mut fanout, mut sinks) = (Fanout::default(), Vec::new());
        for (name, observer) in given {
            sinks.push(fanout.add(name, observer, config.runtime.queue, counters)?);
        }
        let turn = Arc::default();
        let (configured, more) = configured(config, counters, &turn)?;
        sinks.extend(more);
        Ok(Self { counters: Arc::clone(counters), given: fanout, configured, sinks, turn })
    }

    /// The ways to all of them.
    pub fn fanout(&self) -> Fanout {
        self.given.clone().and(&self.configured.fanout)
    }

    /// Replaces those of the configuration. The old ones finish what they have.
    ///
    /// # Errors
    /// As [`start`](Self::start); then the old ones stay.
    pub fn reconfigure(&mut self, config: &Config) -> Result<()> {
        let (configured, sinks) = configured(config, &self.counters, &self.turn)?;
        self.configured = configured;
        self.sinks.extend(sinks);
        Ok(())
    }

    /// Waits at most `grace` until all have finished. The ways to them must be gone by then.
    pub fn finish(self, grace: Duration) {
        let Self { given, configured, sinks, .. } = self;
        configured.ending.store(true, Ordering::Relaxed);
        drop((given, configured));
        let deadline = Instant::now() + grace;
        sinks.into_iter().for_each(|sink| sink.join(deadline));
    }
}

fn configured(
    config: &Config,
    counters: &Arc<Counters>,
    turn: &Arc<Mutex<()>>,
) -> Result<(Configured, Vec<Sink>)> {
    let ending = Arc::new(AtomicBool::new(false));
    let (mut fanout, mut sinks) = (Fanout::default(), Vec::new());
    let hooks = &config.hooks;
    for (name, when, command) in [
        ("on_word", When::Word, &hooks.on_word),
        ("on_intended", When::Intended, &hooks.on_intended),
        ("on_accidental", When::Accidental, &hooks.on_accidental),
    ] {
        let Some(command) = command.clone() else { continue };
        let timeout = Duration::from_secs_f64(hooks.timeout_s);
        let own = counters.sink(name);
        let hook = Hook::new(when, command, timeout, own, Arc::clone(&ending));
        sinks.push(fanout.add(name, Box::new(hook), hooks.queue, counters)?);
    }
    let own = counters.sink("mqtt");
    if let Some(publisher) = Publisher::start(&config.mqtt, counters, own, turn)? {
        sinks.push(fanout.add("mqtt", Box::new(publisher), config.runtime.queue, counters)?);
    }
    Ok((Configured { fanout, ending }, sinks))
}
