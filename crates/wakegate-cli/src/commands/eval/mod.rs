//! `wakegate eval`: what scores mean, against labels.

mod about;
mod join;
pub mod labels;
mod lines;
mod phases;
mod report;
pub mod rows;
mod scores;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use wakegate::audio::SAMPLE_RATE;
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::eval::event::Rules;
use wakegate_lab::eval::figures::{Figures, Settings};
use wakegate_lab::eval::groups;
use wakegate_lab::eval::groups::{Group, Points, ReasonCount};
use wakegate_lab::eval::matching::Recording;
use wakegate_lab::eval::model_comparison::ModelComparison;
use wakegate_lab::eval::outcomes::Outcomes;
use wakegate_lab::table::write_whole;

use super::output::{self, JsonLines};
use super::{OneModel, Outcome};
use join::Joined;
use labels::Labels;
use phases::Phases;
use scores::{Moment, System, Wanted};

/// Say what scores mean: misses, false accepts an hour, and more, with exact intervals
///
/// Takes what `wakegate score` writes (JSON lines, CSV, TSV or Parquet; with --activations for
/// recordings that can hold more than one) and labels: CSV, TSV, JSON lines or Parquet with the
/// columns path (or id), start_s, end_s, label (the wake word, or nothing), speaker, audio_s,
/// and any others to group by; or Audacity's labels, in a file called as the recording is. A
/// label without times is about its whole recording. Every scored recording needs a label and
/// every labelled one a score. docs/evaluation.md defines the format and every figure.
///
/// Counts events, not frames: see --merge-s, --refractory-s and --tolerance-s. Exit code: 0 all
/// well, 1 some recordings could not be scored and are left out, 2 could not run.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
        wakegate eval --scores scores.jsonl --labels data/labels.tsv --report report\n  \
        wakegate eval --scores ours.jsonl --against theirs.jsonl --labels labels.tsv --by noise")]
pub struct Eval {
    /// Output of `wakegate score`, or another engine's in the same form
    #[arg(long, value_name = "FILE", required = true)]
    scores: Vec<PathBuf>,
    /// The labels
    #[arg(long, value_name = "FILE", required = true)]
    labels: Vec<PathBuf>,
    /// The lines of a second system on the same recordings, to compare with
    #[arg(long, value_name = "FILE")]
    against: Vec<PathBuf>,
    /// Also part the figures by this column of the labels
    #[arg(long, value_name = "COLUMN")]
    by: Vec<String>,
    /// The wake word in the labels [default: that of the scores]
    #[arg(long, value_name = "WORD")]
    word: Option<String>,
    /// Which moment of an activation is evaluated: its word, as an assistant wakes by it
    /// (wyoming.detect), or its verdict
    #[arg(long, value_enum, default_value_t)]
    moment: Moment,
    /// Accept from this p_intended (p_wake_word, of words) on [default: where the verdict is
    /// intended, or the word was decided as said]
    #[arg(long, value_name = "P")]
    threshold: Option<f32>,
    /// The same for the second system
    #[arg(long, value_name = "P", requires = "against")]
    against_threshold: Option<f32>,
    /// A detection at most this long after the one before it belongs to the same event
    #[arg(long, value_name = "SECONDS", default_value_t = 0.25)]
    merge_s: f64,
    /// For this long after the start of an event nothing else fires
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    refractory_s: f64,
    /// A word is found up to this long after its end
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    tolerance_s: f64,
    /// Confidence of the intervals
    #[arg(long, value_name = "C", default_value_t = 0.95)]
    confidence: f64,
    /// Length of the blocks of time that the bootstrap draws where a recording is longer and no
    /// single one of several speakers': longer than a cluster of false accepts. 0 draws
    /// recordings whole
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0)]
    block_s: f64,
    /// Draws of the bootstrap over speakers, recordings and blocks
    #[arg(long, value_name = "N", default_value_t = 1000)]
    resamples: usize,
    /// Seed of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Write index.html, a page that needs nothing else, and figures.json to this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Put the audio of the worst misses and false accepts into the page: whoever has the page
    /// can then hear them
    #[arg(long, requires = "report")]
    audio: bool,
    /// Also judge every recording N times with --model, begun up to a step of the spotter later,
    /// and say how many are accepted from some beginnings and not from others
    #[arg(long, value_name = "N")]
    phases: Option<usize>,
    #[command(flatten)]
    model: OneModel,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Everything that is known in the end; the order of the fields is the order of the keys.
