//! Verdicts before the end of the verifier's window.

use std::sync::LazyLock;

use crate::cli_support::{RATE, edit_manifest, package_of, speech_like};
use wakegate::ErrorKind;
use wakegate::decision::Verdict;
use wakegate::gate::{Heard, Policy, Tape};
use wakegate::model::Model;
use wakegate::pipeline::{Activation, Pipeline};

const LABELS: &str = "labels = [\"intended\", \"not_wake_word\", \"not_addressed\"]\n";

/// A rule that every candidate of the samples meets at its second moment.
const EASY: [&str; 7] = [
    "after_s = [0.3, 0.4, 0.5]",
    "intended_at = 0.31",
    "moved_at = 0.0",
    "pause_s = 0.1",
    "quiet_within = 20.0",
    "accidental_below = 0.0",
    "consecutive = 2",
];

/// A tiny model with the given verdicts; with a section of the easy rule's keys and `changes`.
fn model(verifier: &str, decision: [f32; 2], changes: Option<&[&str]>) -> Model {
    let directory = tempfile::tempdir().unwrap();
    package_of(directory.path(), "spotter", verifier);
    edit_manifest(
        directory.path(),
        "intended_at = 0.5\naccidental_below = 0.3",
        &format!("intended_at = {}\naccidental_below = {}", decision[0], decision[1]),
    );
    if let Some(changes) = changes {
        let key = |line: &str| line.split_once(' ').unwrap().0.to_owned();
        let keys = EASY
            .map(|easy| *changes.iter().find(|changed| key(changed) == key(easy)).unwrap_or(&easy));
        let section = format!("{LABELS}\n[verifier.early]\n{}\n", keys.join("\n"));
        edit_manifest(directory.path(), LABELS, &section);
    }
    Model::open(directory.path()).unwrap()
}

static EARLY: LazyLock<Model> = LazyLock::new(|| model("verifier", [0.31, 0.3], Some(&[])));
static LATE: LazyLock<Model> = LazyLock::new(|| model("verifier", [0.31, 0.3], None));
static SAMPLES: LazyLock<Vec<f32>> = LazyLock::new(|| speech_like(9.3, 5));

fn judge(model: &Model, chunk: usize) -> Vec<Activation> {
    let mut pipeline = Pipeline::new(model).unwrap();
    let mut found = Vec::new();
    for chunk in SAMPLES.chunks(chunk) {
        pipeline.push(chunk, &mut |activation| found.push(activation)).unwrap();
    }
    pipeline.finish(&mut |activation| found.push(activation)).unwrap();
    assert!(found.len() >= 4, "the test needs activations");
    found
}

/// Hundredths of a second of audio that the verdict needed after the word's estimated end, which
/// the tiny verifier's span puts 0.05 s early. A frame reaches 15 ms beyond its hop.
fn needed(activation: &Activation) -> u64 {
    (activation.decided_sample - activation.end_sample - 800) * 100 / RATE as u64
}

#[test]
fn a_sure_candidate_is_judged_at_its_second_moment() {
    let (early, late) = (judge(&EARLY, RATE), judge(&LATE, RATE));
    assert_eq!(early.len(), late.len());
    for (early, late) in early.iter().zip(&late) {
        assert_eq!(early.spotter_peak, late.spotter_peak);
        assert_eq!((early.verdict, late.verdict), (Verdict::Intended, Verdict::Intended));
        assert_eq!((needed(early), needed(late)), (42, 82));
    }
}

#[test]
fn every_part_of_the_rule_can_hold_an_intended_verdict_back() {
    let late = judge(&LATE, RATE);
    for change in ["intended_at = 0.9", "moved_at = 0.9", "quiet_within = 0.0"] {
        let found = judge(&model("verifier", [0.31, 0.3], Some(&[change])), RATE);
        // The last one's pause is the digital silence that closes the stream.
        assert_eq!(found[..late.len() - 1], late[..late.len() - 1], "{change}");
    }
}

#[test]
fn an_accidental_verdict_needs_no_pause_and_no_second_window() {
    let keys = ["intended_at = 0.9", "moved_at = 1.0", "quiet_within = 0.0"];
    let keys = [&keys[..], &["accidental_below = 0.8"]].concat();
    for activation in judge(&model("verifier", [0.9, 0.8], Some(&keys)), RATE) {
        assert_eq!((activation.verdict, needed(&activation)), (Verdict::Accidental, 42));
    }
}

