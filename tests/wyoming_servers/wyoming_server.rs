//! `wakegate listen --wyoming` as a wake-word engine, spoken to as satellites and Home Assistant do.

use crate::cli_support::{json_lines, package, run_in, wakegate, write_wav};
use crate::wyoming_support::{CHUNK, Client, Daemon, Event, bytes, of_kind, recording};
use serde_json::{Value, json};

/// Streams a recording and gives everything that came back.
fn judge(client: &mut Client, name: &str) -> Vec<Event> {
    client.stream(&recording(name));
    client.drain()
}

#[test]
fn describe_says_what_is_served() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.raw(b"{\"type\":\"describe\"}\n");
    let info = client.read_kind("info", &[]);
    let program = &info.data["wake"][0];
    assert_eq!(program["name"], "wakegate");
    assert_eq!(program["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(program["models"][0]["name"], "alexa");
    for domain in ["asr", "tts", "handle", "intent", "mic", "snd"] {
        assert_eq!(info.data[domain], json!([]), "{domain}");
    }
    // What Python's reader asks of every artifact.
    for artifact in [program, &program["models"][0]] {
        for key in ["attribution", "installed", "description", "version"] {
            assert!(artifact.get(key).is_some(), "{key} of {artifact}");
        }
        assert!(artifact["attribution"]["name"].is_string());
        assert!(artifact["attribution"]["url"].is_string());
    }
    let model = &program["models"][0];
    assert_eq!((&model["phrase"], &model["description"]), (&json!("Alexa"), &json!("Alexa")));
    assert_eq!(model["languages"], json!(["en"]));
    for artifact in [program, model] {
        let url = artifact["attribution"]["url"].as_str().unwrap();
        assert!(url.starts_with("https://spdx.org/licenses/"), "{url}");
    }
}

#[test]
fn a_detection_has_the_name_that_was_asked_for() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    for name in ["alexa_v0.1", "Alexa", "alexa"] {
        client.send("detect", json!({"names": [name]}));
        let events = judge(&mut client, "alexa_lights");
        assert_eq!(of_kind(&events, "detection")[0].data["name"], name);
    }
    client.send("detect", json!({"names": null}));
    let events = judge(&mut client, "alexa_lights");
    assert_eq!(of_kind(&events, "detection")[0].data["name"], "alexa");
}

#[test]
fn a_word_said_to_the_device_is_detected_and_one_in_passing_is_not() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.send("describe", json!({}));
    client.read_kind("info", &[]);
    for (name, detected) in [
        ("alexa_lights", true),
        ("mention_told", false),
        ("alexa_alone", true),
        ("talk", false),
        ("noise_hum", false),
    ] {
        client.send("detect", json!({"names": ["alexa"]}));
        let events = judge(&mut client, name);
        let detections = of_kind(&events, "detection");
        assert_eq!(detections.len(), usize::from(detected), "{name}: {events:?}");
        for detection in detections {
            assert_eq!(detection.data["name"], "alexa");
            assert_eq!(detection.data["speaker"], Value::Null);
            assert!(detection.data["timestamp"].is_u64(), "{name}: ms, without client's own");
        }
        let verdicts = of_kind(&events, "user-event");
        for verdict in &verdicts {
            assert_eq!(verdict.data["name"], "wakegate-verdict");
            let intended = verdict.data["data"]["verdict"] == "intended";
            assert_eq!(intended, detected, "{name}: {verdict:?}");
        }
        assert_eq!(events.len(), usize::from(detected) + verdicts.len(), "{name}: {events:?}");
    }
    let ended = daemon.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.count("detections_total"), 2);
    assert_eq!(ended.count("activations_intended_total"), 2);
    let printed = ended.lines.iter().filter(|line| line["verdict"] == "intended").count();
    assert_eq!(printed, 2, "stdout has the verdicts too: {:?}", ended.lines);
}

#[test]
fn the_scores_are_those_of_score() {
    let folder = tempfile::tempdir().unwrap();
    let samples = recording("alexa_lights");
    let floats: Vec<f32> = samples.iter().map(|&s| f32::from(s) / 32_767.0).collect();
    write_wav(&folder.path().join("a.wav"), &floats);
    let scored = json_lines(&run_in(folder.path(), &["score", "--activations", "a.wav"]));
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.stream(&samples);
    client.send("audio-stop", json!({}));
    let events = client.drain();
    let verdicts = of_kind(&events, "user-event");
    assert_eq!(verdicts.len(), scored.len());
    for (verdict, scored) in verdicts.iter().zip(&scored) {
        let data = &verdict.data["data"];
        for key in ["p_intended", "p_wake_word", "p_addressed"] {
            let (ours, theirs) = (data[key].as_f64().unwrap(), scored[key].as_f64().unwrap());
            assert!((ours - theirs).abs() < 1e-6, "{key}: {ours} {theirs}");
        }
        for (ours, theirs) in [("end_ms", "end_s"), ("decided_ms", "decided_s")] {
            let expected = (scored[theirs].as_f64().unwrap() * 1_000.0) as u64;
            assert_eq!(data[ours], expected, "{ours}");
        }
        assert_eq!(data["model"], scored["model"]);
        assert_eq!(data["reason"], scored["reason"]);
    }
}

