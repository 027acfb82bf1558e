//! `wakegate listen --input`: a recording or a pipe, as if it were heard now.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use wakegate::audio::{Channel, RawPcm, SAMPLE_RATE, Source, seconds};
use wakegate::model::Model;
use wakegate::pipeline::{Activation, Decision};
use wakegate::stream::Stream;
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::corpus::{Choice, Recording, Settings};
use wakegate_lab::decode::{Ffmpeg, RawForm};
use wakegate_lab::scoring::{Excerpts, Record};

use crate::config::Config;

use super::daemon;
use super::daemon::DaemonArguments;
use super::output;
use super::output::JsonLines;
use super::queue_location::only_model;
use super::queue_sink::Sink;
use super::raw_options::RawOptions;
use super::{Engine, Outcome};

/// What is heard instead of a microphone. Whoever judges a recording tells nobody of it.
#[derive(Args)]
pub struct InputOptions {
    /// A recording, or - for raw 16 kHz mono signed 16-bit little-endian samples on stdin
    ///
    /// The lines are those of `score --activations`, with audio_s null: the stream's length is not
    /// known yet.
    #[arg(long, value_name = "FILE|-", conflicts_with_all = [
        "device", "on_word", "on_intended", "on_accidental",
        "listen", "upstream", "upstream_lag_ms", "also_model", "wyoming_set",
    ])]
    input: Option<PathBuf>,
    /// Which channel of a recording is heard: a number from 1, left, right or mix (the mean of all)
    #[arg(long, value_name = "N|left|right|mix", default_value_t = Choice::default(), requires = "input")]
    channel: Choice,
    /// Hand a recording of a form that is not known here to an ffmpeg that you have
    #[arg(long, requires = "input")]
    ffmpeg: bool,
    #[command(flatten)]
    raw: RawOptions,
    /// Feed a recording in real time
    #[arg(long, requires = "input")]
    pace: bool,
    /// Length of the chunks in milliseconds
    #[arg(long, value_name = "N", default_value_t = 20.0, requires = "input")]
    chunk_ms: f64,
}

impl InputOptions {
    /// What is to be judged, where anything is.
    pub fn file(&self) -> Result<Option<&Path>> {
        match &self.input {
            None if self.raw.form()?.is_some() => Err(raw_is_for_files("no --input")),
            input => Ok(input.as_deref()),
        }
    }

    /// Judges `input`, and prints a line for each activation.
    pub fn judge(
        &self,
        input: &Path,
        daemon: &DaemonArguments,
        engine: &Engine,
    ) -> Result<Outcome> {
        let chunk = (self.chunk_ms * f64::from(SAMPLE_RATE) / 1000.0).round();
        if !(1.0..=f64::from(60 * SAMPLE_RATE)).contains(&chunk) {
            return Err(Error::new(ErrorKind::Settings, "--chunk-ms is refused")
                .expected("one sample (0.0625) to one minute (60000)")
                .found(self.chunk_ms.to_string()));
        }
        let config = daemon::read(daemon, engine)?;
        engine.runtime.choose()?;
        let model = only_model(&config)?;
        let Choice::Channel(channel) = self.channel else {
            return Err(Error::new(ErrorKind::Settings, "--channel is refused")
                .expected("a number, left, right or mix")
                .found("each")
                .hint("`wakegate score --channel each` judges each channel by itself"));
        };
        let asked = self.ffmpeg || config.decode.ffmpeg;
        let mut source = open(input, channel, asked, self.raw.form()?)?;
        let mut take = InputFile::new(&model, &config)?;
        let mut lines = JsonLines::stdout();
        let path = input.to_string_lossy();
        let manifest = model.manifest();
        let mut number = 0;
        let mut unwritten = None;
        let result = take.stream(source.as_mut(), chunk as usize, self.pace, &mut |found| {
            number += 1;
            let record = Record::of_activation(&path, manifest, number, &found, None);
            unwritten = lines.print(&record).err();
            unwritten.is_none() && !lines.is_closed()
        });
        let heard = take.heard();
        let result = result.and_then(|()| if heard > 0 { Ok(()) } else { Err(nothing_heard()) });
        let result = result.and(take.end());
        source.warnings().iter().for_each(|warning| output::warning(&path, &warning.text));
        anstream::eprintln!(
            "{path}: {:.3} s heard and judged: {}",
            seconds(heard),
            match number {
                1 => "1 activation".to_owned(),
                number => format!("{number} activations"),
            }
        );
        if let Some(error) = unwritten {
            return Err(error);
        }
        if let Err(error) = result {
            lines.print(&Record::of_error(&path, manifest, &error, true))?;
            output::error(&error.context(&path));
            return Ok(Outcome::SomeFailed);
        }
        Ok(Outcome::AllWell)
    }
}

