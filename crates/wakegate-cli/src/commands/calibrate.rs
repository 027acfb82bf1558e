//! `wakegate calibrate`: a threshold that labelled activations certify.

use std::path::{Path, PathBuf};

use crate::config::Config;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wakegate::review::{Certificate, Person, Queue, Settings};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::eval::certify;
use wakegate_lab::eval::certify::{DAY_CLIPS, Goal, Labelled, REPORTED_2019, Report};

use super::eval::rows::{Head, Reading, RowFormat};
use super::output;
use super::output::{JsonLines, counted};
use super::provenance;
use super::provenance::Origin;
use super::queue_location::QueueLocation;
use super::review::open_or_make;
use super::{Outcome, open_model};

/// The moment that a certificate is about: a clip is stored by its verdict, whatever woke by the word.
const MOMENT: &str = "verdict";

/// Find the smallest threshold at which, with confidence, few queued clips are accidental
///
/// Takes labelled activations: lines of `score --activations` with a "label" added, or a CSV, TSV
/// or Parquet table with the columns p_intended and label, as `review export` writes it. Labels: intended, or
/// accidental, not_wake_word, not_addressed, playback, unclear, which all count against it.
/// The rows must be a fair sample of what the threshold will meet, each once: where they say that
/// they are of another model, of another queue or of long ago, it says so, and --apply refuses them.
///
/// The bound holds for the choice among thresholds too (Learn-then-Test, split fixed-sequence
/// testing with exact binomial p-values). Exit code: 0 certified, 1 the data can't certify it,
/// 2 could not run.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
        wakegate calibrate --labels labels.csv\n  \
        wakegate calibrate --labels labels.csv --share 0.01 --apply --config wakegate.toml")]
pub struct Calibrate {
    /// Labelled activations: JSON lines, CSV, TSV or Parquet
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// Largest share of accidental clips among the queued
    #[arg(long, value_name = "SHARE", default_value_t = 0.001)]
    share: f64,
    /// Confidence that the share is not exceeded
    #[arg(long, value_name = "C", default_value_t = 0.95)]
    confidence: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Put a certified threshold in force for the queue of --queue or --config
    #[arg(long)]
    apply: bool,
    /// Put it in force although the labels are of another model, another queue or long ago
    #[arg(long, requires = "apply")]
    force: bool,
    /// Who puts it in force, for the audit log
    #[arg(long, value_name = "NAME", env = "USER", default_value = "operator")]
    by: Person,
    #[command(flatten)]
    place: QueueLocation,
}

/// What a row must have, and what it may say of where it comes from; it may have more.
#[derive(Deserialize)]
struct Row {
    p_intended: Option<f32>,
    label: Option<String>,
    model: Option<String>,
    day: Option<String>,
}

/// The rows of a file, and how many had no label or no score.
struct Rows {
    labelled: Vec<Labelled>,
    origins: Vec<Origin>,
    left_out: usize,
}

/// The JSON answer.
#[derive(Serialize)]
struct Answer<'a> {
    /// Which moment of an activation the threshold is about.
    moment: &'static str,
    share: f64,
    confidence: f64,
    left_out: usize,
    day_clips: u64,
    accidental_a_day_mean_at_most: f64,
    accidental_a_day_95_of_100_days_at_most: u64,
    reported_2019: u64,
    daily_cap: u32,
    days_at_daily_cap: Option<u64>,
    doubts: &'a [String],
    #[serde(flatten)]
    report: &'a Report,
}

