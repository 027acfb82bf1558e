//! Whether verdicts hang on where a stream began: the spotter takes several frames at a time, so
//! that a recording begun a little later puts its steps elsewhere.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wakegate::audio::{SAMPLE_RATE, Source, read_all};
use wakegate::decision::Verdict;
use wakegate::model::Model;
use wakegate::pipeline::{Activation, Pipeline};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::decode::FileSource;
use wakegate_lab::eval::figures::Share;

use crate::commands::output;

/// Most beginnings that are tried.
pub const MOST: usize = 1280;

/// How many recordings are judged otherwise where they begin otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Phases {
    /// The model that judged, `name-version`.
    pub model: String,
    /// Beginnings that were tried.
    pub phases: usize,
    /// From one beginning to the next, in milliseconds.
    pub apart_ms: f64,
    /// Recordings that are accepted from some beginnings and not from others, of those with an
    /// activation from any.
    pub flips: Share,
    /// How far p_intended of the best activation lies apart, on average over those recordings.
    pub mean_spread: f64,
    /// Those that flip.
    pub flipping: Vec<String>,
}

/// Judges every recording from `phases` beginnings within one step of the spotter.
///
/// # Errors
/// As reading a recording and judging it.
pub fn measure(
    model: &Model,
    recordings: &[PathBuf],
    phases: usize,
    threshold: Option<f32>,
    confidence: f64,
) -> Result<Phases> {
    if !(2..=MOST).contains(&phases) {
        return Err(Error::new(ErrorKind::Settings, "--phases is refused")
            .expected(format!("2 to {MOST}"))
            .found(phases.to_string()));
    }
    let manifest = model.manifest();
    let step = manifest.spotter.frames_per_step * manifest.hop_samples();
    let mut pipeline = Pipeline::new(model)?;
    let (mut heard, mut spread, mut flipping) = (0_u64, 0.0, Vec::new());
    for path in recordings {
        let samples = read(path)?;
        let mut best = Vec::with_capacity(phases);
        for phase in 0..phases {
            best.push(judge(&mut pipeline, &samples, phase * step / phases)?);
        }
        if best.iter().all(Option::is_none) {
            continue;
        }
        heard += 1;
        let score = |best: &Option<Activation>| best.map_or(0.0, |a| a.posteriors.intended());
        let scores = || best.iter().map(score);
        spread += f64::from(scores().fold(0.0, f32::max) - scores().fold(1.0, f32::min));
        let accepted = |best: &Option<Activation>| match threshold {
            Some(least) => best.is_some() && score(best) >= least,
            None => best.is_some_and(|a| a.verdict == Verdict::Intended),
        };
        let count = best.iter().filter(|best| accepted(best)).count();
        if (1..phases).contains(&count) {
            flipping.push(path.display().to_string());
        }
    }
    let flips = Share::new(flipping.len() as u64, heard, confidence)?;
    let apart_ms = 1e3 * step as f64 / phases as f64 / f64::from(SAMPLE_RATE);
    let mean_spread = if heard == 0 { 0.0 } else { spread / heard as f64 };
    Ok(Phases { model: manifest.id(), phases, apart_ms, flips, mean_spread, flipping })
}

fn read(path: &Path) -> Result<Vec<f32>> {
    let mut source = FileSource::open(path).map_err(|error| error.context(path.display()))?;
    let samples = read_all(&mut source).map_err(|error| error.context(path.display()))?;
    source
        .warnings()
        .iter()
        .for_each(|found| output::warning(&path.to_string_lossy(), &found.to_string()));
    Ok(samples)
}

/// The best activation of `samples`, begun `later` samples later.
fn judge(pipeline: &mut Pipeline, samples: &[f32], later: usize) -> Result<Option<Activation>> {
    pipeline.reset()?;
    let mut best: Option<Activation> = None;
    let mut keep = |found: Activation| {
        if best.is_none_or(|best| found.posteriors.intended() > best.posteriors.intended()) {
            best = Some(found);
        }
    };
    pipeline.push(&vec![0.0; later], &mut keep)?;
    pipeline.push(samples, &mut keep)?;
    pipeline.finish(&mut keep)?;
    Ok(best)
}
