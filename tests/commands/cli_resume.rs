//! A run of `wakegate score` that is killed goes on where it was: no recording is scored twice,
//! none is lost, and the output is that of a run that nobody killed.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use crate::cli_support::{package, run_in, speech_like, stderr, wakegate, write_wav};
use tempfile::TempDir;

const COUNT: usize = 12;

/// Recordings of which one can't be read and one has no activation, a manifest of them, and the
/// tiny model.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    package(&folder.path().join("tiny"));
    let mut rows = String::new();
    for k in 0..COUNT {
        let samples = speech_like(1.0 + k as f64 / 4.0, k as u32);
        write_wav(&folder.path().join(format!("{k}.wav")), &samples);
        rows += &format!("{{\"path\":\"{k}.wav\",\"id\":\"u{k}\",\"label\":\"l, {k}\"}}\n");
    }
    write_wav(&folder.path().join("2.wav"), &[0.0; 16_000]);
    fs::write(folder.path().join("4.wav"), "no audio").unwrap();
    fs::write(folder.path().join("m.jsonl"), rows).unwrap();
    folder
}

/// Scores the manifest that comes through the pipe, into `output`.
fn start(folder: &Path, output: &str, resume: bool) -> (Child, ChildStdin) {
    let mut command = wakegate();
    command
        .current_dir(folder)
        .args(["score", "--model", "tiny", "--activations", "--threads", "2"])
        .args(["--manifest", "-", "--output", output])
        .args(resume.then_some("--resume"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let pipe = child.stdin.take().unwrap();
    (child, pipe)
}

/// Recordings that are closed in the journal of `output`.
fn closed(folder: &Path, output: &str) -> usize {
    let text = fs::read(folder.join(format!("{output}.journal"))).unwrap_or_default();
    text.split_inclusive(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(b"{\"done\":") && line.ends_with(b"\n"))
        .count()
}

#[test]
fn a_run_that_is_killed_again_and_again_comes_to_the_same_file() {
    let folder = folder();
    let folder = folder.path();
    let rows = fs::read_to_string(folder.join("m.jsonl")).unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    // The last kill is before the output is made, in the place of an older one.
    for (output, kills) in
        [("out.jsonl", &[1, 4, 5, 9][..]), ("out.csv", &[2, 9]), ("out.parquet", &[7, COUNT])]
    {
        let whole = format!("whole-{output}");
        let arguments = ["score", "--model", "tiny", "--activations", "--manifest", "m.jsonl"];
        let once = run_in(folder, &[&arguments[..], &["--output", &whole]].concat());
        assert_eq!(once.status.code(), Some(1));
        let expected = fs::read(folder.join(&whole)).unwrap();
        assert!(!expected.is_empty());
        // It gets no more rows than it is to have done when it is killed.
        for (turn, &rows_given) in kills.iter().enumerate() {
            let (mut child, mut pipe) = start(folder, output, turn > 0);
            for row in &rows[..rows_given] {
                writeln!(pipe, "{row}").unwrap();
            }
            pipe.flush().unwrap();
            let deadline = Instant::now() + Duration::from_secs(120);
            while closed(folder, output) < rows_given {
                assert!(Instant::now() < deadline, "it does not go on");
                assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
                std::thread::sleep(Duration::from_millis(2));
            }
            child.kill().unwrap();
            let ended = child.wait_with_output().unwrap();
            assert_eq!(ended.status.code(), None, "SIGKILL: {ended:?}");
            assert!(!folder.join(output).exists(), "nothing is there before all is");
        }
        // Whoever scored one of these again would find something else.
        let done = *kills.last().unwrap();
        let kept: Vec<Vec<u8>> =
            (0..done).map(|k| fs::read(folder.join(format!("{k}.wav"))).unwrap()).collect();
        (0..done).for_each(|k| fs::write(folder.join(format!("{k}.wav")), "gone").unwrap());
        fs::write(folder.join(output), "an older one").unwrap();
        let (child, mut pipe) = start(folder, output, true);
        rows.iter().for_each(|row| writeln!(pipe, "{row}").unwrap());
        drop(pipe);
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "one is no audio: {ended:?}");
        let before = format!("{done} of them were done before");
        assert!(stderr(&ended).contains(&before), "{ended:?}");
        let all = format!("{} recordings scored, ", COUNT - 1);
        assert!(stderr(&ended).contains(&all) && stderr(&ended).contains("; 1 failed (1 audio)"));

        for (k, bytes) in kept.iter().enumerate() {
            fs::write(folder.join(format!("{k}.wav")), bytes).unwrap();
        }
        assert_eq!(fs::read(folder.join(output)).unwrap(), expected, "{output}");
        assert!(!folder.join(format!("{output}.journal")).exists());

        let again = run_in(folder, &[&arguments[..], &["--output", output, "--resume"]].concat());
        assert_eq!(again.status.code(), Some(0));
        assert!(stderr(&again).ends_with("is complete; delete it to score again\n"), "{again:?}");
    }
}

#[test]
fn a_run_goes_on_only_as_it_was_begun() {
    let folder = folder();
    let folder = folder.path();
    let (mut child, mut pipe) = start(folder, "out.csv", false);
    let rows = fs::read_to_string(folder.join("m.jsonl")).unwrap();
    rows.lines().take(3).for_each(|row| writeln!(pipe, "{row}").unwrap());
    while closed(folder, "out.csv") < 3 {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(2));
    }
    // Two runs at a time would write one file.
    let base = ["score", "--model", "tiny", "--output", "out.csv", "--manifest", "m.jsonl"];
    let beside = run_in(folder, &[&base[..], &["--activations", "--resume"]].concat());
    assert_eq!(beside.status.code(), Some(2));
    let said =
        "expected no other run with this output, found another wakegate that is writing there";
    assert!(stderr(&beside).contains(said), "{beside:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    let journal = fs::read(folder.join("out.csv.journal")).unwrap();
    let reversed: Vec<&str> = rows.lines().rev().collect();
    fs::write(folder.join("other.jsonl"), reversed.join("\n")).unwrap();
    fs::write(folder.join("short.jsonl"), rows.lines().next().unwrap()).unwrap();
    let other = |name: &'static str| ["--activations", "--resume", "--manifest", name];
    for (arguments, part) in [
        (&["--activations"][..], "go on with --resume"),
        (&["--resume"], "found another activations"),
        (&["--resume", "--activations", "--trigger-at", "1"], "found another trigger_at"),
        (&["--resume", "--activations", "0.wav"], "recording 1 is now 0.wav"),
    ] {
        let refused = run_in(folder, &[&base[..], arguments].concat());
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {refused:?}");
        assert!(stderr(&refused).contains(part), "{arguments:?}: {}", stderr(&refused));
        assert_eq!(fs::read(folder.join("out.csv.journal")).unwrap(), journal);
    }
    let base = &base[..5];
    for (name, part) in [
        ("other.jsonl", "recording 1 is now 11.wav"),
        ("short.jsonl", "found 1 recordings, 3 of them done"),
    ] {
        let refused = run_in(folder, &[base, &other(name)[..]].concat());
        assert_eq!(refused.status.code(), Some(2), "{name}: {refused:?}");
        assert!(stderr(&refused).contains(part), "{name}: {}", stderr(&refused));
        assert_eq!(fs::read(folder.join("out.csv.journal")).unwrap(), journal);
    }
}
