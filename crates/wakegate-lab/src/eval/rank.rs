//! Metrics of scores alone: equal error rate, area under the curve, what a threshold stops.

use serde::Serialize;

/// One score with the truth about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Higher means likelier intended; `None` where the system proposes nothing, below every
    /// threshold.
    pub score: Option<f32>,
    /// Whether it is to be accepted.
    pub wanted: bool,
    /// Whom the bootstrap draws together.
    pub unit: usize,
}

/// How often each unit counts; a unit beyond the end counts once.
pub type Weights<'a> = &'a [u32];

/// Scores in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Strictest first, the ones without a score last.
    scored: Vec<Scored>,
}

/// Where the share of the wanted that are missed equals the share of the others that pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EqualError {
    /// The equal error rate, linear between the two thresholds around it.
    pub rate: f64,
    /// Whether thresholds lie on both sides of it. If not, more of the wanted have no score at
    /// all than the rate says, and no threshold reaches it.
    pub reached: bool,
}

/// What a threshold that keeps a share of the wanted does to the others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Stopped {
    /// The strictest threshold that keeps enough.
    pub threshold: f32,
    /// Share of the wanted at or above it.
    pub kept: f64,
    /// Share of the others below it.
    pub stopped: f64,
    /// How many of the others are below it.
    pub count: u64,
}

/// The state after all scores down to a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    /// `None` for the last step, which takes in what has no score.
    threshold: Option<f32>,
    wanted: u64,
    others: u64,
}

impl Ranked {
    /// Puts the scores in their order.
    pub fn new(mut scored: Vec<Scored>) -> Self {
        let key = |scored: &Scored| scored.score.unwrap_or(f32::NEG_INFINITY);
        scored.sort_by(|a, b| key(b).total_cmp(&key(a)));
        Self { scored }
    }

    /// How many are wanted, and how many are not.
    pub fn counts(&self) -> (u64, u64) {
        let wanted = self.scored.iter().filter(|scored| scored.wanted).count() as u64;
        (wanted, self.scored.len() as u64 - wanted)
    }

    /// The cumulative counts at each different score, strictest first.
    fn steps(&self, weights: Option<Weights<'_>>) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let (mut wanted, mut others) = (0, 0);
        for scored in &self.scored {
            let weight = weights.and_then(|w| w.get(scored.unit)).map_or(1, |&w| u64::from(w));
            if scored.wanted {
                wanted += weight
            } else {
                others += weight
            }
            let step = Step { threshold: scored.score, wanted, others };
            match steps.last_mut() {
                Some(last) if last.threshold == scored.score => *last = step,
                _ => steps.push(step),
            }
        }
        steps
    }

    /// The chance that a wanted one has a higher score than another, ties as a half; `None`
    /// without any of either.
    pub fn auc(&self, weights: Option<Weights<'_>>) -> Option<f64> {
        let steps = self.steps(weights);
        let last = steps.last().filter(|last| last.wanted > 0 && last.others > 0)?;
        let mut before = (0_u64, 0_u64);
        let mut twice_area = 0.0;
        for step in &steps {
            let width = (step.others - before.1) as f64;
            twice_area += width * (step.wanted + before.0) as f64;
            before = (step.wanted, step.others);
        }
        Some(twice_area / (2.0 * last.wanted as f64 * last.others as f64))
    }

    /// The equal error rate; `None` without any of either.
    pub fn equal_error(&self, weights: Option<Weights<'_>>) -> Option<EqualError> {
        let steps = self.steps(weights);
        let last = *steps.last().filter(|last| last.wanted > 0 && last.others > 0)?;
        let rates = |step: &Step| {
            let missed = 1.0 - step.wanted as f64 / last.wanted as f64;
            (missed, step.others as f64 / last.others as f64)
        };
        let (mut missed, mut passed) = (1.0, 0.0);
        for step in &steps {
            let (now_missed, now_passed) = rates(step);
            if now_missed <= now_passed {
                // The differences on both sides; not both zero, because a step changes something.
                let (before, after) = (missed - passed, now_passed - now_missed);
                let along = if before + after > 0.0 { before / (before + after) } else { 0.0 };
                let rate = missed + along * (now_missed - missed);
                return Some(EqualError { rate, reached: step.threshold.is_some() });
            }
            (missed, passed) = (now_missed, now_passed);
        }
        None
    }

