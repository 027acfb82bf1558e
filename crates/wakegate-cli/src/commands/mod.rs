//! One file a subcommand; the only place that prints. Data goes to stdout, talk to stderr.

#[cfg(feature = "corpora")]
mod bench;
#[cfg(feature = "corpora")]
mod calibrate;
mod config;
mod daemon;
#[cfg(feature = "corpora")]
mod demo;
#[cfg(feature = "capture")]
mod devices;
#[cfg(feature = "documents")]
mod documents;
#[cfg(feature = "corpora")]
mod eval;
#[cfg(feature = "corpora")]
mod features;
#[cfg(feature = "corpora")]
mod inputs;
mod listen;
#[cfg(feature = "corpora")]
mod listen_input;
pub mod log;
#[cfg(feature = "corpora")]
mod mix;
mod model;
mod output;
#[cfg(feature = "corpora")]
mod output_formats;
#[cfg(feature = "corpora")]
mod output_writer;
#[cfg(feature = "corpora")]
mod progress;
#[cfg(feature = "corpora")]
mod provenance;
mod queue_location;
#[cfg(feature = "corpora")]
mod queue_sink;
#[cfg(feature = "corpora")]
mod raw_options;
#[cfg(feature = "corpora")]
mod record_table;
#[cfg(feature = "corpora")]
mod resume_journal;
mod review;
#[cfg(feature = "corpora")]
mod review_export;
#[cfg(feature = "page")]
mod review_serve;
#[cfg(feature = "corpora")]
mod run_summary;
#[cfg(feature = "corpora")]
mod score;
mod version;
mod wyoming;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use wakegate::Result;
use wakegate::model::{Model, Runtime, Sensitivity};
#[cfg(feature = "corpora")]
use wakegate::{Error, ErrorKind};

#[cfg(feature = "corpora")]
use queue_location::{only_model, settings};

/// Decides on the device, before anything is stored, whether a wake-word activation was
/// intended or accidental.
#[derive(Parser)]
#[command(
    name = "wakegate",
    about,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Examples:\n  \
        wakegate demo\n  \
        wakegate score kitchen.wav clips/ > verdicts.jsonl\n  \
        wakegate listen --on-intended 'logger -t wakegate heard'"
)]
pub struct Arguments {
    /// Say nothing on stderr but errors and warnings
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Print version, commit, target, features and model
    #[arg(short = 'V', long)]
    version: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
#[cfg_attr(
    not(feature = "corpora"),
    expect(clippy::large_enum_variant, reason = "there is one of it in a run")
)]
enum Command {
    #[cfg(feature = "corpora")]
    Score(score::Score),
    Listen(listen::Listen),
    #[cfg(feature = "capture")]
    Devices(devices::Devices),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    #[cfg(feature = "corpora")]
    Demo(demo::Demo),
    #[command(subcommand)]
    Model(model::ModelCommand),
    #[cfg(feature = "corpora")]
    Features(features::Features),
    Review(review::Review),
    #[cfg(feature = "corpora")]
    Calibrate(calibrate::Calibrate),
    #[cfg(feature = "corpora")]
    Eval(eval::Eval),
    #[cfg(feature = "corpora")]
    Mix(mix::Mix),
    #[cfg(feature = "corpora")]
    Bench(bench::Bench),
    #[cfg(feature = "documents")]
    Completions(documents::Completions),
    #[cfg(feature = "documents")]
    Manual(documents::Manual),
}

/// How a command ended that could run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Exit code 0.
    AllWell,
    /// Exit code 1: a part failed and was reported.
    SomeFailed,
    /// Exit code 4: the judging thread panicked again and again.
    Panicked,
    /// Exit code 5: the judging thread did not end when it was told to.
    Hung,
}

impl Outcome {
    fn of(failures: usize) -> Self {
        if failures == 0 { Self::AllWell } else { Self::SomeFailed }
    }
}

