//! What is said about one recording or activation: a line of JSON, a row of a table.

use std::borrow::Cow;

use super::Scored;
use crate::corpus::About;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use wakegate::Error;
use wakegate::audio::seconds;
use wakegate::decision::{Reason, Verdict};
use wakegate::model::Manifest;
use wakegate::pipeline::{Activation, SCHEMA};

/// One line. The order of the fields is the order of the keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Where the recording is, as it was named.
    pub path: String,
    /// As the corpus has them; the keys are there where it has any names, labels and groups.
    #[serde(flatten)]
    pub named: Option<Named>,
    /// Number of the activation from 1; the key is there for activations only.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub activation: Option<Option<usize>>,
    /// Length of the recording in seconds; none where it is not known.
    pub audio_s: Option<f64>,
    /// `intended`, `accidental` or `unsure`; none after an error.
    pub verdict: Option<Cow<'static, str>>,
    /// `intended`, `not_wake_word` or `not_addressed`.
    pub reason: Option<Cow<'static, str>>,
    /// Posterior that the word was said, and to the device.
    pub p_intended: Option<f32>,
    /// Whether it was the wake word.
    pub p_wake_word: Option<f32>,
    /// Whether it was said to the device.
    pub p_addressed: Option<f32>,
    /// The wake word that was listened for.
    pub wake_word: String,
    /// Start of the word in seconds; none where there was no activation.
    pub start_s: Option<f64>,
    /// Its end.
    pub end_s: Option<f64>,
    /// Up to where audio had to be heard for the verdict.
    pub decided_s: Option<f64>,
    /// Up to where audio had to be heard to know that it was the word; none where it was not.
    #[serde(default)]
    pub word_decided_s: Option<f64>,
    /// The model that judged, `name-version`.
    pub model: String,
    /// [`SCHEMA`].
    pub schema: u32,
    /// Why there is no verdict.
    pub error: Option<String>,
    /// The channel that was judged, where one was chosen; the key is then there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<usize>,
    /// What decoded the recording, where that was another program; the key is then there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder: Option<Cow<'static, str>>,
    /// What was odd, each as `code: text`; the key is there only where there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Further columns of the corpus.
    #[serde(flatten)]
    pub carried: Carried,
}

/// What a corpus says of a recording.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// Its name.
    pub id: Option<String>,
    /// What it is by somebody's account.
    pub label: Option<String>,
    /// What it belongs to: a speaker, a device.
    pub group: Option<String>,
}

/// Columns that come from a manifest, in the order in which they were asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Carried(pub Vec<(String, Value)>);

impl Serialize for Carried {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Carried {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        Ok(Self(serde_json::Map::deserialize(from)?.into_iter().collect()))
    }
}

/// A key that is there, with whatever value.
fn present<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<Option<usize>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl Record {
    /// The line of a whole recording: its best activation, or its highest moment.
    pub fn of_recording(path: &str, manifest: &Manifest, scored: &Scored) -> Self {
        let record = Self {
            audio_s: Some(seconds(scored.samples)),
            ..Self::blank(path, manifest).of(scored)
        };
        if let Some(best) = scored.best() {
            return record.with(best);
        }
        let Some(verification) = &scored.highest else { return record };
        Self {
            verdict: Some(Verdict::Accidental.as_str().into()),
            reason: Some(Reason::NotWakeWord.as_str().into()),
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

    /// The same line with what is known of the recording as a whole: what was odd about it, and
    /// which of its channels was judged, and by what it was decoded.
    #[must_use]
    pub fn of(mut self, scored: &Scored) -> Self {
        self.channel = scored.channel;
        self.decoder = scored.decoder.map(Cow::Borrowed);
        self.warnings = scored.warnings.iter().map(ToString::to_string).collect();
        self
    }

    /// The same line with what the corpus says of the recording: with `names`, its id, label and
    /// group; and the columns that are carried.
    #[must_use]
    pub fn about(mut self, about: &About, names: bool, carried: &[String]) -> Self {
        self.named = names.then(|| Named {
            id: about.id.clone(),
            label: about.label.clone(),
            group: about.group.clone(),
        });
        // A row that can't be read has none of them.
        let values = about.carried.iter().cloned().chain(std::iter::repeat(Value::Null));
        self.carried = Carried(carried.iter().cloned().zip(values).collect());
        self
    }

    fn blank(path: &str, manifest: &Manifest) -> Self {
        Self {
            path: path.to_owned(),
            wake_word: manifest.wake_word.clone(),
            model: manifest.id(),
            schema: SCHEMA,
            ..Self::default()
        }
    }

    fn with(self, activation: &Activation) -> Self {
        Self {
            verdict: Some(activation.verdict.as_str().into()),
            reason: Some(activation.reason.as_str().into()),
            p_intended: Some(activation.posteriors.intended()),
            p_wake_word: Some(activation.scores.wake_word()),
            p_addressed: Some(activation.scores.addressed()),
            start_s: Some(seconds(activation.start_sample)),
            end_s: Some(seconds(activation.end_sample)),
            decided_s: Some(seconds(activation.decided_sample)),
            word_decided_s: activation.word_decided_sample.map(seconds),
            ..self
        }
    }
}
