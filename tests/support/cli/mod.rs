//! Packages, recordings and runs of the binary for the tests.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sha2::{Digest, Sha256};
use wakegate::model::Model;

/// Samples a second of everything here.
pub const RATE: usize = 16_000;

/// A file of the checkout.
pub fn checkout(path: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    root.expect("a checkout has Cargo.lock at its top").join(path)
}

/// `name-version` of the package that the binary embeds.
pub fn embedded_id() -> String {
    Model::embedded().unwrap().manifest().id()
}

/// The folder of that package.
pub fn embedded_package() -> PathBuf {
    checkout("models").join(embedded_id())
}

/// Writes a package of the named networks of `tests/models` to `directory`.
pub fn package_of(directory: &Path, spotter: &str, verifier: &str) {
    fs::create_dir_all(directory).unwrap();
    let mut manifest = fs::read_to_string(checkout("tests/models/manifest.toml")).unwrap();
    for (role, network) in [("spotter", spotter), ("verifier", verifier)] {
        let bytes = fs::read(checkout(&format!("tests/models/{network}.onnx"))).unwrap();
        let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        fs::write(directory.join(format!("{role}.onnx")), bytes).unwrap();
        manifest = manifest.replace(&format!("<sha256 of {role}>"), &digest);
    }
    fs::write(directory.join("manifest.toml"), manifest).unwrap();
    fs::write(directory.join("MODEL_CARD.md"), "# tiny\n\nWritten by hand, for tests.\n").unwrap();
}

/// The sound tiny package, in `directory`.
pub fn package(directory: &Path) {
    package_of(directory, "spotter", "verifier");
}

/// Changes the manifest of the package in `directory`.
pub fn edit_manifest(directory: &Path, from: &str, to: &str) {
    let path = directory.join("manifest.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from:?} is not in the manifest");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// Noise and voiced bursts with pauses, `seconds` long: enough for the tiny spotter to find
/// candidates in. The same for the same seed.
pub fn speech_like(seconds: f64, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    let pitch = 110.0 + (seed % 7) as f32 * 20.0;
    (0..(seconds * RATE as f64) as usize)
        .map(|n| {
            let t = n as f32 / RATE as f32;
            // Bursts of about 0.5 s every 1.7 s, of changing pitch and loudness.
            let phase = (t / 1.7 + seed as f32 * 0.13).fract();
            let envelope = (phase * std::f32::consts::PI / 0.3).sin().max(0.0);
            let loud =
                if phase < 0.3 { envelope * (0.2 + 0.2 * (t * 0.7).sin().abs()) } else { 0.0 };
            let voice: f32 = (1..12)
                .map(|k| {
                    let k = k as f32;
                    (std::f32::consts::TAU * pitch * k * t * (1.0 + 0.02 * (3.0 * t).sin())).sin()
                        / k
                })
                .sum();
            (loud * (voice * 0.5 + noise() * 0.3) + 0.001 * noise()).clamp(-1.0, 1.0)
        })
        .collect()
}

/// Writes `samples` as a 16-bit mono WAV file.
pub fn write_wav(path: &Path, samples: &[f32]) {
    let data: Vec<u8> =
        samples.iter().flat_map(|s| ((s * 32767.0).round() as i16).to_le_bytes()).collect();
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + data.len() as u32).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    for field in [1_u16, 1] {
        file.extend_from_slice(&field.to_le_bytes());
    }
    file.extend_from_slice(&(RATE as u32).to_le_bytes());
    file.extend_from_slice(&(2 * RATE as u32).to_le_bytes());
    for field in [2_u16, 16] {
        file.extend_from_slice(&field.to_le_bytes());
    }
    file.extend_from_slice(b"data");
    file.extend_from_slice(&(data.len() as u32).to_le_bytes());
    file.extend_from_slice(&data);
    fs::write(path, file).unwrap();
}

/// The binary, with the embedded runtime whatever the caller's environment says.
pub fn wakegate() -> Command {
    // Only the tests of the program's own crate have it.
    let Some(binary) = option_env!("CARGO_BIN_EXE_wakegate") else {
        panic!("this test belongs to the program's crate");
    };
    let mut command = Command::new(binary);
    command.env_remove("ORT_DYLIB_PATH");
    command
}

/// Runs the binary in `directory`.
pub fn run_in(directory: &Path, arguments: &[&str]) -> Output {
    wakegate().current_dir(directory).args(arguments).output().unwrap()
}

/// The lines of stdout, parsed.
pub fn json_lines(output: &Output) -> Vec<serde_json::Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Stderr as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The library that tests against ONNX Runtime use; without it, says which test is skipped.
pub fn onnxruntime(test: &str) -> Option<PathBuf> {
    let library = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty());
    if library.is_none() {
        crate::skip::skipped(test, "ORT_DYLIB_PATH is not set");
    }
    library.map(PathBuf::from)
}
