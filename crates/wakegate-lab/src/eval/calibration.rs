//! Whether a probability is one: reliability, and the Brier score.

use serde::Serialize;

use wakegate::Result;
use wakegate::intervals::{Interval, clopper_pearson};

/// The probabilities of one bin and what came of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// From this probability on.
    pub low: f64,
    /// To below this one; the last bin takes 1 in.
    pub high: f64,
    /// How many there are.
    pub n: u64,
    /// How many of them were intended.
    pub wanted: u64,
    /// Their mean probability.
    pub mean: f64,
    /// Clopper and Pearson's interval for the share that is intended.
    pub interval: Interval,
}

/// The bins of equal width that are not empty, of (probability, whether it was intended).
///
/// # Errors
/// [`ErrorKind::Settings`](wakegate::ErrorKind::Settings) for a confidence outside of 0 to 1.
pub fn reliability(judged: &[(f64, bool)], bins: usize, confidence: f64) -> Result<Vec<Bin>> {
    let bins = bins.max(1);
    let mut sums = vec![(0_u64, 0_u64, 0.0); bins];
    for &(probability, wanted) in judged {
        let place = ((probability * bins as f64) as usize).min(bins - 1);
        sums[place].0 += 1;
        sums[place].1 += u64::from(wanted);
        sums[place].2 += probability;
    }
    let full = sums.into_iter().enumerate().filter(|(_, (n, _, _))| *n > 0);
    full.map(|(place, (n, wanted, sum))| {
        Ok(Bin {
            low: place as f64 / bins as f64,
            high: (place + 1) as f64 / bins as f64,
            n,
            wanted,
            mean: sum / n as f64,
            interval: clopper_pearson(wanted, n, confidence)?,
        })
    })
    .collect()
}

/// The mean squared difference of probability and truth: 0 is perfect, a coin's 0.5 every time
/// gives 0.25. `None` of nothing.
pub fn brier(judged: &[(f64, bool)]) -> Option<f64> {
    let sum: f64 =
        judged.iter().map(|&(p, wanted)| (p - f64::from(u8::from(wanted))).powi(2)).sum();
    (!judged.is_empty()).then(|| sum / judged.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let judged = [(0.0, false), (0.1, true), (0.5, true), (0.95, true), (1.0, false)];
        let bins = reliability(&judged, 2, 0.95).unwrap();
        let found: Vec<_> = bins.iter().map(|b| (b.low, b.n, b.wanted)).collect();
        assert_eq!(found, [(0.0, 2, 1), (0.5, 3, 2)]);
        assert!((bins[0].mean - 0.05).abs() < 1e-12);
        assert_eq!(bins[0].interval, clopper_pearson(1, 2, 0.95).unwrap());
        let expected = (0.0 + 0.81 + 0.25 + 0.0025 + 1.0) / 5.0;
        assert!((brier(&judged).unwrap() - expected).abs() < 1e-12);
        assert_eq!(brier(&[]), None);
        assert!(reliability(&[], 10, 0.95).unwrap().is_empty());
    }
}
