//! `wakegate model`: prints and validates a package.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use clap::{Args, Subcommand};
use wakegate::audio::SAMPLE_RATE;
use wakegate::decision::{Thresholds, decide};
use wakegate::frontend::FrontEnd;
use wakegate::model::{Manifest, Model, Runtime};
use wakegate::{Error, Result};

use super::queue_location::settings;
use super::{Outcome, RuntimeChoice, open_model, output};

/// Style of a check that passed.
const OK: Style = AnsiColor::Green.on_default().bold();
/// Style of a check that failed.
const FAIL: Style = AnsiColor::Red.on_default().bold();
/// Seconds of input that `check` runs through each network.
const CHECK_S: usize = 4;

/// Print or validate a model package
#[derive(Subcommand)]
#[command(after_help = "Examples:\n  \
        wakegate model show\n  \
        wakegate model check models/jarvis-2\n  \
        wakegate model check --config /etc/wakegate/wakegate.toml")]
pub enum ModelCommand {
    /// Print what a package says about itself: its manifest and its model card
    Show(Show),
    /// Validate a package: manifest, hashes, names, shapes, and both networks on this runtime
    ///
    /// Exit code: 0 every check passed, 1 one failed, 2 could not run.
    Check(Check),
}

#[derive(Args)]
pub struct Show {
    #[command(flatten)]
    packages: Packages,
}

#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    packages: Packages,
    #[command(flatten)]
    runtime: RuntimeChoice,
}

#[derive(Args)]
struct Packages {
    /// Directory of the package [default: the model in the binary]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The settings: the package of each of their wake words
    #[arg(long, value_name = "FILE", conflicts_with = "directory")]
    config: Option<PathBuf>,
}

impl Packages {
    /// The directories; nothing for the model in the binary.
    fn directories(self) -> Result<Vec<Option<PathBuf>>> {
        let Some(file) = self.config else { return Ok(vec![self.directory]) };
        Ok(settings(Some(&file), None)?.wake_word.into_iter().map(|word| word.model).collect())
    }
}

impl ModelCommand {
    pub fn run(self) -> Result<Outcome> {
        match self {
            Self::Show(show) => show.run(),
            Self::Check(check) => check.run(),
        }
    }
}

impl Show {
    fn run(self) -> Result<Outcome> {
        for (index, directory) in self.packages.directories()?.iter().enumerate() {
            if index > 0 {
                output::line(format_args!(""))?;
            }
            Self::package(directory.as_deref())?;
        }
        Ok(Outcome::AllWell)
    }

    fn package(directory: Option<&Path>) -> Result<()> {
        let model = open_model(directory)?;
        let manifest = model.manifest();
        let (spotter, verifier) = model.sizes();
        let decision = &manifest.decision;
        let rows = [
            ("model", manifest.id()),
            ("wake word", manifest.wake_word.clone()),
            ("licence", manifest.licence.clone()),
            ("from", model.origin().to_owned()),
            ("front end", front_end(manifest)),
            ("spotter", file_row(&manifest.spotter.file, spotter, &manifest.spotter.sha256)),
            ("candidates", candidates(manifest)),
            ("verifier", file_row(&manifest.verifier.file, verifier, &manifest.verifier.sha256)),
            (
                "window",
                format!(
                    "{} s before the word's end, {} s after; {} frames",
                    manifest.verifier.before_s,
                    manifest.verifier.after_s,
                    manifest.window_frames()
                ),
            ),
            ("early", early(manifest)),
            (
                "verdicts",
                format!(
                    "intended at {}, accidental below {}, unsure between",
                    decision.intended_at, decision.accidental_below
                ),
            ),
        ];
        for (name, text) in rows {
            output::line(format_args!("{name:<11} {text}"))?;
        }
        output::line(format_args!("\n{}", model.card().trim_end()))
    }
}

fn early(manifest: &Manifest) -> String {
    let Some(early) = &manifest.verifier.early else { return "no verdict".to_owned() };
    let after: Vec<String> = early.after_s.iter().map(f64::to_string).collect();
    format!(
        "from {} s after on: intended at {} in a pause, accidental below {}, {} in a row",
        after.join(", "),
        early.intended_at,
        early.accidental_below,
        early.consecutive
    )
}

fn front_end(manifest: &Manifest) -> String {
    let settings = &manifest.frontend;
    format!(
        "{} mel bands from {} to {} Hz, {} ms window, {} ms hop",
        settings.mel_bands, settings.low_hz, settings.high_hz, settings.window_ms, settings.hop_ms
    )
}

fn candidates(manifest: &Manifest) -> String {
    let spotter = &manifest.spotter;
    format!(
        "at {} for {} of {} ms, highest within {} s, at least {} s apart",
        spotter.threshold,
        output::counted(spotter.patience_steps as usize, "step"),
        spotter.frames_per_step as f64 * manifest.frontend.hop_ms,
        spotter.peak_search_s,
        spotter.refractory_s
    )
}