#[derive(Serialize)]
struct Answer {
    wakegate: &'static str,
    command: String,
    inputs: Vec<Input>,
    word: String,
    /// Which moment of the activations the figures are about.
    moment: Moment,
    events: String,
    accepted: String,
    settings: Settings,
    recordings: usize,
    speakers: usize,
    silent: usize,
    failed: Vec<Failed>,
    system: Evaluated,
    against: Option<Evaluated>,
    contest: Option<ModelComparison>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phases: Option<Phases>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Input {
    path: String,
    bytes: u64,
    sha256: String,
}

#[derive(Serialize)]
struct Failed {
    recording: String,
    reason: String,
}

/// One system's figures.
#[derive(Serialize)]
struct Evaluated {
    name: String,
    #[serde(flatten)]
    figures: Figures,
    groups: BTreeMap<String, Vec<Group>>,
    reasons: Vec<ReasonCount>,
    #[serde(skip)]
    tally: Outcomes,
}

impl Eval {
    pub fn run(self) -> Result<Outcome> {
        let settings = self.settings(self.threshold)?;
        let labels = labels::read(&self.labels)?;
        self.check_columns(&labels)?;
        let (systems, word) = self.systems(labels.by_id)?;
        let joined = join::join(&labels, &systems, &word, settings.block)?;
        let evaluated = |index: usize, threshold| {
            let settings = self.settings(threshold)?;
            self.evaluate(&systems[index], &joined.systems[index], &joined, &labels, &settings)
        };
        let system = evaluated(0, self.threshold)?;
        let against = match systems.get(1) {
            Some(_) => Some(evaluated(1, self.against_threshold)?),
            None => None,
        };
        let contest = against.as_ref().map(|against| {
            let first = (joined.systems[0].as_slice(), &system.tally);
            ModelComparison::of(first, (joined.systems[1].as_slice(), &against.tally), &settings)
        });
        let answer = Answer {
            wakegate: env!("CARGO_PKG_VERSION"),
            command: about::command_line(),
            inputs: self.inputs()?,
            word,
            moment: self.moment,
            events: settings.rules.name(),
            accepted: accepted(self.moment, self.threshold),
            settings,
            recordings: joined.names.len(),
            speakers: joined.speakers,
            silent: joined.silent,
            failed: joined
                .failed
                .iter()
                .cloned()
                .map(|(recording, reason)| Failed { recording, reason })
                .collect(),
            notes: about::notes(&joined, &systems, &system.figures),
            system,
            against,
            contest: contest.transpose()?,
            phases: self.phases(&joined)?,
        };
        for (recording, reason) in &joined.failed {
            output::warning(recording, &format!("left out, it could not be scored: {reason}"));
        }
        if let Some(folder) = &self.report {
            report::write(folder, &answer, &joined, &labels, self.audio)?;
            output::talk(format_args!("report: {}", folder.join("index.html").display()));
        }
        if self.json {
            JsonLines::stdout().print(&answer)?;
        } else {
            table::show(&answer)?;
        }
        Ok(Outcome::of(joined.failed.len()))
    }

    /// How steady the verdicts are, where that is asked for.
    fn phases(&self, joined: &Joined) -> Result<Option<Phases>> {
        let Some(count) = self.phases else { return Ok(None) };
        let model = self.model.open()?;
        phases::measure(&model, &joined.paths, count, self.threshold, self.confidence).map(Some)
    }

