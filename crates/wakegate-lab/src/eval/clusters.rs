//! Whether false accepts come one by one or in clusters.
//!
//! Garwood's interval of a rate holds where events are independent and equally likely at any
//! time: a Poisson process. Then the counts of equal blocks of time vary as much as their mean
//! says, and the ratio of the two, Fisher's index of dispersion (1950), is about 1. In clusters
//! they vary more, and an interval that takes them as independent is too narrow.

use serde::Serialize;

use super::bootstrap_units::BootstrapUnits;
use super::event::Rules;
use super::matching::Recording;
use super::outcomes::Outcomes;
use super::random::Random;

/// Chance below which clusters are taken to be none of it.
const LEVEL: f64 = 0.01;
/// Most and fewest draws of the test, and events that are drawn in all.
const DRAWS: [u64; 3] = [9_999, 999, 2_000_000];

/// What the counts of the blocks say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Clusters {
    /// Blocks of time, without overlap.
    pub blocks: usize,
    /// Variance of their counts, each against what its time lets expect, by its mean: about 1
    /// for independent events.
    pub dispersion: f64,
    /// The chance of so much or more where as many events fall on the blocks independently.
    pub p_value: f64,
    /// Whether that is less than 1 in 100.
    pub found: bool,
}

/// False accepts, and the hours in which there could be any, by unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Exposure {
    falses: Vec<u64>,
    hours: Vec<f64>,
}

impl Exposure {
    /// Of a tally of `recordings`, whose units are `units`.
    pub fn of(
        recordings: &[Recording],
        tally: &Outcomes,
        rules: &Rules,
        units: &BootstrapUnits,
    ) -> Self {
        let mut found = Self { falses: vec![0; units.count()], hours: vec![0.0; units.count()] };
        for recording in recordings {
            for (unit, samples) in recording.exposed_by_unit(rules) {
                found.hours[unit] += rules.seconds(samples) / 3600.0;
            }
        }
        for alarm in &tally.false_accepts {
            let recording = &recordings[alarm.place.recording];
            found.falses[recording.unit_at(alarm.event.time)] += 1;
        }
        found
    }

    /// Of counts and hours by unit.
    pub fn new(falses: Vec<u64>, hours: Vec<f64>) -> Self {
        Self { falses, hours }
    }

    /// Which units have time for a false accept.
    pub fn with_time(&self) -> impl Iterator<Item = usize> {
        self.hours.iter().enumerate().filter(|(_, hours)| **hours > 0.0).map(|(unit, _)| unit)
    }

    /// False accepts an hour, each unit as often as `weights` say; none in no time.
    pub fn per_hour(&self, weights: &[u32]) -> Option<f64> {
        let (mut falses, mut hours) = (0, 0.0);
        for ((&count, &time), &weight) in self.falses.iter().zip(&self.hours).zip(weights) {
            falses += count * u64::from(weight);
            hours += time * f64::from(weight);
        }
        (hours > 0.0).then(|| falses as f64 / hours)
    }

