//! What streams gave, brought together.

use super::delay::Delays;
use super::harness::HOP_MS;
use super::{Delay, Row, Series, Stage};
use wakegate::Result;

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// A row for each stage that ran, in the order of [`Stage::ALL`].
    pub rows: Vec<Row>,
    /// From the words to their verdicts, where the workload has words.
    pub delay: Option<Delay>,
    /// Hops.
    pub hops: u64,
    /// Candidates that were judged.
    pub candidates: u64,
    /// Seconds of audio, of all streams together.
    pub audio_s: f64,
    /// Seconds by the clock.
    pub wall_s: f64,
    /// Seconds of work: the sum of all hops.
    pub busy_s: f64,
    /// Processor time of the threads in seconds, where the system tells.
    pub cpu_s: Option<f64>,
}

impl Measured {
    /// Real-time factor: seconds of work for a second of audio.
    pub fn rtf(&self) -> f64 {
        self.busy_s / self.audio_s
    }

    /// Seconds of audio heard in a second, by all streams together.
    pub fn speed(&self) -> f64 {
        self.audio_s / self.wall_s
    }
}

/// What one stream gave, or several together.
pub(super) struct RunSamples {
    /// In the order of [`Stage::ALL`].
    pub(super) series: Vec<Series>,
    /// Whether allocations were counted.
    pub(super) counted: bool,
    pub(super) delays: Option<Delays>,
    /// Candidates judged: each may cost several runs of the verifier.
    pub(super) candidates: u64,
    pub(super) audio_s: f64,
    pub(super) wall_s: f64,
    pub(super) cpu_s: Option<f64>,
}

impl RunSamples {
    /// Adds another stream that ran at the same time.
    pub(super) fn join(&mut self, other: Self) -> Result<()> {
        for (series, more) in self.series.iter_mut().zip(&other.series) {
            series.join(more)?;
        }
        if let (Some(delays), Some(more)) = (&mut self.delays, other.delays) {
            delays.join(more);
        }
        self.candidates += other.candidates;
        self.audio_s += other.audio_s;
        self.wall_s = self.wall_s.max(other.wall_s);
        self.cpu_s = self.cpu_s.zip(other.cpu_s).map(|(a, b)| a + b);
        Ok(())
    }

    pub(super) fn measured(self) -> Measured {
        let of = |stage: Stage| &self.series[stage as usize];
        let row = |series: &Series| series.row(HOP_MS * 1_000_000, self.counted);
        Measured {
            rows: Stage::ALL.into_iter().filter_map(|stage| row(of(stage))).collect(),
            delay: self.delays.as_ref().map(Delays::summary),
            hops: of(Stage::Hop).len(),
            candidates: self.candidates,
            audio_s: self.audio_s,
            wall_s: self.wall_s,
            busy_s: of(Stage::Hop).sum_ns() as f64 / 1e9,
            cpu_s: self.cpu_s,
        }
    }
}
