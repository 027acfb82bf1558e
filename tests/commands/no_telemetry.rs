//! ONNX Runtime leaves no file behind: no device id, no cache, nothing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli_support::{onnxruntime, package, speech_like, wakegate, write_wav};
use wakegate::ErrorKind;
use wakegate::model::{Runtime, TELEMETRY_VARIABLE};

/// Folders that programs write to unasked, by the variables that name them.
const FOLDERS: [&str; 7] = [
    "HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "TMPDIR",
];

fn everything_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything_below(&path));
        }
        found.push(path);
    }
    found
}

#[test]
fn onnx_runtime_writes_nothing_to_an_empty_home() {
    let Some(library) = onnxruntime("onnx_runtime_writes_nothing_to_an_empty_home") else { return };
    let folder = tempfile::tempdir().unwrap();
    package(&folder.path().join("work/tiny"));
    let work = folder.path().join("work");
    write_wav(&work.join("a.wav"), &speech_like(3.0, 3));
    let before = everything_below(&work);
    let mut command = wakegate();
    command.current_dir(&work).env_remove(TELEMETRY_VARIABLE);
    for variable in FOLDERS {
        let home = folder.path().join(variable);
        fs::create_dir(&home).unwrap();
        command.env(variable, home);
    }
    let output = command
        .args(["score", "--model", "tiny", "a.wav", "--onnxruntime"])
        .arg(library)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    for variable in FOLDERS {
        assert_eq!(everything_below(&folder.path().join(variable)), Vec::<PathBuf>::new());
    }
    assert_eq!(everything_below(&work), before);
}

#[test]
fn onnx_runtime_is_not_loaded_without_the_variable() {
    assert!(std::env::var_os(TELEMETRY_VARIABLE).is_none(), "unset it to run this test");
    let error = Runtime::OnnxRuntime("any.so".into()).choose().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime);
    assert_eq!(
        error.to_string(),
        "ONNX Runtime is not loaded: expected ORT_DISABLE_TELEMETRY=1 in the environment, found a \
         runtime that may report home (hint: set ORT_DISABLE_TELEMETRY=1 before the program starts)"
    );
}
