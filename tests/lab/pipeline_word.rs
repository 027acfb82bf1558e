//! The word is decided at its end, its verdict after it.

use std::collections::BTreeMap;

use crate::cli_support::{RATE, checkout, edit_manifest, package, speech_like};
use wakegate::audio::read_all;
use wakegate::decision::Verdict;
use wakegate::model::Model;
use wakegate::pipeline::{Activation, Decision, Numbers, Pipeline, WordDecision};
use wakegate_lab::decode::FileSource;

const LABELS: &str = "labels = [\"intended\", \"not_wake_word\", \"not_addressed\"]\n";

/// The tiny model, its words decided by these keys, or with their verdicts.
fn tiny(word: Option<&str>) -> Model {
    let directory = tempfile::tempdir().unwrap();
    package(directory.path());
    // What its verifier reaches.
    let (from, to) = ("intended_at = 0.5", "intended_at = 0.31");
    edit_manifest(directory.path(), from, to);
    if let Some(keys) = word {
        edit_manifest(directory.path(), LABELS, &format!("{LABELS}\n[verifier.word]\n{keys}\n"));
    }
    Model::open(directory.path()).unwrap()
}

/// What `samples` decide, in chunks of `chunk`, and the samples that were given by then.
fn decide(model: &Model, samples: &[f32], chunk: usize) -> Vec<(Decision, u64)> {
    let mut pipeline = Pipeline::new(model).unwrap();
    let mut found = Vec::new();
    for chunk in samples.chunks(chunk) {
        let given = pipeline.samples() + chunk.len() as u64;
        pipeline.decide(chunk, &mut |decision| found.push((decision, given))).unwrap();
    }
    pipeline.decide_rest(&mut |decision| found.push((decision, u64::MAX))).unwrap();
    found
}

fn words(found: &[(Decision, u64)]) -> Vec<WordDecision> {
    let word = |(decision, _): &(Decision, u64)| match decision {
        Decision::Word(word) => Some(*word),
        _ => None,
    };
    found.iter().filter_map(word).collect()
}

fn verdicts(found: &[(Decision, u64)]) -> Vec<Activation> {
    found.iter().filter_map(|(decision, _)| decision.verdict()).collect()
}

fn demo(name: &str) -> Vec<f32> {
    let path = checkout(&format!("data/{name}"));
    read_all(&mut FileSource::open(&path).unwrap()).unwrap()
}

/// Where the wake word ends in the demo recordings, in samples.
fn ends() -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(checkout("data/words.tsv")).unwrap();
    let lines = text.lines().skip(1).map(|line| {
        let mut fields = line.split('\t');
        let (name, _, end) = (fields.next(), fields.next(), fields.next());
        let end: f64 = end.unwrap().parse().unwrap();
        (name.unwrap().to_owned(), (end * RATE as f64) as u64)
    });
    lines.collect()
}

#[test]
fn the_word_of_an_address_is_known_within_a_quarter_second_of_its_end() {
    let model = Model::embedded().unwrap();
    for (name, end) in ends() {
        let found = decide(&model, &demo(&name), 320);
        let (words, verdicts) = (words(&found), verdicts(&found));
        assert_eq!((words.len(), verdicts.len()), (1, 1), "{name}: {found:?}");
        let (word, activation) = (words[0], verdicts[0]);
        let late = word.decided_sample as i64 - end as i64;
        eprintln!("{name}: the word {} ms after its end", late / 16);
        assert!((-800..=4_000).contains(&late), "{name}: {} ms", late / 16);
        assert!(word.decided_sample < activation.decided_sample, "{name}");
        let given = found[0].1;
        assert!((word.decided_sample..word.decided_sample + 320).contains(&given), "{name}");
        assert_eq!(word.number, activation.number, "{name}");
        assert_eq!(activation.word_decided_sample, Some(word.decided_sample), "{name}");
    }
}

#[test]
fn what_only_sounds_alike_has_no_word_where_the_verifier_is_sure() {
    let model = Model::embedded().unwrap();
    for name in ["alike_lesson.flac", "alike_unacceptable.flac", "talk.flac", "other_word.flac"] {
        let found = decide(&model, &demo(name), 16_000);
        assert_eq!(words(&found), [], "{name}");
        assert!(verdicts(&found).iter().all(|found| found.word_decided_sample.is_none()));
    }
}

