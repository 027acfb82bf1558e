//! Activations, and where they lie in the stream.

use super::word::Watch;
use crate::audio::SAMPLE_RATE;
use crate::decision::{Reason, Streak, Verdict};
use crate::model::{Manifest, Posteriors, Verification, WakeScores};

/// A moment where the wake word may have been said, judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activation {
    /// Its number, from 1, in the stream; over several streams where they share
    /// [`Numbers`](super::Numbers).
    pub number: u64,
    /// What was decided.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The verifier's posteriors.
    pub posteriors: Posteriors,
    /// The verifier's two separate scores.
    pub scores: WakeScores,
    /// First sample of the word.
    pub start_sample: u64,
    /// Sample after the last one of the word.
    pub end_sample: u64,
    /// Samples that the decision needed. Beyond the end of the audio where the window reached
    /// into the silence that closes a stream.
    pub decided_sample: u64,
    /// Samples after which it was decided that the word was said, whatever it was meant for;
    /// `None` where it was not.
    pub word_decided_sample: Option<u64>,
    /// The spotter's highest posterior; `None` where something else proposed the candidate.
    pub spotter_peak: Option<f32>,
}

impl Activation {
    /// The same activation in a stream that had `samples` samples before this one's first.
    #[must_use]
    pub fn shifted(mut self, samples: u64) -> Self {
        self.start_sample += samples;
        self.end_sample += samples;
        self.decided_sample += samples;
        self.word_decided_sample = self.word_decided_sample.map(|decided| decided + samples);
        self
    }
}

/// The verifier's window around the end of a word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Estimated end of the word in samples; before the stream's start for an early peak.
    pub(super) anchor: i64,
    /// First frame.
    pub(super) first: i64,
    /// Frame after the last one.
    pub(super) end: i64,
}

/// A candidate that waits for the end of its window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) window: Window,
    /// Sample at which the candidate was found.
    pub(super) found: u64,
    pub(super) peak: Option<f32>,
    /// The early moment that comes next.
    pub(super) moment: usize,
    /// How long its moments have agreed.
    pub(super) streak: Streak,
    /// Its number, and its word.
    pub(super) word: Watch,
}

/// The manifest's times in frames and samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    pub(super) hop: u64,
    pub(super) window: u64,
    pub(super) frames_per_step: usize,
    pub(super) before: usize,
    pub(super) after: usize,
    pub(super) peak_search: u64,
    pub(super) refractory: u64,
    patience: u64,
    end_offset: i64,
    word: i64,
}

impl Timing {
    pub(super) fn new(manifest: &Manifest) -> Self {
        let samples = |seconds: f64| (seconds * f64::from(SAMPLE_RATE)).round() as i64;
        let spotter = &manifest.spotter;
        Self {
            hop: manifest.hop_samples() as u64,
            window: manifest.frontend.window_samples() as u64,
            frames_per_step: spotter.frames_per_step,
            before: manifest.before_frames(),
            after: manifest.after_frames(),
            peak_search: samples(spotter.peak_search_s).unsigned_abs(),
            refractory: samples(spotter.refractory_s).unsigned_abs(),
            patience: u64::from(spotter.patience_steps),
            end_offset: samples(spotter.end_offset_s),
            word: samples(spotter.word_s),
        }
    }

    /// Sample after the last one of frame `index`.
    pub(super) fn frame_end(&self, index: u64) -> u64 {
        index * self.hop + self.window
    }

    /// Frames of the verifier's window.
    pub(super) fn window_frames(&self) -> usize {
        self.before + self.after
    }

    fn step(&self) -> u64 {
        self.frames_per_step as u64 * self.hop
    }

    /// Silence after the end of a stream in which the spotter may still trigger: what
    /// completes the last step, and what the word's own delay and the patience ask for.
    pub(super) fn tail(&self) -> u64 {
        let delay = self.end_offset.max(0).unsigned_abs();
        self.window + delay + (self.patience + 1) * self.step()
    }

    /// Frames that a window may have to reach back over.
    pub(super) fn history(&self) -> usize {
        let found_late = self.peak_search + (self.patience + 2) * self.step();
        let behind = found_late + self.end_offset.unsigned_abs() + self.window;
        self.before + self.after.max((behind / self.hop) as usize) + 2 * self.frames_per_step
    }

    /// The window of a step of the spotter that ends at `peak_sample`.
    pub(super) fn spotted(&self, peak_sample: u64) -> Window {
        self.around(peak_sample as i64 - self.end_offset)
    }

    /// The window of a word that ends at sample `anchor`.
    pub(super) fn around(&self, anchor: i64) -> Window {
        let hop = self.hop as i64;
        let centre = (anchor + hop / 2).div_euclid(hop);
        let (before, after) = (self.before as i64, self.after as i64);
        Window { anchor, first: centre - before, end: centre + after }
    }

    /// Start and end of the word in samples: the verifier's span inside what it heard, the frames
    /// of the window before frame `end`, or the spotter's estimate where that leaves nothing.
    pub(super) fn span(
        &self,
        window: &Window,
        end: i64,
        verification: &Verification,
    ) -> (u64, u64) {
        let hop = self.hop as i64;
        let (low, high) = ((window.first * hop).max(0), (end * hop).max(1));
        let at = |seconds: f32| {
            window
                .anchor
                .saturating_add((f64::from(seconds) * f64::from(SAMPLE_RATE)).round() as i64)
        };
        let clamp = |start: i64, end: i64| (start.clamp(low, high), end.clamp(low, high));
        let [start_s, end_s] = verification.span_s;
        let (mut start, mut end) = clamp(at(start_s), at(end_s));
        if start >= end {
            (start, end) = clamp(window.anchor - self.word, window.anchor);
        }
        (start.unsigned_abs(), end.max(start).unsigned_abs())
    }

    /// The first frame before which `sample` samples are heard.
    pub(super) fn frames_until(&self, sample: u64) -> i64 {
        sample.saturating_sub(self.window).div_ceil(self.hop) as i64 + 1
    }

    /// Samples that the frames before `end` need.
    pub(super) fn heard(&self, end: i64) -> u64 {
        u64::try_from(end - 1).map_or(0, |last| self.frame_end(last))
    }
}
