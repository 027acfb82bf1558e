//! `wakegate features` through the binary.

use std::fs::{self, File};

use crate::cli_support::{checkout, run_in, speech_like, stderr, write_wav};
use ndarray::{Array2, s};
use ndarray_npy::NpzReader;
use wakegate::frontend::{FrontEnd, Settings};

fn arrays(path: &std::path::Path) -> Vec<(String, Array2<f32>)> {
    let mut npz = NpzReader::new(File::open(path).unwrap()).unwrap();
    let names = npz.names().unwrap();
    names.into_iter().map(|name| (name.clone(), npz.by_name(&name).unwrap())).collect()
}

#[test]
fn the_arrays_are_the_front_ends_frames_under_the_paths_as_given() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::default();
    fs::write(folder.path().join("front.toml"), toml::to_string(&settings).unwrap()).unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    for k in 0..3 {
        write_wav(&folder.path().join(format!("in/{k}.wav")), &speech_like(1.5, k));
    }
    let arguments = ["features", "in", "--output", "f.npz", "--settings", "front.toml"];
    let output = run_in(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found = arrays(&folder.path().join("f.npz"));
    assert_eq!(found.len(), 3);
    for (k, (name, frames)) in (0..).zip(&found) {
        assert_eq!(name.trim_end_matches(".npy"), format!("in/{k}.wav"));
        let samples: Vec<f32> = speech_like(1.5, k)
            .iter()
            .map(|s| f32::from((s * 32767.0).round() as i16) / 32768.0)
            .collect();
        assert_eq!(*frames, FrontEnd::new(&settings).unwrap().process(&samples), "{name}");
    }
}

#[test]
fn segments_see_nothing_of_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = checkout("tests/models/manifest.toml");
    let text = fs::read_to_string(manifest).unwrap();
    let start = text.find("[frontend]").unwrap() + "[frontend]".len();
    let end = text.find("[spotter]").unwrap();
    fs::write(folder.path().join("front.toml"), &text[start..end]).unwrap();
    let (one, two) = (speech_like(1.0, 1), speech_like(1.0, 2));
    write_wav(&folder.path().join("one.wav"), &one);
    write_wav(&folder.path().join("two.wav"), &two);
    write_wav(&folder.path().join("both.wav"), &[one, two].concat());
    let arguments = [
        "features",
        "one.wav",
        "two.wav",
        "both.wav",
        "--output",
        "f.npz",
        "--settings",
        "front.toml",
        "--segment-samples",
        "16000",
    ];
    assert_eq!(run_in(folder.path(), &arguments).status.code(), Some(0));
    let found = arrays(&folder.path().join("f.npz"));
    let by_name = |name: &str| &found.iter().find(|(found, _)| found.starts_with(name)).unwrap().1;
    assert_eq!(by_name("one").nrows(), 98);
    assert_eq!(by_name("both").slice(s![..98, ..]), by_name("one"));
    assert_eq!(by_name("both").slice(s![98.., ..]), by_name("two"));
}

#[test]
fn what_fails_is_said_and_the_rest_is_written() {
    let folder = tempfile::tempdir().unwrap();
    write_wav(&folder.path().join("a.wav"), &speech_like(1.0, 1));
    let output = run_in(folder.path(), &["features", "missing.wav", "a.wav", "--output", "f.npz"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).starts_with("error: no such file or folder: missing.wav"),
        "{output:?}"
    );
    assert_eq!(arrays(&folder.path().join("f.npz")).len(), 1);
    let twice = run_in(folder.path(), &["features", "a.wav", "a.wav", "--output", "g.npz"]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(!folder.path().join("g.npz").exists() && !folder.path().join("g.npz.part").exists());
}

#[test]
fn a_typo_in_the_settings_has_its_line_and_a_suggestion() {
    let folder = tempfile::tempdir().unwrap();
    write_wav(&folder.path().join("a.wav"), &speech_like(1.5, 0));
    fs::write(folder.path().join("front.toml"), "\nmel_band = 40\n").unwrap();
    let arguments = ["features", "a.wav", "--output", "f.npz", "--settings", "front.toml"];
    let refused = run_in(folder.path(), &arguments);
    assert_eq!(refused.status.code(), Some(2));
    let said = stderr(&refused);
    assert!(said.contains("front.toml: line 2: unknown key mel_band"), "{said}");
    assert!(said.contains("did you mean mel_bands?"), "{said}");
}
