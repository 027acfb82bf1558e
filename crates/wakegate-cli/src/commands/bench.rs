//! `wakegate bench`: what the pipeline costs on this device.

mod audio;
mod baseline;
mod start_up;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use wakegate::model::{Model, Runtime};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::bench;
use wakegate_lab::bench::{
    Budget, Build, Change, Comparison, Conditions, Load, Machine, Measured, ModelSizes, Monotonic,
    Plan, Report, SCHEMA, Sizes, Stage, StartUp, Watch, Watched, Workload, WorkloadUsed, budget,
    compare,
};

use super::output;
use super::output::JsonLines;
use super::{OneModel, Outcome};
use crate::config::parse;

/// Measure what the pipeline costs on this device, and how late its verdicts are
///
/// Exit code: 0 measured, 1 a limit of --budget is not kept or a stage is slower than in the
/// measurement of --compare, 2 could not run.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
        wakegate bench --cpu 1\n  \
        wakegate bench --save before\n  \
        wakegate bench --compare before\n  \
        wakegate bench --pace --seconds 60 --json")]
pub struct Bench {
    /// Seconds to measure; with --pace, seconds of audio
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    seconds: f64,
    /// Seconds before that are not counted
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    warmup: f64,
    /// Bring the audio as a sound card does, and sleep in between
    #[arg(long)]
    pace: bool,
    /// Keep to this processor
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
    /// Judge this many streams at once, each on a thread of its own with networks of its own, as
    /// for so many rooms; one stream is always one thread's. The table has all their times
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Run this many busy threads beside it
    #[arg(long, value_name = "K", default_value_t = 0)]
    load: usize,
    /// Sample rate of the device that is played: a multiple of 16000
    #[arg(long, value_name = "HZ", default_value_t = 48_000)]
    rate: u32,
    /// Measure on this recording, instead of the built-in audio
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    input: Option<PathBuf>,
    /// Where the words of the recording are: start and end in seconds, a line each (Audacity)
    #[arg(long, value_name = "FILE", requires = "input")]
    labels: Option<PathBuf>,
    /// Measure on the recordings of this folder's words.tsv
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Fresh processes to start for the time up to the first verdict; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 5)]
    starts: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Keep the measurement under this name
    #[arg(long, value_name = "NAME")]
    save: Option<String>,
    /// Hold the measurement against the one kept under this name
    #[arg(long, value_name = "NAME")]
    compare: Option<String>,
    /// Difference in per cent up to which a stage counts as equally fast
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    tolerance: f64,
    /// Folder of the kept measurements [default: target/wakegate-bench where there is a target
    /// folder, else wakegate/bench in the user's cache]
    #[arg(long, value_name = "DIR")]
    baselines: Option<PathBuf>,
    /// Hold the measurement against the limits of this TOML file
    #[arg(long, value_name = "FILE")]
    budget: Option<PathBuf>,
    /// Stage whose times are drawn
    #[arg(long, value_name = "STAGE", default_value = "hop", value_parser = stage)]
    histogram: Stage,
    #[command(flatten)]
    model: OneModel,
    /// What --starts runs: judge, say so, and end
    #[arg(long, hide = true)]
    first_verdict: bool,
}

/// The object of --json.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    report: &'a Report,
    comparison: Option<&'a [Comparison]>,
    budget: Option<&'a [budget::Check]>,
}

impl Bench {
    pub fn run(self) -> Result<Outcome> {
        if self.first_verdict {
            return start_up::judge_once(&self.model);
        }
        let plan =
            Plan { warmup_s: self.warmup, seconds: self.seconds, pace: self.pace, rate: self.rate };
        // Whatever is wrong with the arguments is said before the time is spent.
        plan.validate()?;
        bench::check_streams(self.threads)?;
        if !(0.0..=100.0).contains(&self.tolerance) {
            return Err(Error::new(ErrorKind::Settings, "--tolerance is refused")
                .expected("0 to 100 %")
                .found(self.tolerance.to_string()));
        }
        let limits = self.budget.as_deref().map(read_budget).transpose()?;
        let then = match &self.compare {
            Some(name) => Some(baseline::open(self.baselines.as_deref(), name)?),
            None => None,
        };
        let keep = match &self.save {
            Some(name) => Some(baseline::path(self.baselines.as_deref(), name)?),
            None => None,
        };
        let report = self.measure(&plan)?;
        let against = |then| compare::compare(then, &report, self.tolerance / 100.0);
        let comparison = then.as_ref().map(against);
        let checks = limits.map(|limits| limits.check(&report));
        if self.json {
            let (comparison, budget) = (comparison.as_deref(), checks.as_deref());
            JsonLines::stdout().print(&Printed { report: &report, comparison, budget })?;
        } else {
            table::print(&report, self.histogram)?;
            comparison.as_deref().map_or(Ok(()), table::print_comparison)?;
            let same = then.as_ref().and_then(|then| compare::same_program(then, &report));
            same.map_or(Ok(()), |text| output::line(format_args!("{text}")))?;
            checks.as_deref().map_or(Ok(()), table::print_budget)?;
        }
        for line in then.iter().flat_map(|then| compare::unlike(then, &report)) {
            output::warning("the two measurements differ", &line);
        }
        for warning in &report.warnings {
            output::warning(&warning.what, &warning.remedy);
        }
        for (check, remedy) in checks.iter().flatten().filter_map(|c| Some((c, c.remedy()?))) {
            output::warning(&format!("{} was not measured", check.key), remedy);
        }
        if let Some(path) = &keep {
            baseline::save(path, &report)?;
        }
        let slower = |c: &&Comparison| c.change == Change::Slower;
        let slower = comparison.iter().flatten().filter(slower).count();
        let broken = checks.iter().flatten().filter(|check| !check.is_kept()).count();
        Ok(Outcome::of(slower + broken))
    }

