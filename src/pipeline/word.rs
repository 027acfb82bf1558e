//! The word of a candidate: looked at again and again until the verifier is sure of it.

use super::activation::{Timing, Window};
use crate::Result;
use crate::decision::WordRule;
use crate::model::{Manifest, Verification};

/// Frames from one look to the next, and the fewest: each look runs the verifier once more.
const LOOK: i64 = 8;
const SOONEST: i64 = 2;
/// How close to what is heard so far an end is none, in samples: the word goes on.
const EDGE: u64 = 400;
/// What a look has to say at least, or the next one is the last: the verdict may still bring
/// the word.
const HOPELESS: f32 = 0.3;
/// How far before the first estimate of the word's end a later one may lie, in frames: what the
/// networks were trained to find their way from.
const MOST_BACK: i64 = 15;

/// The wake word was said, whatever it was meant for: that is judged behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WordDecision {
    /// Number of the activation that its verdict will have too.
    pub number: u64,
    /// Posterior that it was the wake word.
    pub p_wake_word: f32,
    /// First sample of the word.
    pub start_sample: u64,
    /// Sample after the last one of the word.
    pub end_sample: u64,
    /// Samples that the decision needed.
    pub decided_sample: u64,
}

impl WordDecision {
    /// The same decision in a stream that had `samples` samples before this one's first.
    #[must_use]
    pub fn shifted(mut self, samples: u64) -> Self {
        self.start_sample += samples;
        self.end_sample += samples;
        self.decided_sample += samples;
        self
    }
}

/// When the words of a model's candidates are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct WordMoments {
    pub(super) rule: WordRule,
}

impl WordMoments {
    /// As the manifest says; `None` where words are decided with their verdicts.
    pub(super) fn new(manifest: &Manifest) -> Result<Option<Self>> {
        let Some(word) = &manifest.verifier.word else { return Ok(None) };
        let after = (word.after_s * f64::from(manifest.frontend.sample_rate_hz)).round() as u64;
        Ok(Some(Self { rule: WordRule::new(word.at, after)? }))
    }
}

/// One candidate's word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    /// Number of the activation.
    pub(super) number: u64,
    /// When the word was decided, once it is.
    pub(super) decided_sample: Option<u64>,
    /// Estimated end of the word in samples: better from look to look.
    anchor: i64,
    earliest: i64,
    /// Frames heard by the next look.
    next: i64,
    /// Whether another engine has heard the word's end.
    outside: bool,
    /// Whether the latest look found little hope.
    hopeless: bool,
}

impl Watch {
    /// A candidate's number alone: nothing is looked at.
    #[cfg(test)]
    pub(super) fn of_number(number: u64) -> Self {
        let (anchor, earliest, next) = (0, 0, i64::MAX);
        Self {
            number,
            decided_sample: None,
            anchor,
            earliest,
            next,
            outside: false,
            hopeless: false,
        }
    }

    /// A word that ends at about sample `anchor`, first looked at when `heard` frames are.
    pub(super) fn new(
        number: u64,
        anchor: i64,
        heard: i64,
        timing: &Timing,
        outside: bool,
    ) -> Self {
        let earliest = anchor - MOST_BACK * timing.hop as i64;
        Self {
            number,
            decided_sample: None,
            anchor,
            earliest,
            next: heard,
            outside,
            hopeless: false,
        }
    }

    /// The window of the next look and the frame before which it ends, if it is due with `count`
    /// frames heard: none once the word is decided, or the whole window is heard.
    pub(super) fn due(&self, timing: &Timing, count: i64) -> Option<(Window, i64)> {
        let window = timing.around(self.anchor);
        let open = self.decided_sample.is_none() && self.next < window.end;
        (open && self.next <= count).then_some((window, self.next))
    }

    /// Takes what the verifier said at the look that was due; the word where that decides it.
    pub(super) fn take(
        &mut self,
        verification: &Verification,
        timing: &Timing,
        rule: &WordRule,
    ) -> Option<WordDecision> {
        let window = timing.around(self.anchor);
        let heard = timing.heard(self.next);
        let (start_sample, end_sample) = timing.span(&window, self.next, verification);
        let p_wake_word = verification.scores.wake_word();
        let known = rule.is_sure(p_wake_word);
        let said = match self.outside {
            true => rule.is_likely(p_wake_word),
            false => known && rule.has_ended(end_sample, heard),
        };
        let (soonest, latest) = (self.next + SOONEST, self.next + LOOK);
        let goes_on = end_sample + EDGE > heard;
        let hopeless = std::mem::replace(&mut self.hopeless, p_wake_word < HOPELESS);
        self.next = if known && !goes_on {
            // It waits for its end alone.
            timing.frames_until(rule.settled_at(end_sample)).clamp(soonest, latest)
        } else if hopeless && self.hopeless {
            i64::MAX
        } else {
            latest
        };
        self.anchor = i64::try_from(end_sample).unwrap_or(self.anchor).max(self.earliest);
        if !said {
            return None;
        }
        self.decided_sample = Some(heard);
        let number = self.number;
        Some(WordDecision { number, p_wake_word, start_sample, end_sample, decided_sample: heard })
    }
}
