//! A package that isn't what its manifest says is refused, with a message that says why.

use std::fs;
use std::path::Path;

use crate::cli_support::{edit_manifest, embedded_package, package, package_of};
use wakegate::ErrorKind;
use wakegate::model::{Manifest, Model, Sensitivity};
use wakegate::pipeline::Pipeline;

/// The error of opening and loading the package that `change` made of the sound one.
fn refusal(change: impl FnOnce(&Path)) -> String {
    let directory = tempfile::tempdir().unwrap();
    package(directory.path());
    change(directory.path());
    let result = Model::open(directory.path()).and_then(|model| Pipeline::new(&model));
    let message = result.err().expect("the package is refused").to_string();
    message.replace(&directory.path().display().to_string(), "DIR")
}

fn manifest_refusal(from: &str, to: &str) -> String {
    refusal(|directory| edit_manifest(directory, from, to))
}

#[test]
fn the_sound_package_and_the_embedded_one_load() {
    let directory = tempfile::tempdir().unwrap();
    package(directory.path());
    let model = Model::open(directory.path()).unwrap();
    assert_eq!(model.manifest().id(), "tiny-1");
    assert!(Pipeline::new(&model).is_ok());
    let embedded = Model::embedded().unwrap();
    assert_eq!(embedded.manifest().id(), "alexa-3");
    assert_eq!(embedded.origin(), "embedded");
    assert!(Pipeline::new(&embedded).is_ok());
}

#[test]
fn the_package_in_the_checkout_is_the_embedded_one() {
    let opened = Model::open(&embedded_package()).unwrap();
    let embedded = Model::embedded().unwrap();
    assert_eq!(opened.manifest(), embedded.manifest());
    assert_eq!(opened.card(), embedded.card());
}

#[test]
fn missing_files_are_named() {
    for file in ["manifest.toml", "spotter.onnx", "verifier.onnx", "MODEL_CARD.md"] {
        let message = refusal(|directory| fs::remove_file(directory.join(file)).unwrap());
        assert_eq!(
            message,
            format!(
                "the model DIR has no {file}: expected manifest.toml, the two networks it names \
                 and MODEL_CARD.md, found no {file} (hint: copy the whole package)"
            )
        );
    }
    let error = Model::open(Path::new("no/such/model")).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(
        error.to_string(),
        "cannot open the model no/such/model: expected a directory with manifest.toml, found \
         nothing there (hint: give the directory of a package, or leave --model out)"
    );
}

#[test]
fn an_altered_network_is_refused() {
    let message = refusal(|directory| {
        let path = directory.join("verifier.onnx");
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    });
    assert!(message.starts_with("DIR: verifier.onnx is not the manifest's: expected sha256 "));
    assert!(
        message.ends_with("(hint: the file was altered or cut off; copy the package again)"),
        "{message}"
    );
}

#[test]
fn an_empty_card_is_refused() {
    let message = refusal(|directory| fs::write(directory.join("MODEL_CARD.md"), " \n").unwrap());
    assert_eq!(
        message,
        "DIR: MODEL_CARD.md is empty: expected what the model was trained and measured on"
    );
}

