//! `wakegate score`: recordings to JSON lines.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use wakegate::audio::{Found, SAMPLE_RATE, find_audio};
use wakegate::decision::Verdict;
use wakegate::model::Manifest;
use wakegate::{Error, ErrorKind, Result};

use super::output::{self, JsonLines, counted};
use super::queueing::Sink;
use super::record::{Record, seconds};
use super::review::Place;
use super::scoring::{Scored, Scorer};
use super::{Engine, Outcome, ordered, worker_count};

/// Judge recordings: one JSON line each on stdout, in the order given
///
/// The verdict of a recording is that of its best activation (highest p_intended). Where the
/// spotter proposes none, it is accidental, not_wake_word, with the verifier's scores at the
/// spotter's highest moment, and start_s, end_s and decided_s are null. decided_s lies beyond
/// audio_s where the decision waited for more than the recording holds. A recording that can't
/// be scored has its reason in "error", and no verdict.
///
/// With --queue, the audio of intended activations also goes through the gate into a review
/// queue, under the [review] settings of --config; the queue needs a recorded consent.
///
/// Exit code: 0 all scored, 1 some could not be scored, 2 could not run.
#[derive(Args)]
pub struct Score {
    /// Recordings, or folders that are searched for them
    #[arg(value_name = "PATH", required_unless_present = "list")]
    paths: Vec<PathBuf>,
    /// Read more paths from this file, one a line
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// One line for each activation, none for a recording without one
    #[arg(long)]
    activations: bool,
    /// Judge the word that ended at this moment by another engine's account; no spotter
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    trigger_at: Option<f64>,
    #[command(flatten)]
    engine: Engine,
    /// Number of threads [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    #[command(flatten)]
    place: Place,
}

impl Score {
    pub fn run(self) -> Result<Outcome> {
        let trigger = self.trigger_at.map(trigger_sample).transpose()?;
        let mut paths = self.paths.clone();
        if let Some(list) = &self.list {
            let text = fs::read_to_string(list).map_err(|e| Error::io("read", list, &e))?;
            paths.extend(text.lines().filter(|line| !line.is_empty()).map(PathBuf::from));
        }
        let model = self.engine.open()?;
        // A model that can't be loaded is no recording's fault: say so before the first line.
        drop(Scorer::new(&model, trigger)?);
        let mut sink = Sink::open(&self.place)?;
        let policy = sink.as_ref().map(Sink::policy);
        let found = find_audio(&paths);
        let mut report = Report::new(model.manifest(), self.activations, found.len());
        ordered::in_order(
            &found,
            worker_count(self.threads, found.len())?,
            || Scorer::new(&model, trigger).map(|scorer| scorer.with_excerpts(policy.as_ref())),
            |scorer, found| match &found.problem {
                Some(problem) => Err(problem.clone()),
                None => scorer.score(&found.path),
            },
            |found, mut result| {
                if let (Some(sink), Ok(scored)) = (&mut sink, &mut result) {
                    sink.put(&scored.activations, std::mem::take(&mut scored.excerpts))?;
                }
                report.take(found, result)
            },
        )?;
        let outcome = report.end();
        if let Some(sink) = sink {
            sink.end()?;
        }
        Ok(outcome)
    }
}

/// The sample at `seconds` of a recording.
fn trigger_sample(seconds: f64) -> Result<u64> {
    if (0.0..=1e7).contains(&seconds) {
        return Ok((seconds * f64::from(SAMPLE_RATE)).round() as u64);
    }
    Err(Error::new(ErrorKind::Settings, "--trigger-at is refused")
        .expected("seconds from the start of the recording, 0 or more")
        .found(seconds.to_string()))
}

/// Prints what comes in, and counts it for the summary.
struct Report<'m> {
    manifest: &'m Manifest,
    activations: bool,
    lines: JsonLines,
    bar: indicatif::ProgressBar,
    verdicts: [usize; 3],
    scored: usize,
    failures: usize,
    samples: u64,
}

impl<'m> Report<'m> {
    fn new(manifest: &'m Manifest, activations: bool, count: usize) -> Self {
        Self {
            manifest,
            activations,
            lines: JsonLines::stdout(),
            bar: output::progress(count, "recordings"),
            verdicts: [0; 3],
            scored: 0,
            failures: 0,
            samples: 0,
        }
    }

    /// Prints the lines of one recording; `false` when nobody reads them any more.
    fn take(&mut self, found: &Found, result: Result<Scored>) -> Result<bool> {
        let path = found.path.to_string_lossy();
        let records = match result {
            Ok(scored) => self.records(&path, &scored),
            Err(error) => {
                self.failures += 1;
                vec![Record::of_error(&path, self.manifest, &error, self.activations)]
            }
        };
        let lines = &mut self.lines;
        self.bar.suspend(|| records.iter().try_for_each(|record| lines.print(record)))?;
        self.bar.inc(1);
        Ok(!self.lines.is_closed())
    }

    fn records(&mut self, path: &str, scored: &Scored) -> Vec<Record> {
        self.scored += 1;
        self.samples += scored.samples;
        self.bar.suspend(|| scored.warnings.iter().for_each(|text| output::warning(path, text)));
        if !self.activations {
            self.count(scored.best().map_or(Verdict::Accidental, |best| best.verdict));
            return vec![Record::of_recording(path, self.manifest, scored)];
        }
        let records = (1..).zip(&scored.activations).map(|(number, activation)| {
            let samples = Some(scored.samples);
            Record::of_activation(path, self.manifest, number, activation, samples)
                .warned(&scored.warnings)
        });
        let records = records.collect();
        scored.activations.iter().for_each(|activation| self.count(activation.verdict));
        records
    }

    fn count(&mut self, verdict: Verdict) {
        let place = match verdict {
            Verdict::Intended => 0,
            Verdict::Accidental => 1,
            Verdict::Unsure => 2,
        };
        self.verdicts[place] += 1;
    }

    /// The summary, on stderr.
    fn end(self) -> Outcome {
        self.bar.finish_and_clear();
        let [intended, accidental, unsure] = self.verdicts;
        let of = if self.activations { "activations: " } else { "" };
        anstream::eprintln!(
            "{} scored, {:.1} min of audio: {of}{intended} intended, {accidental} accidental, \
             {unsure} unsure; {} failed",
            counted(self.scored, "recording"),
            seconds(self.samples) / 60.0,
            self.failures,
        );
        Outcome::of(self.failures)
    }
}
