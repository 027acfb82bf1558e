//! Limits that a measurement has to keep, for a maker's own CI.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Report, Row, Stage};
use wakegate::{Error, ErrorKind, Result};

/// Limits, from a TOML file. What is left out is not limited; unknown keys are refused.
///
/// ```toml
/// [stage.listening]
/// p50_us = 50
/// [stage.verifier]
/// p99_us = 2000
/// [delay]
/// p99_ms = 1000
/// [process]
/// steady_rss_mb = 25
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    stage: BTreeMap<Stage, StageLimits>,
    delay: DelayLimits,
    process: ProcessLimits,
}

/// Limits of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StageLimits {
    mean_us: Option<f64>,
    p50_us: Option<f64>,
    p90_us: Option<f64>,
    p95_us: Option<f64>,
    p99_us: Option<f64>,
    p999_us: Option<f64>,
    max_us: Option<f64>,
}

/// Limits of the time from a word's end to its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DelayLimits {
    p50_ms: Option<f64>,
    p90_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    max_ms: Option<f64>,
    missed_words: Option<f64>,
}

/// Limits of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProcessLimits {
    rtf: Option<f64>,
    steady_rss_mb: Option<f64>,
    peak_rss_mb: Option<f64>,
    binary_mb: Option<f64>,
    model_mb: Option<f64>,
    first_verdict_ms: Option<f64>,
}

/// A limit and what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The limit's key, as in the file: `stage.verifier.p99_us`.
    pub key: String,
    /// The limit.
    pub limit: f64,
    /// What was measured; `None` where it was not, which does not keep the limit.
    pub found: Option<f64>,
}

impl Check {
    /// Whether the limit is kept.
    pub fn is_kept(&self) -> bool {
        // A NaN keeps no limit.
        self.found.is_some_and(|found| found <= self.limit)
    }

    /// What has it measured, if it was not.
    pub fn remedy(&self) -> Option<&'static str> {
        if self.found.is_some() {
            return None;
        }
        Some(match self.key.split('.').collect::<Vec<_>>()[..] {
            ["stage", "lateness", _] => "bring the audio as a sound card does, with --pace",
            ["stage", "verifier", _] => "give audio with the wake word, or leave --input out",
            ["stage", ..] => "measure longer with --seconds",
            ["delay", ..] => "give audio with the wake word and its --labels, or leave --input out",
            ["process", "first_verdict_ms" | "steady_rss_mb" | "peak_rss_mb"] => {
                "start fresh processes, with --starts 5"
            }
            _ => "this machine doesn't tell it",
        })
    }
}

impl Budget {
    /// Checks that there are limits, and that each can be held.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for a limit that is no number from 0 on, or none at all.
    pub fn validate(&self) -> Result<()> {
        let limits = self.limits();
        if limits.is_empty() {
            return Err(Error::new(ErrorKind::Settings, "the budget is refused")
                .expected("at least one limit")
                .found("none")
                .hint("[stage.listening] p50_us = 50"));
        }
        for (key, limit, _) in limits {
            if !limit.is_finite() || limit < 0.0 {
                return Err(Error::new(ErrorKind::Settings, format!("the limit {key} is refused"))
                    .expected("a number from 0 on")
                    .found(limit.to_string()));
            }
        }
        Ok(())
    }

    /// Holds a report against every limit, in the order of the file's sections.
    pub fn check(&self, report: &Report) -> Vec<Check> {
        self.limits()
            .into_iter()
            .map(|(key, limit, of)| Check { key, limit, found: of(report) })
            .collect()
    }

