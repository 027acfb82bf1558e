//! `wakegate features`: the front end's frames, for training.

use std::collections::HashSet;
use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Args;
use wakegate::audio::{SAMPLE_RATE, Source, Warning};
use wakegate::frontend::{FrontEnd, Settings};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::decode::{FileSource, Found, find_audio};
use wakegate_lab::scoring::ordered_parallel;
use wakegate_lab::scoring::ordered_parallel::{Bounds, each};
use wakegate_lab::table::{NpzWriter, WholeFile};

use super::queue_location::{only_model, settings};
use super::{Outcome, open_model, output, worker_count};
use crate::config;

/// Write the front end's log-mel frames of recordings to an .npz file
///
/// One float32 array [frames, mel_bands] a recording, natural logarithm of mel power, its key
/// the path as given. Exit code: 0 all written, 1 some recordings failed, 2 could not run.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
        wakegate features clips/ --output clips.npz")]
pub struct Features {
    /// Recordings, or folders that are searched for them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The file to write; its name ends in .npz
    #[arg(long, value_name = "FILE", alias = "out")]
    output: PathBuf,
    /// Take the front-end settings from this model package, instead of the model in the binary
    #[arg(long, value_name = "DIR", conflicts_with_all = ["settings", "config"])]
    model: Option<PathBuf>,
    /// Take them from the model of the wake word in these settings
    #[arg(long, value_name = "FILE", conflicts_with = "settings")]
    config: Option<PathBuf>,
    /// Take the front-end settings from this TOML file
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Start the front end afresh every N samples: a recording is many of equal length, one
    /// behind the other, and no frame sees two of them
    #[arg(long, value_name = "N")]
    segment_samples: Option<usize>,
    /// Number of threads [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

impl Features {
    pub fn run(self) -> Result<Outcome> {
        if self.output.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("npz")) {
            return Err(Error::new(ErrorKind::Settings, "frames are written as .npz alone")
                .expected("a name that ends in .npz")
                .found(self.output.display().to_string())
                .hint("numpy.load reads it; numpy.savetxt makes CSV of an array"));
        }
        let settings = self.front_end_settings()?;
        let frontend = FrontEnd::new(&settings)?;
        if self.segment_samples.is_some_and(|count| count < settings.window_samples()) {
            return Err(Error::new(ErrorKind::Settings, "--segment-samples is too small")
                .expected(format!("at least one window, {} samples", settings.window_samples()))
                .found(self.segment_samples.unwrap_or(0).to_string()));
        }
        let found = find_audio(&self.paths);
        let mut seen = HashSet::new();
        if let Some(twice) = found.iter().find(|found| !seen.insert(&found.path)) {
            return Err(Error::new(ErrorKind::Settings, "a recording is named twice")
                .expected("one array a key")
                .found(twice.path.display().to_string()));
        }
        self.write(&found, &frontend)
    }

    fn front_end_settings(&self) -> Result<Settings> {
        let Some(path) = &self.settings else {
            let model = match &self.config {
                Some(file) => only_model(&settings(Some(file), None)?)?,
                None => open_model(self.model.as_deref())?,
            };
            return Ok(model.manifest().frontend.clone());
        };
        let text = fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
        config::parse(&text, "models/alexa-3/manifest.toml has all keys of [frontend]")
            .map_err(|error| error.context(path.display()))
    }

    fn write(&self, found: &[Found], frontend: &FrontEnd) -> Result<Outcome> {
        let mut npz = NpzWriter::new(BufWriter::new(WholeFile::create(&self.output)?));
        let unwritten = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Io, format!("cannot write {}", self.output.display()))
                .found(error.to_string())
        };
        let bar = output::progress(found.len(), "recordings");
        let (mut frames, mut failures) = (0, 0);
        ordered_parallel::in_order(
            Bounds::of(worker_count(self.threads)?, found.len()),
            each(found),
            || Ok(frontend.clone()),
            |frontend, found, ()| match &found.problem {
                Some(problem) => Err(problem.clone()),
                None => extract(&found.path, frontend, self.segment_samples),
            },
            |found, result| {
                let key = found.path.to_string_lossy();
                match result {
                    Ok(extracted) => {
                        bar.suspend(|| {
                            extracted.warnings.iter().for_each(|w| output::warning(&key, &w.text));
                        });
                        let bands = frontend.mel_bands();
                        frames += extracted.frames.len() / bands;
                        npz.add(&key, bands, &extracted.frames).map_err(|e| unwritten(&e))?;
                    }
                    Err(error) => {
                        failures += 1;
                        bar.suspend(|| output::error(&error));
                    }
                }
                bar.inc(1);
                Ok(true)
            },
        )?;
        bar.finish_and_clear();
        let out = npz.finish().map_err(|e| unwritten(&e))?;
        out.into_inner().map_err(|e| unwritten(e.error()))?.commit()?;
        output::talk(format_args!(
            "{} of {} to {}; {failures} failed",
            output::counted(frames, "frame"),
            output::counted(found.len() - failures, "recording"),
            self.output.display()
        ));
        Ok(Outcome::of(failures))
    }
}

struct Extracted {
    /// Row-major `[frames, mel_bands]`.
    frames: Vec<f32>,
    warnings: Vec<Warning>,
}

/// The frames of one recording; with `segment`, of each stretch of so many samples alone.
fn extract(path: &Path, frontend: &mut FrontEnd, segment: Option<usize>) -> Result<Extracted> {
    frontend.reset();
    let mut source = FileSource::open(path)?;
    let mut block = vec![0.0; SAMPLE_RATE as usize];
    let mut values = Vec::new();
    let segment = segment.unwrap_or(usize::MAX);
    let mut left = segment;
    loop {
        let count = source.read(&mut block)?;
        if count == 0 {
            break;
        }
        let mut samples = &block[..count];
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(left));
            frontend.process_with(now, |frame| values.extend_from_slice(frame));
            left -= now.len();
            samples = later;
            if left == 0 {
                frontend.reset();
                left = segment;
            }
        }
    }
    Ok(Extracted { frames: values, warnings: source.warnings().to_vec() })
}