#[test]
fn the_chunks_change_nothing() {
    let model = tiny(Some("after_s = 0.1\nat = 0.01"));
    let samples = speech_like(9.3, 5);
    let plain = |found: Vec<(Decision, u64)>| -> Vec<Decision> {
        found.into_iter().map(|(decision, _)| decision).collect()
    };
    let whole = decide(&model, &samples, samples.len());
    assert!(words(&whole).len() >= 4, "the test needs words: {whole:?}");
    let whole = plain(whole);
    for chunk in [1, 7, 160, 161, 1280, 4096, RATE] {
        assert_eq!(plain(decide(&model, &samples, chunk)), whole, "chunks of {chunk}");
    }
}

#[test]
fn every_intended_activation_has_its_word_before_it_however_the_word_is_decided() {
    let samples = speech_like(9.3, 5);
    let never = "after_s = 0.8\nat = 1.0";
    for model in [tiny(None), tiny(Some("after_s = 0.0\nat = 0.001")), tiny(Some(never))] {
        let found = decide(&model, &samples, 1_600);
        let mut said = Vec::new();
        let mut intended = 0;
        for (decision, _) in &found {
            match decision {
                Decision::Word(word) => said.push(word.number),
                Decision::Verdict(activation) => {
                    let before = said.contains(&activation.number);
                    assert_eq!(activation.word_decided_sample.is_some(), before);
                    let meant = activation.verdict == Verdict::Intended;
                    assert!(before || !meant, "{activation:?}");
                    intended += usize::from(meant);
                }
                Decision::Settled(_) => panic!("no early verdicts here"),
            }
        }
        assert!(intended > 0, "the test needs intended activations");
        let mut once = said.clone();
        once.dedup();
        assert_eq!(said, once, "a word is told once");
    }
}

#[test]
fn the_verdicts_are_those_of_a_model_without_word_decisions() {
    let samples = speech_like(9.3, 5);
    let bare = |found: Vec<(Decision, u64)>| -> Vec<Activation> {
        let without = |a| Activation { word_decided_sample: None, ..a };
        verdicts(&found).into_iter().map(without).collect()
    };
    let (with, without) = (tiny(Some("after_s = 0.1\nat = 0.01")), tiny(None));
    assert_eq!(bare(decide(&with, &samples, 999)), bare(decide(&without, &samples, 999)));
}

#[test]
fn numbers_begin_anew_with_a_stream_of_its_own_and_go_on_where_they_are_shared() {
    let model = tiny(None);
    let samples = speech_like(4.0, 5);
    let numbers = |pipeline: &mut Pipeline| -> Vec<u64> {
        let mut found = Vec::new();
        pipeline.push(&samples, &mut |activation| found.push(activation.number)).unwrap();
        pipeline.finish(&mut |activation| found.push(activation.number)).unwrap();
        pipeline.reset().unwrap();
        found
    };
    let mut own = Pipeline::new(&model).unwrap();
    let first = numbers(&mut own);
    assert_eq!(first, (1..=first.len() as u64).collect::<Vec<_>>());
    assert_eq!(numbers(&mut own), first);
    let shared = Numbers::default();
    let mut two = [(); 2].map(|()| Pipeline::new(&model).unwrap().numbered_by(&shared));
    let mut all: Vec<u64> = two.iter_mut().flat_map(numbers).collect();
    all.extend(numbers(&mut two[0]));
    assert_eq!(all, (1..=3 * first.len() as u64).collect::<Vec<_>>());
}

#[test]
fn an_engines_word_is_known_with_its_report() {
    let model = Model::embedded().unwrap();
    let samples = demo("alexa_lights.flac");
    let end = ends()["alexa_lights.flac"];
    let mut pipeline = Pipeline::without_spotter(&model).unwrap();
    let mut found = Vec::new();
    pipeline.decide(&samples[..end as usize + 2_400], &mut |d| found.push(d)).unwrap();
    assert_eq!(found, []);
    let number = pipeline.judge_at(end).unwrap();
    pipeline.decide(&[], &mut |decision| found.push(decision)).unwrap();
    let [Decision::Word(word)] = found[..] else { panic!("{found:?}") };
    assert_eq!(word.number, number);
    pipeline.decide(&samples[end as usize + 2_400..], &mut |d| found.push(d)).unwrap();
    let verdict = found.iter().find_map(|decision| decision.verdict()).unwrap();
    assert_eq!((verdict.number, verdict.verdict), (number, Verdict::Intended));
}