    fn limits(&self) -> Vec<(String, f64, Box<Reading>)> {
        let mut limits: Vec<(String, f64, Box<Reading>)> = Vec::new();
        for (&stage, limit) in &self.stage {
            let parts: [(&str, Option<f64>, OfRow); 7] = [
                ("mean_us", limit.mean_us, |row| row.mean_us),
                ("p50_us", limit.p50_us, |row| row.p50_us),
                ("p90_us", limit.p90_us, |row| row.p90_us),
                ("p95_us", limit.p95_us, |row| row.p95_us),
                ("p99_us", limit.p99_us, |row| row.p99_us),
                ("p999_us", limit.p999_us, |row| row.p999_us),
                ("max_us", limit.max_us, |row| row.max_us),
            ];
            for (name, limit, of) in parts {
                let Some(limit) = limit else { continue };
                let reading = move |report: &Report| report.row(stage).map(of);
                limits.push((format!("stage.{stage}.{name}"), limit, Box::new(reading)));
            }
        }
        let delay = |of: fn(&super::Summary) -> f64| -> Box<Reading> {
            Box::new(move |report| Some(of(&report.delay.as_ref()?.verdict_ms?)))
        };
        let megabytes = |of: fn(&Report) -> Option<u64>| -> Box<Reading> {
            Box::new(move |report| of(report).map(|bytes| bytes as f64 / 1e6))
        };
        let parts: [(&str, Option<f64>, Box<Reading>); 12] = [
            ("delay.p50_ms", self.delay.p50_ms, delay(|d| d.p50)),
            ("delay.p90_ms", self.delay.p90_ms, delay(|d| d.p90)),
            ("delay.p95_ms", self.delay.p95_ms, delay(|d| d.p95)),
            ("delay.p99_ms", self.delay.p99_ms, delay(|d| d.p99)),
            ("delay.max_ms", self.delay.max_ms, delay(|d| d.max)),
            (
                "delay.missed_words",
                self.delay.missed_words,
                Box::new(|r| r.delay.as_ref().map(|d| (d.words - d.judged) as f64)),
            ),
            ("process.rtf", self.process.rtf, Box::new(|r| Some(r.rtf))),
            (
                "process.steady_rss_mb",
                self.process.steady_rss_mb,
                megabytes(|r| r.start_up.as_ref()?.memory.steady),
            ),
            (
                "process.peak_rss_mb",
                self.process.peak_rss_mb,
                megabytes(|r| r.start_up.as_ref()?.memory.peak),
            ),
            ("process.binary_mb", self.process.binary_mb, megabytes(|r| r.sizes.binary)),
            (
                "process.model_mb",
                self.process.model_mb,
                megabytes(|r| Some(r.sizes.model.spotter + r.sizes.model.verifier)),
            ),
            (
                "process.first_verdict_ms",
                self.process.first_verdict_ms,
                Box::new(|r| Some(r.start_up.as_ref()?.median_ms)),
            ),
        ];
        let asked = parts.into_iter().filter_map(|(k, limit, of)| Some((k.to_owned(), limit?, of)));
        limits.extend(asked);
        limits
    }
}

/// A figure of a stage.
type OfRow = fn(&Row) -> f64;

/// What a limit is held against.
type Reading = dyn Fn(&Report) -> Option<f64>;

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(text: &str) -> Budget {
        toml::from_str(text).unwrap()
    }

    fn refusal(text: &str) -> String {
        budget(text).validate().unwrap_err().to_string()
    }

    #[test]
    fn limits_are_read_and_their_keys_named() {
        let text = "[process]\nrtf = 0.001\n[stage.verifier]\np99_us = 2000\np50_us = 1.5\n\
                    [delay]\nmissed_words = 0\n";
        let keys: Vec<_> = budget(text).limits().into_iter().map(|(k, l, _)| (k, l)).collect();
        assert_eq!(
            keys,
            [
                ("stage.verifier.p50_us".to_owned(), 1.5),
                ("stage.verifier.p99_us".to_owned(), 2_000.0),
                ("delay.missed_words".to_owned(), 0.0),
                ("process.rtf".to_owned(), 0.001),
            ]
        );
    }

    #[test]
    fn a_budget_that_limits_nothing_or_no_number_is_refused() {
        assert!(refusal("").contains("expected at least one limit, found none"));
        assert!(refusal("[stage.verifier]\n").contains("at least one limit"));
        assert_eq!(
            refusal("[process]\nrtf = nan\n"),
            "the limit process.rtf is refused: expected a number from 0 on, found NaN"
        );
        assert!(refusal("[process]\nrtf = -1\n").contains("found -1"));
        for unknown in ["[stage.ring]\nx = 1\n", "[proces]\nrtf = 1\n", "[stage.x]\np50_us = 1\n"] {
            assert!(toml::from_str::<Budget>(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn what_was_not_measured_keeps_no_limit() {
        let check = |found| Check { key: String::new(), limit: 2.0, found };
        assert!(check(Some(2.0)).is_kept());
        assert!(!check(Some(2.1)).is_kept());
        assert!(!check(Some(f64::NAN)).is_kept());
        assert!(!check(None).is_kept());
    }

    #[test]
    fn what_was_not_measured_says_what_measures_it() {
        let check = |key: &str, found| Check { key: key.to_owned(), limit: 2.0, found };
        assert_eq!(check("stage.lateness.p99_us", Some(3.0)).remedy(), None);
        let remedy = |key| check(key, None).remedy().unwrap();
        assert!(remedy("stage.lateness.p99_us").contains("--pace"));
        assert!(remedy("stage.verifier.p99_us").contains("wake word"));
        assert!(remedy("delay.missed_words").contains("--labels"));
        assert!(remedy("process.peak_rss_mb").contains("--starts"));
        assert!(remedy("process.binary_mb").contains("machine"));
    }
}
