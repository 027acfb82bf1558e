//! From Wyoming clients to the review queue, and the server in the daemon's configuration.

use std::path::Path;

use crate::cli_support::{json_lines, run_in, stderr};
use crate::daemon_support::live::{Live, free_port, get, metric};
use crate::wyoming_support::engine::Engine;
use crate::wyoming_support::{Client, Daemon, recording};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Opens the queue with a consent.
fn consent(folder: &Path) {
    let output = run_in(folder, &["review", "--queue", "queue", "consent", "--by", "Owner"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

fn clips(folder: &Path) -> Vec<Value> {
    json_lines(&run_in(folder, &["review", "--queue", "queue", "list", "--by", "Ann"]))
}

/// A server whose clips go to the queue in `folder`.
fn start(folder: &Path, more: &[&str]) -> Daemon {
    let settings = "[audio]\nenabled = false\n[review]\nenabled = true\nmin_free_mb = 0\n";
    std::fs::write(folder.join("a.toml"), settings).unwrap();
    let config = folder.join("a.toml").to_str().unwrap().to_owned();
    let queue = folder.join("queue").to_str().unwrap().to_owned();
    Daemon::start(&[&["--config", &config, "--queue", &queue], more].concat())
}

/// Streams up to the detection and then falls silent, as satellites do.
fn until_detected(client: &mut Client, name: &str) {
    for chunk in recording(name).chunks(crate::wyoming_support::CHUNK) {
        client.chunk(chunk);
        if client.drain().iter().any(|event| event.kind == "detection") {
            return;
        }
    }
    panic!("{name} was not detected");
}

#[test]
fn a_satellite_s_intended_words_are_kept_even_when_it_falls_silent_at_once() {
    let folder = tempfile::tempdir().unwrap();
    consent(folder.path());
    let daemon = start(folder.path(), &[]);
    let mut client = daemon.client();
    // Told by `detect` that the stream is over, by `audio-stop`, and by going away.
    until_detected(&mut client, "alexa_lights");
    client.send("detect", json!({"names": ["alexa"]}));
    client.stream(&recording("mention_told"));
    client.stream(&recording("alexa_alone"));
    client.send("audio-stop", json!({}));
    client.drain();
    until_detected(&mut client, "alexa_lights");
    drop(client);
    let mut other = daemon.client();
    other.stream(&recording("talk"));
    other.send("audio-stop", json!({}));
    other.drain();
    let ended = daemon.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let clips = clips(folder.path());
    assert_eq!(clips.len(), 3, "{clips:?}");
    for clip in &clips {
        assert_eq!(clip["wake_word"], "alexa");
        assert!((0.5..8.0).contains(&clip["audio_s"].as_f64().unwrap()), "{clip}");
    }
}

#[test]
fn what_another_engine_found_is_kept_only_where_it_was_intended() {
    for (name, at_ms, kept) in [("alexa_lights", 1_930, 1), ("mention_told", 2_280, 0)] {
        let folder = tempfile::tempdir().unwrap();
        consent(folder.path());
        let engine = Engine::start().detect_at("alexa_v0.1", at_ms);
        let daemon = start(folder.path(), &["--upstream", &engine]);
        let mut client = daemon.client();
        client.send("detect", json!({}));
        client.stream(&recording(name));
        client.read_kind("user-event", &["detection"]);
        // The satellite goes away without a word.
        drop(client);
        let ended = daemon.stop();
        assert_eq!(ended.lines.len(), 1, "{name}: {}", ended.stderr);
        assert_eq!(clips(folder.path()).len(), kept, "{name}: {:?}", ended.lines);
    }
}

#[test]
fn the_daemon_serves_what_its_configuration_says_and_reloads_it() {
    let folder = tempfile::tempdir().unwrap();
    let (port, other, page) = (free_port(), free_port(), free_port());
    let config = |port: u16| {
        format!(
            "[audio]\nenabled = false\n[wyoming]\nlisten = \"tcp://127.0.0.1:{port}\"\n\
             [metrics]\nlisten = \"127.0.0.1:{page}\"\n[log]\nlevel = \"info\"\n\
             [hooks]\non_intended = \"cat > hooked.json\"\n"
        )
    };
    std::fs::write(folder.path().join("a.toml"), config(port)).unwrap();
    let mut live = Live::start(folder.path());
    live.wait_for(&format!("wakegate serves Wyoming at tcp://127.0.0.1:{port}"));
    live.wait_until("healthy", || {
        get(page, "GET /healthz HTTP/1.1\r\n\r\n").is_some_and(|(head, _)| head.contains("200"))
    });
    until_detected(&mut Client::connect(&format!("tcp://127.0.0.1:{port}")), "alexa_lights");
    let mut line = live.next();
    line.as_object_mut().unwrap().remove("at");
    assert_eq!((&line["verdict"], &line["wake_word"]), (&json!("intended"), &json!("alexa")));
    assert!(line["source"].as_str().unwrap().starts_with("wyoming:1:127.0.0.1:"), "{line}");
    live.wait_until("the hook", || {
        let text = std::fs::read_to_string(folder.path().join("hooked.json")).unwrap_or_default();
        serde_json::from_str::<Value>(&text).is_ok_and(|hooked| hooked == line)
    });
    assert_eq!(metric(page, "wakegate_wyoming_detections_total"), Some(1.0));
    let verdicts =
        "wakegate_verdicts_total{wake_word=\"alexa\",verdict=\"intended\",reason=\"intended\"}";
    assert_eq!(metric(page, verdicts), Some(1.0));
    // Both moments of it: the word within a quarter second of its end, the verdict later.
    let quarter = "wakegate_word_delay_seconds_bucket{le=\"0.25\"}";
    assert_eq!(metric(page, quarter), Some(1.0));
    assert_eq!(metric(page, "wakegate_verdict_delay_seconds_count"), Some(1.0));
    let delays = ["wakegate_word_delay_seconds_sum", "wakegate_verdict_delay_seconds_sum"];
    let [word, verdict] = delays.map(|name| metric(page, name).unwrap());
    assert!(word < verdict, "{word} {verdict}");
    // Another address, and one that another program has: the old one goes on.
    std::fs::write(folder.path().join("a.toml"), config(other)).unwrap();
    live.signal(Signal::HUP);
    live.wait_for(&format!("wakegate serves Wyoming at tcp://127.0.0.1:{other}"));
    std::fs::write(folder.path().join("a.toml"), config(page)).unwrap();
    live.signal(Signal::HUP);
    live.wait_for("another program listens there");
    until_detected(&mut Client::connect(&format!("tcp://127.0.0.1:{other}")), "alexa_lights");
    live.next();
    live.signal(Signal::TERM);
    assert_eq!(live.end().code(), Some(0), "{}", live.said());
}

#[test]
fn nothing_to_listen_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.toml"), "[audio]\nenabled = false\n").unwrap();
    for arguments in [["listen", "--config", "a.toml"], ["config", "check", "a.toml"]] {
        let output = run_in(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(2));
        let text = "there is nothing to listen to: expected audio.enabled = true, or an address \
                    in wyoming.listen, found neither";
        assert!(stderr(&output).contains(text), "{}", stderr(&output));
    }
    let output = run_in(folder.path(), &["listen", "--upstream", "tcp://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("wyoming.upstream has no clients"), "{}", stderr(&output));
}
