//! `wakegate score`: recordings to records.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::config::Config;
use clap::Args;
use serde_json::{Value, json};
use wakegate::model::{Manifest, Model};
use wakegate::pipeline::SCHEMA;
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::corpus::{About, Corpus, Recording};
use wakegate_lab::scoring::ordered_parallel;
use wakegate_lab::scoring::ordered_parallel::{Bounds, Give};
use wakegate_lab::scoring::{Record, Scored, Scorer, Shape, trigger_sample};

use super::inputs::Inputs;
use super::output;
use super::output_writer::{Destination, OutputOptions};
use super::progress::Progress;
use super::queue_location::{QueueLocation, only_model};
use super::queue_sink::Sink;
use super::resume_journal::fingerprint;
use super::run_summary::{RunSummary, kind_name};
use super::{Engine, Outcome, worker_count};

/// Judge recordings: one record each, in the order given
///
/// The verdict of a recording is that of its best activation (highest p_intended). Where the
/// spotter proposes none, it is accidental, not_wake_word, with the verifier's scores at the
/// spotter's highest moment, and start_s, end_s and decided_s are null. decided_s lies beyond
/// audio_s where the decision waited for more than the recording holds. A recording that can't
/// be scored has its reason in "error", and no verdict.
///
/// With --config, the wake word and its thresholds are those of the file. With --queue, the audio
/// of intended activations also goes through the gate into a review queue, under the `[review]`
/// settings of --config, which have to enable it; the queue needs a recorded consent.
///
/// Exit code: 0 all scored, 1 some could not be scored, 2 could not run.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
        wakegate score kitchen.wav clips/ > verdicts.jsonl\n  \
        wakegate score shards/*.tar --output scores.parquet --resume\n  \
        wakegate score --manifest calls.csv --column path=file --output scores.csv")]
pub struct Score {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    output: OutputOptions,
    /// One record for each activation, none for a recording without one
    #[arg(long)]
    activations: bool,
    /// Judge the word that ended at this moment by another engine's account; no spotter. A
    /// manifest's trigger_s comes before it
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    trigger_at: Option<f64>,
    #[command(flatten)]
    engine: Engine,
    /// Number of threads [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Say at the end where the threads' time went
    #[arg(long)]
    timings: bool,
    #[command(flatten)]
    place: QueueLocation,
}

impl Score {
    pub fn run(self) -> Result<Outcome> {
        let trigger = self.trigger_at.map(trigger_sample).transpose();
        trigger.map_err(|error| error.context("--trigger-at"))?;
        self.place.key_needs_a_queue()?;
        if self.output.resumes() && self.place.names_a_queue() {
            return Err(Error::new(ErrorKind::Settings, "--resume can't be used with --queue")
                .expected("a run that writes records alone")
                .found("one that also stores clips")
                .hint("a clip of the recording at which the run ended would be stored twice"));
        }
        self.output.spares(self.inputs.named())?;
        let threads = worker_count(self.threads)?;
        let config = self.place.config(Some(&self.engine))?;
        let corpus = self.inputs.open(&config)?;
        corpus.notes().iter().for_each(|(path, note)| output::warning(path, note));
        self.place.warn_if_off(&config);
        self.engine.runtime.choose()?;
        let model = only_model(&config)?;
        // A model that can't be loaded is no recording's fault: say so before the first record.
        let first = self.scorer(&model)?;
        let mut tally = RunSummary::default();
        let shape = Shape {
            names: corpus.has_columns(),
            activations: self.activations,
            channels: corpus.has_channels(),
            decoders: corpus.settings().ffmpeg.is_some(),
            carried: corpus.settings().columns.carried().to_vec(),
        };
        let run = self.describe(&model, &config);
        let Some(destination) = self.output.open(shape.clone(), &run, &mut tally)? else {
            output::talk(format_args!(
                "{} is complete; delete it to score again",
                self.output.name()
            ));
            return Ok(Outcome::AllWell);
        };
        let queued = self.place.names_a_queue();
        let sink = queued.then(|| Sink::open(&config.review)).transpose()?;
        let progress = Progress::new(&corpus);
        let report =
            Report { manifest: model.manifest(), shape, destination, progress, tally, sink };
        self.score(&corpus, &model, first, threads, report)
    }

    fn scorer(&self, model: &Model) -> Result<Scorer> {
        Scorer::new(model, self.trigger_at.is_none())
    }

    /// What of this run changes its records, besides the recordings.
    fn describe(&self, model: &Model, config: &Config) -> Value {
        json!({
            "journal": 1,
            "schema": SCHEMA,
            "program": env!("CARGO_PKG_VERSION"),
            "model": model.manifest().id(),
            "manifest": model.manifest().sha256(),
            "runtime": self.engine.runtime.library().map(|path| path.to_string_lossy()),
            "activations": self.activations,
            "trigger_at": self.trigger_at,
            "inputs": self.inputs.describe(config),
        })
    }

    fn score(
        &self,
        corpus: &Corpus,
        model: &Model,
        first: Scorer,
        threads: usize,
        mut report: Report<'_>,
    ) -> Result<Outcome> {
        let policy = report.sink.as_ref().map(Sink::policy);
        let skip = Skip { done: report.destination.take_done(), ..Skip::default() };
        let measure = report.progress.is_shown();
        // The networks that were loaded for the check are the first thread's.
        let first = Mutex::new(Some(first));
        let scorer = || match first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(first) => Ok(first),
            None => self.scorer(model),
        };
        ordered_parallel::in_order(
            Bounds { threads, held: corpus.settings().member_limit },
            |give| skip.feed(corpus, measure, give),
            || scorer().map(|scorer| scorer.with_excerpts(policy.as_ref())),
            |scorer, about: &About, audio: Result<Recording>| {
                scorer.score_recording(about, audio, corpus.settings(), self.trigger_at)
            },
            |about, result| {
                let skipped = skip.bytes.swap(0, Ordering::Relaxed);
                report.take(&about, skipped, result)
            },
        )?;
        skip.result()?;
        report.end(threads, self.timings)
    }
}

/// Leaves out what a run before this one has done.
#[derive(Default)]
struct Skip {
    done: Vec<[u8; 8]>,
    /// Bytes of the corpus that were left out, until the progress bar has them.
    bytes: AtomicU64,
    /// Why it could not be left out.
    problem: Mutex<Option<Error>>,
}

impl Skip {
    /// Gives the recordings that are not done. Each that is has to be the one that was there.
    fn feed(&self, corpus: &Corpus, measure: bool, give: &mut Give<'_, About, Result<Recording>>) {
        let mut number = 0;
        let mut wanted = true;
        corpus.visit(&mut |mut item| {
            if measure {
                item.measure();
            }
            number += 1;
            wanted = match self.done.get(number - 1) {
                Some(done) if *done == fingerprint(&item.about) => {
                    self.bytes.fetch_add(item.about.bytes, Ordering::Relaxed);
                    true
                }
                Some(_) => {
                    self.refuse(format!("recording {number} is now {}", item.about.path));
                    false
                }
                None => {
                    let held = item.audio.as_ref().map_or(0, Recording::held);
                    give(item.about, item.audio, held)
                }
            };
            wanted
        });
        if wanted && number < self.done.len() {
            self.refuse(format!("{number} recordings, {} of them done", self.done.len()));
        }
    }

    fn refuse(&self, found: String) {
        let error = Error::new(ErrorKind::Settings, "cannot go on with the journal")
            .expected("the recordings that the run was started with, in the same order")
            .found(found)
            .hint("name the inputs it was started with, or delete the journal to start over");
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    fn result(self) -> Result<()> {
        let problem = self.problem.into_inner().unwrap_or_else(PoisonError::into_inner);
        problem.map_or(Ok(()), Err)
    }
}

/// Passes on what comes in, and counts it for the summary.
struct Report<'m> {
    manifest: &'m Manifest,
    shape: Shape,
    destination: Destination,
    progress: Progress,
    tally: RunSummary,
    sink: Option<Sink>,
}

impl Report<'_> {
    /// Passes on the records of one recording; `false` when nobody reads them any more.
    fn take(&mut self, about: &About, skipped: u64, mut result: Result<Scored>) -> Result<bool> {
        if let (Some(sink), Ok(scored)) = (&mut self.sink, &mut result) {
            scored.excerpts.take().map_or(Ok(()), |excerpts| sink.put(excerpts))?;
        }
        let (length, records) = match &result {
            Ok(scored) => {
                self.tally.spend(&scored.spent);
                (Ok(scored.samples), self.records(about, scored))
            }
            Err(error) => {
                let activations = self.shape.activations;
                let record = Record::of_error(&about.path, self.manifest, error, activations);
                (Err(kind_name(error.kind())), vec![record])
            }
        };
        let of = |record: Record| record.about(about, self.shape.names, &self.shape.carried);
        let records: Vec<Record> = records.into_iter().map(of).collect();
        let more = self.progress.aside(|| self.destination.put(about, length, &records))?;
        self.tally.add(length, &records);
        self.progress.step(about.bytes + skipped, &self.tally);
        Ok(more)
    }

    fn records(&self, about: &About, scored: &Scored) -> Vec<Record> {
        let path = &about.path;
        if !self.shape.activations {
            return vec![Record::of_recording(path, self.manifest, scored)];
        }
        let records = (1..).zip(&scored.activations).map(|(number, activation)| {
            let samples = Some(scored.samples);
            Record::of_activation(path, self.manifest, number, activation, samples).of(scored)
        });
        records.collect()
    }

    /// Ends the output, and says on stderr what came of it.
    fn end(self, threads: usize, timings: bool) -> Result<Outcome> {
        let elapsed = self.progress.elapsed();
        self.progress.end();
        self.destination.finish()?;
        self.tally.failed.first().for_each(|(path, text)| output::failure(path, text));
        say_more(self.tally.failed.more(), "more could not be scored");
        let warned = self.tally.warned.first();
        warned.for_each(|(path, text)| text.lines().for_each(|line| output::warning(path, line)));
        say_more(self.tally.warned.more(), "more have warnings");
        let mut text = self.tally.summary(self.shape.activations, elapsed, threads);
        if timings {
            text += &self.tally.times(elapsed, threads);
        }
        output::talk(format_args!("{}", text.trim_end()));
        if let Some(sink) = self.sink {
            sink.end()?;
        }
        Ok(Outcome::of(self.tally.failures()))
    }
}

/// Counts what is not told one by one.
fn say_more(count: usize, what: &str) {
    if count > 0 {
        anstream::eprintln!("... {count} {what}: the records have the reasons");
    }
}
