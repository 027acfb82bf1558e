//! Everything that a measurement says, as it is kept in files.

use serde::{Deserialize, Serialize};

use super::{Build, Delay, Machine, Memory, Row, Stage, Warning, Watched};
use wakegate::{Error, ErrorKind, Result};

/// The form of the report that this version writes and reads.
pub const SCHEMA: u32 = 2;

/// A measurement. Keys carry their units; what could not be had is `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of wakegate.
    pub version: String,
    /// How it was built, and which file it is.
    pub build: Build,
    /// The machine.
    pub machine: Machine,
    /// The runtime that ran the networks.
    pub runtime: String,
    /// The model, `name-version`.
    pub model: String,
    /// SHA-256 of spotter and verifier.
    pub model_sha256: [String; 2],
    /// Sizes of what is installed.
    pub sizes: Sizes,
    /// What was heard.
    pub workload: WorkloadUsed,
    /// `paced` or `throughput`.
    pub mode: String,
    /// Sample rate of the device in Hz.
    pub device_hz: u32,
    /// Streams that were judged at once, each on a thread of its own.
    pub threads: usize,
    /// Busy threads beside it.
    pub load_threads: usize,
    /// Seconds before the measurement that are not counted.
    pub warmup_s: f64,
    /// Seconds by the clock.
    pub wall_s: f64,
    /// Seconds of audio, of all streams together.
    pub audio_s: f64,
    /// Seconds of audio heard in a second, by all streams together.
    pub speed: f64,
    /// Hops of 80 ms.
    pub hops: u64,
    /// Candidates judged.
    pub candidates: u64,
    /// Seconds of work for a second of audio.
    pub rtf: f64,
    /// Processor time of the judging threads, for a second of audio.
    pub cpu_s_per_audio_s: Option<f64>,
    /// What one reading of the clock costs in ns; each time holds about one.
    pub clock_ns: f64,
    /// The stages.
    pub stages: Vec<Row>,
    /// From the words to their verdicts.
    pub delay: Option<Delay>,
    /// A fresh process up to its first verdict.
    pub start_up: Option<StartUp>,
    /// What other programs did meanwhile.
    pub watched: Watched,
    /// Why it may not be trusted.
    pub warnings: Vec<Warning>,
}

/// Sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// The program file; the model in it is part of it.
    pub binary: Option<u64>,
    /// The two networks.
    pub model: ModelSizes,
}

/// Sizes of the networks in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSizes {
    /// Stage one.
    pub spotter: u64,
    /// Stage two.
    pub verifier: u64,
}

/// Which audio was heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadUsed {
    /// A file, a folder, or `built-in`.
    pub name: String,
    /// SHA-256 of its samples, 16 kHz, 16 bit.
    pub sha256: String,
    /// Words in it whose times are known.
    pub words: usize,
}

/// Fresh processes, each up to its first verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartUp {
    /// Milliseconds from the start of the process to its first verdict, in order of time; the
    /// audio is at hand from the start.
    pub first_verdict_ms: Vec<f64>,
    /// The median of them.
    pub median_ms: f64,
    /// Memory of the last one, after some seconds of audio: the pipeline, the tape, no harness.
    pub memory: Memory,
}

impl Report {
    /// The row of `stage`.
    pub fn row(&self, stage: Stage) -> Option<&Row> {
        self.stages.iter().find(|row| row.stage == stage)
    }

    /// Reads a report.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for text that is none, or one of another form.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = || Error::new(ErrorKind::Settings, "cannot read the measurement");
        let hint = "save it again with this version's `wakegate bench --save`";
        // Told apart first, or a newer form would be refused for its first new key.
        #[derive(Deserialize)]
        struct Form {
            schema: u32,
        }
        let form: Form = serde_json::from_str(text)
            .map_err(|error| refused().expected("JSON").found(error.to_string()).hint(hint))?;
        if form.schema != SCHEMA {
            return Err(refused()
                .expected(format!("schema {SCHEMA}"))
                .found(form.schema.to_string())
                .hint(hint));
        }
        serde_json::from_str(text).map_err(|error| refused().found(error.to_string()).hint(hint))
    }
}