/// The error of a stream that ended before it began.
fn nothing_heard() -> Error {
    Error::new(ErrorKind::Audio, "nothing was heard")
        .expected("at least one sample")
        .found("none")
        .hint("check the program that writes the stream")
}

fn raw_is_for_files(found: &str) -> Error {
    Error::new(ErrorKind::Settings, "--raw is refused")
        .expected("a headerless file")
        .found(found)
        .hint("audio.device = \"-\" in the settings takes a pipe of any rate and channels")
}

fn open(
    input: &Path,
    channel: Channel,
    ffmpeg: bool,
    raw: Option<RawForm>,
) -> Result<Box<dyn Source>> {
    if input == Path::new("-") {
        if raw.is_some() {
            return Err(raw_is_for_files("a pipe, which brings 16 kHz mono s16le"));
        }
        return Ok(Box::new(RawPcm::new(std::io::stdin())));
    }
    let ffmpeg = ffmpeg.then(Ffmpeg::find).transpose()?;
    let settings = Settings { ffmpeg, raw, ..Settings::default() };
    let recording = Recording::File(input.to_owned());
    Ok(Box::new(recording.open(&input.to_string_lossy(), &settings)?.of_channel(channel)?))
}

/// A recording on its way through the pipeline, and into the review queue where that is on.
struct InputFile {
    stream: Stream<Excerpts>,
    queue: Option<Sink>,
}

impl InputFile {
    fn new(model: &Model, config: &Config) -> Result<Self> {
        let queue = config.review.enabled.then(|| Sink::open(&config.review)).transpose()?;
        let mut stream = Stream::of(model)?;
        stream.keep(queue.as_ref().map(|sink| Excerpts::new(&sink.policy())));
        Ok(Self { stream, queue })
    }

    /// Feeds `source` to the stream in chunks of at most `chunk` samples until it ends or
    /// `on_activation` returns `false`.
    fn stream(
        &mut self,
        source: &mut dyn Source,
        chunk: usize,
        pace: bool,
        on_activation: &mut dyn FnMut(Activation) -> bool,
    ) -> Result<()> {
        let mut block = vec![0.0; chunk];
        let start = Instant::now();
        loop {
            let count = source.read(&mut block)?;
            if pace {
                let due = Duration::from_secs_f64(seconds(self.heard() + count as u64));
                std::thread::sleep(due.saturating_sub(start.elapsed()));
            }
            let mut found = Vec::new();
            let mut keep = |_, decision: Decision| {
                found.extend(decision.verdict());
                true
            };
            match count {
                0 => self.stream.finish(&mut keep)?,
                _ => self.stream.push(&block[..count], &mut keep)?,
            }
            if let (Some(excerpts), Some(queue)) = (self.stream.sink_mut(), &mut self.queue) {
                queue.put(excerpts.take_all())?;
            }
            if !found.into_iter().all(&mut *on_activation) || count == 0 {
                return Ok(());
            }
        }
    }

    /// Samples so far.
    fn heard(&self) -> u64 {
        self.stream.position()
    }

    /// Says what became of it all.
    fn end(self) -> Result<()> {
        self.queue.map_or(Ok(()), Sink::end)
    }
}
