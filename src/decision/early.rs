//! When a verdict may be given before the whole window was heard.

use super::Verdict;
use crate::{Error, ErrorKind, Result};

/// The rule of early verdicts: scores from a window whose end is not heard yet must be surer
/// than those at the end, at several moments in a row, and an intended verdict needs two of them
/// and a pause at each.
///
/// While speech goes on after the word, nobody knows whether it is a request or a sentence
/// about the word.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Early {
    intended_at: f32,
    moved_at: f32,
    accidental_below: f32,
    consecutive: u32,
}

/// How long one candidate's moments have agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Streak {
    verdict: Option<Verdict>,
    moments: u32,
}

impl Early {
    /// Intended from `intended_at` on, with the moved window from `moved_at` on; accidental
    /// below `accidental_below`, never where that is 0; at `consecutive` moments in a row.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] unless `0 <= accidental_below <= intended_at <= 1`,
    /// `0 <= moved_at <= 1` and `consecutive` is at least 1.
    pub fn new(
        intended_at: f32,
        moved_at: f32,
        accidental_below: f32,
        consecutive: u32,
    ) -> Result<Self> {
        if accidental_below >= 0.0
            && accidental_below <= intended_at
            && intended_at <= 1.0
            && (0.0..=1.0).contains(&moved_at)
            && consecutive > 0
        {
            return Ok(Self { intended_at, moved_at, accidental_below, consecutive });
        }
        Err(Error::new(ErrorKind::Settings, "the rule of early verdicts is refused")
            .expected(
                "0 <= accidental_below <= intended_at <= 1, moved_at from 0 to 1, consecutive \
                 at least 1",
            )
            .found(format!(
                "accidental_below {accidental_below}, intended_at {intended_at}, moved_at \
                 {moved_at}, consecutive {consecutive}"
            )))
    }

    /// The verdict that the posterior of intended `held` allows: of what was heard, the last
    /// frame repeated to the window's end. An intended one stands only if the speaker pauses and
    /// [`confirms`](Self::confirms) agrees. A posterior that is no number allows none.
    pub fn allows(&self, held: f32) -> Option<Verdict> {
        if held >= self.intended_at {
            Some(Verdict::Intended)
        } else if held < self.accidental_below {
            Some(Verdict::Accidental)
        } else {
            None
        }
    }

    /// Whether the posterior of intended `moved`, of the window that ends at the moment, agrees
    /// with an intended verdict.
    pub fn confirms(&self, moved: f32) -> bool {
        moved >= self.moved_at
    }

    /// Takes what a candidate's next moment stands for; `true` when enough of them in a row
    /// agree, so that the verdict is given.
    pub fn settles(&self, streak: &mut Streak, stands: Option<Verdict>) -> bool {
        streak.moments = match stands {
            Some(_) if stands == streak.verdict => streak.moments + 1,
            Some(_) => 1,
            None => 0,
        };
        streak.verdict = stands;
        streak.moments >= self.consecutive
    }

    /// Whether `left` more moments can still bring a verdict for a candidate with `streak`.
    pub fn may_settle(&self, streak: &Streak, left: usize) -> bool {
        let needed = self.consecutive.saturating_sub(streak.moments);
        usize::try_from(needed).is_ok_and(|needed| needed <= left)
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Accidental, Intended};
    use super::*;

    #[test]
    fn only_a_sure_score_allows_a_verdict() {
        let rule = Early::new(0.95, 0.8, 0.1, 1).unwrap();
        assert_eq!(rule.allows(0.95), Some(Intended));
        assert_eq!(rule.allows(0.949), None);
        assert_eq!(rule.allows(0.1), None);
        assert_eq!(rule.allows(0.099), Some(Accidental));
        assert_eq!(rule.allows(f32::NAN), None);
        assert!(rule.confirms(0.8) && !rule.confirms(0.799) && !rule.confirms(f32::NAN));
    }

    #[test]
    fn without_a_lower_bound_no_early_verdict_is_accidental() {
        assert_eq!(Early::new(0.95, 0.8, 0.0, 1).unwrap().allows(0.0), None);
    }

    #[test]
    fn the_verdict_comes_when_enough_moments_in_a_row_agree() {
        let comes = |consecutive: u32, moments: &[Option<Verdict>]| {
            let rule = Early::new(0.95, 0.8, 0.1, consecutive).unwrap();
            let mut streak = Streak::default();
            moments.iter().position(|&stands| rule.settles(&mut streak, stands))
        };
        assert_eq!(comes(1, &[None, Some(Intended)]), Some(1));
        assert_eq!(comes(2, &[Some(Intended), Some(Intended)]), Some(1));
        assert_eq!(comes(2, &[Some(Intended), None, Some(Intended)]), None);
        assert_eq!(comes(2, &[Some(Intended), Some(Accidental), Some(Intended)]), None);
        assert_eq!(comes(2, &[Some(Intended), Some(Accidental), Some(Accidental)]), Some(2));
    }

    #[test]
    fn a_moment_that_can_bring_nothing_is_known() {
        let rule = Early::new(0.95, 0.8, 0.1, 2).unwrap();
        let mut streak = Streak::default();
        assert!(rule.may_settle(&streak, 2) && !rule.may_settle(&streak, 1));
        assert!(!rule.settles(&mut streak, Some(Intended)));
        assert!(rule.may_settle(&streak, 1) && !rule.may_settle(&streak, 0));
    }

    #[test]
    fn bounds_out_of_order_are_refused() {
        for (intended_at, moved_at, accidental_below, consecutive) in [
            (0.5, 0.8, 0.6, 1),
            (1.1, 0.8, 0.1, 1),
            (0.9, 1.1, 0.1, 1),
            (0.9, 0.8, -0.1, 1),
            (0.9, 0.8, 0.1, 0),
            (f32::NAN, 0.8, 0.1, 1),
            (0.9, f32::NAN, 0.1, 1),
            (0.9, 0.8, f32::NAN, 1),
        ] {
            assert!(Early::new(intended_at, moved_at, accidental_below, consecutive).is_err());
        }
    }
}
