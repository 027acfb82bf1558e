//! One stream's way to the recorder: its clips, and when they were heard.

use std::collections::VecDeque;
use std::sync::Arc;

use super::recorder::Recorder;
use crate::audio::SAMPLE_RATE;
use crate::gate::{Heard, LiveAudio, Policy, Stop};
use crate::stream::ClipSink;

/// Samples of which it is known when they came: more than the longest clip and its waiting.
const KNOWN: u64 = 60 * SAMPLE_RATE as u64;
/// Least time between two entries, in milliseconds.
const GRAIN_MS: u64 = 100;

/// Offers the recorder the clips of one [`Stream`](crate::stream::Stream).
pub struct Feed {
    policy: Policy,
    recorder: Arc<Recorder>,
    arrivals: Arrivals,
}

/// When the samples of a stream came, by the steady clock: the first sample of each stretch.
#[derive(Default)]
struct Arrivals(VecDeque<(u64, u64)>);

impl Arrivals {
    /// Notes that the samples from `first` on come now; a first sample before the latest one is
    /// that of a stream that began afresh.
    fn note(&mut self, first: u64, now_ms: u64) {
        if self.0.back().is_some_and(|&(latest, _)| first < latest) {
            self.0.clear();
        }
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
    /// A feed of `recorder` for one stream; none where review is off: then no audio is held at
    /// all.
    pub fn new(recorder: &Arc<Recorder>) -> Option<Self> {
        let policy = recorder.policy()?.clone();
        Some(Self { policy, recorder: Arc::clone(recorder), arrivals: Arrivals::default() })
    }
}

impl ClipSink for Feed {
    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn hears(&mut self, first: u64) {
        self.arrivals.note(first, self.recorder.now_ms());
    }

    /// Offers a clip, with the moment at which the first of it was heard.
    fn take(&mut self, heard: Heard, audio: LiveAudio) {
        let since_ms = self.arrivals.of(audio.first_sample);
        self.recorder.offer_since(heard, audio, Some(since_ms));
    }

    fn count(&mut self, stop: Stop) {
        self.recorder.stop(stop);
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
