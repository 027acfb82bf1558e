//! From a verifier's posteriors to a verdict with its reason.

use std::fmt;

use crate::{Error, ErrorKind, Result};

/// What is decided about an activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The wake word was said to the device.
    Intended,
    /// Anything else.
    Accidental,
    /// Between the two thresholds; the gate treats it as accidental.
    Unsure,
}

impl Verdict {
    /// The word that reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Accidental => "accidental",
            Self::Unsure => "unsure",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a verdict was given: the class that carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The wake word, said to the device.
    Intended,
    /// Another word, or noise.
    NotWakeWord,
    /// The wake word in passing.
    NotAddressed,
}

impl Reason {
    /// The word that reports and manifests use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::NotWakeWord => "not_wake_word",
            Self::NotAddressed => "not_addressed",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The two thresholds on the posterior of `intended`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    intended_at: f32,
    accidental_below: f32,
}

impl Thresholds {
    /// Intended from `intended_at` on, accidental below `accidental_below`, unsure between.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] unless `0 < accidental_below <= intended_at <= 1`.
    pub fn new(intended_at: f32, accidental_below: f32) -> Result<Self> {
        if accidental_below > 0.0 && accidental_below <= intended_at && intended_at <= 1.0 {
            return Ok(Self { intended_at, accidental_below });
        }
        Err(Error::new(ErrorKind::Settings, "the decision thresholds are refused")
            .expected("0 < accidental_below <= intended_at <= 1")
            .found(format!("accidental_below {accidental_below}, intended_at {intended_at}")))
    }
}

/// The verdict on `[intended, not_wake_word, not_addressed]` and its reason.
///
/// An intended verdict has the reason intended; an accidental one the likelier of the two
/// accidental classes; an unsure one the likeliest class of all.
///
/// # Errors
/// [`ErrorKind::Posterior`] for a value that is not a number from 0 to 1: never a verdict.
pub fn decide(posteriors: [f32; 3], thresholds: &Thresholds) -> Result<(Verdict, Reason)> {
    for value in posteriors {
        // A NaN lies in no range, so it is refused here too.
        if !(0.0..=1.0).contains(&value) {
            return Err(Error::new(ErrorKind::Posterior, "no verdict on this posterior")
                .expected("a number from 0 to 1")
                .found(value.to_string()));
        }
    }
    let [intended, not_wake_word, not_addressed] = posteriors;
    let accidental =
        if not_addressed > not_wake_word { Reason::NotAddressed } else { Reason::NotWakeWord };
    Ok(if intended >= thresholds.intended_at {
        (Verdict::Intended, Reason::Intended)
    } else if intended < thresholds.accidental_below {
        (Verdict::Accidental, accidental)
    } else if intended >= not_wake_word.max(not_addressed) {
        (Verdict::Unsure, Reason::Intended)
    } else {
        (Verdict::Unsure, accidental)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(posteriors: [f32; 3]) -> (Verdict, Reason) {
        decide(posteriors, &Thresholds::new(0.8, 0.4).unwrap()).unwrap()
    }

    #[test]
    fn thresholds_part_the_three_verdicts() {
        assert_eq!(verdict([0.8, 0.1, 0.1]), (Verdict::Intended, Reason::Intended));
        assert_eq!(verdict([0.79, 0.11, 0.1]), (Verdict::Unsure, Reason::Intended));
        assert_eq!(verdict([0.4, 0.1, 0.5]), (Verdict::Unsure, Reason::NotAddressed));
        assert_eq!(verdict([0.39, 0.5, 0.11]), (Verdict::Accidental, Reason::NotWakeWord));
        assert_eq!(verdict([0.0, 0.4, 0.6]), (Verdict::Accidental, Reason::NotAddressed));
    }

    #[test]
    fn what_is_no_probability_gets_no_verdict() {
        let thresholds = Thresholds::new(0.8, 0.4).unwrap();
        for bad in [f32::NAN, f32::INFINITY, -0.1, 1.1] {
            for place in 0..3 {
                let mut posteriors = [0.9, 0.05, 0.05];
                posteriors[place] = bad;
                let error = decide(posteriors, &thresholds).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Posterior);
            }
        }
    }

    #[test]
    fn thresholds_out_of_order_are_refused() {
        for (intended_at, accidental_below) in
            [(0.3, 0.5), (1.1, 0.5), (0.5, 0.0), (f32::NAN, 0.1), (0.5, f32::NAN)]
        {
            assert!(Thresholds::new(intended_at, accidental_below).is_err());
        }
    }
}
