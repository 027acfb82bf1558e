//! The Wyoming server and the proxy with the protocol's own Python client, and with a real engine
//! (microWakeWord) upstream.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use crate::cli_support::checkout;
use crate::wyoming_support::{CHUNK, Daemon, bytes, of_kind, recording};
use serde_json::Value;

/// Python with the packages of `models/train/requirements-test.txt`; without it, says which test
/// is skipped.
fn python(test: &str) -> Option<PathBuf> {
    let python = checkout(".venv/bin/python");
    let ready = Command::new(&python)
        .args(["-c", "import pymicro_wakeword, wyoming"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !ready {
        crate::skip::skipped(test, "no wyoming in .venv (hint: make .venv/ready)");
    }
    ready.then_some(python)
}

/// The real engine of `tests/wyoming/engine.py`; it ends with its stdin.
struct RealEngine {
    child: Child,
    _stdin: ChildStdin,
    uri: String,
}

impl RealEngine {
    fn start(python: &Path) -> Self {
        let mut child = Command::new(python)
            .arg(checkout("tests/wyoming/engine.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        // It prints its detections too: somebody has to read them.
        std::thread::spawn(move || stdout.lines().for_each(drop));
        let stdin = child.stdin.take().unwrap();
        Self { child, _stdin: stdin, uri: format!("tcp://127.0.0.1:{}", line.trim()) }
    }
}

impl Drop for RealEngine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the real client got: the class's name and the data.
fn converse(python: &Path, uri: &str, mode: &str, names: &[&str]) -> Vec<(String, Value)> {
    let events = events(python, uri, mode, &[], names).into_iter();
    events.map(|e| (e["kind"].as_str().unwrap().to_owned(), e["data"].clone())).collect()
}

/// The lines of the real client.
fn events(python: &Path, uri: &str, mode: &str, more: &[&str], names: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let recordings = names.iter().map(|name| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes(&recording(name))).unwrap();
        path
    });
    let output = Command::new(python)
        .arg(checkout("tests/wyoming/client.py"))
        .args([uri, mode])
        .args(more)
        .arg("--raw")
        .args(recordings)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The classes of what came for each recording: between one pong and the next.
fn per_recording(events: &[(String, Value)]) -> Vec<Vec<&str>> {
    let kinds: Vec<&str> = events.iter().map(|(kind, _)| kind.as_str()).collect();
    let mut parts: Vec<Vec<&str>> =
        kinds.split(|&kind| kind == "Pong").map(<[_]>::to_vec).collect();
    assert_eq!(parts.pop(), Some(vec![]), "nothing comes after the last pong");
    assert_eq!(parts[0].remove(0), "Info");
    parts
}

#[test]
fn the_real_client_understands_the_server() {
    let Some(python) = python("the_real_client_understands_the_server") else { return };
    let daemon = Daemon::start(&[]);
    let names = ["alexa_lights", "mention_told", "talk", "alexa_alone"];
    for mode in ["satellite", "home-assistant"] {
        let events = converse(&python, &daemon.uri, mode, &names);
        let info = &events[0].1;
        assert_eq!(info["wake"][0]["models"][0]["name"], "alexa", "{mode}");
        let parts = per_recording(&events);
        for (part, name) in parts.iter().zip(names) {
            let detected = name.starts_with("alexa");
            let count = |kind: &str| part.iter().filter(|&&found| found == kind).count();
            assert_eq!(count("Detection"), usize::from(detected), "{mode} {name}: {part:?}");
            let not_detected = mode == "home-assistant" && !detected;
            assert_eq!(count("NotDetected"), usize::from(not_detected), "{mode} {name}: {part:?}");
        }
        assert_eq!(parts.len(), names.len());
        let (_, verdict) = events.iter().find(|(kind, _)| kind == "UserEvent").unwrap();
        assert_eq!(verdict["name"], "wakegate-verdict");
        assert_eq!(verdict["data"]["verdict"], "intended");
    }
}

#[test]
fn the_real_client_has_its_word_a_quarter_second_after_its_end_and_the_verdict_later() {
    let name = "the_real_client_has_its_word_a_quarter_second_after_its_end_and_the_verdict_later";
    let Some(python) = python(name) else { return };
    let daemon = Daemon::start(&["--wyoming-set", "detect=\"word\""]);
    let ends = crate::wyoming_word::ends();
    let addresses: Vec<&str> =
        ends.keys().map(String::as_str).filter(|name| name.starts_with("alexa")).collect();
    for (mode, chunk_ms) in [("satellite", 64), ("home-assistant", 30)] {
        let events = events(&python, &daemon.uri, mode, &["--step"], &addresses);
        let parts: Vec<&[Value]> = events.split(|event| event["kind"] == "Pong").collect();
        let mut late = Vec::new();
        for (part, name) in parts.iter().zip(&addresses) {
            let sent = |kind: &str| -> Vec<u64> {
                let of_kind = part.iter().filter(|event| event["kind"] == kind);
                of_kind.map(|event| event["sent_ms"].as_u64().unwrap()).collect()
            };
            let (words, verdicts) = (sent("Detection"), sent("UserEvent"));
            assert_eq!((words.len(), verdicts.len()), (1, 1), "{mode} {name}: {part:?}");
            assert!(words[0] < verdicts[0], "{mode} {name}: {words:?} {verdicts:?}");
            late.push(words[0] as i64 - ends[*name] as i64);
        }
        assert_eq!(late.len(), 8);
        late.sort_unstable();
        eprintln!("{mode}: detections {late:?} ms after the word's end");
        // Rounded up to the client's chunk.
        let p95 = late[(late.len() * 95).div_ceil(100) - 1];
        assert!(p95 <= 250 + chunk_ms, "{mode}: {late:?}");
    }
}

#[test]
fn a_real_engine_behind_the_proxy_wakes_only_where_it_was_meant() {
    let name = "a_real_engine_behind_the_proxy_wakes_only_where_it_was_meant";
    let Some(python) = python(name) else { return };
    let engine = RealEngine::start(&python);
    // Both words: this engine fires on each, and one of them is in passing.
    let names = ["alexa_lights", "mention_daughter", "talk", "alexa_alone"];
    let alone = converse(&python, &engine.uri, "home-assistant", &names[..2]);
    let fired = alone.iter().filter(|(kind, _)| kind == "Detection").count();
    assert_eq!(fired, 2, "alone it fires on both: {alone:?}");
    let daemon = Daemon::start(&["--upstream", &engine.uri]);
    let events = converse(&python, &daemon.uri, "home-assistant", &names);
    let models = events[0].1["wake"][0]["models"].as_array().unwrap();
    assert_eq!(models.len(), 1, "the other word is not ours to judge: {models:?}");
    let parts = per_recording(&events);
    for (part, name) in parts.iter().zip(names) {
        let detected = part.iter().filter(|&&kind| kind == "Detection").count();
        assert_eq!(detected, usize::from(name.starts_with("alexa")), "{name}: {part:?}");
        let not = part.iter().filter(|&&kind| kind == "NotDetected").count();
        assert_eq!(not, 1 - detected, "{name}: {part:?}");
    }
    let ended = daemon.stop();
    assert_eq!(ended.count("upstream_detections_total"), 3, "{:?}", ended.counters);
    assert_eq!(ended.count("detections_total"), 2);
    assert_eq!(ended.count("upstream_unjudged_total"), 0);
}

#[test]
fn at_the_speed_of_speech_the_detection_comes_within_a_second_of_the_words_end() {
    let name = "at_the_speed_of_speech_the_detection_comes_within_a_second_of_the_words_end";
    let Some(python) = python(name) else { return };
    let engine = RealEngine::start(&python);
    let daemon = Daemon::start(&["--upstream", &engine.uri]);
    let mut client = daemon.client();
    let samples = recording("alexa_lights");
    // Warm: the engine loads its network with the first audio.
    client.stream(&samples[..CHUNK]);
    client.send("audio-stop", serde_json::json!({}));
    client.drain();
    client.send("detect", serde_json::json!({"names": ["alexa"]}));
    let start = Instant::now();
    for (index, chunk) in samples.chunks(CHUNK).enumerate() {
        let due = std::time::Duration::from_millis((index * CHUNK / 16) as u64);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        client.chunk(chunk);
        let events = client.drain();
        if of_kind(&events, "detection").is_empty() {
            continue;
        }
        let spoken = start.elapsed().as_millis() as u64;
        let details = &of_kind(&events, "user-event")[0].data["data"];
        let end = details["end_ms"].as_u64().unwrap();
        eprintln!("detection {} ms after the word's end at {end} ms", spoken - end);
        assert!(details["decided_ms"].as_u64().unwrap() <= end + 1_000, "{details}");
        // Of the clock no more is asked than a busy machine can give.
        assert!(spoken <= end + 3_000, "{spoken} {details}");
        return;
    }
    panic!("no detection");
}
