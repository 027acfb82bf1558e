//! What is kept about a clip beside its audio.

use serde::{Deserialize, Serialize};

use super::id::Label;
use super::time::{day_name, stamp};
use crate::audio::seconds;
use crate::gate::IntendedClip;
use crate::{Error, ErrorKind, Result};

/// What is known of a clip. It is encrypted with the clip's own key, and the clip's ciphertext
/// is bound to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The wake word.
    pub wake_word: String,
    /// `name-version` of the model that judged it.
    pub model: String,
    /// Posterior of intended.
    pub p_intended: f32,
    /// Posterior of another word, or noise.
    pub p_not_wake_word: f32,
    /// Posterior of the word in passing.
    pub p_not_addressed: f32,
    /// The verifier's score of the word.
    pub p_wake_word: f32,
    /// The verifier's score of the address.
    pub p_addressed: f32,
    /// The spotter's highest posterior; `None` where something else proposed the candidate.
    pub spotter_peak: Option<f32>,
    /// Length in samples at 16 kHz.
    pub samples: u64,
    /// First sample of the word in the clip.
    pub word_start: u64,
    /// Sample after the last one of the word in the clip.
    pub word_end: u64,
    /// When it was stored, in milliseconds since 1970.
    pub stored_ms: i64,
    /// When it is deleted at the latest, in milliseconds since 1970.
    pub expires_ms: i64,
}

impl Record {
    /// The record of `clip`, stored now.
    pub(super) fn of(clip: &IntendedClip, stored_ms: i64, retention_ms: i64) -> Self {
        let heard = clip.heard();
        let activation = &heard.activation;
        let [p_intended, p_not_wake_word, p_not_addressed] = activation.posteriors.to_array();
        let word = clip.word();
        Self {
            wake_word: heard.wake_word.clone(),
            model: heard.model.clone(),
            p_intended,
            p_not_wake_word,
            p_not_addressed,
            p_wake_word: activation.scores.wake_word(),
            p_addressed: activation.scores.addressed(),
            spotter_peak: activation.spotter_peak,
            samples: clip.samples() as u64,
            word_start: word.start as u64,
            word_end: word.end as u64,
            stored_ms,
            expires_ms: stored_ms.saturating_add(retention_ms),
        }
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        seconds(self.samples)
    }

    /// When it was stored, RFC 3339, UTC.
    pub fn stored_at(&self) -> String {
        stamp(self.stored_ms)
    }

    /// When it is deleted at the latest, RFC 3339, UTC.
    pub fn expires_at(&self) -> String {
        stamp(self.expires_ms)
    }

    pub(super) fn to_text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| unreadable(&error))
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| unreadable(&error))
    }
}

/// A labelled clip's scores: all that is left of it. Neither its name nor its hour is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelledScore {
    /// The local day of the label, `YYYY-MM-DD`.
    pub day: String,
    /// The reviewer's label.
    pub label: String,
    /// The wake word.
    pub wake_word: String,
    /// `name-version` of the model.
    pub model: String,
    /// Posterior of intended.
    pub p_intended: f32,
    /// Posterior of another word, or noise.
    pub p_not_wake_word: f32,
    /// Posterior of the word in passing.
    pub p_not_addressed: f32,
    /// The verifier's score of the word.
    pub p_wake_word: f32,
    /// The verifier's score of the address.
    pub p_addressed: f32,
    /// The spotter's highest posterior.
    pub spotter_peak: Option<f32>,
}

impl LabelledScore {
    pub(super) fn of(record: &Record, day: i64, label: Label) -> Self {
        Self {
            day: day_name(day),
            label: label.to_string(),
            wake_word: record.wake_word.clone(),
            model: record.model.clone(),
            p_intended: record.p_intended,
            p_not_wake_word: record.p_not_wake_word,
            p_not_addressed: record.p_not_addressed,
            p_wake_word: record.p_wake_word,
            p_addressed: record.p_addressed,
            spotter_peak: record.spotter_peak,
        }
    }

    pub(super) fn to_text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| unreadable(&error))
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| unreadable(&error))
    }
}

fn unreadable(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::Review, "a clip's record is unusable").found(error.to_string())
}
