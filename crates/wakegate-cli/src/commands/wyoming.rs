//! `wakegate listen --wyoming`: the options that go into the configuration.

use std::path::PathBuf;

use crate::config::{Config, WakeWord, refusal};
use crate::daemon::Counters;
use clap::Args;
use wakegate::{Error, ErrorKind, Result};

use super::output;

/// Options of the Wyoming server and proxy.
#[derive(Args)]
pub struct WyomingOptions {
    /// Serve the Wyoming protocol at tcp://HOST:PORT or unix://PATH, instead of the microphone
    /// unless --config or --device names one
    #[arg(long = "wyoming", value_name = "URI")]
    listen: Option<String>,
    /// Judge the detections of the Wyoming wake-word engine there, instead of detecting
    #[arg(long, value_name = "URI")]
    upstream: Option<String>,
    /// How long after the end of the word that engine reports it
    #[arg(long, value_name = "N")]
    upstream_lag_ms: Option<u32>,
    /// Listen for the wake word of this model package too; can be given again
    #[arg(long, value_name = "DIR")]
    also_model: Vec<PathBuf>,
    /// Another setting of the Wyoming server, as in the configuration; can be given again
    #[arg(long, value_name = "KEY=VALUE")]
    wyoming_set: Vec<String>,
}

impl WyomingOptions {
    /// Whether a server is asked for here and not in a file.
    pub fn is_asked_for(&self) -> bool {
        self.listen.is_some()
    }

    /// Puts what was given instead of what the file says.
    pub fn apply(&self, config: &mut Config) -> Result<()> {
        if !self.wyoming_set.is_empty() {
            let given: Vec<_> = self.wyoming_set.iter().map(|one| as_toml(one)).collect();
            let given = given.join("\n");
            let refused = |error: toml::de::Error| {
                let form = "KEY=VALUE with a key of the section wyoming, such as most_clients=8";
                refusal(&error, &given, form).context("--wyoming-set")
            };
            let mut all = toml::Table::try_from(&config.wyoming).unwrap_or_default();
            all.extend(given.parse::<toml::Table>().map_err(refused)?);
            config.wyoming = all.try_into().map_err(refused)?;
        }
        let settings = &mut config.wyoming;
        settings.listen = self.listen.clone().or(settings.listen.take());
        settings.upstream = self.upstream.clone().or(settings.upstream.take());
        settings.upstream_lag_ms = self.upstream_lag_ms.unwrap_or(settings.upstream_lag_ms);
        for (option, given, needed, is_there) in [
            ("--wyoming-set", !self.wyoming_set.is_empty(), "listen", settings.listen.is_some()),
            (
                "--upstream-lag-ms",
                self.upstream_lag_ms.is_some(),
                "upstream",
                settings.upstream.is_some(),
            ),
        ] {
            if given && !is_there {
                return Err(Error::new(ErrorKind::Settings, format!("{option} is refused"))
                    .expected(format!("an address in wyoming.{needed} too"))
                    .found("none"));
            }
        }
        let also = |model: &PathBuf| WakeWord { model: Some(model.clone()), ..WakeWord::default() };
        config.wake_word.extend(self.also_model.iter().map(also));
        Ok(())
    }

    /// Says at the end what happened, where the server was asked for here.
    pub fn tell(&self, counters: &Counters) {
        if !self.is_asked_for() {
            return;
        }
        let wyoming = |name: &str| name.starts_with("wakegate_wyoming_");
        for shown in counters.others().iter().filter(|s| s.value > 0 && wyoming(s.name)) {
            output::talk(format_args!("{} {}", shown.name, shown.value));
        }
    }
}

/// `KEY=VALUE` of a command line as TOML, in which a text has quotes that a shell takes away.
fn as_toml(given: &str) -> String {
    match given.split_once('=') {
        Some((key, value)) if given.parse::<toml::Table>().is_err() => {
            format!("{key} = {}", toml::Value::from(value.trim()))
        }
        _ => given.to_owned(),
    }
}
