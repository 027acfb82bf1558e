//! What a stream has for the gate: the tape of its last seconds, and who gets its clips.

use super::WakeWord;
use crate::decision::Verdict;
use crate::gate::{Heard, LiveAudio, Policy, Stop, Tape, intended};
use crate::pipeline::Decision;

/// Takes what a stream has for the gate.
pub trait ClipSink {
    /// What it may keep of the audio around a word.
    fn policy(&self) -> &Policy;

    /// The samples from the stream's sample `first` on are heard now.
    fn hears(&mut self, first: u64) {
        let _ = first;
    }

    /// An activation that was judged intended, with the audio around it.
    fn take(&mut self, heard: Heard, audio: LiveAudio);

    /// An activation whose audio is wiped already, and why.
    fn count(&mut self, stop: Stop);
}

/// The sink of a stream whose audio is kept for nobody.
pub enum NoClips {}

impl ClipSink for NoClips {
    fn policy(&self) -> &Policy {
        match *self {}
    }

    fn take(&mut self, _: Heard, _: LiveAudio) {}

    fn count(&mut self, _: Stop) {}
}

/// The tape of a stream, and who gets its clips.
pub(super) struct Kept<S> {
    tape: Tape,
    pub(super) sink: S,
}

impl<S: ClipSink> Kept<S> {
    /// Ready for a stream whose next sample is its sample `first`.
    pub(super) fn new(sink: S, first: u64) -> Self {
        let mut tape = Tape::new(sink.policy());
        // A new tape holds nothing.
        let _ = tape.restart(first);
        Self { tape, sink }
    }

    pub(super) fn push(&mut self, samples: &[f32]) {
        let Self { tape, sink } = self;
        sink.hears(tape.samples());
        tape.push(samples, &mut |heard, audio| sink.take(heard, audio));
    }

    pub(super) fn decide<J>(&mut self, decision: Decision, word: &WakeWord<J>) {
        let Self { tape, sink } = self;
        let (Decision::Verdict(activation) | Decision::Settled(activation)) = decision else {
            return;
        };
        let (wake_word, model) = (word.name.to_string(), word.model.to_string());
        let heard = Heard { wake_word, model, activation };
        let mut stopped = matches!(decision, Decision::Verdict(_));
        if stopped {
            tape.take(heard, &mut |heard, audio| sink.take(heard, audio));
        } else {
            stopped = tape.settle(heard, &mut |heard, audio| sink.take(heard, audio));
        }
        if let Err(stop) = intended(&activation)
            && stopped
        {
            sink.count(stop);
        }
    }

    pub(super) fn finish(&mut self) {
        let Self { tape, sink } = self;
        tape.finish(&mut |heard, audio| sink.take(heard, audio));
    }

    /// Wipes the tape; what waits is stopped, since what followed its word was never judged.
    pub(super) fn restart(&mut self, first: u64) {
        for _ in self.tape.restart(first) {
            self.sink.count(Stop::NoAudio);
        }
    }
}

/// What stands of a decision when a stream is cut off after `heard` samples.
pub(super) fn as_heard(decision: Decision, heard: u64) -> Option<Decision> {
    match decision {
        Decision::Verdict(mut activation) => {
            if activation.decided_sample > heard && activation.verdict == Verdict::Intended {
                activation.verdict = Verdict::Unsure;
            }
            Some(Decision::Verdict(activation))
        }
        Decision::Settled(activation) if activation.decided_sample > heard => None,
        Decision::Word(_) | Decision::Settled(_) => Some(decision),
    }
}