#[test]
fn the_chunks_change_nothing() {
    let mixed = ["intended_at = 0.395", "quiet_within = 3.0", "accidental_below = 0.3"];
    let model = model("verifier", [0.31, 0.3], Some(&mixed));
    let whole = judge(&model, SAMPLES.len());
    let delays: Vec<u64> = whole.iter().map(needed).collect();
    assert!(delays.contains(&82) && delays.iter().any(|&delay| delay < 60), "{delays:?}");
    for length in [1, 7, 160, 161, 1280, 4096, RATE] {
        assert_eq!(judge(&model, length), whole, "chunks of {length}");
    }
}

#[test]
fn a_verdict_comes_with_the_last_sample_that_it_needs() {
    let first = judge(&EARLY, RATE)[0];
    let mut pipeline = Pipeline::new(&EARLY).unwrap();
    let mut found = Vec::new();
    let needed = &SAMPLES[..first.decided_sample as usize];
    let (most, last) = needed.split_at(needed.len() - 1);
    pipeline.push(most, &mut |_| panic!("a verdict too early")).unwrap();
    assert_eq!(pipeline.waiting(), 1);
    pipeline.push(last, &mut |activation| found.push(activation)).unwrap();
    assert_eq!((found, pipeline.waiting()), (vec![first], 0));
}

#[test]
fn a_late_account_of_another_engine_gets_the_verdict_of_one_in_time() {
    let ends: Vec<u64> = judge(&EARLY, RATE).iter().map(|a| a.end_sample + 800).collect();
    let by = |heard: usize| {
        let mut pipeline = Pipeline::without_spotter(&EARLY).unwrap();
        let mut found = Vec::new();
        let (before, after) = SAMPLES.split_at(heard);
        pipeline.push(before, &mut |_| panic!("nothing was proposed")).unwrap();
        ends.iter().for_each(|&end| assert!(pipeline.judge_at(end).is_ok()));
        pipeline.push(after, &mut |activation| found.push(activation)).unwrap();
        pipeline.finish(&mut |activation| found.push(activation)).unwrap();
        found
    };
    let in_time = by(0);
    assert!(in_time.iter().all(|activation| needed(activation) == 42));
    assert_eq!(by(SAMPLES.len()), in_time);
}

#[test]
fn a_posterior_that_is_no_number_is_no_early_verdict_either() {
    let model = model("verifier_nan", [0.31, 0.3], Some(&[]));
    let mut pipeline = Pipeline::new(&model).unwrap();
    let result = pipeline.push(&SAMPLES, &mut |_| panic!("a verdict on no number"));
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Posterior);
    assert!(pipeline.push(&[0.0], &mut |_| panic!("a verdict after the fault")).is_err());
}

#[test]
fn other_thresholds_never_make_the_early_verdict_the_easier_one() {
    let stricter = EARLY.clone().with_thresholds(Some(0.6), Some(0.2), None).unwrap();
    let early = stricter.manifest().verifier.early.clone().unwrap();
    assert_eq!((early.intended_at, early.accidental_below), (0.6, 0.0));
    let keys = ["intended_at = 0.9", "accidental_below = 0.25"];
    let model = model("verifier", [0.31, 0.3], Some(&keys));
    let early = model.with_thresholds(Some(0.5), Some(0.2), None).unwrap();
    let early = early.manifest().verifier.early.clone().unwrap();
    assert_eq!((early.intended_at, early.accidental_below), (0.9, 0.2));
}

#[test]
fn a_clip_holds_what_its_policy_keeps_after_an_early_verdict() {
    let policy = Policy { enabled: true, before_s: 0.5, after_s: 1.0, ..Policy::default() };
    let mut pipeline = Pipeline::new(&EARLY).unwrap();
    let mut tape = Tape::new(&policy);
    let mut clips = Vec::new();
    for chunk in SAMPLES.chunks(320) {
        let mut found = Vec::new();
        pipeline.push(chunk, &mut |activation| found.push(activation)).unwrap();
        let mut keep = |heard: Heard, audio: wakegate::gate::LiveAudio| {
            clips.push((heard.activation, audio.first_sample, audio.buffer.samples().to_vec()));
        };
        tape.push(chunk, &mut keep);
        for activation in found {
            assert!(activation.end_sample + 16_000 > tape.samples(), "not an early verdict");
            let (wake_word, model) = ("tiny".to_owned(), "tiny-1".to_owned());
            tape.take(Heard { wake_word, model, activation }, &mut keep);
        }
    }
    assert!(clips.len() >= 3, "the test needs clips");
    for (activation, first, samples) in clips {
        assert_eq!(first, activation.start_sample.saturating_sub(8_000));
        let end = activation.end_sample as usize + 16_000;
        assert_eq!(samples, &SAMPLES[first as usize..end]);
    }
}
