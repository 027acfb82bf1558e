//! Exact intervals against SciPy's, written by `tests/golden/intervals/generate.py`.

use proptest::prelude::*;
use wakegate::ErrorKind;
use wakegate::intervals::{binomial_cdf, clopper_pearson, poisson, upper_limit};

/// Eight digits, or as many as the value has above 1e-300.
fn close(found: f64, expected: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(error <= 1e-8 * expected.abs().max(1e-300), "{what}: {found}, not {expected}");
}

#[test]
fn intervals_are_those_of_scipy() {
    let text = include_str!("../golden/intervals/intervals.tsv");
    let mut rows = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |index: usize| fields[index].parse::<f64>().unwrap();
        let (k, n) = (number(1) as u64, number(2) as u64);
        match fields[0] {
            "share" => {
                let found = clopper_pearson(k, n, number(3)).unwrap();
                close(found.low, number(4), line);
                close(found.high, number(5), line);
                close(upper_limit(k, n, number(3)).unwrap(), number(6), line);
            }
            "rate" => {
                let found = poisson(k, number(3)).unwrap();
                close(found.low, number(4), line);
                close(found.high, number(5), line);
            }
            "tail" => close(binomial_cdf(k, n, number(3)), number(4), line),
            other => panic!("no such row: {other}"),
        }
        rows += 1;
    }
    assert_eq!(rows, 81);
}

#[test]
fn what_is_no_count_or_confidence_is_refused() {
    for (k, n, confidence) in
        [(2, 1, 0.95), (0, 1, 0.0), (0, 1, 1.0), (0, 1, f64::NAN), (0, 2_000_000_000, 0.95)]
    {
        let error = clopper_pearson(k, n, confidence).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Settings);
        assert!(upper_limit(k, n, confidence).is_err());
    }
    assert!(poisson(1, 1.0).is_err() && poisson(2_000_000_000, 0.9).is_err());
}

proptest! {
    /// The interval's ends have the tails that define it.
    #[test]
    fn the_ends_have_their_tails(n in 1_u64..5000, share in 0.0..=1.0_f64, c in 0.5..0.9999_f64) {
        let k = (share * n as f64) as u64;
        let interval = clopper_pearson(k, n, c).unwrap();
        let tail = (1.0 - c) / 2.0;
        prop_assert!(interval.low <= k as f64 / n as f64 && k as f64 / n as f64 <= interval.high);
        if k > 0 {
            prop_assert!((1.0 - binomial_cdf(k - 1, n, interval.low) - tail).abs() < 1e-9);
        }
        if k < n {
            prop_assert!((binomial_cdf(k, n, interval.high) - tail).abs() < 1e-9);
        }
    }
}
