//! The JSON objects that `score` and `listen` print, one a line.

use serde::Serialize;
use wakegate::Error;
use wakegate::audio::SAMPLE_RATE;
use wakegate::decision::{Reason, Verdict};
use wakegate::model::Manifest;
use wakegate::pipeline::Activation;

use super::scoring::Scored;

/// One line. The order of the fields is the order of the keys.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Record {
    path: String,
    /// Number of the activation from 1; the key is there for activations only.
    #[serde(skip_serializing_if = "Option::is_none")]
    activation: Option<Option<usize>>,
    audio_s: Option<f64>,
    verdict: Option<&'static str>,
    reason: Option<&'static str>,
    p_intended: Option<f32>,
    p_wake_word: Option<f32>,
    p_addressed: Option<f32>,
    wake_word: String,
    start_s: Option<f64>,
    end_s: Option<f64>,
    decided_s: Option<f64>,
    model: String,
    error: Option<String>,
    /// The key is there only where there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Record {
    /// The line of a whole recording: its best activation, or its highest moment.
    pub fn of_recording(path: &str, manifest: &Manifest, scored: &Scored) -> Self {
        let record = Self {
            audio_s: Some(seconds(scored.samples)),
            warnings: scored.warnings.clone(),
            ..Self::blank(path, manifest)
        };
        if let Some(best) = scored.best() {
            return record.with(best);
        }
        let Some(verification) = &scored.highest else { return record };
        Self {
            verdict: Some(Verdict::Accidental.as_str()),
            reason: Some(Reason::NotWakeWord.as_str()),
            p_intended: Some(verification.posteriors.intended()),
            p_wake_word: Some(verification.scores.wake_word()),
            p_addressed: Some(verification.scores.addressed()),
            ..record
        }
    }

    /// The line of activation `number`, from 1; `samples` is the recording's length where it
    /// is known.
    pub fn of_activation(
        path: &str,
        manifest: &Manifest,
        number: usize,
        activation: &Activation,
        samples: Option<u64>,
    ) -> Self {
        Self {
            activation: Some(Some(number)),
            audio_s: samples.map(seconds),
            ..Self::blank(path, manifest)
        }
        .with(activation)
    }

    /// The line of a recording that got no verdict; `activations` as in the lines beside it.
    pub fn of_error(path: &str, manifest: &Manifest, error: &Error, activations: bool) -> Self {
        Self {
            activation: activations.then_some(None),
            error: Some(error.to_string()),
            ..Self::blank(path, manifest)
        }
    }

    /// The same line with what the decoder found odd.
    pub fn warned(mut self, warnings: &[String]) -> Self {
        self.warnings = warnings.to_vec();
        self
    }

    fn blank(path: &str, manifest: &Manifest) -> Self {
        Self {
            path: path.to_owned(),
            wake_word: manifest.wake_word.clone(),
            model: manifest.id(),
            ..Self::default()
        }
    }

    fn with(self, activation: &Activation) -> Self {
        Self {
            verdict: Some(activation.verdict.as_str()),
            reason: Some(activation.reason.as_str()),
            p_intended: Some(activation.posteriors.intended()),
            p_wake_word: Some(activation.scores.wake_word()),
            p_addressed: Some(activation.scores.addressed()),
            start_s: Some(seconds(activation.start_sample)),
            end_s: Some(seconds(activation.end_sample)),
            decided_s: Some(seconds(activation.decided_sample)),
            ..self
        }
    }
}

/// Samples of the 16 kHz stream in seconds.
pub fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}
