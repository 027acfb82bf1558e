//! Every figure of one system on one set of labelled recordings.

use serde::Serialize;

use super::bootstrap;
use super::bootstrap::{Resampling, quantile};
use super::bootstrap_units::{BootstrapUnits, Drawn};
use super::calibration;
use super::calibration::Bin;
use super::caveats;
use super::clusters::{Clusters, Exposure};
use super::det::{Curve, Sweep};
use super::event::{Detection, Rules};
use super::matching::Recording;
use super::outcomes::{Outcome, Outcomes};
use super::rank::{Ranked, Scored, Stopped};
use wakegate::Result;
use wakegate::intervals::{Interval, clopper_pearson, poisson};

/// The false accepts an hour at which the miss rate is told.
pub const PER_HOUR: [f64; 3] = [0.1, 0.5, 1.0];
/// The share of the true triggers that is to be kept where it is told what is stopped.
pub const KEPT: f64 = 0.99;
/// Bins of the reliability.
pub const BINS: usize = 10;
/// Most thresholds on the curve.
const MOST_THRESHOLDS: usize = 1_000;
/// Points of the band around the curve.
const BAND: usize = 24;

/// What the figures are computed with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Settings {
    /// How events are made and matched.
    pub rules: Rules,
    /// Accept from this score on; without it, what the system itself accepted.
    pub threshold: Option<f32>,
    /// Of every interval, between 0 and 1.
    pub confidence: f64,
    /// Samples of the blocks of time that the bootstrap draws where nobody in particular speaks.
    /// They are those of [`Recording::in_blocks`]; here they are only told.
    pub block: u64,
    /// Draws of the bootstrap.
    pub resamples: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
}

impl Settings {
    /// Whether `detection` is accepted.
    pub fn accepts(&self, detection: &Detection) -> bool {
        self.threshold.map_or(detection.accepted, |threshold| detection.score >= threshold)
    }
}

/// `k` of `n`, with Clopper and Pearson's interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// How many.
    pub k: u64,
    /// Of how many.
    pub n: u64,
    /// `k / n`; none of none.
    pub value: Option<f64>,
    /// The interval.
    pub interval: Interval,
}

impl Share {
    /// The share with its interval.
    ///
    /// # Errors
    /// As [`clopper_pearson`].
    pub fn new(k: u64, n: u64, confidence: f64) -> Result<Self> {
        let value = (n > 0).then(|| k as f64 / n as f64);
        Ok(Self { k, n, value, interval: clopper_pearson(k, n, confidence)? })
    }

    /// The share of those for which it is true.
    ///
    /// # Errors
    /// As [`clopper_pearson`].
    pub fn of(all: impl Iterator<Item = bool>, confidence: f64) -> Result<Self> {
        let (k, n) = all.fold((0, 0), |(k, n), is| (k + u64::from(is), n + 1));
        Self::new(k, n, confidence)
    }
}

/// A count in so many hours, with Garwood's interval of the rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PerHour {
    /// How many.
    pub count: u64,
    /// In how many hours.
    pub hours: f64,
    /// An hour; none in no time.
    pub value: Option<f64>,
    /// The interval; none in no time.
    pub interval: Option<Interval>,
}

impl PerHour {
    /// The rate with its interval.
    ///
    /// # Errors
    /// As [`poisson`].
    pub fn new(count: u64, hours: f64, confidence: f64) -> Result<Self> {
        let Interval { low, high } = poisson(count, confidence)?;
        let some = hours > 0.0;
        let interval = some.then(|| Interval { low: low / hours, high: high / hours });
        Ok(Self { count, hours, value: some.then(|| count as f64 / hours), interval })
    }
}

/// A value with an interval from the bootstrap over units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The value, where there is one.
    pub value: Option<f64>,
    /// The interval, where the bootstrap gives one.
    pub interval: Option<Interval>,
}

/// The miss rate at a rate of false accepts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MissAt {
    /// At most so many false accepts an hour.
    pub false_accepts_per_hour: f64,
    /// The lowest miss rate there.
    pub miss_rate: Estimate,
    /// The threshold that has it; none where nothing may be accepted.
    pub threshold: Option<f32>,
}

