//! Exact intervals for shares and rates.
//!
//! A share `k` of `n` gets Clopper and Pearson's interval (1934), a rate of `k` events Garwood's
//! (1936): both hold at least with the stated confidence for every true value, however small
//! `k` and `n` are. Both invert a tail probability, which here is the regularised incomplete
//! beta or gamma function, by bisection.

use serde::Serialize;

use crate::{Error, ErrorKind, Result};

/// Halvings of a bisection: more than a double has digits.
const HALVINGS: usize = 200;
/// Terms after which a series or continued fraction gives up: more than any count here needs.
const MOST_TERMS: usize = 100_000;
/// Largest count that is taken.
const MOST: u64 = 1_000_000_000;

/// An interval, its ends included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Clopper and Pearson's two-sided interval for the share behind `k` of `n`; 0 to 1 where `n`
/// is 0.
///
/// # Errors
/// [`ErrorKind::Settings`] unless `k <= n <= 10^9` and `0 < confidence < 1`.
pub fn clopper_pearson(k: u64, n: u64, confidence: f64) -> Result<Interval> {
    let tail = (1.0 - confidence) / 2.0;
    Ok(Interval { low: lower(k, n, tail, confidence)?, high: upper(k, n, tail, confidence)? })
}

/// The one-sided upper limit of the share behind `k` of `n`: with `confidence`, the share is
/// not above it.
///
/// # Errors
/// As [`clopper_pearson`].
pub fn upper_limit(k: u64, n: u64, confidence: f64) -> Result<f64> {
    upper(k, n, 1.0 - confidence, confidence)
}

/// Garwood's two-sided interval for the expected number of events behind `k`.
///
/// # Errors
/// [`ErrorKind::Settings`] unless `k <= 10^9` and `0 < confidence < 1`.
pub fn poisson(k: u64, confidence: f64) -> Result<Interval> {
    check(k, k, confidence)?;
    let tail = (1.0 - confidence) / 2.0;
    let count = k as f64;
    // The upper end is never further than this, for any tail that a double can hold.
    let far = count + 60.0 * (count.sqrt() + 60.0);
    // P(X >= k) and P(X <= k) of a Poisson count are gamma functions of its mean.
    let low = if k == 0 { 0.0 } else { solve(0.0, far, |mean| gamma_p(count, mean) < tail) };
    let high = solve(0.0, far, |mean| 1.0 - gamma_p(count + 1.0, mean) > tail);
    Ok(Interval { low, high })
}

/// P(X <= k) of a binomial count of `n` with share `p`.
pub fn binomial_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n { 1.0 } else { beta(1.0 - p, (n - k) as f64, k as f64 + 1.0) }
}

fn lower(k: u64, n: u64, tail: f64, confidence: f64) -> Result<f64> {
    check(k, n, confidence)?;
    Ok(if k == 0 { 0.0 } else { solve(0.0, 1.0, |p| 1.0 - binomial_cdf(k - 1, n, p) < tail) })
}

fn upper(k: u64, n: u64, tail: f64, confidence: f64) -> Result<f64> {
    check(k, n, confidence)?;
    Ok(if k == n { 1.0 } else { solve(0.0, 1.0, |p| binomial_cdf(k, n, p) > tail) })
}

fn check(k: u64, n: u64, confidence: f64) -> Result<()> {
    if k <= n && n <= MOST && confidence > 0.0 && confidence < 1.0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Settings, "there is no such interval")
        .expected(format!("k <= n <= {MOST} and a confidence between 0 and 1"))
        .found(format!("{k} of {n} with {confidence}")))
}

/// Where `is_below` turns from true to false between `low` and `high`.
fn solve(mut low: f64, mut high: f64, is_below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if is_below(middle) { low = middle } else { high = middle }
    }
    // The end on the cautious side of the turn differs by one rounding at most.
    high
}

/// The regularised incomplete beta function I_x(a, b), for a, b > 0.
///
/// Lentz's continued fraction (DLMF 8.17.22), on the side of the mean where it converges fast.
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta(1.0 - x, b, a);
    }
    let ln =
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * x.ln() + b * (-x).ln_1p();
    let tiny = f64::MIN_POSITIVE * 1e10;
    let keep = |value: f64| if value.abs() < tiny { tiny } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / keep(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..MOST_TERMS {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / keep(1.0 + term * d);
            c = keep(1.0 + term / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (ln.exp() * fraction / a).clamp(0.0, 1.0)
}

/// The regularised lower incomplete gamma function P(a, x), for a > 0.
///
/// The series below a + 1 (DLMF 8.11.4), Lentz's continued fraction above (DLMF 8.9.2).
fn gamma_p(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = (a * x.ln() - x - libm::lgamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for n in 1..MOST_TERMS {
            term *= x / (a + n as f64);
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        return (front * sum).clamp(0.0, 1.0);
    }
    let tiny = f64::MIN_POSITIVE * 1e10;
    let keep = |value: f64| if value.abs() < tiny { tiny } else { value };
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / tiny;
    let mut d = 1.0 / keep(b);
    let mut fraction = d;
    for n in 1..MOST_TERMS {
        let n = n as f64;
        let term = -n * (n - a);
        b += 2.0;
        d = 1.0 / keep(term * d + b);
        c = keep(b + term / c);
        fraction *= c * d;
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (1.0 - front * fraction).clamp(0.0, 1.0)
}
