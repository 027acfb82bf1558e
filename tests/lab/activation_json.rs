//! An activation is told by the same keys and values in a line, a hook and a message.

use serde_json::{Map, Value};
use wakegate::model::Model;
use wakegate::pipeline::{Event, Report};
use wakegate_lab::decode::FileSource;
use wakegate_lab::scoring::{Record, Scorer};

fn object(value: &impl serde::Serialize) -> Map<String, Value> {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

#[test]
fn what_a_hook_is_told_stands_in_the_line_too() {
    let model = Model::embedded().unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/alexa_lights.flac");
    let scored = Scorer::new(&model, true)
        .unwrap()
        .score(&mut FileSource::open(path).unwrap(), None)
        .unwrap();
    let activation = &scored.activations[0];
    let (manifest, id) = (model.manifest(), model.manifest().id());
    let line = object(&Record::of_activation(path, manifest, 1, activation, None));
    let report = object(&Report::from(&Event {
        source: "a card",
        wake_word: &manifest.wake_word,
        model: &id,
        activation,
    }));
    assert_eq!(report["schema"], 1);
    for (key, value) in report.iter().filter(|(key, _)| *key != "source") {
        assert_eq!(line.get(key), Some(value), "{key}");
    }
}
