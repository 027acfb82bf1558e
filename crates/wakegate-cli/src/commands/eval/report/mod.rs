//! The page: everything in one file that fetches nothing.

mod audio;
mod list;
mod page;
mod plots;
mod worst;

use std::fs;
use std::path::Path;

use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::eval::matching::Recording;
use wakegate_lab::eval::outcomes::Outcomes;

use super::join::Joined;
use super::labels::Labels;
use super::{Answer, Evaluated, write_whole};
use plots::DetCurve;

/// The plots of the page; one that the data has nothing for is empty.
struct Plots {
    det: String,
    histogram: String,
    reliability: String,
    timeline: String,
}

/// Writes `index.html` and `figures.json` to `folder`, which is made where it is missing.
pub fn write(
    folder: &Path,
    answer: &Answer,
    joined: &Joined,
    labels: &Labels,
    audio: bool,
) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| Error::io("make", folder, &e))?;
    let worst = worst::find(answer, joined, labels, audio);
    let page = page::html(answer, &plots(answer, joined)?, &worst);
    write_whole(&folder.join("index.html"), page.as_bytes())?;
    let json = serde_json::to_vec_pretty(answer).map_err(|error| {
        Error::new(ErrorKind::Io, "cannot write figures.json").found(error.to_string())
    })?;
    write_whole(&folder.join("figures.json"), &json)
}

fn plots(answer: &Answer, joined: &Joined) -> Result<Plots> {
    let figures = &answer.system.figures;
    let curve = &figures.curve;
    let systems: Vec<&Evaluated> =
        [Some(&answer.system), answer.against.as_ref()].into_iter().flatten().collect();
    let some = curve.hours > 0.0 && curve.targets > 0;
    let det = if some {
        let curves: Vec<DetCurve> = systems.iter().map(|system| det_curve(system)).collect();
        plots::det(&curves, &figures.band, curve.hours)?
    } else {
        String::new()
    };
    let scores = |wanted: bool| -> Vec<f32> {
        let triggers = &answer.system.tally.triggers;
        triggers
            .iter()
            .filter(|trigger| trigger.wanted == wanted)
            .map(|trigger| trigger.score)
            .collect()
    };
    let (wanted, others) = (scores(true), scores(false));
    let any = !wanted.is_empty() || !others.is_empty();
    let times: Vec<Vec<f64>> = systems
        .iter()
        .zip(&joined.systems)
        .map(|(system, recordings)| times(recordings, &system.tally, answer))
        .collect();
    let hours = hours_of(&joined.systems[0], answer);
    let name = answer.moment.score();
    Ok(Plots {
        det,
        histogram: if any { plots::histogram([&wanted, &others], name)? } else { String::new() },
        reliability: if any {
            plots::reliability(&figures.reliability, name)?
        } else {
            String::new()
        },
        timeline: if hours > 0.0 && times.iter().any(|times| !times.is_empty()) {
            plots::timeline(&times, hours)?
        } else {
            String::new()
        },
    })
}

/// The lowest miss rate at each number of false accepts.
fn det_curve(system: &Evaluated) -> DetCurve {
    let figures = &system.figures;
    let curve = &figures.curve;
    let mut sorted = curve.points.clone();
    sorted.sort_by_key(|point| (point.false_accepts, std::cmp::Reverse(point.misses)));
    let mut points: Vec<(f64, f64)> = Vec::new();
    let mut fewest = u64::MAX;
    for point in sorted.iter().filter(|_| curve.targets > 0) {
        if point.misses < fewest {
            fewest = point.misses;
            points.push((
                point.false_accepts as f64 / curve.hours,
                point.misses as f64 / curve.targets as f64,
            ));
        }
    }
    let here = figures.false_accepts.value.zip(figures.frr.value);
    DetCurve { points, here }
}

/// Hours of all recordings, one behind the other.
fn hours_of(recordings: &[Recording], answer: &Answer) -> f64 {
    let samples: u64 = recordings.iter().filter_map(|recording| recording.length).sum();
    answer.settings.rules.seconds(samples) / 3600.0
}

/// When each false accept comes, in hours of all recordings.
fn times(recordings: &[Recording], tally: &Outcomes, answer: &Answer) -> Vec<f64> {
    let mut starts = Vec::with_capacity(recordings.len());
    let mut start = 0;
    for recording in recordings {
        starts.push(start);
        start += recording.length.unwrap_or(0);
    }
    let at = |found: &wakegate_lab::eval::outcomes::FalseAccept| {
        answer.settings.rules.seconds(starts[found.place.recording] + found.event.time) / 3600.0
    };
    let mut times: Vec<f64> = tally.false_accepts.iter().map(at).collect();
    times.sort_by(f64::total_cmp);
    times
}
