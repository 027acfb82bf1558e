//! The only thing that may be stored.

use super::AudioBuffer;
use crate::pipeline::Activation;

/// An activation and what it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The wake word.
    pub wake_word: String,
    /// `name-version` of the model that judged it.
    pub model: String,
    /// The judged activation; its samples count from the start of the stream.
    pub activation: Activation,
}

impl Heard {
    /// Whether both are about one activation of one stream.
    pub(super) fn is_of_the_activation_of(&self, other: &Self) -> bool {
        let key = |heard: &Self| heard.activation.number;
        key(self) == key(other) && self.wake_word == other.wake_word && self.model == other.model
    }
}

/// A stretch of the stream, in memory that wipes itself.
pub struct LiveAudio {
    /// 16 kHz mono.
    pub buffer: AudioBuffer,
    /// Where its first sample lies in the stream that the activation counts in.
    pub first_sample: u64,
}

/// A clip that the gate let through: the audio of an activation judged intended, cut to what
/// the policy keeps.
///
/// Only [`Gate::admit`](super::Gate::admit) makes one. It can't be built elsewhere, cloned,
/// serialised or printed, its samples can't be read outside of this crate, and they are wiped
/// when it is dropped.
pub struct IntendedClip {
    heard: Heard,
    audio: AudioBuffer,
    word_start: usize,
    word_end: usize,
}

impl IntendedClip {
    /// The one constructor, and the one call of it is in `Gate::admit`.
    pub(super) fn new(heard: Heard, audio: AudioBuffer, word: std::ops::Range<usize>) -> Self {
        Self { heard, audio, word_start: word.start, word_end: word.end }
    }

    /// What was heard.
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.audio.len()
    }

    /// Where the word lies in the clip, in samples.
    pub fn word(&self) -> std::ops::Range<usize> {
        self.word_start..self.word_end
    }

    /// The samples, for the one module that encrypts them.
    #[cfg(feature = "review")]
    pub(crate) fn audio(&self) -> &[f32] {
        self.audio.samples()
    }
}