fn file_row(file: &str, bytes: usize, sha256: &str) -> String {
    format!("{file}, {:.0} kB, sha256 {}...", bytes as f64 / 1000.0, &sha256[..12])
}

impl Check {
    fn run(self) -> Result<Outcome> {
        self.runtime.choose()?;
        let runtime = Runtime::chosen().unwrap_or(Runtime::Embedded);
        let mut checks = Checks::default();
        for directory in self.packages.directories()? {
            if let Some(directory) = directory.as_deref().filter(|directory| !directory.is_dir()) {
                // Nothing was checked: as every command says of a model that is not there.
                return open_model(Some(directory)).map(|_| Outcome::AllWell);
            }
            let opened = open_model(directory.as_deref());
            let name = |model: &Model| format!("{} ({})", model.manifest().id(), model.origin());
            if let Some(model) = checks.add("package", opened, name)? {
                output::line(format_args!("         runtime: {}", runtime.describe()))?;
                checks.add("spotter", spotter(&model), String::clone)?;
                checks.add("verifier", verifier(&model), String::clone)?;
            }
        }
        Ok(Outcome::of(checks.failures))
    }
}

#[derive(Default)]
struct Checks {
    failures: usize,
}

impl Checks {
    /// Reports one check and gives its value if it passed.
    fn add<T>(
        &mut self,
        name: &str,
        result: Result<T>,
        say: impl Fn(&T) -> String,
    ) -> Result<Option<T>> {
        match result {
            Ok(value) => {
                output::line(format_args!("{OK}ok{OK:#}       {name}: {}", say(&value)))?;
                Ok(Some(value))
            }
            Err(error) => {
                self.failures += 1;
                output::line(format_args!("{FAIL}FAIL{FAIL:#}     {name}: {error}"))?;
                Ok(None)
            }
        }
    }
}

/// Frames of digital silence and of noise, `[frames, mel_bands]` row-major each.
fn inputs(manifest: &Manifest) -> Result<[Vec<f32>; 2]> {
    let mut frontend = FrontEnd::new(&manifest.frontend)?;
    let count = manifest.window_frames() * frontend.hop_samples() + frontend.window_samples();
    let count = count.max(CHECK_S * SAMPLE_RATE as usize);
    let mut state = 1_u32;
    let noise: Vec<f32> = (0..count)
        .map(|_| {
            // Numerical Recipes' generator: the same noise on every machine.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .map(|sample| sample * 0.1)
        .collect();
    Ok([vec![0.0; count], noise].map(|samples| {
        frontend.reset();
        frontend.process(&samples).iter().copied().collect()
    }))
}

fn spotter(model: &Model) -> Result<String> {
    let manifest = model.manifest();
    let mut spotter = model.spotter()?;
    let step = manifest.spotter.frames_per_step * manifest.frontend.mel_bands;
    let mut peaks = Vec::new();
    let (mut steps, mut elapsed) = (0_u32, 0.0);
    for input in inputs(manifest)? {
        let mut posteriors = [Vec::new(), Vec::new()];
        for run in &mut posteriors {
            spotter.reset()?;
            let start = Instant::now();
            for features in input.chunks_exact(step) {
                run.push(spotter.step(features)?);
            }
            elapsed += start.elapsed().as_secs_f64();
            steps += run.len() as u32;
        }
        let [first, second] = posteriors;
        if first != second {
            return Err(Error::new(wakegate::ErrorKind::Model, "a reset does not clear the state")
                .expected("the same posteriors in a second run"));
        }
        peaks.push(first.iter().copied().fold(0.0_f32, f32::max));
    }
    let (states, values) = spotter.state_size();
    Ok(format!(
        "{states} states of {values} values; highest posterior {:.4} in silence, {:.4} in noise; \
         {:.3} ms a step",
        peaks[0],
        peaks[1],
        elapsed * 1000.0 / f64::from(steps)
    ))
}

fn verifier(model: &Model) -> Result<String> {
    let manifest = model.manifest();
    let decision = &manifest.decision;
    let thresholds = Thresholds::new(decision.intended_at, decision.accidental_below)?;
    let mut verifier = model.verifier()?;
    let window = manifest.window_frames() * manifest.frontend.mel_bands;
    let mut said = Vec::new();
    let mut elapsed = f64::INFINITY;
    for (name, input) in ["silence", "noise"].iter().zip(inputs(manifest)?) {
        for _ in 0..3 {
            let start = Instant::now();
            let verification = verifier.judge(&input[..window])?;
            elapsed = elapsed.min(start.elapsed().as_secs_f64());
            let (verdict, _) = decide(verification.posteriors.to_array(), &thresholds)?;
            said.push(format!("{verdict} for {name}"));
        }
    }
    said.dedup();
    Ok(format!("{}; {:.2} ms a window", said.join(", "), elapsed * 1000.0))
}
