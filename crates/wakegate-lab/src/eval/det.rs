//! Detection error trade-off: the miss rate against false accepts an hour, over all thresholds.

use serde::Serialize;

use super::bootstrap_units::BootstrapUnits;
use super::event::{Rules, events};
use super::matching::{Fate, Recording, fates};

/// What happens at one threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// A detection with at least this score is accepted.
    pub threshold: f32,
    /// Targets without a hit.
    pub misses: u64,
    /// False accepts.
    pub false_accepts: u64,
}

/// The whole curve: at every threshold, events are made, merged and matched afresh.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// From strict to lax.
    thresholds: Vec<f32>,
    units: Vec<Unit>,
}

/// What one unit of the bootstrap adds to the curve.
#[derive(Debug, Clone, Default, PartialEq)]
struct Unit {
    targets: u64,
    exposed: u64,
    /// By how much the hits and the false accepts change at the threshold of this number.
    changes: Vec<(usize, i64, i64)>,
}

/// A curve with what it is a share of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// Targets.
    pub targets: u64,
    /// Hours in which an event would be a false accept.
    pub hours: f64,
    /// From strict to lax; the first accepts nothing, its threshold is infinite.
    pub points: Vec<Point>,
}

impl Sweep {
    /// Sweeps over the scores that occur, or over `most` of them spread evenly by rank.
    pub fn new(recordings: &[Recording], rules: &Rules, most: usize) -> Self {
        let thresholds = thresholds(recordings, most.max(2));
        let units = BootstrapUnits::of(recordings).count();
        let mut sweep = Self { thresholds, units: vec![Unit::default(); units] };
        for recording in recordings {
            sweep.add(recording, rules);
        }
        sweep
    }

    fn add(&mut self, recording: &Recording, rules: &Rules) {
        for (unit, samples) in recording.exposed_by_unit(rules) {
            self.units[unit].exposed += samples;
        }
        for span in recording.spans().iter().filter(|span| span.wanted) {
            self.units[span.unit].targets += 1;
        }
        // Nothing changes but where a score of this recording is passed.
        let passed = |score: f32| self.thresholds.partition_point(|&t| t > score);
        let mut places: Vec<usize> =
            recording.detections().iter().map(|detection| passed(detection.score)).collect();
        places.sort_unstable();
        places.dedup();
        let mut was_hit = vec![false; recording.spans().len()];
        // False accepts by the recording's units.
        let first = recording.unit;
        let mut was_false = vec![0; recording.units().len()];
        for place in places {
            // Below the last threshold nothing is accepted.
            let Some(&threshold) = self.thresholds.get(place) else { continue };
            let found = events(recording.detections(), rules, |d| d.score >= threshold);
            let mut hit = vec![false; was_hit.len()];
            let mut now_false = vec![0; was_false.len()];
            for (event, fate) in found.iter().zip(fates(recording, &found, rules)) {
                match fate {
                    Fate::Hit(index) => hit[index] = true,
                    Fate::Repeat(_) => {}
                    Fate::False(_) => now_false[recording.unit_at(event.time) - first] += 1,
                }
            }
            for (index, span) in recording.spans().iter().enumerate() {
                let change = i64::from(hit[index]) - i64::from(was_hit[index]);
                if change != 0 {
                    self.units[span.unit].changes.push((place, change, 0));
                }
            }
            for (index, (now, was)) in now_false.iter().zip(&was_false).enumerate() {
                if now != was {
                    self.units[first + index].changes.push((place, 0, now - was));
                }
            }
            (was_hit, was_false) = (hit, now_false);
        }
    }

    /// The curve, each unit as often as `weights` say, or once.
    pub fn curve(&self, rules: &Rules, weights: Option<&[u32]>) -> Curve {
        let mut changes = vec![(0_i64, 0_i64); self.thresholds.len()];
        let (mut targets, mut exposed) = (0, 0);
        for (index, unit) in self.units.iter().enumerate() {
            let weight = weights.and_then(|w| w.get(index)).map_or(1, |&w| u64::from(w));
            if weight == 0 {
                continue;
            }
            targets += weight * unit.targets;
            exposed += weight * unit.exposed;
            for &(place, hits, falses) in &unit.changes {
                changes[place].0 += weight as i64 * hits;
                changes[place].1 += weight as i64 * falses;
            }
        }
        let first = Point { threshold: f32::INFINITY, misses: targets, false_accepts: 0 };
        let mut points = vec![first];
        let (mut hits, mut falses) = (0_i64, 0_i64);
        for (&threshold, change) in self.thresholds.iter().zip(changes) {
            hits += change.0;
            falses += change.1;
            points.push(Point {
                threshold,
                misses: targets.saturating_sub(hits.unsigned_abs()),
                false_accepts: falses.unsigned_abs(),
            });
        }
        Curve { targets, hours: rules.seconds(exposed) / 3600.0, points }
    }
}

