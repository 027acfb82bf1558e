//! When the wake word counts as said, whatever it was meant for.

use crate::{Error, ErrorKind, Result};

/// The rule of word decisions: the verifier is sure of the word, and has heard a little beyond
/// the word's end, so that a longer word is not taken for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WordRule {
    at: f32,
    after_samples: u64,
}

impl WordRule {
    /// Said from the posterior `at` on, once `after_samples` samples behind its end are heard.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] unless `0 < at <= 1`.
    pub fn new(at: f32, after_samples: u64) -> Result<Self> {
        if at > 0.0 && at <= 1.0 {
            return Ok(Self { at, after_samples });
        }
        Err(Error::new(ErrorKind::Settings, "the rule of word decisions is refused")
            .expected("0 < at <= 1")
            .found(format!("at {at}")))
    }

    /// Whether the verifier is sure of the word. A posterior that is no number is not sure.
    pub fn is_sure(&self, p_wake_word: f32) -> bool {
        p_wake_word >= self.at
    }

    /// Whether the verifier has no objection to a word that another engine is sure of.
    pub fn is_likely(&self, p_wake_word: f32) -> bool {
        p_wake_word >= self.at / 2.0
    }

    /// Up to which sample one has to hear a word that ends at sample `end`.
    pub fn settled_at(&self, end: u64) -> u64 {
        end.saturating_add(self.after_samples)
    }

    /// Whether enough was heard behind a word that ends at sample `end` by sample `heard`.
    pub fn has_ended(&self, end: u64, heard: u64) -> bool {
        heard >= self.settled_at(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sure_posterior_counts_once_the_word_is_over() {
        let rule = WordRule::new(0.9, 800).unwrap();
        assert!(rule.is_sure(0.9) && !rule.is_sure(0.899) && !rule.is_sure(f32::NAN));
        assert!(rule.is_likely(0.45) && !rule.is_likely(0.449) && !rule.is_likely(f32::NAN));
        assert!(rule.has_ended(16_000, 16_800) && !rule.has_ended(16_000, 16_799));
        assert!(!rule.has_ended(u64::MAX, 16_800));
    }

    #[test]
    fn a_threshold_that_lets_everything_or_nothing_pass_is_refused() {
        for at in [0.0, -0.1, 1.01, f32::NAN] {
            assert_eq!(WordRule::new(at, 0).unwrap_err().kind(), ErrorKind::Settings, "{at}");
        }
    }
}
