//! Intervals by resampling whole speakers, and blocks of time.
//!
//! The clips of one person resemble each other. An interval that treats them as independent is
//! too narrow; one that draws people, each with all of their clips, is not (Efron and
//! Tibshirani, 1993). Nor are the minutes of a stream independent: see [`units`](super::bootstrap_units).
//! It is the percentile interval: approximate, and coarse for few people or blocks.

use super::bootstrap_units::BootstrapUnits;
use super::random::Random;
use wakegate::intervals::Interval;

/// What is drawn, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resampling<'u> {
    /// What there is to draw from.
    pub units: &'u BootstrapUnits,
    /// How many times they are drawn.
    pub count: usize,
    /// The seed of the draws.
    pub seed: u64,
}

/// The percentile interval of each of several statistics.
///
/// `statistics` computes them all from how often each unit was drawn; where one can't be
/// computed it is `None`, and that draw is left out of its interval. A statistic has an
/// interval where at least nine of ten draws had a value.
pub fn intervals(
    resampling: Resampling<'_>,
    confidence: f64,
    mut statistics: impl FnMut(&[u32]) -> Vec<Option<f64>>,
) -> Vec<Option<Interval>> {
    let mut random = Random::new(resampling.seed);
    let mut weights = vec![0; resampling.units.count()];
    let mut drawn: Vec<Vec<f64>> = Vec::new();
    for _ in 0..resampling.count {
        resampling.units.draw(&mut random, &mut weights);
        for (index, value) in statistics(&weights).into_iter().enumerate() {
            if drawn.len() == index {
                drawn.push(Vec::with_capacity(resampling.count));
            }
            drawn[index].extend(value);
        }
    }
    let tail = (1.0 - confidence) / 2.0;
    let interval = |mut values: Vec<f64>| {
        if values.is_empty() || values.len() * 10 < resampling.count * 9 {
            return None;
        }
        values.sort_by(f64::total_cmp);
        Some(Interval { low: quantile(&values, tail)?, high: quantile(&values, 1.0 - tail)? })
    };
    drawn.into_iter().map(interval).collect()
}

/// The `share` quantile of `sorted`, linear between its neighbours (NumPy's and R's default);
/// `None` of nothing.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (place - below as f64) * (sorted[above] - sorted[below]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_between_neighbours() {
        let values = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&values, 0.5), Some(3.0));
        assert_eq!(quantile(&values, 0.75), Some(5.0));
        assert_eq!(quantile(&values, 1.0), Some(8.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn the_interval_of_a_mean_is_what_theory_says() {
        // 200 values of variance 1/12 around 0.5: a standard error of 0.0204.
        let values: Vec<f64> = (0..200).map(|n| (f64::from(n) + 0.5) / 200.0).collect();
        let units = BootstrapUnits::singles(200);
        let resampling = Resampling { units: &units, count: 4_000, seed: 5 };
        let mean = |weights: &[u32]| {
            assert_eq!(weights.iter().sum::<u32>(), 200);
            let sum: f64 = weights.iter().zip(&values).map(|(&w, v)| f64::from(w) * v).sum();
            vec![Some(sum / 200.0), None]
        };
        let found = intervals(resampling, 0.95, mean);
        let [Some(interval), None] = found.as_slice() else { panic!("{found:?}") };
        assert!((interval.low - (0.5 - 1.96 * 0.0204)).abs() < 0.003, "{interval:?}");
        assert!((interval.high - (0.5 + 1.96 * 0.0204)).abs() < 0.003, "{interval:?}");
        assert_eq!(intervals(resampling, 0.95, mean), found, "the same seed draws the same");
    }

    #[test]
    fn a_statistic_that_often_fails_has_no_interval() {
        let units = BootstrapUnits::singles(3);
        let resampling = Resampling { units: &units, count: 500, seed: 1 };
        // The first unit is missing from 30 % of the draws.
        let found = intervals(resampling, 0.9, |w| vec![(w[0] > 0).then_some(1.0), Some(2.0)]);
        assert_eq!(found, [None, Some(Interval { low: 2.0, high: 2.0 })]);
    }
}
