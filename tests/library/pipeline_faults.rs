//! What goes wrong in a stream stops the pipeline: an error, and no verdict after it.

use crate::cli_support::{RATE, package, package_of, speech_like};
use wakegate::model::Model;
use wakegate::pipeline::{Activation, Pipeline};
use wakegate::{ErrorKind, Result};

fn model(spotter: &str, verifier: &str) -> Model {
    let directory = tempfile::tempdir().unwrap();
    package_of(directory.path(), spotter, verifier);
    Model::open(directory.path()).unwrap()
}

fn sound() -> Model {
    model("spotter", "verifier")
}

fn judge(pipeline: &mut Pipeline, samples: &[f32]) -> Result<Vec<Activation>> {
    let mut found = Vec::new();
    pipeline.push(samples, &mut |activation| found.push(activation))?;
    pipeline.finish(&mut |activation| found.push(activation))?;
    Ok(found)
}

#[test]
fn a_sample_that_is_no_number_stops_the_pipeline_until_a_reset() {
    let samples = speech_like(6.0, 1);
    let mut pipeline = Pipeline::new(&sound()).unwrap();
    let expected = judge(&mut pipeline, &samples).unwrap();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        pipeline.reset().unwrap();
        let mut broken = samples.clone();
        broken[70_000] = bad;
        let mut before = Vec::new();
        let error = pipeline.push(&broken, &mut |a| before.push(a)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "sample 70000 is refused: expected a finite number, found {bad} \
                 (hint: repair the recording, or convert it to 16-bit PCM)"
            )
        );
        assert!(before.iter().all(|a| a.decided_sample <= 70_000));
        assert!(before.len() < expected.len());
        let mut never = |_| panic!("a verdict after an error");
        let stopped = pipeline.push(&samples, &mut never).unwrap_err();
        assert!(stopped.to_string().starts_with("the pipeline is stopped until a reset: sample"));
        assert!(pipeline.finish(&mut never).is_err());
        assert!(pipeline.judge_at(1000).is_err());
        pipeline.reset().unwrap();
        assert_eq!(judge(&mut pipeline, &samples).unwrap(), expected);
    }
}

#[test]
fn samples_far_out_of_range_are_refused_before_a_network_sees_them() {
    let mut pipeline = Pipeline::new(&sound()).unwrap();
    let error = judge(&mut pipeline, &vec![1e25; RATE]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "frame 0 is refused: expected finite mel powers, found samples far beyond -1 to 1 \
         (hint: scale the recording to -1 to 1)"
    );
}

