//! One stream's way to the recorder: its last seconds, and what was judged in them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::recorder::Recorder;
use crate::gate::{Heard, LiveAudio, Stop, Tape, intended};
use crate::pipeline::{Activation, Decision};

/// Samples of which it is known when they came: more than the longest clip and its waiting.
const KNOWN: u64 = 60 * 16_000;
/// Least time between two entries, in milliseconds.
const GRAIN_MS: u64 = 100;

/// Holds the last seconds of a stream, and offers the recorder what was judged intended once
/// the seconds after the word have been heard. Whatever is not offered is wiped.
pub struct Feed {
    tape: Tape,
    recorder: Arc<Recorder>,
    arrivals: Arrivals,
}

/// When the samples of a stream came, by the steady clock: the first sample of each stretch.
#[derive(Default)]
struct Arrivals(VecDeque<(u64, u64)>);

impl Arrivals {
    /// Notes that the samples from `first` on come now.
    fn note(&mut self, first: u64, now_ms: u64) {
        if self.0.back().is_some_and(|&(_, at)| now_ms.saturating_sub(at) < GRAIN_MS) {
            return;
        }
        self.0.push_back((first, now_ms));
        while self.0.get(1).is_some_and(|&(second, _)| second + KNOWN < first) {
            self.0.pop_front();
        }
    }

    /// When the sample came, or a little before; the start of everything where that is not known.
    fn of(&self, sample: u64) -> u64 {
        self.0.iter().rev().find(|&&(first, _)| first <= sample).map_or(0, |&(_, at)| at)
    }
}

impl Feed {
    /// A feed of `recorder` for one stream; none where review is off: then no audio is held
    /// at all.
    pub fn new(recorder: &Arc<Recorder>) -> Option<Self> {
        let tape = Tape::new(recorder.policy()?);
        Some(Self { tape, recorder: Arc::clone(recorder), arrivals: Arrivals::default() })
    }

    /// Takes the next samples of the stream, 16 kHz mono, before the activations that they
    /// decide.
    pub fn push(&mut self, samples: &[f32]) {
        self.arrivals.note(self.tape.samples(), self.recorder.now_ms());
        let (recorder, arrivals) = (&self.recorder, &self.arrivals);
        self.tape.push(samples, &mut offering(recorder, arrivals));
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
        self.tape.take(heard, &mut offering(&self.recorder, &self.arrivals));
    }

    /// Takes a decision of the stream: its verdict, and what was said of it later.
    pub fn decide(&mut self, decision: &Decision, wake_word: &str, model: &str) {
        match decision {
            Decision::Word(_) => {}
            Decision::Verdict(activation) => self.take(activation, wake_word, model),
            Decision::Settled(activation) => {
                let (wake_word, model) = (wake_word.to_owned(), model.to_owned());
                let heard = Heard { wake_word, model, activation: *activation };
                let offer = &mut offering(&self.recorder, &self.arrivals);
                if self.tape.settle(heard, offer) {
                    self.recorder.note(activation);
                }
            }
        }
    }

    /// Ends the stream, all of which was judged: what waits is offered as far as it was heard.
    pub fn finish(&mut self) {
        self.tape.finish(&mut offering(&self.recorder, &self.arrivals));
    }

    /// Wipes everything; the next sample is the stream's sample `first`. What waits is stopped:
    /// the words that may have followed were never judged.
    pub fn restart(&mut self, first: u64) {
        self.arrivals = Arrivals::default();
        for _ in self.tape.restart(first) {
            self.recorder.stop(Stop::NoAudio);
        }
    }
}

/// Offers a clip, with the moment at which the first of it was heard.
fn offering<'f>(
    recorder: &'f Recorder,
    arrivals: &'f Arrivals,
) -> impl FnMut(Heard, LiveAudio) + 'f {
    |heard, audio| {
        let since_ms = arrivals.of(audio.first_sample);
        recorder.offer_since(heard, audio, Some(since_ms));
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.restart(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_came_no_later_than_is_said() {
        let mut arrivals = Arrivals::default();
        for block in 0..10_000_u64 {
            // Blocks of 20 ms, in their own time, from 7 s on.
            arrivals.note(block * 320, 7_000 + block * 20);
        }
        assert!(arrivals.0.len() < 700, "{}", arrivals.0.len());
        let last = 10_000 * 320;
        for sample in [last - 1, last - 16_000, last - 40 * 16_000] {
            let came = 7_000 + sample / 320 * 20;
            let said = arrivals.of(sample);
            assert!(said <= came && came - said <= GRAIN_MS, "{sample}: {said}, {came}");
        }
        assert_eq!(arrivals.of(0), 0, "forgotten: as old as can be");
    }
}
