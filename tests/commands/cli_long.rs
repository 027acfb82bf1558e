//! Recordings of hours stream: memory is the same at their start and at their end, in every
//! container.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::cli_support::{package, wakegate};
use crate::long_support::{flac, mp3, opus, ulaw};
use serde_json::Value;

/// What scoring a recording came to.
struct Run {
    /// Resident memory in KiB, from the start to the end, some hundred times a second.
    resident: Vec<u64>,
    /// Hours that were heard.
    hours: f64,
}

fn score(folder: &Path, input: &str) -> Run {
    let child = wakegate()
        .current_dir(folder)
        .args(["score", "--model", "tiny", "--threads", "1", input])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.unwrap();
    let statm = format!("/proc/{}/status", child.id());
    let mut resident = Vec::new();
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&statm).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        resident.extend(line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok()));
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{input}: {output:?}");
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["error"], Value::Null, "{line}");
    Run { resident, hours: line["audio_s"].as_f64().unwrap() / 3600.0 }
}

#[test]
fn memory_is_the_same_at_the_start_and_at_the_end_of_hours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    package(&path.join("tiny"));
    ulaw(&path.join("long.wav"), 3).unwrap();
    flac(&path.join("long.flac"), 1).unwrap();
    mp3(&path.join("long.mp3"), 1).unwrap();
    opus(&path.join("long.opus"), 1).unwrap();
    for (input, hours) in
        [("long.wav", 3.0), ("long.flac", 1.0), ("long.mp3", 1.0), ("long.opus", 1.0)]
    {
        let run = score(path, input);
        assert!((run.hours - hours).abs() < 1e-3, "{input}: {} h", run.hours);
        let count = run.resident.len();
        assert!(count >= 40, "{input}: only {count} readings");
        // The first tenth has the loading in it; the networks' arenas are then full.
        let most = |from: usize, to: usize| run.resident[from..to].iter().copied().max().unwrap();
        let (early, late) = (most(count / 10, count / 4), most(count / 2, count));
        println!("{input}: {hours} h, {early} KiB early, {late} KiB late, {count} readings");
        assert!(late < early + 2_048, "{input}: {early} KiB early, {late} KiB late");
    }
}
