//! Metrics against scikit-learn's and SciPy's, written by `tests/golden/eval/generate.py`.

use serde_json::Value;
use wakegate_lab::eval::bootstrap::quantile;
use wakegate_lab::eval::calibration::{brier, reliability};
use wakegate_lab::eval::paired::{mcnemar, tango};
use wakegate_lab::eval::rank::{Ranked, Scored};

fn cases(kind: &str) -> Vec<Value> {
    let text = include_str!("../golden/eval/cases.jsonl");
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let some: Vec<Value> = all.filter(|case| case["kind"] == kind).collect();
    assert!(!some.is_empty(), "no {kind} in the golden vectors");
    some
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

#[track_caller]
fn close(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within, "{found}, not {expected}");
}

#[test]
fn ranks_and_probabilities_are_those_of_scikit_learn() {
    let cases = cases("ranks");
    assert_eq!(cases.len(), 5);
    for case in cases {
        let scores = case["scores"].as_array().unwrap().iter().map(Value::as_f64);
        let truth = numbers(&case["truth"]).into_iter().map(|truth| truth == 1.0);
        let both: Vec<(Option<f64>, bool)> = scores.zip(truth).collect();
        let scored = |&(score, wanted): &(Option<f64>, bool)| Scored {
            score: score.map(|score| score as f32),
            wanted,
            unit: 0,
        };
        let ranked = Ranked::new(both.iter().map(scored).collect());
        close(ranked.auc(None).unwrap(), number(&case["auc"]), 1e-12);
        close(ranked.equal_error(None).unwrap().rate, number(&case["equal_error"]), 1e-9);
        let stopped = ranked.stopped_at(0.9, None).unwrap();
        let expected = numbers(&case["at_90_kept"]);
        close(f64::from(stopped.threshold), expected[0], 0.0);
        close(stopped.kept, expected[1], 1e-12);
        close(stopped.stopped, expected[2], 1e-12);

        let heard: Vec<(f64, bool)> =
            both.iter().filter_map(|&(score, wanted)| Some((score?, wanted))).collect();
        close(brier(&heard).unwrap(), number(&case["brier"]), 1e-12);
        let bins = reliability(&heard, 7, 0.95).unwrap();
        let [means, shares] = [0, 1].map(|side| numbers(&case["reliability"][side]));
        assert_eq!(bins.len(), means.len());
        for (bin, (mean, share)) in bins.iter().zip(means.into_iter().zip(shares)) {
            close(bin.mean, mean, 1e-12);
            close(bin.wanted as f64 / bin.n as f64, share, 1e-12);
        }
    }
}

#[test]
fn pairs_are_those_of_scipy() {
    let cases = cases("pairs");
    assert_eq!(cases.len(), 8);
    for case in cases {
        let [b, c, n] = ["b", "c", "n"].map(|name| case[name].as_u64().unwrap());
        close(mcnemar(b, c), number(&case["p_value"]), 1e-12);
        let interval = tango(b, c, n, 0.95).unwrap().unwrap();
        let expected = numbers(&case["tango"]);
        // As near as a numerical maximum of the likelihood gets.
        close(interval.low, expected[0], 1e-5);
        close(interval.high, expected[1], 1e-5);
    }
}

#[test]
fn quantiles_are_those_of_numpy() {
    for case in cases("quantiles") {
        let values = numbers(&case["values"]);
        for (share, expected) in [0.5, 0.95, 0.99].into_iter().zip(numbers(&case["quantiles"])) {
            close(quantile(&values, share).unwrap(), expected, 1e-12);
        }
    }
}

/// The sweep over thresholds, the tally at one, and scikit-learn's counts say the same where
/// every recording is one trial.
#[test]
fn events_of_single_trials_are_the_confusion_matrix() {
    use wakegate_lab::eval::det::Sweep;
    use wakegate_lab::eval::event::{Detection, Rules};
    use wakegate_lab::eval::matching::{Recording, Span, WHOLE};
    use wakegate_lab::eval::outcomes::Outcomes;

    let rules = Rules { rate_hz: 16_000, merge: 4_000, refractory: 16_000, tolerance: 8_000 };
    for case in cases("ranks") {
        let truth = numbers(&case["truth"]);
        let scores = case["scores"].as_array().unwrap();
        let recordings: Vec<Recording> = scores
            .iter()
            .zip(&truth)
            .enumerate()
            .map(|(unit, (score, &truth))| {
                let span = Span { start: 0, end: WHOLE, wanted: truth == 1.0, unit, row: unit };
                let detection = score.as_f64().map(|score| Detection {
                    time: 16_000,
                    decided: None,
                    score: score as f32,
                    accepted: false,
                    reason: String::new(),
                });
                Recording::new(Some(48_000), unit, vec![span], detection.into_iter().collect())
            })
            .collect();
        let expected = numbers(&case["accepted_at_half"]);
        let tally = Outcomes::of(&recordings, &rules, |detection| detection.score >= 0.5);
        let hits = tally.targets().filter(|target| target.accepted).count() as f64;
        let falses = tally.negatives().filter(|negative| negative.accepted).count() as f64;
        assert_eq!([hits, falses], expected.as_slice());
        let curve = Sweep::new(&recordings, &rules, 1_000).curve(&rules, None);
        let last = curve.points.iter().rfind(|point| point.threshold >= 0.5).unwrap();
        let missed = truth.iter().sum::<f64>() - expected[0];
        assert_eq!([last.misses as f64, last.false_accepts as f64], [missed, expected[1]]);
    }
}
