//! The chunks in which a stream comes change nothing, not even the last bit.

use std::process::Stdio;
use std::sync::LazyLock;

use crate::cli_support::{RATE, json_lines, package, run_in, speech_like, wakegate, write_wav};
use proptest::prelude::*;
use wakegate::model::Model;
use wakegate::pipeline::{Activation, Pipeline};

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    package(directory.path());
    Model::open(directory.path()).unwrap()
});

/// Everything the pipeline says about `samples`, fed in chunks of the lengths in `chunks`,
/// over and over.
fn judge(pipeline: &mut Pipeline, samples: &[f32], chunks: &[usize]) -> (Vec<Activation>, String) {
    pipeline.reset().unwrap();
    let mut found = Vec::new();
    let mut rest = samples;
    for &length in chunks.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, later) = rest.split_at(length.clamp(1, rest.len()));
        pipeline.push(chunk, &mut |activation| found.push(activation)).unwrap();
        rest = later;
    }
    pipeline.finish(&mut |activation| found.push(activation)).unwrap();
    (found, format!("{:?}", pipeline.highest_moment().unwrap()))
}

#[test]
fn chunks_from_one_sample_to_one_second_give_the_same_activations() {
    let samples = speech_like(9.3, 5);
    let mut pipeline = Pipeline::new(&MODEL).unwrap();
    let whole = judge(&mut pipeline, &samples, &[samples.len()]);
    assert!(whole.0.len() >= 3, "the test needs activations: {whole:?}");
    for length in [1, 7, 160, 161, 1280, 4096, RATE] {
        assert_eq!(judge(&mut pipeline, &samples, &[length]), whole, "chunks of {length}");
    }
}

#[test]
fn a_stream_without_a_candidate_has_the_same_highest_moment() {
    let samples: Vec<f32> = speech_like(5.1, 2).iter().map(|s| s * 0.01).collect();
    let mut pipeline = Pipeline::new(&MODEL).unwrap();
    let whole = judge(&mut pipeline, &samples, &[samples.len()]);
    assert!(whole.0.is_empty() && whole.1.starts_with("Some"), "{whole:?}");
    for length in [1, 333, 1281, RATE] {
        assert_eq!(judge(&mut pipeline, &samples, &[length]), whole, "chunks of {length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_chunks_give_the_same_activations(
        seed in 0..50_u32,
        seconds in 0.01..6.0_f64,
        chunks in prop::collection::vec(1..=RATE, 1..8),
    ) {
        let samples = speech_like(seconds, seed);
        let mut pipeline = Pipeline::new(&MODEL).unwrap();
        let whole = judge(&mut pipeline, &samples, &[samples.len()]);
        prop_assert_eq!(judge(&mut pipeline, &samples, &chunks), whole);
    }
}

#[test]
fn listen_prints_what_score_prints_whatever_the_chunks() {
    let folder = tempfile::tempdir().unwrap();
    package(&folder.path().join("tiny"));
    let samples = speech_like(7.0, 3);
    write_wav(&folder.path().join("a.wav"), &samples);
    let scored = run_in(folder.path(), &["score", "--model", "tiny", "--activations", "a.wav"]);
    let mut expected = json_lines(&scored);
    assert!(expected.len() >= 2, "the test needs activations");
    for line in &mut expected {
        // A stream's length is not known while it runs.
        assert!(line["audio_s"].is_number());
        line["audio_s"] = serde_json::Value::Null;
    }
    for chunk_ms in ["0.0625", "1", "20", "33.4375", "80", "1000"] {
        let arguments = ["listen", "--model", "tiny", "--input", "a.wav", "--chunk-ms", chunk_ms];
        let output = run_in(folder.path(), &arguments);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(json_lines(&output), expected, "chunks of {chunk_ms} ms");
    }
}

#[test]
fn listen_takes_raw_samples_from_stdin() {
    let folder = tempfile::tempdir().unwrap();
    package(&folder.path().join("tiny"));
    let samples = speech_like(4.0, 3);
    write_wav(&folder.path().join("a.wav"), &samples);
    let raw: Vec<u8> =
        samples.iter().flat_map(|s| ((s * 32767.0).round() as i16).to_le_bytes()).collect();
    let mut child = wakegate()
        .current_dir(folder.path())
        .args(["listen", "--model", "tiny", "--input", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &raw).unwrap();
    let mut from_pipe = json_lines(&child.wait_with_output().unwrap());
    let from_file =
        json_lines(&run_in(folder.path(), &["listen", "--model", "tiny", "--input", "a.wav"]));
    assert!(!from_file.is_empty());
    from_pipe.iter_mut().for_each(|line| line["path"] = "a.wav".into());
    assert_eq!(from_pipe, from_file);
}