/// A point of the band around the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BandPoint {
    /// At most so many false accepts an hour.
    pub false_accepts_per_hour: f64,
    /// The interval of the miss rate there.
    pub interval: Interval,
}

/// Seconds from the end of a word to the decision about it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Delay {
    /// How many hits of words with a known end.
    pub n: usize,
    /// Half are at most so late.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
}

impl Delay {
    /// The delay of the hits among `targets`; none of none.
    pub fn of<'a>(targets: impl Iterator<Item = &'a Outcome>, rules: &Rules) -> Option<Self> {
        let rate = f64::from(rules.rate_hz);
        let mut seconds: Vec<f64> =
            targets.filter_map(|t| t.delay).map(|samples| samples as f64 / rate).collect();
        seconds.sort_by(f64::total_cmp);
        Some(Self {
            n: seconds.len(),
            p50: quantile(&seconds, 0.5)?,
            p95: quantile(&seconds, 0.95)?,
            p99: quantile(&seconds, 0.99)?,
        })
    }
}

/// Every figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Targets without an accepted event.
    pub frr: Share,
    /// Labelled negatives with an accepted event.
    pub negatives_accepted: Share,
    /// Accepted events that belong to no target; the interval takes them as independent.
    pub false_accepts: PerHour,
    /// The same rate with an interval from the bootstrap, which does not.
    pub false_accepts_by_unit: Estimate,
    /// Whether they come in clusters, where time is drawn in blocks and there are any.
    pub clusters: Option<Clusters>,
    /// Accepted events beyond the first of a target: in no other figure.
    pub repeats: usize,
    /// Of the hits and false accepts, the hits.
    pub queue_precision: Share,
    /// The miss rate at each of [`PER_HOUR`].
    pub miss_at: Vec<MissAt>,
    /// The equal error rate of targets against labelled negatives.
    pub equal_error: Estimate,
    /// The area under the receiver operating characteristic of the same.
    pub auc: Estimate,
    /// True and false triggers.
    pub triggers: [u64; 2],
    /// Share of the false triggers that are stopped where [`KEPT`] of the true ones are kept.
    pub stopped: Estimate,
    /// The same with its threshold.
    pub stopped_at: Option<Stopped>,
    /// Delay of the hits.
    pub delay_s: Option<Delay>,
    /// Mean squared error of the scores as probabilities.
    pub brier: Estimate,
    /// The scores of the triggers as probabilities.
    pub reliability: Vec<Bin>,
    /// What the bootstrap draws that has a target: speakers, where the labels name them.
    pub targets_drawn: Drawn,
    /// And what has time for false accepts.
    pub time_drawn: Drawn,
    /// The detection error trade-off.
    pub curve: Curve,
    /// The band around it, where there is one.
    pub band: Vec<BandPoint>,
    /// What the counts are too small for, in sentences.
    pub notes: Vec<String>,
}

