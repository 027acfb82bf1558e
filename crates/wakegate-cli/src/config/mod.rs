//! The daemon's one TOML file: typed, range-checked, unknown keys refused.
//!
//! `default.toml` is the complete configuration with every key's default, unit and range; a test
//! keeps it equal to the types here. The sections of other modules are those modules' own types.

mod audio;
mod changes;
mod mqtt;
mod print;
mod refusal;
mod sections;

use std::fs;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use audio::Audio;
pub use changes::changes;
pub use mqtt::Mqtt;
pub use print::print;
pub use sections::{Decode, Hooks, Level, Log, Metrics, Runtime, WakeWord};

use crate::wyoming;
pub(crate) use refusal::{parse, refusal};
use wakegate::{Error, ErrorKind, Result, review};

/// The complete configuration, commented, every key at its default.
pub const DEFAULT: &str = include_str!("default.toml");

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where sound comes from.
    pub audio: Audio,
    /// What is listened for; at least one.
    pub wake_word: Vec<WakeWord>,
    /// Commands that activations start.
    pub hooks: Hooks,
    /// The message broker.
    pub mqtt: Mqtt,
    /// The page for Prometheus.
    pub metrics: Metrics,
    /// Threads and queues.
    pub runtime: Runtime,
    /// What is said on standard error.
    pub log: Log,
    /// How recordings are read.
    pub decode: Decode,
    /// The server for Wyoming clients.
    pub wyoming: wyoming::Settings,
    /// The review queue.
    pub review: review::Settings,
}

/// Longest settings file; what never ends is none.
const MOST_BYTES: u64 = 1 << 20;
/// Where all keys are.
const KEYS: &str = "`wakegate config print` shows every key with its unit and range";

impl Default for Config {
    fn default() -> Self {
        Self {
            audio: Audio::default(),
            wake_word: vec![WakeWord::default()],
            hooks: Hooks::default(),
            mqtt: Mqtt::default(),
            metrics: Metrics::default(),
            runtime: Runtime::default(),
            log: Log::default(),
            decode: Decode::default(),
            wyoming: wyoming::Settings::default(),
            review: review::Settings::default(),
        }
    }
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] for a file that can't be read; else as [`parse`](Self::parse).
    pub fn open(path: &Path) -> Result<Self> {
        let mut text = String::new();
        let read = fs::File::open(path)
            .and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text));
        read.map_err(|e| {
            Error::io("read", path, &e)
                .hint("write one with `wakegate config print > wakegate.toml`")
        })?;
        if text.len() as u64 > MOST_BYTES {
            return Err(Error::new(ErrorKind::Settings, format!("cannot read {}", path.display()))
                .expected(format!("settings of at most {} KiB", MOST_BYTES >> 10))
                .found("more"));
        }
        Self::parse(&text).map_err(|error| error.context(path.display()))
    }

    /// Reads and checks `text`.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for TOML that does not parse, an unknown key (with its line and a
    /// suggestion), or a value out of its range.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = parse(text, KEYS)?;
        config.validate()?;
        Ok(config)
    }

    /// Checks every value's range.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] with the key and its range.
    pub fn validate(&self) -> Result<()> {
        no_nul("", &toml::Value::try_from(self).unwrap_or(toml::Value::Boolean(true)))?;
        self.audio.validate()?;
        if self.wake_word.is_empty() {
            return Err(Error::new(ErrorKind::Settings, "there is no wake word")
                .expected("at least one [[wake_word]]")
                .found("none")
                .hint("an empty [[wake_word]] block is the model in the binary"));
        }
        self.wake_word.iter().try_for_each(WakeWord::validate)?;
        self.hooks.validate()?;
        self.mqtt.validate()?;
        self.metrics.validate()?;
        self.runtime.validate()?;
        self.wyoming.check()?;
        self.review.validate()
    }

    /// Checks what the values say together, once all that can say something has said it.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] where there is neither a device nor a server, an upstream engine
    /// without the server that its clients would talk to, or that server itself as the engine; and
    /// for a model that is named twice.
    pub fn fits_together(&self) -> Result<()> {
        if self.wyoming.upstream.is_some() && self.wyoming.listen.is_none() {
            return Err(Error::new(ErrorKind::Settings, "wyoming.upstream has no clients")
                .expected("an address for them in wyoming.listen")
                .found("none"));
        }
        self.wyoming.check_upstream()?;
        for (place, word) in self.wake_word.iter().enumerate() {
            if self.wake_word[..place].iter().any(|other| other.model == word.model) {
                let key = format!("wake_word[{}].model", place + 1);
                let none = || "the model in the binary".to_owned();
                let model = word.model.as_ref().map_or_else(none, |m| m.display().to_string());
                return Err(refused(&key)
                    .expected("a model of its own for each [[wake_word]]")
                    .found(format!("{model} twice")));
            }
        }
        if self.audio.enabled || self.wyoming.listen.is_some() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Settings, "there is nothing to listen to")
            .expected("audio.enabled = true, or an address in wyoming.listen")
            .found("neither"))
    }
}

/// Refuses text that no system call takes: a command or a path would end at its NUL.
fn no_nul(key: &str, value: &toml::Value) -> Result<()> {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        toml::Value::String(text) if text.contains('\0') => {
            Err(refused(key).expected("text without a NUL character").found("one"))
        }
        toml::Value::Array(values) => values.iter().try_for_each(|value| no_nul(key, value)),
        toml::Value::Table(table) => table.iter().try_for_each(|(name, value)| {
            // A key may be the user's own: another engine's name.
            no_nul(&below(name), &toml::Value::String(name.clone()))?;
            no_nul(&below(name), value)
        }),
        _ => Ok(()),
    }
}

/// A refused value of `key`.
fn refused(key: &str) -> Error {
    Error::new(ErrorKind::Settings, format!("{key} is refused"))
}

/// Checks a number against its range.
fn in_range(key: &str, value: f64, low: f64, high: f64) -> Result<()> {
    // A NaN lies in no range, so it is refused here too.
    if (low..=high).contains(&value) {
        return Ok(());
    }
    // f32 values arrive widened; six digits show what the file says.
    let shown = |v: f64| ((v * 1e6).round() / 1e6).to_string();
    Err(refused(key).expected(format!("{} to {}", shown(low), shown(high))).found(shown(value)))
}