impl Curve {
    /// The point with the fewest misses among those with at most so many false accepts an hour;
    /// `None` without targets or without an hour.
    pub fn at(&self, false_accepts_per_hour: f64) -> Option<Point> {
        if self.targets == 0 || self.hours <= 0.0 {
            return None;
        }
        let most = false_accepts_per_hour * self.hours;
        self.points
            .iter()
            .filter(|point| point.false_accepts as f64 <= most)
            .min_by_key(|point| point.misses)
            .copied()
    }

    /// The miss rate at at most so many false accepts an hour; `None` as for [`at`](Self::at).
    pub fn miss_rate_at(&self, false_accepts_per_hour: f64) -> Option<f64> {
        self.at(false_accepts_per_hour).map(|point| point.misses as f64 / self.targets as f64)
    }
}

/// The different scores of all detections from strict to lax, at most `most` of them.
fn thresholds(recordings: &[Recording], most: usize) -> Vec<f32> {
    let mut all: Vec<f32> =
        recordings.iter().flat_map(|r| r.detections().iter().map(|d| d.score)).collect();
    all.sort_by(|a, b| b.total_cmp(a));
    all.dedup();
    if all.len() <= most {
        return all;
    }
    (0..most).map(|n| all[n * (all.len() - 1) / (most - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::event::Detection;
    use crate::eval::matching::Span;

    const RULES: Rules = Rules { rate_hz: 1, merge: 5, refractory: 20, tolerance: 10 };

    fn detection(time: u64, score: f32) -> Detection {
        Detection { time, decided: None, score, accepted: false, reason: String::new() }
    }

    fn recordings() -> Vec<Recording> {
        let span = |start, unit| Span { start, end: start + 10, wanted: true, unit, row: 0 };
        let talk = vec![detection(105, 0.9), detection(300, 0.4), detection(3_000, 0.6)];
        // Frames of one event: the merged event counts once, however lax the threshold.
        let scores = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
        let noise = (500..).zip(scores).map(|(time, score)| detection(time, score)).collect();
        vec![
            Recording::new(Some(3_640), 2, vec![span(100, 0), span(290, 1)], talk),
            Recording::new(Some(3_600), 2, Vec::new(), noise),
        ]
    }

    #[test]
    fn every_point_is_what_the_events_at_its_threshold_say() {
        let curve = Sweep::new(&recordings(), &RULES, 1_000).curve(&RULES, None);
        assert_eq!((curve.targets, curve.hours), (2, 2.0));
        let found: Vec<_> =
            curve.points.iter().map(|p| (p.threshold, p.misses, p.false_accepts)).collect();
        let expected = [
            (f32::INFINITY, 2, 0),
            (0.9, 1, 0),
            (0.8, 1, 1),
            (0.7, 1, 1),
            (0.6, 1, 2),
            (0.5, 1, 2),
            (0.4, 0, 2),
            (0.3, 0, 2),
        ];
        assert_eq!(found, expected);
        assert_eq!(curve.miss_rate_at(0.0), Some(0.5));
        assert_eq!(curve.miss_rate_at(0.99), Some(0.5));
        assert_eq!(curve.miss_rate_at(1.0), Some(0.0));
    }

    #[test]
    fn units_count_as_often_as_they_are_drawn() {
        let sweep = Sweep::new(&recordings(), &RULES, 1_000);
        let curve = sweep.curve(&RULES, Some(&[2, 0, 1]));
        assert_eq!((curve.targets, curve.hours), (2, 2.0));
        assert_eq!(curve.miss_rate_at(0.0), Some(0.0));
        let curve = sweep.curve(&RULES, Some(&[0, 3, 2]));
        assert_eq!((curve.targets, curve.hours), (3, 4.0));
        assert_eq!(curve.points.last().map(|p| (p.misses, p.false_accepts)), Some((0, 4)));
        assert_eq!(sweep.curve(&RULES, Some(&[0, 0, 1])).at(1.0), None, "no targets");
        assert_eq!(sweep.curve(&RULES, Some(&[1, 1, 0])).at(1.0), None, "no hours");
    }

    #[test]
    fn too_many_scores_are_thinned_with_their_ends_kept() {
        let sweep = Sweep::new(&recordings(), &RULES, 3);
        let curve = sweep.curve(&RULES, None);
        let whole = Sweep::new(&recordings(), &RULES, 1_000).curve(&RULES, None);
        assert_eq!(curve.points.len(), 4);
        for point in &curve.points {
            assert!(whole.points.contains(point), "{point:?} is not on the whole curve");
        }
        assert_eq!(curve.points.last(), whole.points.last());
    }
}