impl Calibrate {
    pub fn run(self) -> Result<Outcome> {
        if !self.apply {
            self.place.key_needs_a_queue()?;
        }
        let goal = Goal { share: self.share, confidence: self.confidence };
        let rows = read(&self.labels)?;
        let report = certify::certify(&rows.labelled, goal)?;
        let config = self.place.config(None)?;
        let doubts = self.doubts(&rows, &config)?;
        let cap = config.review.daily_cap;
        let days = days(&rows, &report, cap);
        if self.json {
            let (mean, busy) = report.day();
            JsonLines::stdout().print(&Answer {
                moment: MOMENT,
                share: goal.share,
                confidence: goal.confidence,
                left_out: rows.left_out,
                day_clips: DAY_CLIPS,
                accidental_a_day_mean_at_most: mean,
                accidental_a_day_95_of_100_days_at_most: busy,
                reported_2019: REPORTED_2019,
                daily_cap: cap,
                days_at_daily_cap: days,
                doubts: &doubts,
                report: &report,
            })?;
        } else {
            show(&rows, goal, &report, days.map(|days| (days, cap)))?;
        }
        doubts.iter().for_each(|doubt| output::warning("labels", doubt));
        if self.apply {
            if !(doubts.is_empty() || self.force) {
                return Err(Error::new(ErrorKind::Settings, "nothing is put in force")
                    .expected("labels that are a sample of what the threshold will meet")
                    .found(doubts.join("; "))
                    .hint("--force, if you know that they are"));
            }
            self.apply(goal, &report, &config.review)?;
        }
        Ok(Outcome::of(usize::from(report.certified.is_none())))
    }

    /// Why the labels may say nothing about this queue. One that is named and there is asked.
    fn doubts(&self, rows: &Rows, config: &Config) -> Result<Vec<String>> {
        let asked = self.apply || self.place.names_a_queue();
        let own = match asked && Queue::exists(&config.review.directory)? {
            true => Some(open_or_make(&config.review)?.labelled_scores(&self.by)?),
            false => None,
        };
        let words = config.wake_word.iter();
        let models = words.map(|word| Ok(open_model(word.model.as_deref())?.manifest().id()));
        let models = models.collect::<Result<Vec<_>>>()?;
        Ok(provenance::doubts(&rows.origins, &models, own.as_deref()))
    }

    fn apply(&self, goal: Goal, report: &Report, settings: &Settings) -> Result<()> {
        let Some(point) = &report.certified else {
            output::warning("calibrate", "nothing is put in force: nothing is certified");
            return Ok(());
        };
        let certificate = Certificate {
            threshold: point.threshold,
            share: goal.share,
            confidence: goal.confidence,
            labels: point.labels,
            accidental: point.accidental,
            upper: report.upper_share,
        };
        open_or_make(settings)?.set_certificate(&self.by, &certificate)?;
        output::talk(format_args!(
            "in force: nothing below p_intended {} is kept",
            point.threshold
        ));
        Ok(())
    }
}

/// Days until there are labels enough, at so many clips a day, each of which gets its label.
fn days(rows: &Rows, report: &Report, cap: u32) -> Option<u64> {
    let missing = report.labels_needed?.saturating_sub(rows.labelled.len() as u64);
    (cap > 0).then(|| missing.div_ceil(u64::from(cap)))
}

