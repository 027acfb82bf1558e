//! `wakegate listen`: a stream to JSON lines, as they are decided. Without an input it is the
//! daemon on a microphone.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use wakegate::audio::{FileSource, RawPcm, SAMPLE_RATE, Source};
use wakegate::pipeline::{Activation, Pipeline};
use wakegate::{Error, ErrorKind, Result};

use super::daemon::{self, DaemonArguments};
use super::output::{self, JsonLines};
use super::record::{Record, seconds};
use super::wyoming::WyomingOptions;
use super::{Engine, Outcome};

/// Judge a stream or the microphone: one JSON line for each activation, as it is decided
///
/// Without --input it listens to the microphone until SIGTERM or SIGINT; SIGHUP reads the
/// configuration again. With --input the lines are those of `score --activations`, with audio_s
/// null: the stream's length is not known yet. Exit code: 0 the stream ended or a signal came,
/// 1 it failed on the way, 2 could not run, 4 the judging thread panicked again and again, 5 it
/// did not end when told to.
#[derive(Args)]
pub struct Listen {
    /// A recording, or - for raw 16 kHz mono signed 16-bit little-endian samples on stdin
    #[arg(long, value_name = "FILE|-")]
    input: Option<PathBuf>,
    /// Take a recording in real time
    #[arg(long, requires = "input")]
    pace: bool,
    /// Length of the chunks in milliseconds
    #[arg(long, value_name = "N", default_value_t = 20.0)]
    chunk_ms: f64,
    #[command(flatten)]
    wyoming: WyomingOptions,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    daemon: DaemonArguments,
}

impl Listen {
    pub fn run(self) -> Result<Outcome> {
        if self.wyoming.is_asked_for() {
            return self.wyoming.run(&self.engine);
        }
        let Some(input) = &self.input else { return daemon::run(self.daemon, self.engine) };
        let chunk = (self.chunk_ms * f64::from(SAMPLE_RATE) / 1000.0).round();
        if !(1.0..=f64::from(60 * SAMPLE_RATE)).contains(&chunk) {
            return Err(Error::new(ErrorKind::Settings, "--chunk-ms is refused")
                .expected("one sample (0.0625) to one minute (60000)")
                .found(self.chunk_ms.to_string()));
        }
        let model = self.engine.open()?;
        let mut source = open(input)?;
        let pipeline = Pipeline::new(&model)?;
        let mut lines = JsonLines::stdout();
        let path = input.to_string_lossy();
        let manifest = model.manifest();
        let mut number = 0;
        let mut unwritten = None;
        let result = stream(pipeline, source.as_mut(), chunk as usize, self.pace, &mut |found| {
            number += 1;
            let record = Record::of_activation(&path, manifest, number, &found, None);
            unwritten = lines.print(&record).err();
            unwritten.is_none() && !lines.is_closed()
        });
        source.warnings().iter().for_each(|text| output::warning(&path, text));
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

fn open(input: &Path) -> Result<Box<dyn Source>> {
    if input == Path::new("-") {
        return Ok(Box::new(RawPcm::new(std::io::stdin())));
    }
    Ok(Box::new(FileSource::open(input)?))
}

/// Feeds `source` to the pipeline in chunks of at most `chunk` samples until it ends or
/// `on_activation` returns `false`.
fn stream(
    mut pipeline: Pipeline,
    source: &mut dyn Source,
    chunk: usize,
    pace: bool,
    on_activation: &mut dyn FnMut(Activation) -> bool,
) -> Result<()> {
    let mut block = vec![0.0; chunk];
    let mut wanted = true;
    let start = Instant::now();
    loop {
        let count = source.read(&mut block)?;
        if count == 0 {
            break;
        }
        if pace {
            let due = Duration::from_secs_f64(seconds(pipeline.samples() + count as u64));
            std::thread::sleep(due.saturating_sub(start.elapsed()));
        }
        pipeline.push(&block[..count], &mut |a| wanted = wanted && on_activation(a))?;
        if !wanted {
            return Ok(());
        }
    }
    pipeline.finish(&mut |a| wanted = wanted && on_activation(a))
}