    fn measure(&self, plan: &Plan) -> Result<Report> {
        let root = Path::new("/");
        // Threads inherit the processor of the one that starts them: these may run anywhere.
        let load = Load::start(self.load)?;
        self.cpu.map_or(Ok(()), bench::pin)?;
        let machine = Machine::read(root, self.cpu);
        let model = self.model.open()?;
        let workload = audio::workload(self)?;
        let start_up = start_up::measure(&self.model, self.starts)?;
        let clock = Monotonic::start();
        let before = bench::speed_ns(&clock);
        let begun = || Watch::begin(root, self.cpu);
        let ended = |watch: Watch| watch.end();
        let streams = (plan, self.threads);
        let (measured, watched) =
            bench::run_streams(&model, &workload, streams, &clock, &begun, &ended)?;
        let watched = Watched::together(&watched);
        let speed_ns = [before, bench::speed_ns(&clock)];
        drop(load);
        let warnings = bench::warnings(&Conditions {
            machine: &machine,
            measured: &measured,
            watched,
            speed_ns,
            warmup_s: self.warmup,
            load: self.load,
            threads: self.threads,
            debug_build: cfg!(debug_assertions),
        });
        let report = self.report(machine, &model, &workload, measured, watched, start_up);
        Ok(Report { clock_ns: clock.cost_ns(), warnings, ..report })
    }

    fn report(
        &self,
        machine: Machine,
        model: &Model,
        workload: &Workload,
        measured: Measured,
        watched: Watched,
        start_up: Option<StartUp>,
    ) -> Report {
        let manifest = model.manifest();
        let (spotter, verifier) = model.sizes();
        let binary = std::env::current_exe().ok().and_then(|path| fs::metadata(path).ok());
        Report {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build: Build::of_this_program(),
            machine,
            runtime: Runtime::chosen().unwrap_or(Runtime::Embedded).describe(),
            model: manifest.id(),
            model_sha256: [manifest.spotter.sha256.clone(), manifest.verifier.sha256.clone()],
            sizes: Sizes {
                binary: binary.map(|file| file.len()),
                model: ModelSizes { spotter: spotter as u64, verifier: verifier as u64 },
            },
            workload: WorkloadUsed {
                name: workload.name().to_owned(),
                sha256: workload.sha256(),
                words: workload.words().len(),
            },
            mode: if self.pace { "paced" } else { "throughput" }.to_owned(),
            device_hz: self.rate,
            threads: self.threads,
            load_threads: self.load,
            warmup_s: self.warmup,
            wall_s: measured.wall_s,
            audio_s: measured.audio_s,
            speed: measured.speed(),
            hops: measured.hops,
            candidates: measured.candidates,
            rtf: measured.rtf(),
            cpu_s_per_audio_s: measured.cpu_s.map(|cpu| cpu / measured.audio_s),
            clock_ns: 0.0,
            stages: measured.rows,
            delay: measured.delay,
            start_up,
            watched,
            warnings: Vec::new(),
        }
    }
}

fn read_budget(path: &Path) -> Result<Budget> {
    let text = fs::read_to_string(path).map_err(|error| Error::io("read", path, &error))?;
    let keys = "benches/README.md has all limits";
    parse::<Budget>(&text, keys)
        .and_then(|budget| budget.validate().map(|()| budget))
        .map_err(|error| error.context(path.display()))
}

/// A stage by its name.
fn stage(name: &str) -> std::result::Result<Stage, String> {
    let names = || Stage::ALL.map(Stage::as_str).join(", ");
    let found = Stage::ALL.into_iter().find(|stage| stage.as_str() == name);
    found.ok_or_else(|| format!("expected one of {}", names()))
}
