//! What a run of `score` comes to, for its summary.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use wakegate::ErrorKind;
use wakegate::audio::seconds;
use wakegate_lab::scoring::{Record, Spent};

use super::output::counted;

/// Failures and warnings that are told one by one.
const MOST_TOLD: usize = 5;

/// What happened to a number of recordings, of which the first are named.
#[derive(Debug, Default)]
pub struct Told {
    first: Vec<(String, String)>,
    count: usize,
}

impl Told {
    fn add(&mut self, path: &str, text: &str) {
        self.count += 1;
        if self.first.len() < MOST_TOLD {
            self.first.push((path.to_owned(), text.to_owned()));
        }
    }

    /// The first of them: the recording and what happened.
    pub fn first(&self) -> impl Iterator<Item = (&str, &str)> {
        self.first.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// How many more there are.
    pub fn more(&self) -> usize {
        self.count - self.first.len()
    }
}

/// Counts of a run.
#[derive(Debug, Default)]
pub struct RunSummary {
    scored: usize,
    samples: u64,
    /// By verdict and reason.
    verdicts: BTreeMap<(String, String), usize>,
    /// By the kind of the error.
    failures: BTreeMap<String, usize>,
    /// Of those, what a run before this one scored.
    resumed: usize,
    resumed_samples: u64,
    spent: Spent,
    /// Recordings that could not be scored, and what was odd about others.
    pub failed: Told,
    pub warned: Told,
    /// The recording of the last warning: the lines of its activations all have it.
    last_warned: String,
}

impl RunSummary {
    /// Adds a recording: its length in samples at 16 kHz, or the kind of error that it ended with.
    pub fn add(&mut self, length: Result<u64, &str>, records: &[Record]) {
        match length {
            Ok(samples) => {
                self.scored += 1;
                self.samples += samples;
            }
            Err(kind) => *self.failures.entry(kind.to_owned()).or_default() += 1,
        }
        for record in records {
            if let Some(error) = &record.error {
                self.failed.add(&record.path, error);
            }
            if !record.warnings.is_empty() && self.last_warned != record.path {
                self.warned.add(&record.path, &record.warnings.join("\n"));
                self.last_warned.clone_from(&record.path);
            }
            if let (Some(verdict), Some(reason)) = (&record.verdict, &record.reason) {
                let key = (verdict.to_string(), reason.to_string());
                *self.verdicts.entry(key).or_default() += 1;
            }
        }
    }

    /// Adds where a recording's time went.
    pub fn spend(&mut self, spent: &Spent) {
        let sum = &mut self.spent;
        sum.decode += spent.decode;
        sum.resample += spent.resample;
        sum.frontend += spent.frontend;
        sum.spotter += spent.spotter;
        sum.verifier += spent.verifier;
    }

    /// All so far is from a run before.
    pub fn resume(&mut self) {
        self.resumed = self.recordings();
        self.resumed_samples = self.samples;
    }

    /// Recordings, scored or not.
    pub fn recordings(&self) -> usize {
        self.scored + self.failures()
    }

    /// Recordings that could not be scored.
    pub fn failures(&self) -> usize {
        self.failures.values().sum()
    }

    /// Seconds of audio of this run alone.
    pub fn new_seconds(&self) -> f64 {
        seconds(self.samples - self.resumed_samples)
    }

    /// The summary: what came out, then how fast.
    pub fn summary(&self, activations: bool, elapsed: Duration, threads: usize) -> String {
        let of = if activations { "activations: " } else { "" };
        let mut text = format!(
            "{} scored, {} of audio: {of}{}; {} failed{}{}\n",
            counted(self.scored, "recording"),
            length(seconds(self.samples)),
            self.verdicts(),
            self.failures(),
            in_brackets(self.failures.iter().map(|(kind, count)| (kind.as_str(), *count))),
            match self.warned.count {
                0 => String::new(),
                count => format!("; {} with warnings", counted(count, "recording")),
            },
        );
        if self.resumed > 0 {
            let _ = writeln!(text, "{} of them were done before", self.resumed);
        }
        let _ = writeln!(
            text,
            "{:.1} s with {}: {:.0} times real time",
            elapsed.as_secs_f64(),
            counted(threads, "thread"),
            self.new_seconds() / elapsed.as_secs_f64().max(1e-9),
        );
        text
    }

    fn verdicts(&self) -> String {
        let kinds = ["intended", "accidental", "unsure"].map(|verdict| {
            let of = || self.verdicts.iter().filter(move |((found, _), _)| found == verdict);
            let sum: usize = of().map(|(_, count)| count).sum();
            let reasons = of().map(|((_, reason), count)| (reason.as_str(), *count));
            // An intended one has no other reason.
            let reasons =
                if verdict == "accidental" { in_brackets(reasons) } else { String::new() };
            format!("{sum} {verdict}{reasons}")
        });
        kinds.join(", ")
    }

    /// Where the threads' time went, in shares of what `threads` had in `elapsed`.
    pub fn times(&self, elapsed: Duration, threads: usize) -> String {
        let whole = elapsed.as_secs_f64() * threads as f64;
        let Spent { decode, resample, frontend, spotter, verifier } = self.spent;
        let parts = [
            ("decode", decode),
            ("resample", resample),
            ("front end", frontend),
            ("spotter", spotter),
            ("verifier", verifier),
        ];
        let known: Duration = parts.iter().map(|part| part.1).sum();
        let rest = (whole - known.as_secs_f64()).max(0.0);
        let parts = parts.map(|(name, time)| (name, time.as_secs_f64()));
        let parts = parts.into_iter().chain([("other and waiting", rest)]);
        let parts: Vec<String> = parts
            .map(|(name, time)| format!("{name} {:.1} %", 100.0 * time / whole.max(1e-9)))
            .collect();
        format!("time: {} of {whole:.1} s\n", parts.join(", "))
    }
}

/// ` (2 audio, 1 io)`, or nothing.
fn in_brackets<'t>(counts: impl Iterator<Item = (&'t str, usize)>) -> String {
    let counts: Vec<String> = counts.map(|(name, count)| format!("{count} {name}")).collect();
    if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) }
}

/// A length of audio in minutes or hours.
fn length(seconds: f64) -> String {
    if seconds < 3600.0 {
        format!("{:.1} min", seconds / 60.0)
    } else {
        format!("{:.2} h", seconds / 3600.0)
    }
}

/// What a kind of error is called in the summary.
pub fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Io => "io",
        ErrorKind::Audio => "audio",
        ErrorKind::Settings => "settings",
        ErrorKind::Runtime => "runtime",
        ErrorKind::Posterior => "posterior",
        ErrorKind::Limit => "limit",
        _ => "other",
    }
}