impl Figures {
    /// Computes them, and gives the tally that they come from.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`](wakegate::ErrorKind::Settings) for a confidence outside of 0 to 1.
    pub fn of(recordings: &[Recording], settings: &Settings) -> Result<(Self, Outcomes)> {
        let rules = &settings.rules;
        let confidence = settings.confidence;
        let tally = Outcomes::of(recordings, rules, |detection| settings.accepts(detection));
        let sweep = Sweep::new(recordings, rules, MOST_THRESHOLDS);
        let trials = Ranked::new(
            tally
                .outcomes
                .iter()
                .map(|o| Scored { score: o.score, wanted: o.wanted, unit: o.unit })
                .collect(),
        );
        let triggers = Ranked::new(
            tally
                .triggers
                .iter()
                .map(|t| Scored { score: Some(t.score), wanted: t.wanted, unit: t.unit })
                .collect(),
        );
        let judged: Vec<(f64, bool, usize)> =
            tally.triggers.iter().map(|t| (f64::from(t.score), t.wanted, t.unit)).collect();

        let curve = sweep.curve(rules, None);
        let grid = grid(&curve);
        let units = BootstrapUnits::of(recordings);
        let exposure = Exposure::of(recordings, &tally, rules, &units);
        let resampling =
            Resampling { units: &units, count: settings.resamples, seed: settings.seed };
        let statistics = |weights: &[u32]| {
            let curve = sweep.curve(rules, Some(weights));
            let mut values = vec![
                trials.equal_error(Some(weights)).map(|found| found.rate),
                trials.auc(Some(weights)),
                triggers.stopped_at(KEPT, Some(weights)).map(|found| found.stopped),
                weighted_brier(&judged, weights),
                exposure.per_hour(weights),
            ];
            values.extend(PER_HOUR.iter().chain(&grid).map(|&rate| curve.miss_rate_at(rate)));
            values
        };
        let mut drawn = bootstrap::intervals(resampling, confidence, statistics).into_iter();
        let mut estimate = |value: Option<f64>| Estimate {
            value,
            interval: drawn.next().flatten().filter(|_| value.is_some()),
        };

        let equal = trials.equal_error(None);
        let stopped_at = triggers.stopped_at(KEPT, None);
        let probabilities: Vec<_> = judged.iter().map(|&(p, wanted, _)| (p, wanted)).collect();
        let equal_error = estimate(equal.map(|found| found.rate));
        let auc = estimate(trials.auc(None));
        let stopped = estimate(stopped_at.map(|found| found.stopped));
        let brier = estimate(calibration::brier(&probabilities));
        let falses = tally.false_accepts.len() as u64;
        let false_accepts = PerHour::new(falses, curve.hours, confidence)?;
        let false_accepts_by_unit = estimate(false_accepts.value);
        let miss_at = PER_HOUR.map(|rate| MissAt {
            false_accepts_per_hour: rate,
            miss_rate: estimate(curve.miss_rate_at(rate)),
            threshold: curve.at(rate).map(|p| p.threshold).filter(|t| t.is_finite()),
        });
        let band = grid.iter().zip(drawn).filter_map(|(&rate, interval)| {
            Some(BandPoint { false_accepts_per_hour: rate, interval: interval? })
        });
        let band = band.collect();

        let hits = tally.targets().filter(|target| target.accepted).count() as u64;
        let (true_triggers, false_triggers) = triggers.counts();
        let mut figures = Self {
            frr: Share::of(tally.targets().map(|target| !target.accepted), confidence)?,
            negatives_accepted: Share::of(tally.negatives().map(|n| n.accepted), confidence)?,
            false_accepts,
            false_accepts_by_unit,
            clusters: exposure.clusters(&units, settings.seed),
            repeats: tally.repeats,
            queue_precision: Share::new(hits, hits + falses, confidence)?,
            miss_at: miss_at.to_vec(),
            equal_error,
            auc,
            triggers: [true_triggers, false_triggers],
            stopped,
            stopped_at,
            delay_s: Delay::of(tally.targets(), rules),
            brier,
            reliability: calibration::reliability(&probabilities, BINS, confidence)?,
            targets_drawn: units.counted(tally.targets().map(|target| target.unit)),
            time_drawn: units.counted(exposure.with_time()),
            curve,
            band,
            notes: Vec::new(),
        };
        figures.notes = caveats::of(&figures, equal, settings);
        Ok((figures, tally))
    }
}

fn weighted_brier(judged: &[(f64, bool, usize)], weights: &[u32]) -> Option<f64> {
    let (sum, n) = judged.iter().fold((0.0, 0.0), |(sum, n), &(p, wanted, unit)| {
        let weight = weights.get(unit).map_or(1.0, |&weight| f64::from(weight));
        (sum + weight * (p - f64::from(u8::from(wanted))).powi(2), n + weight)
    });
    (n > 0.0).then(|| sum / n)
}

/// Rates of false accepts from the fewest that the hours can show to the most that there are.
fn grid(curve: &Curve) -> Vec<f64> {
    let most = curve.points.iter().map(|point| point.false_accepts).max().unwrap_or(0);
    if curve.hours <= 0.0 || curve.targets == 0 || most == 0 {
        return Vec::new();
    }
    let (low, high) = (1.0 / curve.hours, most as f64 / curve.hours);
    let step = (high / low).ln() / (BAND - 1) as f64;
    (0..BAND).map(|n| low * (step * n as f64).exp()).collect()
}
