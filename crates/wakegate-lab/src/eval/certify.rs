//! A threshold with a guarantee: with a stated confidence, at most a chosen share of the clips
//! at or above it is accidental.
//!
//! Picking the best-looking threshold from labelled data and then quoting its interval is no
//! guarantee: the choice favours luck. Learn-then-Test (Angelopoulos, Bates, Candès, Jordan and
//! Lei, 2021, arXiv:2110.01052) makes it one, by split fixed-sequence testing:
//!
//! 1. A fifth of the rows, chosen by row number alone, plans: it fixes a sequence of
//!    thresholds from strict to lax. It begins where the other rows look likeliest to pass.
//! 2. The other rows test. At a threshold, `n` of them lie at or above it, `k` of those are
//!    accidental. Were the true share above the chosen one, `k` or fewer would have a
//!    probability of at most P(X <= k), X binomial of n with the chosen share: the p-value.
//! 3. Thresholds are tested in order while the p-value is at most 1 - confidence. The first
//!    one that fails ends it, the last one before it is certified.
//!
//! The sequence does not depend on the rows that test, so that an error needs the first unsafe
//! threshold of the sequence to pass: a chance of at most 1 - confidence, for any number of
//! rows, any model and any distribution of the scores. What it does need: rows that are a fair
//! sample of the activations that the threshold will meet, each once.

use serde::Serialize;
use sha2::{Digest, Sha256};

use wakegate::intervals::{binomial_cdf, upper_limit};
use wakegate::{Error, ErrorKind, Result};

/// One of so many rows plans.
const PLANNING: u64 = 5;
/// Standard deviations that are kept in reserve where the planning rows estimate how many of
/// the others lie above a threshold.
const RESERVE: f64 = 2.33;
/// Most thresholds in a sequence.
const MOST_STEPS: usize = 500;
/// Clips in the reviewer's day that the report speaks of.
pub const DAY_CLIPS: u64 = 1_000;
/// Accidental clips in such a day as reported in 2019.
pub const REPORTED_2019: u64 = 100;
/// Most labels that the answer to "how many would it take" looks for.
const MOST_LABELS: u64 = 100_000_000;

/// A labelled activation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Labelled {
    /// The verifier's posterior of intended.
    pub p_intended: f32,
    /// Whether it was anything but intended. What can't be told counts as accidental.
    pub accidental: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// Largest share of accidental clips among the queued, between 0 and 1.
    pub share: f64,
    /// Confidence, between 0 and 1.
    pub confidence: f64,
}

/// A threshold and what the testing rows say at it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Least posterior of intended that is queued.
    pub threshold: f32,
    /// Testing rows at or above it.
    pub labels: u64,
    /// Accidental ones among them.
    pub accidental: u64,
    /// Probability of so few accidental ones, were the share above the chosen one.
    pub p_value: f64,
    /// Share of the intended testing rows that lie at or above it.
    pub kept: f64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The certified threshold: the laxest that passed.
    pub certified: Option<Point>,
    /// The strictest threshold that was tested, if there were rows enough to test any.
    pub first: Option<Point>,
    /// One-sided upper limit of the accidental share at the certified threshold, else at the
    /// first one tested; 1 where none was.
    pub upper_share: f64,
    /// Rows that planned, and rows that tested.
    pub rows: [u64; 2],
    /// About how many labels it would take in all, where nothing is certified; `None` also
    /// where no number of labels would do, because the observed share is too high everywhere.
    pub labels_needed: Option<u64>,
}

impl Report {
    /// Upper limits of the accidental clips in a day of [`DAY_CLIPS`]: of their mean, and of
    /// their number on 95 days of 100.
    pub fn day(&self) -> (f64, u64) {
        let busy = (0..DAY_CLIPS)
            .find(|&k| binomial_cdf(k, DAY_CLIPS, self.upper_share) >= 0.95)
            .unwrap_or(DAY_CLIPS);
        (self.upper_share * DAY_CLIPS as f64, busy)
    }
}

/// Looks for the smallest threshold that the rows certify.
///
/// # Errors
/// [`ErrorKind::Settings`] for a share or confidence outside of 0 to 1, and
/// [`ErrorKind::Posterior`] for a posterior outside of it.
pub fn certify(rows: &[Labelled], goal: Goal) -> Result<Report> {
    check(rows, goal)?;
    let (mut planning, mut testing) = (Vec::new(), Vec::new());
    for (index, row) in (0_u64..).zip(rows) {
        if plans(index) { planning.push(*row) } else { testing.push(*row) }
    }
    let strictest = |a: &Labelled, b: &Labelled| b.p_intended.total_cmp(&a.p_intended);
    planning.sort_by(strictest);
    testing.sort_by(strictest);
    let mut first = None;
    let mut certified = None;
    for threshold in sequence(&planning, goal) {
        let point = test(&testing, threshold, goal);
        first.get_or_insert(point);
        if point.p_value > 1.0 - goal.confidence {
            break;
        }
        certified = Some(point);
    }
    let upper_share = match (certified, first) {
        // What passed a test at the chosen share is certified to lie below it, no lower.
        (Some(_), _) => goal.share,
        (None, Some(point)) => upper_limit(point.accidental, point.labels, goal.confidence)?,
        (None, None) => 1.0,
    };
    let labels_needed = match certified {
        Some(_) => None,
        None => labels_needed(rows, goal),
    };
    let rows = [planning.len() as u64, testing.len() as u64];
    Ok(Report { certified, first, upper_share, rows, labels_needed })
}

