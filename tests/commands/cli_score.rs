//! `wakegate score` through the binary: order, threads, keys, exit codes.

use std::fs;
use std::path::Path;

use crate::cli_support::{
    checkout, edit_manifest, json_lines, package, package_of, run_in, speech_like, stderr,
    wakegate, write_wav,
};

/// The keys of a line, in order.
const KEYS: [&str; 15] = [
    "path",
    "audio_s",
    "verdict",
    "reason",
    "p_intended",
    "p_wake_word",
    "p_addressed",
    "wake_word",
    "start_s",
    "end_s",
    "decided_s",
    "model",
    "schema",
    "error",
    "warnings",
];

/// A folder with the sound package in `tiny`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    package(&folder.path().join("tiny"));
    folder
}

/// The keys of a JSON object in the order in which they stand in its text.
fn keys(line: &str) -> Vec<String> {
    let mut found: Vec<(usize, String)> = KEYS
        .iter()
        .chain(&["activation"])
        .filter_map(|key| Some((line.find(&format!("\"{key}\":"))?, (*key).to_owned())))
        .collect();
    found.sort();
    found.into_iter().map(|(_, key)| key).collect()
}

#[test]
fn lines_come_in_input_order_whatever_the_number_of_threads() {
    let folder = folder();
    // The first is the longest, so that with several threads it is done last.
    for k in 0..12 {
        let seconds = if k == 0 { 20.0 } else { 0.5 + 0.2 * f64::from(k) };
        write_wav(&folder.path().join(format!("{k:02}.wav")), &speech_like(seconds, k));
    }
    fs::write(folder.path().join("list"), "11.wav\n00.wav\n\n03.wav\n").unwrap();
    let base = ["score", "--model", "tiny", ".", "--list", "list", "05.wav"];
    let one = run_in(folder.path(), &[&base[..], &["--threads", "1"]].concat());
    assert_eq!(one.status.code(), Some(0), "{one:?}");
    let paths: Vec<String> =
        json_lines(&one).iter().map(|line| line["path"].as_str().unwrap().to_owned()).collect();
    let mut expected: Vec<String> = (0..12).map(|k| format!("./{k:02}.wav")).collect();
    expected.extend(["05.wav", "11.wav", "00.wav", "03.wav"].map(str::to_owned));
    assert_eq!(paths, expected);
    for threads in ["2", "5"] {
        let many = run_in(folder.path(), &[&base[..], &["--threads", threads]].concat());
        assert_eq!(many.stdout, one.stdout, "{threads} threads");
    }
    assert_eq!(
        stderr(&one).lines().next().unwrap().split(':').next().unwrap(),
        "16 recordings scored, 1.1 min of audio"
    );
}