fn show(rows: &Rows, goal: Goal, report: &Report, days: Option<(u64, u32)>) -> Result<()> {
    let [planning, testing] = report.rows;
    let percent = |share: f64| format!("{} %", (1e5 * share).round() / 1e3);
    let accidental = rows.labelled.iter().filter(|row| row.accidental).count();
    let mut lines = vec![
        (
            "about",
            format!(
                "the {MOMENT}: p_intended as the queue takes it, the last one before a clip is stored"
            ),
        ),
        (
            "labels",
            format!(
                "{} ({planning} to plan, {testing} to test), {accidental} of them accidental; {} left out",
                rows.labelled.len(),
                rows.left_out
            ),
        ),
        (
            "goal",
            format!(
                "at most {} of the queued clips accidental, with {} confidence",
                percent(goal.share),
                percent(goal.confidence)
            ),
        ),
    ];
    if let Some(point) = report.certified.or(report.first) {
        let evidence = format!(
            "{} of {} accidental at p_intended {} or more, {} of the intended kept",
            point.accidental,
            counted(point.labels as usize, "label"),
            point.threshold,
            percent(point.kept)
        );
        lines.push(("evidence", evidence));
    }
    lines.push(match (&report.certified, report.labels_needed) {
        (Some(point), _) => ("certified", format!("p_intended {} or more", point.threshold)),
        (None, Some(needed)) => (
            "certified",
            format!("nothing: these labels can't; it would take about {needed} labels in all"),
        ),
        (None, None) => (
            "certified",
            "nothing: the share is too high at every threshold, more labels would not help"
                .to_owned(),
        ),
    });
    if let Some((days, cap)) = days {
        let text = format!("about {days} days more at the daily cap of {cap} clips, all labelled");
        lines.push(("time", text));
    }
    let (mean, busy) = report.day();
    lines.push((
        "a day",
        format!(
            "of {DAY_CLIPS} clips: at most {:.1} accidental on average, at most {busy} on 95 of \
             100 days (reported in 2019: up to {REPORTED_2019})",
            mean
        ),
    ));
    lines.iter().try_for_each(|(name, text)| output::line(format_args!("{name:<10} {text}")))
}

fn read(path: &Path) -> Result<Rows> {
    const COLUMNS: [&str; 4] = ["p_intended", "label", "model", "day"];
    let reading = Reading {
        wanted: &|name| COLUMNS.contains(&name),
        numbers: &COLUMNS[..1],
        quoted_tabs: true,
        name: "the labels",
        row: "a p_intended and a label",
        remedy: "export or copy them again",
    };
    let mut rows = Rows { labelled: Vec::new(), origins: Vec::new(), left_out: 0 };
    reading.read(path, &mut begin, &mut |place, row| {
        let row = serde_json::from_value::<Row>(Value::Object(row)).map_err(|error| {
            Error::new(ErrorKind::Settings, "the row is refused")
                .expected("a p_intended and a label")
                .found(error.to_string())
        });
        match row.and_then(labelled).map_err(|error| error.context(place))? {
            Some((row, origin)) => {
                rows.labelled.push(row);
                rows.origins.push(origin);
            }
            None => rows.left_out += 1,
        }
        Ok(())
    })?;
    Ok(rows)
}

/// Refuses a table that can't hold labels, before its rows.
fn begin(form: RowFormat, head: &Head) -> Result<()> {
    let refused = || Error::new(ErrorKind::Settings, "the labels are refused");
    if form == RowFormat::Audacity {
        return Err(refused()
            .expected("the output of `score --activations` or of `review export`")
            .found("labels as Audacity exports them"));
    }
    let Some(columns) = &head.columns else { return Ok(()) };
    let needed = ["p_intended", "label"].into_iter();
    match needed.into_iter().find(|name| columns.iter().all(|column| column != name)) {
        Some(name) => Err(refused()
            .expected(format!("JSON lines, or a table with a column {name}"))
            .found(format!("the columns {}", columns.join(", ")))),
        None => Ok(()),
    }
}

/// A row that counts; none where the label or the score is missing.
fn labelled(row: Row) -> Result<Option<(Labelled, Origin)>> {
    let (Some(p_intended), Some(label)) = (row.p_intended, row.label) else { return Ok(None) };
    let accidental = match label.as_str() {
        "" => return Ok(None),
        "intended" => false,
        "accidental" | "not_wake_word" | "not_addressed" | "playback" | "unclear" => true,
        other => {
            return Err(Error::new(ErrorKind::Settings, "the label is refused")
                .expected("intended, accidental, not_wake_word, not_addressed, playback or unclear")
                .found(format!("{:?}", other.chars().take(40).collect::<String>())));
        }
    };
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let origin = Origin { p_intended, label, model: said(row.model), day: said(row.day) };
    Ok(Some((Labelled { p_intended, accidental }, origin)))
}