#[test]
fn the_detection_comes_with_the_chunk_that_decides_it_within_a_second_of_the_word() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.send("detect", json!({}));
    let mut sent = 0;
    for chunk in recording("alexa_lights").chunks(CHUNK) {
        client.chunk(chunk);
        sent += chunk.len() as u64;
        let events = client.drain();
        if of_kind(&events, "detection").is_empty() {
            continue;
        }
        let details = &of_kind(&events, "user-event")[0].data["data"];
        let ms = |key: &str| details[key].as_u64().unwrap();
        assert!(ms("decided_ms") <= ms("end_ms") + 1_000, "{details}");
        let decided = ms("decided_ms") * 16;
        assert!(sent >= decided && sent < decided + 2 * CHUNK as u64, "{sent} {decided}");
        return;
    }
    panic!("no detection");
}

#[test]
fn the_timestamp_is_that_of_the_clients_chunk_with_the_words_end() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    let base = 5_000_000_000_u64;
    for (index, chunk) in recording("alexa_alone").chunks(CHUNK).enumerate() {
        let timestamp = base + index as u64;
        let data = json!({"rate": 16_000, "width": 2, "channels": 1, "timestamp": timestamp});
        client.send_with("audio-chunk", data, &bytes(chunk));
    }
    let events = client.drain();
    let timestamp = of_kind(&events, "detection")[0].data["timestamp"].as_u64().unwrap();
    let end = of_kind(&events, "user-event")[0].data["data"]["end_ms"].as_u64().unwrap();
    assert!(timestamp.abs_diff(base + end * 16 / CHUNK as u64) <= 1, "{timestamp}");
}

#[test]
fn not_detected_comes_after_a_stop_without_a_detection_and_only_then() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    let start = json!({"rate": 16_000, "width": 2, "channels": 1, "timestamp": 0});
    for (name, detected) in [("talk", false), ("alexa_lights", true), ("noise_hum", false)] {
        client.send("detect", json!({"names": null}));
        client.send("audio-start", start.clone());
        for chunk in recording(name).chunks(CHUNK) {
            // The form is known from audio-start.
            client.send_with("audio-chunk", json!({}), &bytes(chunk));
        }
        assert!(of_kind(&client.drain(), "not-detected").is_empty(), "{name}: before the stop");
        client.send("audio-stop", json!({"timestamp": null}));
        let events = client.drain();
        assert_eq!(of_kind(&events, "not-detected").len(), usize::from(!detected), "{name}");
    }
    client.send("audio-stop", json!({}));
    assert_eq!(client.drain().len(), 1, "an empty stream has no detection");
}

#[test]
fn a_stop_right_after_the_word_still_gives_its_detection() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    let events = judge(&mut client, "alexa_alone");
    let end = of_kind(&events, "user-event")[0].data["data"]["end_ms"].as_u64().unwrap();
    client.send("detect", json!({}));
    // 0.2 s after the word, long before its verdict.
    client.stream(&recording("alexa_alone")[..(end as usize + 200) * 16]);
    assert!(client.drain().is_empty());
    client.send("audio-stop", json!({}));
    let events = client.drain();
    assert_eq!(of_kind(&events, "detection").len(), 1, "{events:?}");
}

#[test]
fn a_client_is_armed_again_with_detect_and_without() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    for round in 0..4 {
        if round % 2 == 0 {
            client.send("detect", json!({"names": ["Alexa_v0.1"]}));
        }
        let events = judge(&mut client, "alexa_lights");
        assert_eq!(of_kind(&events, "detection").len(), 1, "round {round}: {events:?}");
    }
}

