//! `wakegate bench` through the binary: its forms, its exit codes, what it refuses. No time that
//! it measures is asserted.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::cli_support::{package, run_in, speech_like, stderr, write_wav};
use serde_json::{Value, json};

/// A measurement of the tiny model, as short as one may be.
fn bench(folder: &Path, arguments: &[&str]) -> Output {
    let short =
        ["bench", "--model", "tiny", "--seconds", "0.2", "--warmup", "0", "--baselines", "kept"];
    run_in(folder, &[&short[..], arguments].concat())
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    package(&folder.path().join("tiny"));
    folder
}

fn printed(output: &Output) -> Value {
    assert!(output.stderr.is_ascii() || output.status.code() == Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
}

#[test]
fn the_object_has_everything_that_a_reader_may_ask_for() {
    let folder = folder();
    let output = bench(folder.path(), &["--json", "--starts", "1"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = printed(&output);
    for key in [
        "/schema",
        "/version",
        "/build/sha256",
        "/build/profile",
        "/build/rustc",
        "/build/target_features",
        "/threads",
        "/speed",
        "/machine/cores",
        "/machine/arch",
        "/machine/kernel",
        "/machine/governor",
        "/runtime",
        "/model",
        "/model_sha256/1",
        "/sizes/binary",
        "/sizes/model/verifier",
        "/workload/sha256",
        "/mode",
        "/device_hz",
        "/hops",
        "/rtf",
        "/cpu_s_per_audio_s",
        "/clock_ns",
        "/stages/0/p999_us",
        "/stages/0/blocks_us",
        "/delay/verdict_ms",
        "/start_up/median_ms",
        "/start_up/memory/peak",
        "/watched/preempted",
        "/warnings/0/remedy",
        "/comparison",
        "/budget",
    ] {
        assert!(report.pointer(key).is_some(), "{key} is not in {report}");
    }
    let stages: Vec<&str> =
        report["stages"].as_array().unwrap().iter().map(|s| s["stage"].as_str().unwrap()).collect();
    let always = ["ring", "resample", "front_end", "decision", "spotter", "listening", "gate"];
    assert_eq!(stages[..7], always, "{stages:?}");
    assert_eq!(*stages.last().unwrap(), "hop");
    assert_eq!(
        report["workload"],
        json!({
            "name": "built-in", "words": 6, "sha256": wakegate_lab::bench::Workload::built_in().sha256(),
        })
    );
    assert!(report["start_up"]["memory"]["steady"].as_u64() > Some(1_000_000), "{report}");
    for row in report["stages"].as_array().unwrap() {
        let at = |key: &str| row[key].as_f64().unwrap();
        let times = ["p50_us", "p90_us", "p95_us", "p99_us", "p999_us", "max_us"].map(at);
        assert!(times.is_sorted(), "{row}");
    }
}

#[test]
fn the_table_names_machine_stages_and_doubts() {
    let folder = folder();
    let output = bench(folder.path(), &["--starts", "0", "--histogram", "spotter"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    for part in [
        "tiny-1",
        "built-in, 6 words; throughput, device at 48000 Hz",
        "stage      per",
        "listening  step",
        "RTF 0.",
        " times real time\n",
        " build, rustc 1.",
        ", sha256 ",
        "after the word's end",
        "\nspotter, ",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("start-up"), "{text}");
    assert!(stderr(&output).contains("warning: no warm-up: the first hops are cold: --warmup 1"));
}

#[test]
fn a_measurement_is_kept_and_held_against() {
    let folder = folder();
    let kept = |arguments: &[&str]| bench(folder.path(), &[arguments, &["--starts", "0"]].concat());
    assert_eq!(kept(&["--save", "one"]).status.code(), Some(0));
    let path = folder.path().join("kept/one.json");
    let text = fs::read_to_string(&path).unwrap();

    // Of a machine that took next to no time, and of one that took ages.
    for (factor, word, code) in [(1e-4, "slower", 1), (1e6, "faster", 0)] {
        let mut report: Value = serde_json::from_str(&text).unwrap();
        for row in report["stages"].as_array_mut().unwrap() {
            let p50 = row["p50_us"].as_f64().unwrap().max(0.01) * factor;
            row["p50_us"] = json!(p50);
            row["blocks_us"] = json!([p50, p50, p50, p50, p50]);
        }
        report["machine"]["cpu"] = json!("Another");
        fs::write(folder.path().join("kept/other.json"), report.to_string()).unwrap();
        let output = kept(&["--compare", "other"]);
        let said = String::from_utf8(output.stdout.clone()).unwrap();
        let line = said.lines().find(|line| line.starts_with("hop ") && line.contains("x "));
        let expected = format!("x {word}, outside noise (ratio ");
        assert!(line.is_some_and(|line| line.contains(&expected)), "{said}");
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(stderr(&output).contains("processor: Another then, "), "{output:?}");
    }
    // One program twice is told from two, and two builds of one source by what made them.
    let line = "both are of the same program: what differs is the machine, or noise";
    let said = String::from_utf8(kept(&["--compare", "one"]).stdout).unwrap();
    assert!(said.lines().any(|found| found == line), "{said}");
    let mut report: Value = serde_json::from_str(&text).unwrap();
    let build = &mut report["build"];
    build["sha256"] = json!("0");
    build["rustc"] = json!("rustc 1.0.0 (older)");
    build["profile"] = json!("small");
    build["opt_level"] = json!("s");
    build["flags"] = json!("-C target-cpu=native");
    report["threads"] = json!(4);
    fs::write(folder.path().join("kept/other.json"), report.to_string()).unwrap();
    let output = kept(&["--compare", "other"]);
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(!said.lines().any(|found| found == line), "{said}");
    for doubt in [
        "compiler: rustc 1.0.0 (older) then, rustc 1.",
        "profile: small, level s then, ",
        "compiler flags: \"-C target-cpu=native\" then, ",
        "threads: 4 then, 1 now",
    ] {
        let line = format!("warning: the two measurements differ: {doubt}");
        assert!(stderr(&output).contains(&line), "{line} is not in {}", stderr(&output));
    }

    let output = kept(&["--compare", "none"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("(hint: keep one first with `wakegate bench --save none`)"));
    fs::write(&path, text.replacen("\"schema\": 2", "\"schema\": 99", 1)).unwrap();
    let output = kept(&["--compare", "one"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("expected schema 2, found 99"), "{output:?}");
}

#[test]
fn a_limit_that_is_not_kept_is_an_exit_code() {
    let folder = folder();
    let path = folder.path().join("limits.toml");
    let with = |limits: &str| {
        fs::write(&path, limits).unwrap();
        bench(folder.path(), &["--starts", "0", "--json", "--budget", "limits.toml"])
    };
    let output = with("[stage.spotter]\nmax_us = 1e9\n[process]\nrtf = 1e6\nmodel_mb = 1\n");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let checks = printed(&output)["budget"].clone();
    assert_eq!(checks.as_array().unwrap().len(), 3);
    assert_eq!(checks[0]["key"], "stage.spotter.max_us");
    assert!(checks[2]["found"].as_f64() > Some(0.0));
    // No time is 0, and what was not measured keeps no limit.
    assert_eq!(with("[stage.hop]\np50_us = 0\n").status.code(), Some(1));
    let output = with("[process]\nfirst_verdict_ms = 1e9\n");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(printed(&output)["budget"][0]["found"], Value::Null);
    assert!(stderr(&output).contains(
        "warning: process.first_verdict_ms was not measured: start fresh processes, with --starts 5"
    ));
}

#[test]
fn a_misspelt_limit_has_its_line_and_a_suggestion() {
    let folder = folder();
    for (limits, place, meant) in [
        ("[stage.hop]\np51_us = 0\n", "line 2: unknown key p51_us: ", "p50_us"),
        ("\n[stage.verifyer]\np50_us = 1\n", "line 2: unknown value verifyer: ", "verifier"),
        ("[proces]\nrtf = 1\n", "line 1: unknown key proces: ", "process"),
        ("[process]\nsteady_mb = 1\n", "line 2: unknown key steady_mb: ", "steady_rss_mb"),
    ] {
        fs::write(folder.path().join("limits.toml"), limits).unwrap();
        let output = bench(folder.path(), &["--budget", "limits.toml"]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let stderr = stderr(&output);
        assert!(stderr.starts_with(&format!("error: limits.toml: {place}")), "{stderr}");
        assert!(stderr.contains(&format!("(hint: did you mean {meant}?)")), "{stderr}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn a_limit_of_another_form_is_told_in_plain_words() {
    let folder = folder();
    for (limits, refused) in [
        ("[process]\nrtf = \"1\"\n", "line 2: expected a number, found the text \"1\""),
        ("stage = 3\n", "line 1: expected a table, found 3"),
        ("process = [0.5]\n", "process is refused: expected a table, found a list"),
        ("[stage]\nhop = [1.0]\n", "stage.hop is refused: expected a table, found a list"),
    ] {
        fs::write(folder.path().join("limits.toml"), limits).unwrap();
        let output = bench(folder.path(), &["--budget", "limits.toml"]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = stderr(&output);
        assert!(said.starts_with(&format!("error: limits.toml: {refused}")), "{said}");
    }
}

#[test]
fn several_streams_are_judged_at_once_and_told_together() {
    let folder = folder();
    let paced = ["--pace", "--seconds", "0.8", "--starts", "0", "--json"];
    let hops = |threads: &str| {
        let short = ["bench", "--model", "tiny", "--warmup", "0.1", "--threads", threads];
        let output = run_in(folder.path(), &[&short[..], &paced].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let report = printed(&output);
        let row = report["stages"].as_array().unwrap().iter().find(|row| row["stage"] == "hop");
        let row = row.unwrap();
        assert_eq!(row["n"], report["hops"]);
        assert_eq!(report["threads"].to_string(), threads);
        // The blocks of all streams, one behind the other.
        let blocks = row["blocks_us"].as_array().unwrap().len();
        let (audio_s, speed) = (report["audio_s"].as_f64().unwrap(), report["speed"].as_f64());
        assert!((speed.unwrap() - audio_s / report["wall_s"].as_f64().unwrap()).abs() < 1e-9);
        (report["hops"].as_u64().unwrap(), audio_s, blocks)
    };
    let (hops_of_one, audio_s, blocks) = hops("1");
    assert_eq!((hops_of_one, audio_s), (10, 0.8));
    assert_eq!(hops("3"), (30, 3.0 * 0.8, 3 * blocks));
}

#[test]
fn recordings_with_known_words_are_measured_on() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    write_wav(&at("a.wav"), &speech_like(3.0, 0));
    write_wav(&at("b.wav"), &speech_like(2.0, 1));
    fs::write(at("words.tsv"), "file\tstart_s\tend_s\na.wav\t1.7\t2.2\nb.wav\t0.1\t0.5\n").unwrap();
    fs::write(at("labels.txt"), "1.7\t2.2\ttiny\n").unwrap();
    for (arguments, words) in [
        (&["--input", "a.wav"][..], 0),
        (&["--input", "a.wav", "--labels", "labels.txt"], 1),
        (&["--data", "."], 2),
    ] {
        let output = bench(folder.path(), &[arguments, &["--starts", "0", "--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let report = printed(&output);
        assert_eq!(report["workload"]["words"], words);
        assert_eq!(report["delay"].is_null(), words == 0);
    }
}

#[test]
fn what_can_not_be_measured_is_said_before_the_time_is_spent() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    write_wav(&at("short.wav"), &speech_like(0.5, 0));
    write_wav(&at("a.wav"), &speech_like(2.0, 0));
    fs::write(at("late.txt"), "1.5\t2.5\n").unwrap();
    fs::write(at("words.tsv"), "file\tend_s\n").unwrap();
    for (arguments, said) in [
        (&["--seconds", "0"][..], "--seconds is refused: expected 0.1 to 86400, found 0"),
        (&["--rate", "44100"], "--rate is refused: expected a multiple of 16000 Hz"),
        (&["--tolerance", "101"], "--tolerance is refused: expected 0 to 100 %, found 101"),
        (&["--threads", "0"], "--threads is refused: expected 1 to 256, found 0"),
        (&["--load", "1000"], "--load is refused: expected 0 to 256 threads"),
        (&["--starts", "101"], "--starts is refused: expected 0 to 100"),
        (&["--cpu", "900"], "cannot run on processor 900"),
        (&["--input", "none.wav"], "none.wav"),
        (&["--input", "short.wav"], "expected 1 to 1800 s of audio, found 0.50 s"),
        (&["--input", "a.wav", "--labels", "late.txt"], "a word of a.wav is refused"),
        (&["--data", "."], "words.tsv, line 1: expected the columns file, start_s, end_s"),
        (&["--save", "../x"], "a measurement's name is refused"),
        (&["--budget", "none.toml"], "cannot read none.toml"),
        (&["--histogram", "x"], "expected one of ring, resample, front_end"),
        (&["--labels", "late.txt"], "--input"),
    ] {
        let seconds = if arguments[0] == "--seconds" { &[][..] } else { &["--seconds", "0.2"] };
        let short = ["bench", "--model", "tiny"];
        let output = run_in(folder.path(), &[&short[..], seconds, arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains(said), "{said} is not in {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}
