//! An activation as it is told to those who act on it.

use serde::Serialize;

use super::{Activation, WordDecision};
use crate::audio::seconds;
use crate::decision::Verdict;

/// An activation with what it belongs to. It lends everything, owns nothing, and has no audio:
/// that goes to the gate alone.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Where the audio came from: a sound card, a client.
    pub source: &'a str,
    /// The wake word that was listened for.
    pub wake_word: &'a str,
    /// The model that judged, `name-version`.
    pub model: &'a str,
    /// What was decided. Its samples count from the start of the source's stream.
    pub activation: &'a Activation,
}

/// A word with what it belongs to, as [`Event`] has an activation.
#[derive(Debug, Clone, Copy)]
pub struct WordEvent<'a> {
    /// As in [`Event::source`].
    pub source: &'a str,
    /// As in [`Event::wake_word`].
    pub wake_word: &'a str,
    /// As in [`Event::model`].
    pub model: &'a str,
    /// The decision that it was said. Its samples count from the start of the source's stream.
    pub word: &'a WordDecision,
}

/// Somebody who acts on activations: a line on stdout, a hook, a queue, a client.
///
/// Each observer has a thread and a bounded queue of its own, so a slow one delays nobody else;
/// what does not fit its queue is dropped and counted. Errors are its own to count and log.
pub trait Observer: Send {
    /// Takes one event.
    fn on_activation(&mut self, event: &Event<'_>);

    /// Takes a word, before anyone knows what it was meant for.
    fn on_word(&mut self, event: &WordEvent<'_>) {
        let _ = event;
    }

    /// Whether words are for this observer; asked once, before the first.
    fn wants_words(&self) -> bool {
        false
    }

    /// Whether events with this verdict are for this observer; asked once, before the first.
    fn wants(&self, verdict: Verdict) -> bool {
        let _ = verdict;
        true
    }

    /// Whether it counts by itself what was delivered, once somebody else has confirmed it.
    fn counts_deliveries(&self) -> bool {
        false
    }
}

/// Version of the keys by which an activation is told, wherever it is: lines, tables, hooks,
/// messages. It goes up when one changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// An event for JSON: what stdout, hooks and messages carry.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Report<'a> {
    /// As in [`Activation::number`].
    pub activation: u64,
    /// As in [`Event::source`].
    pub source: &'a str,
    /// `intended`, `accidental` or `unsure`.
    pub verdict: &'static str,
    /// `intended`, `not_wake_word` or `not_addressed`.
    pub reason: &'static str,
    /// Posterior that the word was said, and to the device.
    pub p_intended: f32,
    /// Posterior that it was the wake word.
    pub p_wake_word: f32,
    /// Posterior that it was said to the device.
    pub p_addressed: f32,
    /// As in [`Event::wake_word`].
    pub wake_word: &'a str,
    /// Start of the word in seconds from the start of the source's stream.
    pub start_s: f64,
    /// End of the word.
    pub end_s: f64,
    /// Up to where audio was needed for the decision.
    pub decided_s: f64,
    /// The same for the word alone; none where it was not said.
    pub word_decided_s: Option<f64>,
    /// As in [`Event::model`].
    pub model: &'a str,
    /// [`SCHEMA`].
    pub schema: u32,
}

/// A word for JSON: what hooks and messages carry.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WordReport<'a> {
    /// As in [`WordDecision::number`]: its verdict will have the same.
    pub activation: u64,
    /// As in [`Event::source`].
    pub source: &'a str,
    /// Posterior that it was the wake word.
    pub p_wake_word: f32,
    /// As in [`Event::wake_word`].
    pub wake_word: &'a str,
    /// Start of the word in seconds from the start of the source's stream.
    pub start_s: f64,
    /// End of the word.
    pub end_s: f64,
    /// Up to where audio was needed for the decision.
    pub word_decided_s: f64,
    /// As in [`Event::model`].
    pub model: &'a str,
    /// [`SCHEMA`].
    pub schema: u32,
}

impl<'a> From<&WordEvent<'a>> for WordReport<'a> {
    fn from(event: &WordEvent<'a>) -> Self {
        let word = event.word;
        Self {
            activation: word.number,
            source: event.source,
            p_wake_word: word.p_wake_word,
            wake_word: event.wake_word,
            start_s: seconds(word.start_sample),
            end_s: seconds(word.end_sample),
            word_decided_s: seconds(word.decided_sample),
            model: event.model,
            schema: SCHEMA,
        }
    }
}

impl<'a> From<&Event<'a>> for Report<'a> {
    fn from(event: &Event<'a>) -> Self {
        let activation = event.activation;
        Self {
            activation: activation.number,
            source: event.source,
            verdict: activation.verdict.as_str(),
            reason: activation.reason.as_str(),
            p_intended: activation.posteriors.intended(),
            p_wake_word: activation.scores.wake_word(),
            p_addressed: activation.scores.addressed(),
            wake_word: event.wake_word,
            start_s: seconds(activation.start_sample),
            end_s: seconds(activation.end_sample),
            decided_s: seconds(activation.decided_sample),
            word_decided_s: activation.word_decided_sample.map(seconds),
            model: event.model,
            schema: SCHEMA,
        }
    }
}

impl Event<'_> {
    /// Whether the verdict is [`Verdict::Intended`].
    pub fn is_intended(&self) -> bool {
        self.activation.verdict == Verdict::Intended
    }
}