#[test]
fn an_output_that_is_no_number_is_an_error() {
    for (network, message) in [
        ("verifier_nan", "the posterior of intended is refused"),
        ("verifier_nan_score", "the p_wake_word is refused"),
        ("verifier_nan_span", "the verifier's span is refused"),
        ("verifier_range", "the posterior of intended is refused"),
        ("verifier_sum", "the posteriors are refused"),
    ] {
        let mut pipeline = Pipeline::new(&model("spotter", network)).unwrap();
        let error = judge(&mut pipeline, &speech_like(4.0, 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Posterior, "{network}: {error}");
        assert!(error.to_string().starts_with(message), "{network}: {error}");
    }
}

#[test]
fn the_end_of_the_stream_stops_the_pipeline() {
    let mut pipeline = Pipeline::new(&sound()).unwrap();
    judge(&mut pipeline, &speech_like(1.0, 1)).unwrap();
    let error = pipeline.push(&[0.0], &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "the pipeline is stopped until a reset: the stream has ended");
}

#[test]
fn a_stream_without_samples_says_nothing() {
    let mut pipeline = Pipeline::new(&sound()).unwrap();
    assert_eq!(judge(&mut pipeline, &[]).unwrap(), []);
    assert_eq!(pipeline.highest_moment().unwrap(), None);
}

#[test]
fn one_sample_is_enough_for_a_highest_moment() {
    let mut pipeline = Pipeline::new(&sound()).unwrap();
    assert_eq!(judge(&mut pipeline, &[0.1]).unwrap(), []);
    assert!(pipeline.highest_moment().unwrap().is_some());
}

#[test]
fn the_word_lies_inside_the_window_whatever_the_span() {
    let mut pipeline = Pipeline::new(&model("spotter", "verifier_odd_span")).unwrap();
    let found = judge(&mut pipeline, &speech_like(8.0, 4)).unwrap();
    assert!(!found.is_empty());
    for activation in found {
        // The span is of no use, so the word is where the spotter puts it, 0.6 s long.
        let length = activation.end_sample - activation.start_sample;
        assert!(length == 9_600 || activation.start_sample == 0, "{activation:?}");
        assert!(activation.end_sample < activation.decided_sample, "{activation:?}");
    }
}

#[test]
fn an_outside_trigger_at_the_spotters_anchor_gives_the_spotters_scores() {
    let samples = speech_like(8.0, 4);
    let by_spotter = judge(&mut Pipeline::new(&sound()).unwrap(), &samples).unwrap();
    let mut pipeline = Pipeline::without_spotter(&sound()).unwrap();
    let mut found = Vec::new();
    for activation in &by_spotter {
        // The tiny verifier's span ends 0.05 s before the anchor.
        pipeline.judge_at(activation.end_sample + 800).unwrap();
    }
    pipeline.push(&samples, &mut |a| found.push(a)).unwrap();
    pipeline.finish(&mut |a| found.push(a)).unwrap();
    assert!(!by_spotter.is_empty());
    assert_eq!(found.len(), by_spotter.len());
    for (outside, inside) in found.iter().zip(&by_spotter) {
        assert_eq!(outside.posteriors, inside.posteriors);
        assert_eq!(outside.scores, inside.scores);
        assert_eq!(outside.spotter_peak, None);
    }
    assert_eq!(pipeline.highest_moment().unwrap(), None);
}

#[test]
fn a_trigger_too_far_back_is_refused() {
    let mut pipeline = Pipeline::without_spotter(&sound()).unwrap();
    pipeline.push(&vec![0.0; 20 * RATE], &mut |_| {}).unwrap();
    let error = pipeline.judge_at(RATE as u64).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot judge at sample 16000: expected a moment whose window is still at hand, \
         found a stream that has come to frame 1998"
    );
    let mut found = 0;
    pipeline.judge_at(20 * RATE as u64).unwrap();
    pipeline.finish(&mut |_| found += 1).unwrap();
    assert_eq!(found, 1);
}

#[test]
fn a_trigger_that_comes_after_its_window_is_judged_without_more_samples() {
    let samples = speech_like(8.0, 4);
    let mut pipeline = Pipeline::without_spotter(&sound()).unwrap();
    let mut judge = |at: &[u64], length: usize| {
        pipeline.reset().unwrap();
        let mut found = Vec::new();
        pipeline.push(&samples[..length], &mut |_| panic!("nothing was proposed")).unwrap();
        at.iter().for_each(|&sample| assert!(pipeline.judge_at(sample).is_ok()));
        pipeline.push(&[], &mut |activation| found.push(activation)).unwrap();
        found
    };
    let late = judge(&[5 * RATE as u64, 6 * RATE as u64], 7 * RATE);
    assert_eq!(late.len(), 2);
    assert_eq!(judge(&[6 * RATE as u64], 6 * RATE + 100), [], "its window is not complete");
    let alone = judge(&[6 * RATE as u64], 7 * RATE);
    assert_eq!(alone, [Activation { number: 1, ..late[1] }]);
}

#[test]
fn a_constantly_high_spotter_ends_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    package(directory.path());
    crate::cli_support::edit_manifest(directory.path(), "threshold = 0.5", "threshold = 0.001");
    let mut pipeline = Pipeline::new(&Model::open(directory.path()).unwrap()).unwrap();
    let found = judge(&mut pipeline, &speech_like(5.0, 1)).unwrap();
    assert!((3..=5).contains(&found.len()), "one a refractory time: {}", found.len());
}