    /// Tests the blocks of time for clusters: by Fisher's index, whose distribution for so many
    /// events in these blocks is drawn, since the chi-squared one does not hold for few. `None`
    /// for less than two blocks or events.
    pub fn clusters(&self, units: &BootstrapUnits, seed: u64) -> Option<Clusters> {
        let sum = |block: &[usize]| {
            let falses: u64 = block.iter().map(|&unit| self.falses[unit]).sum();
            (falses, block.iter().map(|&unit| self.hours[unit]).sum::<f64>())
        };
        let blocks: Vec<(u64, f64)> =
            units.each_block().map(sum).filter(|(_, hours)| *hours > 0.0).collect();
        let events: u64 = blocks.iter().map(|(count, _)| count).sum();
        if blocks.len() < 2 || events < 2 {
            return None;
        }
        let hours: f64 = blocks.iter().map(|(_, hours)| hours).sum();
        let expected: Vec<f64> =
            blocks.iter().map(|(_, time)| time / hours * events as f64).collect();
        let dispersion = |counts: &[u64]| {
            let parts = counts.iter().zip(&expected);
            let sum: f64 = parts.map(|(&count, &mean)| (count as f64 - mean).powi(2) / mean).sum();
            sum / (blocks.len() - 1) as f64
        };
        let mut counts: Vec<u64> = blocks.iter().map(|(count, _)| *count).collect();
        let here = dispersion(&counts);
        let ends: Vec<f64> = expected
            .iter()
            .scan(0.0, |end, mean| {
                *end += mean / events as f64;
                Some(*end)
            })
            .collect();
        let [most, fewest, all] = DRAWS;
        let draws = (all / events).clamp(fewest, most);
        let mut random = Random::new(seed);
        let mut as_much = 0;
        for _ in 0..draws {
            counts.fill(0);
            for _ in 0..events {
                let at = random.unit();
                counts[ends.partition_point(|&end| end <= at).min(blocks.len() - 1)] += 1;
            }
            // Sums of the same counts in another order differ by some roundings.
            as_much += u64::from(dispersion(&counts) >= here * (1.0 - 1e-9));
        }
        // The counts themselves are one draw more (Davison and Hinkley, 1997).
        let p_value = (1 + as_much) as f64 / (1 + draws) as f64;
        Some(Clusters { blocks: blocks.len(), dispersion: here, p_value, found: p_value < LEVEL })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::bootstrap_units::CELLS;

    /// Events in the first cell of each block; as many hours in every cell.
    fn exposure(counts: &[u64]) -> (Exposure, BootstrapUnits) {
        let cells = counts.len() * CELLS;
        let mut falses = vec![0; cells];
        counts.iter().enumerate().for_each(|(block, &count)| falses[block * CELLS] = count);
        (Exposure::new(falses, vec![0.1; cells]), BootstrapUnits::stream(cells))
    }

    fn tested(counts: &[u64]) -> Option<Clusters> {
        let (exposure, units) = exposure(counts);
        exposure.clusters(&units, 1)
    }

    #[test]
    fn the_index_is_variance_by_mean() {
        // The mean is 2 and the squared differences are 4, 0, 1 and 1: 6 / 2, by 4 blocks less one.
        let found = tested(&[0, 2, 3, 3]).unwrap();
        assert_eq!(found.blocks, 4);
        assert!((found.dispersion - 1.0).abs() < 1e-12, "{found:?}");
        assert!(found.p_value > 0.3 && !found.found, "{found:?}");
    }

    #[test]
    fn two_events_in_one_of_a_hundred_blocks_have_the_chance_of_one_in_a_hundred() {
        let mut counts = vec![0; 100];
        counts[40] = 2;
        let found = tested(&counts).unwrap();
        // Where the chi-squared distribution says 1e-8.
        assert!((0.008..0.013).contains(&found.p_value), "{found:?}");
        counts[40] = 3;
        assert!(tested(&counts).unwrap().found);
        counts[40] = 1;
        assert_eq!(tested(&counts), None);
    }

    #[test]
    fn a_block_with_less_time_lets_expect_less() {
        let (mut exposure, units) = exposure(&[8, 4]);
        let even = exposure.clusters(&units, 1).unwrap();
        exposure.hours[CELLS..].fill(0.05);
        let fair = exposure.clusters(&units, 1).unwrap();
        assert!(fair.dispersion < 1e-12 && fair.p_value > 0.99, "{fair:?}");
        assert!(even.dispersion > 1.0, "{even:?}");
        assert_eq!(exposure.with_time().count(), 2 * CELLS);
        let rate = exposure.per_hour(&[1; 2 * CELLS]).unwrap();
        assert!((rate - 12.0 / 1.5).abs() < 1e-9, "{rate}");
        assert_eq!(exposure.per_hour(&[0; 2 * CELLS]), None);
    }
}