#[test]
fn a_manifest_value_out_of_range_is_refused() {
    for (from, to, expected) in [
        ("schema = 1", "schema = 2", "DIR: manifest value schema is refused: expected 1, found 2"),
        (
            "name = \"tiny\"",
            "name = \"Tiny model\"",
            "DIR: manifest value name is refused: expected lower-case letters, digits and hyphens",
        ),
        (
            "threshold = 0.5",
            "threshold = 1.0",
            "DIR: manifest value spotter.threshold is refused: expected 0.001 to 0.999, found 1",
        ),
        (
            "threshold = 0.5",
            "threshold = nan",
            "DIR: manifest value spotter.threshold is refused: expected 0.001 to 0.999, found NaN",
        ),
        (
            "patience_steps = 1",
            "patience_steps = 0",
            "DIR: manifest value spotter.patience_steps is refused: expected 1 to 50, found 0",
        ),
        (
            "refractory_s = 1.2",
            "refractory_s = 0.0",
            "DIR: manifest value spotter.refractory_s is refused: expected 0.1 to 10, found 0",
        ),
        (
            "after_s = 0.8",
            "after_s = 1.2",
            "DIR: manifest value verifier.after_s is refused: expected 0 to 1, found 1.2",
        ),
        (
            "after_s = 0.8",
            "after_s = 0.805",
            "DIR: manifest value verifier.after_s is refused: expected a whole number of hops of \
             10 ms, found 0.805 s, 80.5 hops",
        ),
        (
            "accidental_below = 0.3",
            "accidental_below = 0.6",
            "DIR: manifest value decision.accidental_below is refused: expected 0.001 to 0.5, \
             found 0.6",
        ),
        (
            "file = \"spotter.onnx\"",
            "file = \"../spotter.onnx\"",
            "DIR: manifest value spotter.file is refused: expected a file name without a folder, \
             found \"../spotter.onnx\"",
        ),
        (
            "hop_ms = 10.0",
            "hop_ms = 0.0",
            "DIR: manifest [frontend]: front-end setting hop_ms is refused: expected 1 to 128, \
             found 0",
        ),
        (
            "word_s = 0.6",
            "word_s = 0.6\nspeed = 2",
            "DIR: cannot read the manifest: line 31: unknown field `speed`",
        ),
        ("word_s = 0.6\n", "", "DIR: cannot read the manifest: line 21: missing field `word_s`"),
        (
            "[\"intended\", \"not_wake_word\", \"not_addressed\"]",
            "[\"intended\", \"not_addressed\", \"not_wake_word\"]",
            "DIR: manifest value verifier.labels is refused: expected [\"intended\", \
             \"not_wake_word\", \"not_addressed\"], found [\"intended\", \"not_addressed\", \
             \"not_wake_word\"] (hint: the verifier must give these classes in this order)",
        ),
    ] {
        let message = manifest_refusal(from, to);
        assert!(message.starts_with(expected), "{message}\nnot\n{expected}");
    }
}

#[test]
fn a_rule_of_early_verdicts_out_of_its_range_is_refused() {
    let labels = "labels = [\"intended\", \"not_wake_word\", \"not_addressed\"]\n";
    let sound = "\n[verifier.early]\nafter_s = [0.3, 0.31, 0.79]\nintended_at = 0.95\nmoved_at = 0.5\n\
                 pause_s = 0.2\nquiet_within = 1.5\naccidental_below = 0.1\nconsecutive = 2\n";
    let directory = tempfile::tempdir().unwrap();
    package(directory.path());
    edit_manifest(directory.path(), labels, &format!("{labels}{sound}"));
    let model = Model::open(directory.path()).unwrap();
    let text = toml::to_string(model.manifest()).unwrap();
    assert_eq!(&Manifest::parse(&text).unwrap(), model.manifest());
    let other = Manifest::parse(&text.replace("consecutive = 2", "consecutive = 3")).unwrap();
    assert_ne!(other.sha256(), model.manifest().sha256());
    for (from, to, expected) in [
        ("[0.3, 0.31, 0.79]", "[]", "after_s is refused: expected 1 to 16 moments, found 0"),
        ("[0.3, 0.31,", "[0.3, 0.3,", "after_s is refused: expected 0.31 to 0.79, found 0.3"),
        ("0.79]", "0.8]", "after_s is refused: expected 0.32 to 0.79, found 0.8"),
        (
            "[0.3,",
            "[0.305,",
            "after_s is refused: expected a whole number of hops of 10 ms, found 0.305 s, 30.5 hops",
        ),
        ("0.95", "0.49", "intended_at is refused: expected 0.5 to 1, found 0.49"),
        ("0.95", "nan", "intended_at is refused: expected 0.5 to 1, found NaN"),
        ("moved_at = 0.5", "moved_at = 1.5", "moved_at is refused: expected 0 to 1, found 1.5"),
        ("pause_s = 0.2", "pause_s = 0.0", "pause_s is refused: expected 0.01 to 2, found 0"),
        (
            "quiet_within = 1.5",
            "quiet_within = -1.0",
            "quiet_within is refused: expected 0 to 20, found -1",
        ),
        (
            "accidental_below = 0.1",
            "accidental_below = 0.31",
            "accidental_below is refused: expected 0 to 0.3, found 0.31",
        ),
        ("consecutive = 2", "consecutive = 0", "consecutive is refused: expected 1 to 3, found 0"),
        ("consecutive = 2", "consecutive = 4", "consecutive is refused: expected 1 to 3, found 4"),
    ] {
        let message = manifest_refusal(labels, &format!("{labels}{}", sound.replace(from, to)));
        let expected = format!("DIR: manifest value verifier.early.{expected}");
        assert!(message.starts_with(&expected), "{message}\nnot\n{expected}");
    }
}

