//! What holds for any recordings, labels and detections.

use proptest::collection::vec;
use proptest::prelude::*;
use wakegate_lab::eval::bootstrap_units::BootstrapUnits;
use wakegate_lab::eval::det::Sweep;
use wakegate_lab::eval::event::{Detection, Rules, events};
use wakegate_lab::eval::groups;
use wakegate_lab::eval::groups::Points;
use wakegate_lab::eval::matching::{Recording, Span, WHOLE};
use wakegate_lab::eval::outcomes::Outcomes;

/// Few scores and close times, so that ties, merges and overlaps are common.
fn recording() -> impl Strategy<Value = Recording> {
    let span = (0_u64..2_000, 1_u64..300, any::<bool>(), 0_usize..4, 0_u8..12);
    let detection = (0_u64..2_600, 0_u8..10);
    (vec(span, 0..5), vec(detection, 0..20), 0_usize..4).prop_map(|(spans, detections, unit)| {
        let spans =
            spans.into_iter().enumerate().map(|(row, (start, length, wanted, unit, whole))| {
                let (start, end) = if whole == 0 { (0, WHOLE) } else { (start, start + length) };
                Span { start, end, wanted, unit, row }
            });
        let detections = detections.into_iter().map(|(time, score)| Detection {
            time,
            decided: Some(time + 80),
            score: f32::from(score) / 10.0,
            accepted: score >= 5,
            reason: String::new(),
        });
        Recording::new(Some(2_500), unit, spans.collect(), detections.collect())
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    (0_u64..100, 0_u64..400, 0_u64..200).prop_map(|(merge, refractory, tolerance)| Rules {
        rate_hz: 100,
        merge,
        refractory,
        tolerance,
    })
}

proptest! {
    #[test]
    fn every_event_has_one_fate(recordings in vec(recording(), 0..6), rules in rules()) {
        let tally = Outcomes::of(&recordings, &rules, |d| d.accepted);
        let hits = tally.targets().filter(|target| target.accepted).count();
        let all: usize = recordings
            .iter()
            .map(|r| events(r.detections(), &rules, |d| d.accepted).len())
            .sum();
        prop_assert_eq!(hits + tally.repeats + tally.false_accepts.len(), all);
        prop_assert!(tally.outcomes.iter().all(|o| !o.accepted || o.score.is_some()));
        let spans: usize = recordings.iter().map(|r| r.spans().len()).sum();
        prop_assert_eq!(tally.outcomes.len(), spans);
    }

    #[test]
    fn the_curve_is_the_tally_at_each_threshold(recordings in vec(recording(), 1..6), rules in rules()) {
        let curve = Sweep::new(&recordings, &rules, 1_000).curve(&rules, None);
        for point in &curve.points {
            let tally = Outcomes::of(&recordings, &rules, |d| d.score >= point.threshold);
            let misses = tally.targets().filter(|target| !target.accepted).count() as u64;
            prop_assert_eq!(point.misses, misses);
            prop_assert_eq!(point.false_accepts, tally.false_accepts.len() as u64);
        }
    }

    #[test]
    fn drawing_everybody_once_is_the_curve_itself(recordings in vec(recording(), 1..6), rules in rules()) {
        let sweep = Sweep::new(&recordings, &rules, 1_000);
        let once = vec![1; BootstrapUnits::of(&recordings).count()];
        prop_assert_eq!(sweep.curve(&rules, Some(&once)), sweep.curve(&rules, None));
        let twice = vec![2; BootstrapUnits::of(&recordings).count()];
        let (one, two) = (sweep.curve(&rules, None), sweep.curve(&rules, Some(&twice)));
        prop_assert_eq!(two.targets, 2 * one.targets);
        for (one, two) in one.points.iter().zip(&two.points) {
            prop_assert_eq!((2 * one.misses, 2 * one.false_accepts), (two.misses, two.false_accepts));
        }
    }

    #[test]
    fn the_parts_are_the_whole(recordings in vec(recording(), 1..6), rules in rules()) {
        let tally = Outcomes::of(&recordings, &rules, |d| d.accepted);
        let name = |place: wakegate_lab::eval::outcomes::RecordingPlace| {
            (place.recording % 2 + place.span.unwrap_or(0) % 3).to_string()
        };
        let lax = [(9.0, Outcomes::of(&recordings, &rules, |_| true))];
        let points = Points { here: &tally, at: &lax };
        let groups = groups::by(&recordings, points, &rules, 0.95, name).unwrap();
        let missed_lax: u64 =
            groups.iter().flat_map(|group| &group.miss_at).map(|at| at.frr.k).sum();
        let expected = lax[0].1.targets().filter(|target| !target.accepted).count();
        prop_assert_eq!(missed_lax, expected as u64);
        let targets: u64 = groups.iter().map(|group| group.frr.n).sum();
        let missed: u64 = groups.iter().map(|group| group.frr.k).sum();
        let falses: u64 = groups.iter().map(|group| group.false_accepts.count).sum();
        let hours: f64 = groups.iter().map(|group| group.false_accepts.hours).sum();
        prop_assert_eq!(targets, tally.targets().count() as u64);
        prop_assert_eq!(missed, tally.targets().filter(|target| !target.accepted).count() as u64);
        prop_assert_eq!(falses, tally.false_accepts.len() as u64);
        let exposed: u64 = recordings.iter().map(|r| r.exposed(&rules).unwrap()).sum();
        prop_assert!((hours - rules.seconds(exposed) / 3600.0).abs() < 1e-9);
    }
}
