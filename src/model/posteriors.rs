//! What the networks say, checked once and valid ever after.

use crate::{Error, ErrorKind, Result};

/// How far a probability may lie outside 0 to 1, for rounding in the runtime.
const RANGE_SLACK: f32 = 1e-4;
/// How far the posteriors' sum may lie from 1.
const SUM_SLACK: f32 = 1e-3;

/// Posteriors of the verifier's three classes: each in 0 to 1, together 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Posteriors {
    intended: f32,
    not_wake_word: f32,
    not_addressed: f32,
}

impl Posteriors {
    /// Checks `[intended, not_wake_word, not_addressed]`.
    ///
    /// # Errors
    /// [`ErrorKind::Posterior`] for a value that is no probability, or a sum that is not 1.
    pub fn new(values: [f32; 3]) -> Result<Self> {
        let sum: f32 = values.iter().sum();
        let intended = probability("posterior of intended", values[0])?;
        let not_wake_word = probability("posterior of not_wake_word", values[1])?;
        let not_addressed = probability("posterior of not_addressed", values[2])?;
        if (sum - 1.0).abs() > SUM_SLACK {
            return Err(Error::new(ErrorKind::Posterior, "the posteriors are refused")
                .expected("values that sum to 1")
                .found(format!("a sum of {sum}"))
                .hint("the verifier must end in a softmax"));
        }
        Ok(Self { intended, not_wake_word, not_addressed })
    }

    /// The wake word was said to the device. A voice from a loudspeaker counts as a voice: the models
    /// don't tell them apart.
    pub fn intended(&self) -> f32 {
        self.intended
    }

    /// Another word, or noise.
    pub fn not_wake_word(&self) -> f32 {
        self.not_wake_word
    }

    /// The wake word in passing.
    pub fn not_addressed(&self) -> f32 {
        self.not_addressed
    }

    /// `[intended, not_wake_word, not_addressed]`.
    pub fn to_array(&self) -> [f32; 3] {
        [self.intended, self.not_wake_word, self.not_addressed]
    }
}

/// The verifier's two separate scores, each in 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WakeScores {
    wake_word: f32,
    addressed: f32,
}

impl WakeScores {
    /// Checks `[p_wake_word, p_addressed]`.
    ///
    /// # Errors
    /// [`ErrorKind::Posterior`] for a value that is no probability.
    pub fn new(values: [f32; 2]) -> Result<Self> {
        Ok(Self {
            wake_word: probability("p_wake_word", values[0])?,
            addressed: probability("p_addressed", values[1])?,
        })
    }

    /// The wake word was said.
    pub fn wake_word(&self) -> f32 {
        self.wake_word
    }

    /// Whatever was said was said to the device, not in passing.
    pub fn addressed(&self) -> f32 {
        self.addressed
    }
}

/// Everything the verifier says about one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verification {
    /// Posteriors of the three classes.
    pub posteriors: Posteriors,
    /// The two separate scores.
    pub scores: WakeScores,
    /// Start and end of the word in seconds relative to the candidate's anchor; finite.
    pub span_s: [f32; 2],
}

/// `value` if it is a probability, rounding of the runtime taken off.
///
/// # Errors
/// [`ErrorKind::Posterior`] otherwise; `what` names the value.
pub(super) fn probability(what: &str, value: f32) -> Result<f32> {
    // A NaN lies in no range, so it is refused here too.
    if (-RANGE_SLACK..=1.0 + RANGE_SLACK).contains(&value) {
        return Ok(value.clamp(0.0, 1.0));
    }
    Err(Error::new(ErrorKind::Posterior, format!("the {what} is refused"))
        .expected("a number from 0 to 1")
        .found(value.to_string())
        .hint("check the model with `wakegate model check`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_probabilities_that_sum_to_one_pass() {
        let good = Posteriors::new([0.7, 0.2, 0.1]).unwrap();
        assert_eq!(good.to_array(), [0.7, 0.2, 0.1]);
        for bad in [
            [f32::NAN, 0.5, 0.5],
            [0.5, f32::NAN, 0.5],
            [f32::INFINITY, 0.0, 0.0],
            [1.2, -0.1, -0.1],
            [0.5, 0.2, 0.2],
        ] {
            assert_eq!(Posteriors::new(bad).unwrap_err().kind(), ErrorKind::Posterior, "{bad:?}");
        }
    }

    #[test]
    fn rounding_is_taken_off() {
        assert_eq!(Posteriors::new([1.000_000_1, 0.0, -1e-7]).unwrap().intended(), 1.0);
        assert_eq!(WakeScores::new([1.000_01, 0.3]).unwrap().wake_word(), 1.0);
        assert!(WakeScores::new([0.5, f32::NAN]).is_err());
    }
}