#[test]
fn a_network_of_another_form_is_refused() {
    for (spotter, verifier, expected) in [
        (
            "spotter_41_bands",
            "verifier",
            "spotter.onnx: input features has the wrong shape: expected [1, 8, 40] by the \
             manifest, found [1, 8, 41]",
        ),
        (
            "spotter_misnamed_state",
            "verifier",
            "spotter.onnx has no input state_0: expected an input named state_0, found features, \
             memory",
        ),
        (
            "spotter",
            "verifier_4_labels",
            "verifier.onnx: output posteriors has the wrong shape: expected [1, 3] by the \
             manifest, found [1, 4]",
        ),
        (
            "spotter",
            "spotter",
            "verifier.onnx: input features has the wrong shape: expected [1, 280, 40] by the \
             manifest, found [1, 8, 40]",
        ),
        (
            "spotter_nan_weight",
            "verifier",
            "spotter.onnx is refused: expected finite weights, found NaN",
        ),
        (
            "spotter_infinite_weight",
            "verifier",
            "spotter.onnx is refused: expected finite weights, found inf",
        ),
        (
            "spotter",
            "verifier_nan_weight",
            "verifier.onnx is refused: expected finite weights, found NaN",
        ),
    ] {
        let message = refusal(|directory| package_of(directory, spotter, verifier));
        assert!(message.starts_with(expected), "{message}\nnot\n{expected}");
    }
}

#[test]
fn mel_bands_that_disagree_are_refused() {
    let message = manifest_refusal("mel_bands = 40", "mel_bands = 32");
    assert_eq!(
        message,
        "spotter.onnx: input features has the wrong shape: expected [1, 8, 32] by the manifest, \
         found [1, 8, 40] (hint: manifest and network belong to different models, or mel_bands \
         disagree)"
    );
}

#[test]
fn a_file_that_is_no_network_is_refused() {
    let text = b"this is no network";
    let message = refusal(|directory| {
        let old = fs::read(directory.join("spotter.onnx")).unwrap();
        fs::write(directory.join("spotter.onnx"), text).unwrap();
        edit_manifest(directory, &digest(&old), &digest(text));
    });
    assert_eq!(
        message,
        "cannot read spotter.onnx: expected an ONNX network, found 18 bytes of another form"
    );
}

fn digest(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn a_manifest_survives_writing_and_reading() {
    let manifest = Model::embedded().unwrap().manifest().clone();
    let text = toml::to_string(&manifest).unwrap();
    assert_eq!(Manifest::parse(&text).unwrap(), manifest);
}

const POINTS: &str = "accidental_below = 0.3\n[decision.sensitivity]\nlow = 0.9\nhigh = 0.4";

#[test]
fn a_package_names_other_operating_points() {
    let directory = tempfile::tempdir().unwrap();
    package(directory.path());
    let plain = Model::open(directory.path()).unwrap();
    let refused = plain.with_sensitivity(Sensitivity::Low).err().unwrap().to_string();
    assert_eq!(
        refused,
        "cannot choose a sensitivity: expected a package with [decision.sensitivity], found tiny-1 \
         without it (hint: set intended_at instead)"
    );
    edit_manifest(directory.path(), "accidental_below = 0.3", POINTS);
    let model = Model::open(directory.path()).unwrap();
    let at = |sensitivity| {
        let chosen = model.clone().with_sensitivity(sensitivity).unwrap();
        chosen.manifest().decision.intended_at
    };
    assert_eq!(
        [Sensitivity::Low, Sensitivity::Default, Sensitivity::High].map(at),
        [0.9, 0.5, 0.4]
    );
    // Points are said of the package's own thresholds: other ones leave none.
    let other = model.clone().with_thresholds(Some(0.95), None, None).unwrap();
    assert!(other.with_sensitivity(Sensitivity::High).is_err());
}

#[test]
fn operating_points_stand_in_their_order() {
    for (points, message) in [
        (
            "low = 0.45\nhigh = 0.4",
            "decision.sensitivity.low is refused: expected 0.5 to 1, found 0.45",
        ),
        (
            "low = 0.9\nhigh = 0.6",
            "decision.sensitivity.high is refused: expected 0.3 to 0.5, found 0.6",
        ),
        (
            "low = 0.9\nhigh = 0.2",
            "decision.sensitivity.high is refused: expected 0.3 to 0.5, found 0.2",
        ),
        ("low = 0.9", "missing field `high`"),
        ("low = 0.9\nhigh = 0.4\nhighest = 0.3", "unknown field `highest`"),
    ] {
        let text = format!("accidental_below = 0.3\n[decision.sensitivity]\n{points}");
        let refused = manifest_refusal("accidental_below = 0.3", &text);
        assert!(refused.contains(message), "{refused}");
    }
}