    /// What the strictest threshold stops that keeps at least the share `kept` of the wanted;
    /// `None` without any of either, and where too many of the wanted have no score.
    pub fn stopped_at(&self, kept: f64, weights: Option<Weights<'_>>) -> Option<Stopped> {
        let steps = self.steps(weights);
        let last = *steps.last().filter(|last| last.wanted > 0 && last.others > 0)?;
        let needed = (kept * last.wanted as f64 - 1e-9).ceil() as u64;
        let step = steps.iter().find(|step| step.wanted >= needed)?;
        let count = last.others - step.others;
        Some(Stopped {
            threshold: step.threshold?,
            kept: step.wanted as f64 / last.wanted as f64,
            stopped: count as f64 / last.others as f64,
            count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(wanted: &[f32], others: &[f32], silent: [usize; 2]) -> Ranked {
        let scored = |score, wanted, unit| Scored { score, wanted, unit };
        let all = wanted.iter().map(|&s| scored(Some(s), true, 0));
        let all = all.chain(others.iter().map(|&s| scored(Some(s), false, 1)));
        let all = all.chain((0..silent[0]).map(|_| scored(None, true, 0)));
        Ranked::new(all.chain((0..silent[1]).map(|_| scored(None, false, 1))).collect())
    }

    #[test]
    fn by_hand() {
        // 0.9+ 0.8+ 0.7- 0.6+ 0.5- 0.4-: one pair of nine is out of order.
        let scores = ranked(&[0.9, 0.8, 0.6], &[0.7, 0.5, 0.4], [0, 0]);
        assert_eq!(scores.auc(None), Some(8.0 / 9.0));
        let found = scores.equal_error(None).unwrap();
        assert!((found.rate - 1.0 / 3.0).abs() < 1e-12 && found.reached);
        let stopped = scores.stopped_at(0.99, None).unwrap();
        assert_eq!((stopped.threshold, stopped.kept, stopped.count), (0.6, 1.0, 2));
        let stopped = scores.stopped_at(0.6, None).unwrap();
        assert_eq!((stopped.threshold, stopped.stopped), (0.8, 1.0));
        assert_eq!(scores.counts(), (3, 3));
    }

    #[test]
    fn ties_are_a_half() {
        let scores = ranked(&[0.5, 0.5], &[0.5, 0.5, 0.5], [0, 0]);
        assert_eq!(scores.auc(None), Some(0.5));
        assert_eq!(scores.equal_error(None).unwrap().rate, 0.5);
    }

    #[test]
    fn what_has_no_score_is_never_accepted() {
        // Half of the wanted are silent: no threshold gets below a half.
        let scores = ranked(&[0.9], &[0.8, 0.1], [1, 3]);
        let found = scores.equal_error(None).unwrap();
        assert!(!found.reached, "{found:?}");
        assert_eq!(scores.stopped_at(0.99, None), None);
        assert_eq!(scores.stopped_at(0.5, None).unwrap().count, 5);
        // One is above all five; the other is below two and level with three.
        assert_eq!(scores.auc(None), Some((5.0 + 3.0 / 2.0) / 10.0));
    }

    #[test]
    fn a_weight_counts_as_so_many_copies() {
        let scores = ranked(&[0.9, 0.3], &[0.5], [0, 0]);
        let copied = ranked(&[0.9, 0.3], &[0.5, 0.5, 0.5], [0, 0]);
        assert_eq!(scores.auc(Some(&[1, 3])), copied.auc(None));
        assert_eq!(scores.equal_error(Some(&[1, 3])), copied.equal_error(None));
        assert_eq!(scores.stopped_at(0.9, Some(&[1, 3])), copied.stopped_at(0.9, None));
        assert_eq!(scores.auc(Some(&[0, 1])), None);
        assert_eq!(ranked(&[], &[0.1], [0, 0]).equal_error(None), None);
    }
}
