//! Two systems on the same data.
//!
//! What both get right, or both get wrong, tells nothing about which is better: the test and
//! the interval are made of the pairs in which they differ.

use serde::Serialize;

use wakegate::intervals::{Interval, binomial_cdf};
use wakegate::{Error, ErrorKind, Result};

/// Halvings of a bisection.
const HALVINGS: usize = 100;

/// Pairs of outcomes, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pairs {
    /// Both accept.
    pub both: u64,
    /// Only the first accepts.
    pub only_first: u64,
    /// Only the second accepts.
    pub only_second: u64,
    /// Neither accepts.
    pub neither: u64,
}

/// What the pairs say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comparison {
    /// The counts.
    pub pairs: Pairs,
    /// The first's acceptance rate less the second's; `None` without a pair.
    pub difference: Option<f64>,
    /// Tango's interval for it.
    pub interval: Option<Interval>,
    /// McNemar's exact two-sided p-value for rates that are the same.
    pub p_value: f64,
}

impl Pairs {
    /// Counts (first accepts, second accepts).
    pub fn count(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut counted = Self::default();
        for pair in pairs {
            *match pair {
                (true, true) => &mut counted.both,
                (true, false) => &mut counted.only_first,
                (false, true) => &mut counted.only_second,
                (false, false) => &mut counted.neither,
            } += 1;
        }
        counted
    }

    /// How many pairs there are.
    pub fn n(&self) -> u64 {
        self.both + self.only_first + self.only_second + self.neither
    }

    /// Test and interval.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for a confidence outside of 0 to 1.
    pub fn compare(self, confidence: f64) -> Result<Comparison> {
        let (b, c, n) = (self.only_first, self.only_second, self.n());
        let interval = tango(b, c, n, confidence)?;
        let difference = (n > 0).then(|| (b as f64 - c as f64) / n as f64);
        Ok(Comparison { pairs: self, difference, interval, p_value: mcnemar(b, c) })
    }
}

/// McNemar's exact test: where two systems are alike, of the pairs in which they differ as many
/// go one way as the other. `b` and `c` are those counts; the result is the two-sided p-value,
/// 1 where there are none.
pub fn mcnemar(b: u64, c: u64) -> f64 {
    (2.0 * binomial_cdf(b.min(c), b + c, 0.5)).min(1.0)
}

/// Tango's score interval (1998) for the difference of two paired rates, `(b - c) / n`; `None`
/// without a pair. Unlike the textbook's, it has a width where `b` and `c` are 0.
///
/// # Errors
/// [`ErrorKind::Settings`] for a confidence outside of 0 to 1 and for `b + c > n`.
pub fn tango(b: u64, c: u64, n: u64, confidence: f64) -> Result<Option<Interval>> {
    if !(confidence > 0.0 && confidence < 1.0 && b + c <= n) {
        return Err(Error::new(ErrorKind::Settings, "there is no such interval")
            .expected("b + c <= n and a confidence between 0 and 1")
            .found(format!("{b} + {c} of {n} with {confidence}")));
    }
    if n == 0 {
        return Ok(None);
    }
    let z = normal_quantile(0.5 + confidence / 2.0);
    let (b, c, n) = (b as f64, c as f64, n as f64);
    let estimate = (b - c) / n;
    // The score statistic falls as the supposed difference grows.
    let score = |difference: f64| {
        let spread = n * (2.0 * rarer(b, c, n, difference) + difference * (1.0 - difference));
        let distance = b - c - n * difference;
        // The spread is 0 only where the supposed difference is at its end.
        if spread > 0.0 { distance / spread.sqrt() } else { distance * f64::INFINITY }
    };
    let solve = |mut low: f64, mut high: f64, at: f64| {
        for _ in 0..HALVINGS {
            let middle = low + (high - low) / 2.0;
            if score(middle) > at { low = middle } else { high = middle }
        }
        low + (high - low) / 2.0
    };
    let low = if estimate <= -1.0 { -1.0 } else { solve(-1.0, estimate, z) };
    let high = if estimate >= 1.0 { 1.0 } else { solve(estimate, 1.0, -z) };
    Ok(Some(Interval { low, high }))
}

/// The likeliest probability of a pair of sort `c`, given the difference of the rates.
fn rarer(b: f64, c: f64, n: f64, difference: f64) -> f64 {
    let linear = -b - c + (2.0 * n - b + c) * difference;
    let constant = -c * difference * (1.0 - difference);
    let root = (linear * linear - 8.0 * n * constant).max(0.0).sqrt();
    ((root - linear) / (4.0 * n)).max(0.0)
}

/// The standard normal's quantile, by bisection.
fn normal_quantile(probability: f64) -> f64 {
    let below = |z: f64| 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if below(middle) < probability { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_counts() {
        let pairs = [(true, true), (true, false), (true, false), (false, false), (false, true)];
        let pairs = Pairs::count(pairs);
        let expected = Pairs { both: 1, only_first: 2, only_second: 1, neither: 1 };
        assert_eq!((pairs, pairs.n()), (expected, 5));
        let found = pairs.compare(0.95).unwrap();
        // Two against one: every outcome is as likely or likelier.
        assert_eq!(found.difference, Some(0.2));
        assert!((found.p_value - 1.0).abs() < 1e-12);
        let more = Pairs { both: 1_000, ..expected }.compare(0.95).unwrap();
        assert_eq!(more.p_value, found.p_value);
    }

    #[test]
    fn nothing_to_compare_is_no_difference() {
        let found = Pairs::default().compare(0.95).unwrap();
        assert_eq!((found.difference, found.interval, found.p_value), (None, None, 1.0));
        // Alike on 50 pairs: 0, with a width.
        let interval = tango(0, 0, 50, 0.95).unwrap().unwrap();
        assert!(interval.low < -0.05 && interval.high > 0.05 && interval.high < 0.1);
    }

    #[test]
    fn swapping_the_systems_turns_the_interval_round() {
        for (b, c, n) in [(3, 1, 30), (0, 7, 7), (9, 0, 40), (50, 50, 200)] {
            let one = tango(b, c, n, 0.95).unwrap().unwrap();
            let other = tango(c, b, n, 0.95).unwrap().unwrap();
            assert!((one.low + other.high).abs() < 1e-9 && (one.high + other.low).abs() < 1e-9);
            let difference = (b as f64 - c as f64) / n as f64;
            assert!(one.low <= difference && difference <= one.high);
        }
        assert!(tango(3, 3, 5, 0.95).is_err() && tango(1, 1, 5, 1.0).is_err());
    }
}
