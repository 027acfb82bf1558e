//! Certified thresholds: what they say, and that they hold.

use wakegate::intervals::binomial_cdf;
use wakegate_lab::eval::certify::{Goal, Labelled, certify, fewest_labels};

const GOAL: Goal = Goal { share: 0.05, confidence: 0.95 };

/// Uniform numbers, xorshift64*.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A population: the chance that an activation of a score is accidental. Scores are uniform.
type Population = fn(f64) -> f64;

/// Ever fewer accidental ones: the share at or above 0.5 is the goal's.
fn falling(score: f64) -> f64 {
    0.6 * (1.0 - score) * (1.0 - score)
}

/// Safe only in the middle: something accidental scores highest.
fn bumpy(score: f64) -> f64 {
    if score > 0.95 { 0.1 } else { 0.12 * (1.0 - score) }
}

/// Just above the goal everywhere: whatever is certified is wrong.
fn never(_: f64) -> f64 {
    0.0501
}

fn draw(population: Population, count: usize, seed: u64) -> Vec<Labelled> {
    let mut dice = Dice::new(seed);
    (0..count)
        .map(|_| {
            let score = dice.roll();
            let accidental = dice.roll() < population(score);
            Labelled { p_intended: score as f32, accidental }
        })
        .collect()
}

/// The true share of accidental ones at or above `threshold`.
fn true_share(population: Population, threshold: f64) -> f64 {
    let steps = 1000;
    let at = |n: usize| threshold + (1.0 - threshold) * (n as f64 + 0.5) / f64::from(steps);
    (0..steps as usize).map(|n| population(at(n))).sum::<f64>() / f64::from(steps)
}

/// The threshold that looks best, without regard to the choice among many.
fn naive(rows: &[Labelled]) -> Option<f32> {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| b.p_intended.total_cmp(&a.p_intended));
    let mut accidental = 0;
    let mut found = None;
    for (n, row) in (1..).zip(&sorted) {
        accidental += u64::from(row.accidental);
        if binomial_cdf(accidental, n, GOAL.share) <= 1.0 - GOAL.confidence {
            found = Some(row.p_intended);
        }
    }
    found
}

#[test]
fn the_guarantee_holds_over_many_draws_and_a_naive_choice_does_not() {
    const DRAWS: u64 = 400;
    // With a true rate of 5 %, more than this has a chance below 1e-4.
    let most = (0..DRAWS).find(|&k| binomial_cdf(k, DRAWS, 0.05) > 0.9999).unwrap();
    assert!(most < 40, "{most}");
    let mut naive_worst = 0;
    for (name, population) in
        [("falling", falling as Population), ("bumpy", bumpy), ("never", never)]
    {
        let (mut wrong, mut naive_wrong, mut certified) = (0, 0, 0);
        for seed in 0..DRAWS {
            let rows = draw(population, 1500, seed);
            let is_wrong =
                |threshold: f32| true_share(population, f64::from(threshold)) > GOAL.share;
            if let Some(point) = certify(&rows, GOAL).unwrap().certified {
                certified += 1;
                wrong += u64::from(is_wrong(point.threshold));
            }
            naive_wrong += u64::from(naive(&rows).is_some_and(is_wrong));
        }
        assert!(wrong <= most, "{name}: {wrong} of {DRAWS} are wrong");
        // It is not for want of an answer, where there is one.
        assert!(name != "falling" || certified > DRAWS * 9 / 10, "{name}: {certified}");
        naive_worst = naive_worst.max(naive_wrong);
    }
    assert!(naive_worst > 2 * most, "the naive choice errs {naive_worst} times only");
}

#[test]
fn the_threshold_comes_near_the_best_with_enough_labels() {
    let report = certify(&draw(falling, 200_000, 1), GOAL).unwrap();
    let point = report.certified.unwrap();
    // The best is 0.5.
    assert!((0.5..0.53).contains(&point.threshold), "{point:?}");
    assert!(point.p_value <= 0.05 && (0.56..0.61).contains(&point.kept), "{point:?}");
    assert_eq!(report.upper_share, GOAL.share);
    assert_eq!(report.labels_needed, None);
    assert_eq!(report.rows.iter().sum::<u64>(), 200_000);
    assert!((report.rows[0] as i64 - 40_000).abs() < 1000, "{:?}", report.rows);
}

#[test]
fn too_few_labels_certify_nothing_and_say_how_many_would() {
    let goal = Goal { share: 0.001, confidence: 0.95 };
    assert_eq!(fewest_labels(goal), 2995);
    let none = certify(&[], goal).unwrap();
    assert_eq!((none.certified, none.first, none.upper_share), (None, None, 1.0));
    assert_eq!(none.labels_needed, Some(4118));
    let few = certify(&draw(|_| 0.0, 1000, 1), goal).unwrap();
    assert_eq!((few.certified, few.labels_needed), (None, Some(4118)));
    let enough = certify(&draw(|_| 0.0, 4500, 1), goal).unwrap();
    assert!(enough.certified.is_some(), "{enough:?}");
    let (mean, busy) = enough.day();
    assert!((mean - 1.0).abs() < 1e-12);
    assert_eq!(busy, 3, "P(X <= 3) is 0.981, P(X <= 2) 0.920");
}

#[test]
fn a_share_that_is_too_high_everywhere_says_that_no_number_will_do() {
    let report = certify(&draw(|_| 0.2, 3000, 1), GOAL).unwrap();
    assert_eq!((report.certified, report.labels_needed), (None, None));
    assert!((0.17..0.4).contains(&report.upper_share), "{}", report.upper_share);
    assert!(report.first.is_some());
}

#[test]
fn one_score_for_all_is_one_threshold() {
    let rows = vec![Labelled { p_intended: 0.9, accidental: false }; 500];
    let point = certify(&rows, GOAL).unwrap().certified.unwrap();
    assert_eq!((point.threshold, point.accidental, point.kept), (0.9, 0, 1.0));
    // None of the planning rows counts as evidence.
    assert!(point.labels < 500 && point.labels > 350);
}

#[test]
fn the_answer_is_the_same_for_the_same_rows() {
    let rows = draw(falling, 3000, 5);
    assert_eq!(certify(&rows, GOAL).unwrap(), certify(&rows, GOAL).unwrap());
}

#[test]
fn goals_and_rows_out_of_range_are_refused() {
    for goal in [
        Goal { share: 0.0, ..GOAL },
        Goal { share: 1.0, ..GOAL },
        Goal { share: f64::NAN, ..GOAL },
        Goal { confidence: 1.0, ..GOAL },
        Goal { confidence: 0.0, ..GOAL },
    ] {
        assert!(certify(&[], goal).is_err(), "{goal:?}");
    }
    for p_intended in [f32::NAN, -0.1, 1.1] {
        assert!(certify(&[Labelled { p_intended, accidental: false }], GOAL).is_err());
    }
}
