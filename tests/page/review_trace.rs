//! The curve over time on the reviewer's page: what it claims, for real words and the real model.

use crate::cli_support::checkout;
use crate::review_support::{HandClock, gate, live, open_settings, open_state, queue};
use crate::web_support::{Page, options};
use serde_json::{Value, json};
use wakegate::audio::Source;
use wakegate::decision::Verdict;
use wakegate::gate::{Clock, Heard};
use wakegate::model::{Model, Runtime};
use wakegate::pipeline::{Activation, Pipeline};
use wakegate::review::Stored;
use wakegate_lab::decode::FileSource;

/// The samples of a recording of the checkout.
fn samples(name: &str) -> Vec<f32> {
    let mut source = FileSource::open(checkout(&format!("data/{name}.flac"))).unwrap();
    let (mut samples, mut block) = (Vec::new(), vec![0.0; 16_000]);
    loop {
        match source.read(&mut block).unwrap() {
            0 => return samples,
            count => samples.extend_from_slice(&block[..count]),
        }
    }
}

/// The intended activation of a recording.
fn intended(model: &Model, samples: &[f32]) -> Activation {
    let mut pipeline = Pipeline::new(model).unwrap();
    let mut found = Vec::new();
    pipeline.push(samples, &mut |activation| found.push(activation)).unwrap();
    pipeline.finish(&mut |activation| found.push(activation)).unwrap();
    found.into_iter().find(|a| a.verdict == Verdict::Intended).expect("an intended word")
}

/// What the page shows of the curve of a clip, after `change` of what was heard.
fn trace(model: &Model, name: &str, change: impl FnOnce(&mut Heard)) -> (Activation, Value) {
    let folder = tempfile::tempdir().unwrap();
    let (settings, clock) = (open_settings(), HandClock::new());
    let samples = samples(name);
    let activation = intended(model, &samples);
    let manifest = model.manifest();
    let mut heard =
        Heard { wake_word: manifest.wake_word.clone(), model: manifest.id(), activation };
    change(&mut heard);
    let admitted = gate(&settings).admit(heard, live(&samples), &open_state(), clock.now());
    let clip = admitted.unwrap_or_else(|stop| panic!("{stop}"));
    let mut queue = queue(folder.path(), &settings, &clock);
    assert!(matches!(queue.store(clip).unwrap(), Stored::Kept(_)));
    drop(queue);
    let page = Page::with(folder.path(), &settings, &clock, &options(&["Ann"]), Some(model));
    let next = page.log_in("Ann").post("/api/next", &json!({})).json();
    (activation, next["clip"]["drawing"]["spotter"].clone())
}

#[test]
fn the_curve_names_the_model_that_computes_it_and_comes_to_the_peak_that_was_kept() {
    Runtime::Embedded.choose().unwrap();
    let model = Model::embedded().unwrap();
    for name in ["alexa_timer", "alexa_alone", "alexa_music_hum", "alexa_question"] {
        let (activation, trace) = trace(&model, name, |_| {});
        assert_eq!(trace["model"], model.manifest().id(), "{name}");
        let (kept, now) = (activation.spotter_peak.unwrap(), trace["peak"].as_f64().unwrap());
        eprintln!("{name}: kept {kept:.4}, computed {now:.4}");
        assert_eq!(trace["differs"], false, "{name}: {kept} was kept, {now} is computed");
    }
}

#[test]
fn a_model_that_was_changed_under_its_name_is_told_by_its_peak() {
    Runtime::Embedded.choose().unwrap();
    let model = Model::embedded().unwrap();
    let with = |change: fn(&mut Heard)| trace(&model, "alexa_timer", change).1;
    assert_eq!(with(|heard| heard.activation.spotter_peak = Some(0.3))["differs"], true);
    // Proposed by an outside engine: there is nothing to hold it against.
    assert_eq!(with(|heard| heard.activation.spotter_peak = None)["differs"], Value::Null);
    // Of a model of another name or version, there is no curve at all.
    assert_eq!(with(|heard| heard.model = "alexa-0".to_owned()), Value::Null);
}