fn check(rows: &[Labelled], goal: Goal) -> Result<()> {
    for (name, value) in [("share", goal.share), ("confidence", goal.confidence)] {
        // Open at both ends; a NaN lies in no range.
        if !(value > 0.0 && value < 1.0) {
            return Err(Error::new(ErrorKind::Settings, format!("the {name} is refused"))
                .expected("a number between 0 and 1")
                .found(value.to_string()));
        }
    }
    match rows.iter().find(|row| !(0.0..=1.0).contains(&row.p_intended)) {
        None => Ok(()),
        Some(row) => Err(Error::new(ErrorKind::Posterior, "a labelled row is refused")
            .expected("a p_intended from 0 to 1")
            .found(row.p_intended.to_string())),
    }
}

/// Whether the row of this number plans: a choice that knows nothing of the row.
fn plans(index: u64) -> bool {
    let digest = Sha256::digest(index.to_le_bytes());
    u64::from(digest[0]) * 256 + u64::from(digest[1]) < 65_536 / PLANNING
}

/// Fewest labels, all of them intended, that certify the goal.
pub fn fewest_labels(goal: Goal) -> u64 {
    ((1.0 - goal.confidence).ln() / (-goal.share).ln_1p()).ceil() as u64
}

/// The thresholds to test, from strict to lax: scores of the planning rows.
///
/// Whatever this does, the guarantee holds: it sees nothing of the rows that test. It decides
/// how often there is an answer, and so begins where a pass is likeliest.
fn sequence(planning: &[Labelled], goal: Goal) -> Vec<f32> {
    let stride = planning.len().div_ceil(MOST_STEPS).max(1);
    let mut thresholds: Vec<f32> = Vec::new();
    let mut best = (0.0, 0);
    let mut accidental = 0;
    for (rank, row) in (1_u64..).zip(planning) {
        accidental += u64::from(row.accidental);
        if !(rank as usize).is_multiple_of(stride) {
            continue;
        }
        if thresholds.last() != Some(&row.p_intended) {
            thresholds.push(row.p_intended);
        }
        // Jeffreys' estimate: a share of nothing seen is small, not zero.
        let share = (accidental as f64 + 0.5) / (rank as f64 + 1.0);
        let chance = pass_chance(surely(rank * (PLANNING - 1)), share, goal);
        if chance > best.0 {
            best = (chance, thresholds.len() - 1);
        }
    }
    // With no chance anywhere, the answer is given at the laxest.
    let first = if best.0 > 0.0 { best.1 } else { thresholds.len().saturating_sub(1) };
    thresholds.split_off(first)
}

/// How many of `expected` rows are there all but surely.
fn surely(expected: u64) -> u64 {
    let expected = expected as f64;
    (expected - RESERVE * (PLANNING as f64 * expected).sqrt()).max(0.0) as u64
}

/// How many rows have to be expected so that `count` are there all but surely.
fn expected(count: u64) -> f64 {
    let root = RESERVE * (PLANNING as f64).sqrt();
    let half = (root + (root * root + 4.0 * count as f64).sqrt()) / 2.0;
    half * half
}

/// The chance that `n` rows with this true share pass.
fn pass_chance(n: u64, share: f64, goal: Goal) -> f64 {
    let passes = |k: u64| binomial_cdf(k, n, goal.share) <= 1.0 - goal.confidence;
    if n == 0 || !passes(0) {
        return 0.0;
    }
    let (mut low, mut high) = (0, n);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if passes(middle) { low = middle } else { high = middle }
    }
    binomial_cdf(low, n, share)
}

/// What `testing`, strictest first, says at `threshold`.
fn test(testing: &[Labelled], threshold: f32, goal: Goal) -> Point {
    let above = &testing[..testing.partition_point(|row| row.p_intended >= threshold)];
    let count = |rows: &[Labelled]| rows.iter().filter(|row| row.accidental).count() as u64;
    let (labels, accidental) = (above.len() as u64, count(above));
    let intended = testing.len() as u64 - count(testing);
    Point {
        threshold,
        labels,
        accidental,
        p_value: binomial_cdf(accidental, labels, goal.share),
        kept: (labels - accidental) as f64 / intended.max(1) as f64,
    }
}

/// About how many labels in all would certify the goal, at the threshold of the lowest
/// observed share: an estimate, not a guarantee.
fn labels_needed(rows: &[Labelled], goal: Goal) -> Option<u64> {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| b.p_intended.total_cmp(&a.p_intended));
    let mut best: Option<u64> = None;
    let mut accidental = 0;
    for (n, row) in (1_u64..).zip(&sorted) {
        accidental += u64::from(row.accidental);
        // Every tenth more of the rows is a fine enough look, and the last.
        let looks = n == sorted.len() as u64 || n.is_multiple_of((sorted.len() as u64 / 10).max(1));
        if looks {
            let share = accidental as f64 / n as f64;
            let above = n as f64 / sorted.len() as f64;
            let testing = (PLANNING - 1) as f64 / PLANNING as f64;
            let all = needed_above(share, goal)
                .map(|needed| (expected(needed) / (above * testing)).ceil() as u64);
            best = best.into_iter().chain(all).min();
        }
    }
    if sorted.is_empty() {
        let all = expected(fewest_labels(goal)) * PLANNING as f64 / (PLANNING - 1) as f64;
        best = Some(all.ceil() as u64);
    }
    best
}

/// Labels above a threshold that certify the goal where the observed share stays `share`.
fn needed_above(share: f64, goal: Goal) -> Option<u64> {
    let certifies = |n: u64| {
        binomial_cdf((share * n as f64).round() as u64, n, goal.share) <= 1.0 - goal.confidence
    };
    let mut high = fewest_labels(goal).max(1);
    while !certifies(high) {
        high = high.checked_mul(2).filter(|&n| n <= MOST_LABELS)?;
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if certifies(middle) { high = middle } else { low = middle }
    }
    Some(high)
}