    fn settings(&self, threshold: Option<f32>) -> Result<Settings> {
        let rules = Rules { rate_hz: SAMPLE_RATE, merge: 0, refractory: 0, tolerance: 0 };
        let samples = |name: &str, seconds: f64| {
            if (0.0..=3600.0).contains(&seconds) {
                return Ok(rules.samples(seconds));
            }
            Err(refused(name).expected("0 to 3600 seconds").found(seconds.to_string()))
        };
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            return Err(refused("--confidence")
                .expected("a number between 0 and 1")
                .found(self.confidence.to_string()));
        }
        if let Some(bad) = threshold.filter(|t| !(0.0..=1.0).contains(t)) {
            return Err(refused("the threshold").expected("0 to 1").found(bad.to_string()));
        }
        if self.resamples > 1_000_000 {
            return Err(refused("--resamples")
                .expected("at most 1000000")
                .found(self.resamples.to_string()));
        }
        Ok(Settings {
            rules: Rules {
                merge: samples("--merge-s", self.merge_s)?,
                refractory: samples("--refractory-s", self.refractory_s)?,
                tolerance: samples("--tolerance-s", self.tolerance_s)?,
                ..rules
            },
            threshold,
            confidence: self.confidence,
            block: samples("--block-s", self.block_s)?,
            resamples: self.resamples,
            seed: self.seed,
        })
    }

    fn check_columns(&self, labels: &Labels) -> Result<()> {
        match self.by.iter().find(|column| !labels.has(column)) {
            None => Ok(()),
            Some(column) => Err(refused("--by")
                .expected(format!("a column of the labels: {}", labels.columns.join(", ")))
                .found(format!("{column:?}"))),
        }
    }

    /// The systems, and the word that is evaluated.
    fn systems(&self, by_id: bool) -> Result<(Vec<System>, String)> {
        let read = |files: &[PathBuf], threshold: Option<f32>| {
            let word = self.word.as_deref();
            let (threshold, moment) = (threshold.is_some(), self.moment);
            scores::read(files, &Wanted { by_id, word, threshold, moment })
        };
        let mut systems = vec![read(&self.scores, self.threshold)?];
        if !self.against.is_empty() {
            systems.push(read(&self.against, self.against_threshold)?);
        }
        if let Some(word) = &self.word {
            return Ok((systems, word.clone()));
        }
        let mut words: Vec<&String> = systems.iter().flat_map(|system| &system.words).collect();
        words.sort();
        words.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        match words.as_slice() {
            [word] => {
                let word = (*word).clone();
                Ok((systems, word))
            }
            words => Err(refused("the wake word")
                .expected("one in the scores")
                .found(format!("{words:?}"))
                .hint("name it with --word")),
        }
    }

    fn evaluate(
        &self,
        system: &System,
        recordings: &[Recording],
        joined: &Joined,
        labels: &Labels,
        settings: &Settings,
    ) -> Result<Evaluated> {
        let (figures, tally) = Figures::of(recordings, settings)?;
        let (rules, confidence) = (&settings.rules, settings.confidence);
        let at: Vec<(f64, Outcomes)> = figures
            .miss_at
            .iter()
            .map(|at| {
                let least = at.threshold.unwrap_or(f32::INFINITY);
                (at.false_accepts_per_hour, Outcomes::of(recordings, rules, |d| d.score >= least))
            })
            .collect();
        let points = Points { here: &tally, at: &at };
        let group = |column: &String| {
            let name = |place| joined.group(labels, column, place);
            Ok((column.clone(), groups::by(recordings, points, rules, confidence, name)?))
        };
        Ok(Evaluated {
            name: system.name.clone(),
            groups: self.by.iter().map(group).collect::<Result<_>>()?,
            reasons: groups::by_reason(recordings, &tally),
            figures,
            tally,
        })
    }

    fn inputs(&self) -> Result<Vec<Input>> {
        self.scores
            .iter()
            .chain(&self.labels)
            .chain(&self.against)
            .map(|path| about::input(path))
            .collect()
    }
}

fn refused(what: &str) -> Error {
    Error::new(ErrorKind::Settings, format!("{what} is refused"))
}

fn accepted(moment: Moment, threshold: Option<f32>) -> String {
    match (moment, threshold) {
        (_, Some(threshold)) => format!("{} is {threshold} or more", moment.score()),
        (Moment::Word, None) => "the word was decided as said".to_owned(),
        (Moment::Verdict, None) => "the verdict is intended".to_owned(),
    }
}
