//! Whether a verdict hangs on where its recording begins: the spotter takes 80 ms at a time, so a
//! beginning up to 79 ms earlier puts its steps elsewhere.

use crate::cli_support::checkout;
use wakegate::audio::read_all;
use wakegate::decision::Verdict;
use wakegate::model::Model;
use wakegate::pipeline::{Activation, Pipeline};
use wakegate_lab::decode::FileSource;

/// Samples of one step of the spotter.
const STEP: usize = 1_280;
/// Beginnings within a step, 5 ms apart.
const BEGINNINGS: usize = 16;
/// Recordings that may be accepted from some beginnings and not from others: a score near the
/// threshold crosses it.
const MAY_FLIP: usize = 3;

/// Whether anything in `samples`, begun `later` samples later, is judged intended.
fn is_accepted(pipeline: &mut Pipeline, samples: &[f32], later: usize) -> bool {
    let mut accepted = false;
    let mut keep = |found: Activation| accepted |= found.verdict == Verdict::Intended;
    pipeline.push(&vec![0.0; later], &mut keep).unwrap();
    pipeline.push(samples, &mut keep).unwrap();
    pipeline.finish(&mut keep).unwrap();
    pipeline.reset().unwrap();
    accepted
}

#[test]
fn a_verdict_is_the_same_wherever_within_a_step_its_recording_begins() {
    let mut pipeline = Pipeline::new(&Model::embedded().unwrap()).unwrap();
    let files = std::fs::read_dir(checkout("data")).unwrap().map(|entry| entry.unwrap().path());
    let recordings: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "flac")).collect();
    assert_eq!(recordings.len(), 24);
    let mut flips = |path: &std::path::PathBuf| {
        let samples = read_all(&mut FileSource::open(path).unwrap()).unwrap();
        let accepted = is_accepted(&mut pipeline, &samples, 0);
        (1..BEGINNINGS)
            .any(|n| is_accepted(&mut pipeline, &samples, n * STEP / BEGINNINGS) != accepted)
    };
    let flipping: Vec<_> = recordings.into_iter().filter(|path| flips(path)).collect();
    assert!(flipping.len() <= MAY_FLIP, "{flipping:?}");
}