#[test]
fn names_that_are_not_served_are_told_and_never_detected() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.send("detect", json!({"names": ["okay_nabu", "hey_jarvis"]}));
    let error = client.read_kind("error", &[]);
    assert_eq!(error.data["code"], "unknown-wake-word");
    let text = error.data["text"].as_str().unwrap();
    assert!(text.contains("expected one of alexa, found okay_nabu, hey_jarvis"), "{text}");
    assert_eq!(judge(&mut client, "alexa_lights"), []);
    client.send("detect", json!({"names": ["okay_nabu", "alexa"]}));
    client.read_kind("error", &[]);
    assert_eq!(of_kind(&judge(&mut client, "alexa_lights"), "detection").len(), 1);
    let ended = daemon.stop();
    assert_eq!(ended.count("unknown_names_total"), 3);
    let told = |name: &str| ended.stderr.lines().filter(|line| line.contains(name)).count();
    assert_eq!((told("okay_nabu"), told("hey_jarvis")), (1, 1), "{}", ended.stderr);
}

#[test]
fn several_wake_words_are_served_and_chosen_by_name() {
    let folder = tempfile::tempdir().unwrap();
    package(folder.path());
    let daemon = Daemon::start(&["--also-model", folder.path().to_str().unwrap()]);
    let mut client = daemon.client();
    client.send("describe", json!({}));
    let info = client.read_kind("info", &[]);
    let models = info.data["wake"][0]["models"].as_array().unwrap();
    let names: Vec<_> = models.iter().map(|model| &model["name"]).collect();
    assert_eq!(names, ["alexa", "tiny"]);
    let words = |events: &[crate::wyoming_support::Event]| -> Vec<String> {
        let verdicts = of_kind(events, "user-event");
        let mut words: Vec<String> =
            verdicts.iter().map(|v| v.data["data"]["wake_word"].to_string()).collect();
        words.sort();
        words.dedup();
        words
    };
    for (names, expected) in [
        (json!(null), vec!["\"alexa\"", "\"tiny\""]),
        (json!(["tiny"]), vec!["\"tiny\""]),
        (json!(["alexa"]), vec!["\"alexa\""]),
        (json!(["tiny", "alexa"]), vec!["\"alexa\"", "\"tiny\""]),
    ] {
        client.send("detect", json!({"names": names}));
        assert_eq!(words(&judge(&mut client, "alexa_lights")), expected, "{names}");
    }
}

#[test]
fn verdicts_go_to_the_client_only_where_they_are_wanted() {
    let daemon = Daemon::start(&["--wyoming-set", "verdict_events=false"]);
    let mut client = daemon.client();
    let events = judge(&mut client, "alexa_lights");
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].kind, "detection");
    assert_eq!(judge(&mut client, "mention_told"), []);
}

#[test]
fn a_ping_is_answered_and_other_events_are_passed_over() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.send("ping", json!({"text": "are you there?"}));
    assert_eq!(client.read_kind("pong", &[]).data["text"], "are you there?");
    client.send("run-satellite", json!({"a": [1, {"b": null}]}));
    client.send_with("from-the-future", json!({}), &[1, 2, 3]);
    client.raw(b"{\"type\":\"ping\",\"data\":{}}\n");
    assert_eq!(client.read_kind("pong", &[]).data["text"], Value::Null);
}

#[test]
fn a_unix_socket_serves_as_well_and_its_file_goes_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wake.sock");
    let uri = format!("unix://{}", path.display());
    let daemon = Daemon::start_at(&uri, &[]);
    assert_eq!(daemon.uri, uri);
    let mut client = daemon.client();
    assert_eq!(of_kind(&judge(&mut client, "alexa_lights"), "detection").len(), 1);
    assert_eq!(daemon.stop().code, Some(0));
    assert!(!path.exists());
}

#[test]
fn what_can_not_be_served_is_refused_before_it_starts() {
    let daemon = Daemon::start(&[]);
    for (arguments, text) in [
        (vec!["--wyoming", "localhost"], "expected tcp://HOST:PORT or unix://PATH"),
        (vec!["--wyoming", &daemon.uri], "another program listens there"),
        (
            vec!["--wyoming", "tcp://127.0.0.1:0", "--wyoming-set", "most_clients=0"],
            "wyoming.most_clients is refused: expected 1 to 1024, found 0",
        ),
        (
            vec!["--wyoming", "tcp://127.0.0.1:0", "--wyoming-set", "most_client=1"],
            "unknown key most_client",
        ),
        (
            vec!["--wyoming", "tcp://127.0.0.1:0", "--wyoming-set", "detekt=\"word\""],
            "did you mean detect?",
        ),
        // As a shell hands it over, without quotes.
        (
            vec!["--wyoming", "tcp://127.0.0.1:0", "--wyoming-set", "detect=words"],
            "unknown value words: expected word, verdict, found words (hint: did you mean word?)",
        ),
    ] {
        let output = wakegate().arg("listen").args(&arguments).output().unwrap();
        let stderr = crate::cli_support::stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(text), "{arguments:?}: {stderr}");
    }
}
