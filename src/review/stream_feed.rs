//! One stream's way to the recorder: its last seconds, and what was judged in them.

use std::sync::Arc;

use super::recorder::Recorder;
use crate::gate::{Heard, Stop, Tape, intended};
use crate::pipeline::Activation;

/// Holds the last seconds of a stream, and offers the recorder what was judged intended once
/// the seconds after the word have been heard. Whatever is not offered is wiped.
pub struct Feed {
    tape: Tape,
    recorder: Arc<Recorder>,
}

impl Feed {
    /// A feed of `recorder` for one stream; none where review is off: then no audio is held
    /// at all.
    pub fn new(recorder: &Arc<Recorder>) -> Option<Self> {
        let tape = Tape::new(recorder.policy()?);
        Some(Self { tape, recorder: Arc::clone(recorder) })
    }

    /// Takes the next samples of the stream, 16 kHz mono, before the activations that they
    /// decide.
    pub fn push(&mut self, samples: &[f32]) {
        let recorder = &self.recorder;
        self.tape.push(samples, &mut |heard, audio| recorder.offer(heard, audio));
    }

    /// Takes an activation; its samples count as those of the stream do.
    pub fn take(&mut self, activation: &Activation, wake_word: &str, model: &str) {
        if intended(activation).is_err() {
            self.recorder.note(activation);
        }
        let heard = Heard {
            wake_word: wake_word.to_owned(),
            model: model.to_owned(),
            activation: *activation,
        };
        let recorder = &self.recorder;
        self.tape.take(heard, &mut |heard, audio| recorder.offer(heard, audio));
    }

    /// Ends the stream, all of which was judged: what waits is offered as far as it was heard.
    pub fn finish(&mut self) {
        let recorder = &self.recorder;
        self.tape.finish(&mut |heard, audio| recorder.offer(heard, audio));
    }

    /// Wipes everything; the next sample is the stream's sample `first`. What waits is stopped:
    /// the words that may have followed were never judged.
    pub fn restart(&mut self, first: u64) {
        for _ in self.tape.restart(first) {
            self.recorder.stop(Stop::NoAudio);
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.restart(0);
    }
}
