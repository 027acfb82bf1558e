//! What holds for the detector and the verdict whatever the posteriors are.

use proptest::prelude::*;
use wakegate::decision::{
    Candidate, Detector, DetectorSettings, Reason, Thresholds, Verdict, decide,
};

const STEP: u64 = 1280;

fn run(settings: DetectorSettings, posteriors: &[f32]) -> Vec<Candidate> {
    let mut detector = Detector::new(settings).unwrap();
    let steps = (1..).zip(posteriors);
    steps.filter_map(|(k, &p)| detector.push(k * STEP, p).unwrap()).collect()
}

fn settings() -> impl Strategy<Value = DetectorSettings> {
    (0.05..0.95_f32, 1..5_u32, 0..20_000_u64, 1..60_000_u64).prop_map(
        |(threshold, patience_steps, peak_search_samples, refractory_samples)| DetectorSettings {
            threshold,
            patience_steps,
            peak_search_samples,
            refractory_samples,
        },
    )
}

fn posteriors() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(prop_oneof![0.0..=1.0_f32, Just(0.9_f32), Just(0.0_f32)], 0..400)
}

proptest! {
    #[test]
    fn candidates_keep_their_distance(settings in settings(), posteriors in posteriors()) {
        let found = run(settings, &posteriors);
        for pair in found.windows(2) {
            let distance = pair[1].peak_sample - pair[0].peak_sample;
            prop_assert!(distance >= settings.refractory_samples, "{pair:?}");
            prop_assert!(pair[1].found_sample > pair[0].found_sample, "{pair:?}");
        }
        for candidate in found {
            prop_assert!(candidate.peak >= settings.threshold);
            prop_assert!(candidate.peak_sample <= candidate.found_sample);
        }
    }

    #[test]
    fn the_same_posteriors_give_the_same_candidates(
        settings in settings(),
        posteriors in posteriors(),
    ) {
        let found = run(settings, &posteriors);
        prop_assert_eq!(&found, &run(settings, &posteriors));
        let mut detector = Detector::new(settings).unwrap();
        for (k, &p) in (1..).zip(&posteriors) {
            detector.push(k * STEP, p).unwrap();
        }
        detector.reset();
        let again: Vec<_> = (1..)
            .zip(&posteriors)
            .filter_map(|(k, &p)| detector.push(k * STEP, p).unwrap())
            .collect();
        prop_assert_eq!(found, again, "after a reset");
    }

    #[test]
    fn nothing_below_the_threshold_is_a_candidate(
        settings in settings(),
        posteriors in posteriors(),
    ) {
        let low: Vec<f32> = posteriors.iter().map(|p| p * settings.threshold * 0.999).collect();
        prop_assert!(run(settings, &low).is_empty());
    }

    #[test]
    fn a_posterior_that_is_no_probability_is_never_taken(
        settings in settings(),
        posteriors in posteriors(),
        bad in prop_oneof![
            Just(f32::NAN),
            Just(f32::INFINITY),
            Just(f32::NEG_INFINITY),
            1.001..1e30_f32,
            -1e30..-0.001_f32
        ],
    ) {
        let mut detector = Detector::new(settings).unwrap();
        let mut end = 0;
        for p in posteriors {
            end += STEP;
            detector.push(end, p).unwrap();
        }
        prop_assert!(detector.push(end + STEP, bad).is_err());
    }

    #[test]
    fn a_higher_posterior_of_intended_never_makes_a_verdict_worse(
        low in 0.0..=1.0_f32,
        high in 0.0..=1.0_f32,
        share in 0.0..=1.0_f32,
        at in 0.01..=1.0_f32,
        below in 0.01..=1.0_f32,
    ) {
        let thresholds = Thresholds::new(at.max(below), at.min(below)).unwrap();
        let rank = |intended: f32| {
            let rest = 1.0 - intended;
            let posteriors = [intended, rest * share, rest * (1.0 - share)];
            let (verdict, reason) = decide(posteriors, &thresholds).unwrap();
            assert_eq!(verdict == Verdict::Intended, intended >= at.max(below));
            if verdict == Verdict::Accidental {
                assert_ne!(reason, Reason::Intended);
            }
            [Verdict::Accidental, Verdict::Unsure, Verdict::Intended]
                .iter()
                .position(|v| *v == verdict)
        };
        prop_assert!(rank(low.min(high)) <= rank(low.max(high)));
    }
}