/// Runs the command and says on stderr why it could not run (exit code 2).
pub fn run(arguments: Arguments) -> ExitCode {
    output::set_quiet(arguments.quiet);
    let command = match arguments.command {
        Some(command) if !arguments.version => command,
        _ => return ended(version::show().map(|()| Outcome::AllWell)),
    };
    ended(match command {
        #[cfg(feature = "corpora")]
        Command::Score(command) => command.run(),
        Command::Listen(command) => command.run(),
        #[cfg(feature = "capture")]
        Command::Devices(command) => command.run(),
        Command::Config(command) => command.run(),
        #[cfg(feature = "corpora")]
        Command::Demo(command) => command.run(),
        Command::Model(command) => command.run(),
        #[cfg(feature = "corpora")]
        Command::Features(command) => command.run(),
        Command::Review(command) => command.run(),
        #[cfg(feature = "corpora")]
        Command::Calibrate(command) => command.run(),
        #[cfg(feature = "corpora")]
        Command::Eval(command) => command.run(),
        #[cfg(feature = "corpora")]
        Command::Mix(command) => command.run(),
        #[cfg(feature = "corpora")]
        Command::Bench(command) => command.run(),
        #[cfg(feature = "documents")]
        Command::Completions(command) => command.run(),
        #[cfg(feature = "documents")]
        Command::Manual(command) => command.run(),
    })
}

/// The exit code, and on stderr why there is no result.
fn ended(result: Result<Outcome>) -> ExitCode {
    match result {
        Ok(Outcome::AllWell) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(1),
        Ok(Outcome::Panicked) => ExitCode::from(4),
        Ok(Outcome::Hung) => ExitCode::from(5),
        Err(error) => {
            output::error(&error);
            ExitCode::from(2)
        }
    }
}

/// Which model judges, and which runtime runs it.
#[derive(Args)]
struct Engine {
    /// Directory of a model package, instead of the model in the binary
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// One of the operating points that the model's card has figures for: low, default or high
    #[arg(long, value_name = "POINT")]
    sensitivity: Option<Sensitivity>,
    /// Posterior from which an activation is intended, instead of the model's
    #[arg(long, value_name = "P", conflicts_with = "sensitivity")]
    intended_at: Option<f32>,
    #[command(flatten)]
    runtime: RuntimeChoice,
}

/// The model of a command that keeps nothing: that of the settings, or what is said instead.
#[cfg(feature = "corpora")]
#[derive(Args)]
struct OneModel {
    /// The settings; of them the wake word counts, with its model and its thresholds
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    engine: Engine,
}

#[cfg(feature = "corpora")]
impl OneModel {
    /// Chooses the runtime and checks the package.
    fn open(&self) -> Result<Model> {
        self.engine.runtime.choose()?;
        only_model(&settings(self.config.as_deref(), Some(&self.engine))?)
    }
}

#[derive(Args)]
struct RuntimeChoice {
    /// Shared library of ONNX Runtime to use instead of the runtime in the binary
    #[arg(long, value_name = "LIB", env = "ORT_DYLIB_PATH")]
    onnxruntime: Option<PathBuf>,
}

impl RuntimeChoice {
    /// The library of ONNX Runtime, where one is to be used. An empty variable is how a shell
    /// leaves one out.
    fn library(&self) -> Option<&Path> {
        self.onnxruntime.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    fn choose(&self) -> Result<()> {
        match self.library() {
            Some(library) => Runtime::OnnxRuntime(library.to_owned()).choose(),
            None => Runtime::Embedded.choose(),
        }
    }
}

fn open_model(directory: Option<&Path>) -> Result<Model> {
    directory.map_or_else(Model::embedded, Model::open)
}

/// The number of worker threads: as asked, else one a core.
#[cfg(feature = "corpora")]
fn worker_count(asked: Option<usize>) -> Result<usize> {
    match asked {
        Some(count) if !(1..=1024).contains(&count) => {
            Err(Error::new(ErrorKind::Settings, "cannot use this number of threads")
                .expected("1 to 1024")
                .found(count.to_string()))
        }
        Some(count) => Ok(count),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}
