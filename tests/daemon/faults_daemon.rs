//! What goes wrong around the daemon: nothing passes that was not judged intended, a counter or
//! a line says what happened, and it goes on or ends with its documented exit code.

use std::fs::{self, File};
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::cli_support::{RATE, speech_like};
use crate::daemon_support::live::{Live, config, folder, free_port, get, metric, pcm};
use crate::daemon_support::{offline, tiny};
use rustix::process::Signal;

const PROCESS: &str = "GET /healthz HTTP/1.1\r\n\r\n";

/// Half-way between the end of a word and its verdict, in samples of `samples`.
fn mid_candidate(samples: &[f32]) -> (usize, usize) {
    let whole = offline(&tiny("verifier", 0.001), samples);
    let victim = whole.iter().find(|a| a.end_sample > 5 * RATE as u64).unwrap();
    let cut = (victim.end_sample as usize + victim.decided_sample as usize) / 2;
    (cut, whole.iter().filter(|a| a.decided_sample <= cut as u64).count())
}

#[test]
fn a_signal_in_the_middle_of_a_candidate_ends_it_without_a_verdict() {
    let samples = speech_like(12.0, 3);
    let (cut, before) = mid_candidate(&samples);
    assert!(before >= 1);
    for (signal, code) in [(Signal::TERM, Some(0)), (Signal::INT, Some(0)), (Signal::KILL, None)] {
        let port = free_port();
        let folder = folder(&format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n"));
        let mut live = Live::start(folder.path());
        live.feed(&samples[..cut]);
        for _ in 0..before {
            assert_eq!(live.next()["verdict"], "intended");
        }
        let judged = || metric(port, "wakegate_judged_samples_total") == Some(cut as f64);
        live.wait_until("all was judged", judged);
        live.signal(signal);
        assert_eq!(live.end().code(), code, "{}", live.said());
        assert!(live.lines.recv().is_err(), "a line after the signal");
        // Nothing was left behind: the folder holds what the test put there.
        let mut files: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        files.sort();
        assert_eq!(files, ["a.toml", "tiny"]);
    }
}

#[test]
fn a_missing_or_altered_model_does_not_start() {
    let folder = folder("");
    fs::write(folder.path().join("tiny/verifier.onnx"), "not a network").unwrap();
    let mut live = Live::start(folder.path());
    assert_eq!(live.end().code(), Some(2));
    live.wait_for("error: tiny: verifier.onnx is not the manifest's: expected sha256 ");
    fs::remove_file(folder.path().join("tiny/verifier.onnx")).unwrap();
    let mut live = Live::start(folder.path());
    assert_eq!(live.end().code(), Some(2));
    live.wait_for("error: the model tiny has no verifier.onnx: expected");
    assert!(live.lines.recv().is_err());
}

#[test]
fn a_model_altered_while_it_runs_is_noticed_and_never_loaded() {
    let port = free_port();
    let folder = folder(&format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n"));
    let mut live = Live::start(folder.path());
    let samples = speech_like(20.0, 3);
    live.feed(&samples[..10 * RATE]);
    live.next();
    let file = folder.path().join("tiny/spotter.onnx");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    live.wait_for("a model's files were altered: the one that was loaded goes on");
    assert!(metric(port, "wakegate_model_altered_total") >= Some(1.0));
    live.signal(Signal::HUP);
    live.wait_for("error: the configuration stays as it was error=tiny: spotter.onnx is not the");
    assert_eq!(metric(port, "wakegate_reloads_refused_total"), Some(1.0));
    // What was loaded goes on.
    let seen = live.lines.try_iter().count();
    live.feed(&samples[10 * RATE..]);
    drop(live.stdin.take());
    assert_eq!(live.end().code(), Some(0));
    let all = offline(&tiny("verifier", 0.001), &samples).len();
    assert_eq!(1 + seen + live.lines.iter().count(), all);
}

#[test]
fn a_broken_configuration_at_reload_changes_nothing_and_a_good_one_says_what() {
    let port = free_port();
    let page = format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n");
    let folder = folder(&page);
    let mut live = Live::start(folder.path());
    let samples = speech_like(30.0, 3);
    live.feed(&samples[..10 * RATE]);
    assert_eq!(live.next()["verdict"], "intended");
    for (text, message) in [
        (config(&page).replace("model_check_s", "model_chek_s"), "did you mean model_check_s?"),
        (config(&page).replace("\"tiny\"", "\"gone\""), "cannot open the model gone"),
        ("[audio\n".to_owned(), "line 1"),
    ] {
        fs::write(folder.path().join("a.toml"), text).unwrap();
        live.signal(Signal::HUP);
        live.wait_for(message);
    }
    live.wait_until("all were refused", || {
        metric(port, "wakegate_reloads_refused_total") == Some(3.0)
    });
    assert_eq!(metric(port, "wakegate_reloads_total"), Some(0.0));
    let good = config(&page)
        .replace("intended_at = 0.001", "intended_at = 1.0")
        .replace("accidental_below = 0.001", "accidental_below = 1.0");
    fs::write(folder.path().join("a.toml"), good).unwrap();
    live.signal(Signal::HUP);
    live.wait_for("wake_word[1].intended_at: 0.001");
    live.wait_until("it was taken", || metric(port, "wakegate_reloads_total") == Some(1.0));
    // The order reaches the judging thread before the audio does: it looks between two blocks.
    std::thread::sleep(Duration::from_millis(200));
    let before = live.lines.try_iter().count();
    live.feed(&samples[10 * RATE..]);
    let verdicts: Vec<_> = (0..3).map(|_| live.next()["verdict"].clone()).collect();
    assert_eq!(verdicts, ["accidental"; 3], "after {before} of the old thresholds");
}

#[test]
fn a_full_stdout_is_counted_and_a_closed_one_ends_it() {
    let samples = speech_like(12.0, 3);
    let port = free_port();
    let folder = folder(&format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n"));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut live = Live::start_with(folder.path(), &[], |command| {
        command.stdout(Stdio::from(full));
    });
    live.feed(&samples);
    let failed = || metric(port, "wakegate_receiver_failed_total{receiver=\"stdout\"}");
    live.wait_until("failures are counted", || failed() >= Some(3.0));
    live.wait_for("an activation could not be written to stdout error=No space left on device");
    drop(live.stdin.take());
    assert_eq!(live.end().code(), Some(0));

    let (reader, writer) = std::io::pipe().unwrap();
    let mut live = Live::start_with(folder.path(), &[], |command| {
        command.stdout(Stdio::from(writer));
    });
    drop(reader);
    // It may end while it is still being fed.
    let _ = live.stdin.as_mut().unwrap().write_all(&pcm(&samples));
    assert_eq!(live.end().code(), Some(0), "who read the lines has gone: {}", live.said());
}

#[test]
fn a_hanging_hook_is_killed_with_all_it_started_and_delays_nothing() {
    let port = free_port();
    let hooks = "[hooks]\non_intended = \"sleep 1000 & echo $! >> started; wait\"\n\
                 timeout_s = 0.3\nqueue = 1\n";
    let folder = folder(&format!("{hooks}[metrics]\nlisten = \"127.0.0.1:{port}\"\n"));
    let samples = speech_like(12.0, 3);
    let count = offline(&tiny("verifier", 0.001), &samples).len();
    let mut live = Live::start(folder.path());
    let start = Instant::now();
    live.feed(&samples);
    drop(live.stdin.take());
    for _ in 0..count {
        live.next();
    }
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(live.end().code(), Some(0));
    live.wait_for("a command failed receiver=\"on_intended\" reason=\"killed after 0.3 s\"");
    for pid in fs::read_to_string(folder.path().join("started")).unwrap().lines() {
        let gone = || {
            // A process that was killed may still wait for its parent to notice.
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            status.is_empty() || status.contains("State:\tZ")
        };
        live.wait_until("what the hook started is gone", gone);
    }
}

#[test]
fn health_follows_the_audio() {
    let port = free_port();
    let folder = folder(&format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n"));
    let mut live = Live::start(folder.path());
    let status = |text: &str| get(port, text).map(|(status, _)| status);
    live.wait_until("the page is there", || status(PROCESS).is_some());
    assert_eq!(status(PROCESS).unwrap(), "HTTP/1.1 503 Service Unavailable");
    live.feed(&speech_like(1.0, 3));
    live.wait_until("it is well", || status(PROCESS).unwrap() == "HTTP/1.1 200 OK");
    for (request, expected) in [
        ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        ("GET /metrics?a=b HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK"),
        ("HEAD /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK"),
    ] {
        assert_eq!(status(request).unwrap(), expected, "{request}");
    }
    // A client that sends without end, and one that sends nothing, are let go of.
    let endless = format!("GET /{} HTTP/1.1", "a".repeat(20_000));
    assert_eq!(get(port, &endless), None);
    let silent = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert_eq!(status(PROCESS).unwrap(), "HTTP/1.1 200 OK");
    drop(silent);
}
