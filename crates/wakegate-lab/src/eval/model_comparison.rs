//! Two systems on the same labelled recordings.

use serde::Serialize;

use super::bootstrap;
use super::bootstrap::Resampling;
use super::bootstrap_units::BootstrapUnits;
use super::figures::{Estimate, PerHour, Settings};
use super::matching::Recording;
use super::outcomes::Outcomes;
use super::paired::{Comparison, Pairs};
use wakegate::{Error, ErrorKind, Result};

/// What a comparison says; every difference is the first's less the second's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelComparison {
    /// Accepted targets. McNemar and Tango take the targets as independent.
    pub targets: Comparison,
    /// The same difference with an interval over units, which are.
    pub targets_by_unit: Estimate,
    /// Accepted labelled negatives.
    pub negatives: Comparison,
    /// The same difference with an interval over units.
    pub negatives_by_unit: Estimate,
    /// The false accepts an hour of both.
    pub false_accepts: [PerHour; 2],
    /// Their difference with an interval over units.
    pub false_accepts_by_unit: Estimate,
}

impl ModelComparison {
    /// Compares two systems by their tallies of the same recordings.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] where the two have not the same recordings with the same labels.
    pub fn of(
        first: (&[Recording], &Outcomes),
        second: (&[Recording], &Outcomes),
        settings: &Settings,
    ) -> Result<Self> {
        let same =
            first.0.len() == second.0.len()
                && first.0.iter().zip(second.0).all(|(a, b)| {
                    (a.length, a.units(), a.spans()) == (b.length, b.units(), b.spans())
                });
        if !same {
            return Err(Error::new(ErrorKind::Settings, "the two systems can't be compared")
                .expected("the same recordings with the same labels")
                .found(format!("{} and {} recordings", first.0.len(), second.0.len())));
        }
        let outcomes = || first.1.outcomes.iter().zip(&second.1.outcomes);
        let pairs = |wanted: bool| {
            let some = outcomes().filter(move |(a, _)| a.wanted == wanted);
            Pairs::count(some.map(|(a, b)| (a.accepted, b.accepted)))
        };
        let hours = |recordings: &[Recording]| {
            let exposed: u64 = recordings.iter().filter_map(|r| r.exposed(&settings.rules)).sum();
            settings.rules.seconds(exposed) / 3600.0
        };
        let rate = |(recordings, tally): (&[Recording], &Outcomes)| {
            let count = tally.false_accepts.len() as u64;
            PerHour::new(count, hours(recordings), settings.confidence)
        };
        let false_accepts = [rate(first)?, rate(second)?];

        let units = BootstrapUnits::of(first.0);
        let parts = parts(&units, first, second, settings);
        let resampling =
            Resampling { units: &units, count: settings.resamples, seed: settings.seed };
        let value = differences(&parts, None);
        let intervals = bootstrap::intervals(resampling, settings.confidence, |weights| {
            differences(&parts, Some(weights)).to_vec()
        });
        let estimate = |index: usize| Estimate {
            value: value[index],
            interval: intervals.get(index).copied().flatten().filter(|_| value[index].is_some()),
        };
        Ok(Self {
            targets: pairs(true).compare(settings.confidence)?,
            targets_by_unit: estimate(0),
            negatives: pairs(false).compare(settings.confidence)?,
            negatives_by_unit: estimate(1),
            false_accepts,
            false_accepts_by_unit: estimate(2),
        })
    }
}

/// What a unit adds to each difference: how many more the first accepts, of how many.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    more: [i64; 3],
    of: [f64; 3],
}

fn parts(
    units: &BootstrapUnits,
    first: (&[Recording], &Outcomes),
    second: (&[Recording], &Outcomes),
    settings: &Settings,
) -> Vec<Part> {
    let mut parts = vec![Part::default(); units.count()];
    for (a, b) in first.1.outcomes.iter().zip(&second.1.outcomes) {
        let place = usize::from(!a.wanted);
        parts[a.unit].more[place] += i64::from(a.accepted) - i64::from(b.accepted);
        parts[a.unit].of[place] += 1.0;
    }
    for recording in first.0 {
        for (unit, samples) in recording.exposed_by_unit(&settings.rules) {
            parts[unit].of[2] += settings.rules.seconds(samples) / 3600.0;
        }
    }
    for (tally, sign) in [(first.1, 1), (second.1, -1)] {
        for found in &tally.false_accepts {
            let recording = &first.0[found.place.recording];
            parts[recording.unit_at(found.event.time)].more[2] += sign;
        }
    }
    parts
}

fn differences(parts: &[Part], weights: Option<&[u32]>) -> [Option<f64>; 3] {
    std::array::from_fn(|place| {
        let (mut more, mut of) = (0.0, 0.0);
        for (index, part) in parts.iter().enumerate() {
            let weight = weights.map_or(1.0, |weights| f64::from(weights[index]));
            more += weight * part.more[place] as f64;
            of += weight * part.of[place];
        }
        (of > 0.0).then(|| more / of)
    })
}
