//! The daemon's own sections.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{in_range, refused};
use wakegate::Result;
use wakegate::model::{Model, Sensitivity};

/// `[[wake_word]]`: a model, and thresholds instead of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WakeWord {
    /// Folder of a model package; the model in the binary without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
    /// One of the model's operating points, instead of its own thresholds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<Sensitivity>,
    /// Posterior from which an activation is intended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intended_at: Option<f32>,
    /// Posterior below which it is accidental.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accidental_below: Option<f32>,
    /// Posterior from which the first stage proposes a candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spotter_threshold: Option<f32>,
}

impl WakeWord {
    /// `model` at the sensitivity and with the thresholds that are set here.
    ///
    /// # Errors
    /// [`ErrorKind::Model`](wakegate::ErrorKind::Model) for a point that the model lacks, or a value out of its range.
    pub fn applied(&self, model: Model) -> Result<Model> {
        model.with_sensitivity(self.sensitivity.unwrap_or_default())?.with_thresholds(
            self.intended_at,
            self.accidental_below,
            self.spotter_threshold,
        )
    }

    pub(super) fn validate(&self) -> Result<()> {
        let check = |key: &str, value: Option<f32>, high: f64| {
            let value = value.map(f64::from);
            value.map_or(Ok(()), |v| in_range(&format!("wake_word.{key}"), v, 0.001, high))
        };
        if self.sensitivity.is_some() && self.intended_at.is_some() {
            return Err(refused("wake_word.sensitivity")
                .expected("either sensitivity or intended_at")
                .found("both")
                .hint("a sensitivity is the intended_at that the model's card names"));
        }
        check("intended_at", self.intended_at, 1.0)?;
        check("accidental_below", self.accidental_below, self.intended_at.map_or(1.0, f64::from))?;
        check("spotter_threshold", self.spotter_threshold, 0.999)
    }
}

/// `[hooks]`: commands that activations start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// Shell command for each wake word, before it is known what it was meant for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_word: Option<String>,
    /// Shell command for each intended activation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_intended: Option<String>,
    /// Shell command for each accidental or unsure one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_accidental: Option<String>,
    /// Seconds that a command may take.
    pub timeout_s: f64,
    /// Events that may wait for a command.
    pub queue: usize,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { on_word: None, on_intended: None, on_accidental: None, timeout_s: 10.0, queue: 16 }
    }
}

impl Hooks {
    pub(super) fn validate(&self) -> Result<()> {
        in_range("hooks.timeout_s", self.timeout_s, 0.1, 3_600.0)?;
        in_range("hooks.queue", self.queue as f64, 1.0, 1_000.0)
    }
}

/// `[metrics]`: the page for Prometheus.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Loopback address and port; no page without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
}

impl Metrics {
    pub(super) fn validate(&self) -> Result<()> {
        match self.listen {
            Some(address) if !address.ip().is_loopback() => Err(refused("metrics.listen")
                .expected("a loopback address, such as 127.0.0.1:9464")
                .found(address.to_string())
                .hint("put a proxy with a login in front of it to reach it from elsewhere")),
            _ => Ok(()),
        }
    }
}

/// `[runtime]`: threads and queues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    /// Whether activations are printed on standard output.
    pub stdout: bool,
    /// Activations that may wait for each receiver.
    pub queue: usize,
    /// Real-time priority to ask for; 0 for none.
    pub priority: u8,
    /// Seconds between two looks at the models' files.
    pub model_check_s: f64,
}

impl Default for Runtime {
    fn default() -> Self {
        Self { stdout: true, queue: 64, priority: 10, model_check_s: 60.0 }
    }
}

impl Runtime {
    pub(super) fn validate(&self) -> Result<()> {
        in_range("runtime.queue", self.queue as f64, 1.0, 10_000.0)?;
        in_range("runtime.priority", f64::from(self.priority), 0.0, 99.0)?;
        in_range("runtime.model_check_s", self.model_check_s, 1.0, 86_400.0)
    }
}

/// `[log]`: what is said on standard error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The least grave thing that is said.
    pub level: Level,
}

/// `[decode]`: how recordings are read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decode {
    /// Whether what no reader knows goes to an ffmpeg that the user has.
    pub ffmpeg: bool,
}

/// How grave a message is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something does not work.
    Error,
    /// Something is lost, or was refused.
    #[default]
    Warn,
    /// Starts, stops, reloads.
    Info,
    /// Every activation.
    Debug,
}