#[test]
fn a_line_has_the_documented_keys_in_order() {
    let folder = folder();
    write_wav(&folder.path().join("a.wav"), &speech_like(3.0, 3));
    let output = run_in(folder.path(), &["score", "--model", "tiny", "a.wav"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(keys(&text), KEYS[..14], "no warnings, no such key");
    let line = &json_lines(&output)[0];
    assert_eq!(line["audio_s"], 3.0);
    assert_eq!((&line["wake_word"], &line["model"]), (&"tiny".into(), &"tiny-1".into()));
    assert!(line["error"].is_null());
    let time = |key: &str| line[key].as_f64().unwrap();
    assert!(time("start_s") < time("end_s") && time("end_s") < time("decided_s"), "{line}");
    assert!(time("decided_s") - time("end_s") <= 1.0, "at most 1 s after the word: {line}");
}

#[test]
fn the_line_of_a_recording_is_its_best_activation() {
    let folder = folder();
    write_wav(&folder.path().join("a.wav"), &speech_like(9.0, 3));
    let whole = &json_lines(&run_in(folder.path(), &["score", "--model", "tiny", "a.wav"]))[0];
    let each =
        json_lines(&run_in(folder.path(), &["score", "--model", "tiny", "--activations", "a.wav"]));
    assert!(each.len() > 2, "the test needs activations");
    let p = |line: &serde_json::Value| line["p_intended"].as_f64().unwrap();
    let best = each.iter().max_by(|a, b| p(a).total_cmp(&p(b))).unwrap();
    for key in KEYS[..14].iter().filter(|key| **key != "path") {
        assert_eq!(whole[key], best[key], "{key}");
    }
    for (number, line) in (1..).zip(&each) {
        assert_eq!(line["activation"], number);
    }
}

#[test]
fn a_recording_without_a_candidate_still_has_scores() {
    let folder = folder();
    write_wav(&folder.path().join("quiet.wav"), &vec![0.0; 32_000]);
    let output = run_in(folder.path(), &["score", "--model", "tiny", "quiet.wav"]);
    assert_eq!(output.status.code(), Some(0));
    let line = &json_lines(&output)[0];
    assert_eq!(
        (&line["verdict"], &line["reason"]),
        (&"accidental".into(), &"not_wake_word".into())
    );
    for key in ["p_intended", "p_wake_word", "p_addressed"] {
        assert!(line[key].is_number(), "{line}");
    }
    for key in ["start_s", "end_s", "decided_s", "error"] {
        assert!(line[key].is_null(), "{line}");
    }
    let output = run_in(folder.path(), &["score", "--model", "tiny", "--activations", "quiet.wav"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
}

#[test]
fn an_outside_trigger_takes_the_spotters_place() {
    let folder = folder();
    write_wav(&folder.path().join("quiet.wav"), &vec![0.0; 32_000]);
    let at = |seconds: &str| {
        run_in(folder.path(), &["score", "--model", "tiny", "--trigger-at", seconds, "quiet.wav"])
    };
    let line = &json_lines(&at("1.5"))[0];
    assert_eq!(line["decided_s"], 2.315, "0.8 s and the rest of the last frame after it");
    let line = &json_lines(&at("2.5"))[0];
    assert_eq!(
        line["error"],
        "the trigger lies behind the audio: expected a moment up to 2 s, found 2.5 s"
    );
    assert_eq!(at("2.5").status.code(), Some(1));
    let refused = at("-1");
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
    assert_eq!(
        stderr(&refused),
        "error: --trigger-at: the trigger is refused: expected seconds from the start of the recording, 0 or \
         more, found -1\n"
    );
}

#[test]
fn a_recording_that_fails_does_not_stop_the_rest() {
    let folder = folder();
    write_wav(&folder.path().join("a.wav"), &speech_like(2.0, 3));
    fs::write(folder.path().join("text.wav"), "this is no audio\n").unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let arguments = ["score", "--model", "tiny", "missing.wav", "text.wav", "empty", "a.wav"];
    let output = run_in(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 4);
    for line in &lines[..3] {
        for key in ["audio_s", "verdict", "reason", "p_intended", "p_wake_word", "p_addressed"] {
            assert!(line[key].is_null(), "{line}");
        }
        assert!(line["error"].is_string());
    }
    assert!(lines[3]["error"].is_null() && lines[3]["verdict"].is_string());
    assert!(stderr(&output).contains("; 3 failed (1 audio, 2 io)\n"), "{}", stderr(&output));
    let activations = run_in(folder.path(), &[&arguments[..], &["--activations"]].concat());
    assert!(json_lines(&activations)[0]["activation"].is_null());
}

#[test]
fn an_output_that_is_no_number_is_an_error_line() {
    let folder = tempfile::tempdir().unwrap();
    write_wav(&folder.path().join("a.wav"), &speech_like(2.0, 3));
    write_wav(&folder.path().join("quiet.wav"), &vec![0.0; 16_000]);
    package_of(&folder.path().join("nan"), "spotter", "verifier_nan");
    for file in ["a.wav", "quiet.wav"] {
        let output = run_in(folder.path(), &["score", "--model", "nan", file]);
        assert_eq!(output.status.code(), Some(1));
        let line = &json_lines(&output)[0];
        assert!(line["verdict"].is_null() && line["p_intended"].is_null(), "{line}");
        assert_eq!(
            line["error"],
            "the posterior of intended is refused: expected a number from 0 to 1, found NaN \
             (hint: check the model with `wakegate model check`)"
        );
    }
}

/// Exit code and stderr of scoring with the package `name`, which must print nothing else.
fn could_not_run(folder: &Path, name: &str) -> String {
    let output = run_in(folder, &["score", "--model", name, "a.wav"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{output:?}");
    stderr(&output)
}

#[test]
fn a_model_that_is_refused_is_said_before_the_first_line() {
    let folder = folder();
    write_wav(&folder.path().join("a.wav"), &speech_like(1.0, 3));
    fs::create_dir(folder.path().join("bare")).unwrap();
    assert_eq!(
        could_not_run(folder.path(), "bare"),
        "error: the model bare has no manifest.toml: expected manifest.toml, the two networks it \
         names and MODEL_CARD.md, found no manifest.toml (hint: copy the whole package)\n"
    );
    fs::write(folder.path().join("tiny/spotter.onnx"), b"altered").unwrap();
    let message = could_not_run(folder.path(), "tiny");
    assert!(
        message.starts_with("error: tiny: spotter.onnx is not the manifest's: expected sha256 "),
        "{message}"
    );
    package(&folder.path().join("labels"));
    edit_manifest(&folder.path().join("labels"), "\"not_addressed\"", "\"playback\"");
    assert_eq!(
        could_not_run(folder.path(), "labels"),
        "error: labels: manifest value verifier.labels is refused: expected [\"intended\", \
         \"not_wake_word\", \"not_addressed\"], found [\"intended\", \"not_wake_word\", \
         \"playback\"] (hint: the verifier must give these classes in this order)\n"
    );
}

#[test]
fn what_cannot_run_exits_with_2() {
    let folder = folder();
    for arguments in [
        &["score"][..],
        &["score", "--threads", "0", "--model", "tiny", "a.wav"],
        &["score", "--list", "missing", "--model", "tiny"],
        &["score", "--model", "tiny", "--onnxruntime", "missing.so", "a.wav"],
        &["listen", "--device", "no such card"],
        &["listen", "--config", "missing.toml"],
        &["listen", "--input", "missing.wav", "--model", "tiny"],
        &["listen", "--input", "-", "--chunk-ms", "0"],
        &["demo", "--data", "missing"],
        &["model", "show", "missing"],
        &["model", "check", "missing"],
        &["features", "--output", "a.csv", "a.wav"],
        &["features", "--output", "a.npz", "--settings", "missing", "a.wav"],
    ] {
        let output = run_in(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        // What could not be done for the memory's safety may stand before it.
        let said = stderr(&output);
        assert!(said.lines().any(|line| line.starts_with("error: ")), "{arguments:?}: {said}");
    }
}

#[test]
fn what_would_change_nothing_is_refused() {
    let folder = folder();
    for (arguments, part) in [
        (&["score", "-"][..], "hint: `wakegate listen --input -` judges raw samples from stdin"),
        (&["score", "a.wav", "--key-file", "k"], "--key-file is refused: expected --queue DIR too"),
        (
            &["score", "a.wav", "--carry", "room"],
            "--carry is refused: expected a manifest or an archive",
        ),
        (&["score", "a.wav", "--column", "path=file"], "--column is refused: expected a manifest"),
        (&["score", "a.wav", "--root", "/"], "--root is refused: expected --list or --manifest"),
        (&["listen", "--chunk-ms", "80"], "--input <FILE|->"),
        (&["calibrate", "--labels", "l.csv", "--key-file", "k"], "--key-file is refused"),
        (
            &["eval", "--scores", "a", "--labels", "b", "--against-threshold", "0.5"],
            "--against <FILE>",
        ),
        (&["listen", "--wyoming-set", "channel=2"], "expected an address in wyoming.listen too"),
        (
            &["listen", "--wyoming", "tcp://127.0.0.1:0", "--upstream-lag-ms", "9"],
            "expected an address in wyoming.upstream too",
        ),
    ] {
        let output = run_in(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(stderr(&output).contains(part), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_package_can_be_checked_and_shown() {
    let folder = folder();
    let check = run_in(folder.path(), &["model", "check", "tiny"]);
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    assert_eq!(run_in(folder.path(), &["model", "check"]).status.code(), Some(0));
    package_of(&folder.path().join("nan"), "spotter", "verifier_nan");
    let check = run_in(folder.path(), &["model", "check", "nan"]);
    assert_eq!(check.status.code(), Some(1), "{check:?}");
    let text = String::from_utf8(check.stdout).unwrap();
    assert!(text.contains("\nFAIL     verifier: the posterior of intended is refused"), "{text}");
    let show = run_in(folder.path(), &["model", "show", "tiny"]);
    assert!(String::from_utf8(show.stdout).unwrap().starts_with("model       tiny-1\n"));
}

#[test]
fn a_terminal_gets_a_table_and_everything_else_lines() {
    if std::process::Command::new("script").arg("--version").output().is_err() {
        crate::skip::skipped(
            "cli_score::a_terminal_gets_a_table_and_everything_else_lines",
            "script, which makes a terminal, is not installed",
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::copy(checkout("data/alexa_lights.flac"), folder.join("a.flac")).unwrap();
    // A name that would clear the screen and paint.
    fs::write(folder.join("\u{1b}[2Jb.wav"), b"<html>").unwrap();
    let program = wakegate();
    let program = program.get_program().to_str().unwrap().to_owned();
    let on_a_terminal = |arguments: &str| {
        let command = format!("{program} score {arguments} 2>/dev/null");
        let output = std::process::Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .current_dir(folder)
            .env_remove("ORT_DYLIB_PATH")
            .env("TERM", "xterm")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let table = on_a_terminal("a.flac *.wav");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table:?}");
    for name in ["verdict", "reason", "p_intended", "word at s", "recording"] {
        assert!(lines[0].contains(name), "{table}");
    }
    let scored = &json_lines(&run_in(folder, &["score", "a.flac"]))[0];
    let number = |key: &str| scored[key].as_f64().unwrap();
    let score = format!(" {:.3}", number("p_intended"));
    let word = format!("{:.2} to {:.2}", number("start_s"), number("end_s"));
    for cell in ["intended", "████████", &score, &word, "a.flac"] {
        assert!(lines[1].contains(cell), "{cell}: {table}");
    }
    assert!(lines[1].contains("\u{1b}[32m"), "in colour: {table:?}");
    assert!(lines[2].contains("error") && lines[2].contains("found text"), "{table}");
    assert!(lines[2].contains("\\u{1b}[2Jb.wav") && !lines[2].contains("\u{1b}[2J"), "{table:?}");
    let chosen = on_a_terminal("--format jsonl a.flac");
    assert!(chosen.trim_end().starts_with("{\"path\":\"a.flac\""), "{chosen:?}");
    // Elsewhere: lines, and a table for who asks, without colours.
    let piped = run_in(folder, &["score", "a.flac"]);
    assert_eq!(json_lines(&piped).len(), 1);
    let asked = run_in(folder, &["score", "--format", "table", "a.flac"]);
    let text = String::from_utf8(asked.stdout).unwrap();
    assert!(text.lines().count() == 2 && !text.contains('\u{1b}'), "{text:?}");
}
