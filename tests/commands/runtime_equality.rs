//! The embedded runtime and ONNX Runtime say the same, within 1e-4.
//!
//! A process has one runtime for life, so this test starts itself once for each.

use std::path::Path;
use std::process::Command;

use crate::cli_support::{checkout, embedded_package, onnxruntime, package, speech_like};
use wakegate::frontend::FrontEnd;
use wakegate::model::{Model, Runtime, TELEMETRY_VARIABLE};

/// Where the child writes its values; makes [`child`] do anything at all.
const OUT: &str = "WAKEGATE_EQUALITY_OUT";
/// The package that the child runs.
const PACKAGE: &str = "WAKEGATE_EQUALITY_PACKAGE";
/// The library that the child loads; the embedded runtime without it.
const LIBRARY: &str = "WAKEGATE_EQUALITY_LIBRARY";

const TOLERANCE: f32 = 1e-4;

#[test]
fn both_runtimes_say_the_same() {
    let Some(library) = onnxruntime("both_runtimes_say_the_same") else { return };
    let folder = tempfile::tempdir().unwrap();
    let tiny = folder.path().join("tiny");
    package(&tiny);
    for package in [embedded_package(), checkout("models/computer-1"), tiny] {
        let embedded = values(&package, None);
        let onnx = values(&package, Some(&library));
        assert_eq!(embedded.len(), onnx.len());
        assert!(embedded.len() > 500, "the test needs values");
        let pairs = embedded.iter().zip(&onnx);
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= TOLERANCE, "{}: they differ by {worst}", package.display());
        println!("{}: they differ by at most {worst:e}", package.display());
    }
}

/// Every value that a process with this runtime gets out of both networks of `package`.
fn values(package: &Path, library: Option<&Path>) -> Vec<f32> {
    let out = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "runtime_equality::child"])
        .env(OUT, out.path())
        .env(PACKAGE, package)
        .env(TELEMETRY_VARIABLE, "1");
    if let Some(library) = library {
        command.env(LIBRARY, library);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&std::fs::read(out.path()).unwrap()).unwrap()
}

#[test]
fn child() {
    let Some(out) = std::env::var_os(OUT) else { return };
    let runtime = match std::env::var_os(LIBRARY) {
        Some(library) => Runtime::OnnxRuntime(library.into()),
        None => Runtime::Embedded,
    };
    runtime.choose().unwrap();
    let model = Model::open(Path::new(&std::env::var_os(PACKAGE).unwrap())).unwrap();
    let manifest = model.manifest();
    let mut frontend = FrontEnd::new(&manifest.frontend).unwrap();
    let features: Vec<f32> = frontend.process(&speech_like(45.0, 9)).iter().copied().collect();
    let bands = manifest.frontend.mel_bands;
    let mut values = Vec::new();
    let mut spotter = model.spotter().unwrap();
    for step in features.chunks_exact(manifest.spotter.frames_per_step * bands) {
        values.push(spotter.step(step).unwrap());
    }
    let mut verifier = model.verifier().unwrap();
    for window in features.windows(manifest.window_frames() * bands).step_by(97 * bands) {
        let verification = verifier.judge(window).unwrap();
        values.extend(verification.posteriors.to_array());
        values.extend([verification.scores.wake_word(), verification.scores.addressed()]);
        values.extend(verification.span_s);
    }
    std::fs::write(out, serde_json::to_vec(&values).unwrap()).unwrap();
}
