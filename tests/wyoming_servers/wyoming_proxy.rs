//! `wakegate listen --wyoming --upstream`: another engine detects, and only what was intended
//! goes on.

use std::net::TcpListener;

use crate::wyoming_support::engine::Engine;
use crate::wyoming_support::{CHUNK, Client, Daemon, Event, bytes, of_kind, recording};
use serde_json::{Value, json};

/// When an engine usually reports the word of `alexa_lights`, in ms.
const LIGHTS_MS: u64 = 1_930;
/// The same for `mention_told`.
const TOLD_MS: u64 = 2_280;

fn proxy(uri: &str, more: &[&str]) -> Daemon {
    let quick = ["--upstream", uri, "--wyoming-set", "upstream_backoff_ms=10"];
    Daemon::start(&[&quick[..], more].concat())
}

/// The next verdict, and what came before it.
fn verdict(client: &mut Client) -> (Value, Vec<Event>) {
    let mut before = Vec::new();
    loop {
        let event = client.read().expect("the connection ended without a verdict");
        if event.kind == "user-event" {
            return (event.data["data"].clone(), before);
        }
        before.push(event);
    }
}

#[test]
fn info_is_the_engines_with_our_mark_and_the_words_that_we_can_judge() {
    let engine = Engine::start();
    let daemon = proxy(&engine.uri, &[]);
    let mut client = daemon.client();
    client.send("describe", json!({}));
    let info = client.read_kind("info", &[]);
    let program = &info.data["wake"][0];
    assert_eq!(program["name"], "openwakeword (wakegate)");
    let description = format!("An engine; judged by wakegate {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(program["description"], description);
    assert_eq!(program["models"].as_array().unwrap().len(), 1);
    assert_eq!(program["models"][0]["name"], "alexa_v0.1");
    assert_eq!(info.data["asr"], json!([]));
}

#[test]
fn the_audio_reaches_the_engine_unchanged() {
    let engine = Engine::start();
    let daemon = proxy(&engine.uri, &[]);
    let mut client = daemon.client();
    client.send("detect", json!({"names": null}));
    let form = json!({"rate": 44_100, "width": 3, "channels": 2});
    client.send("audio-start", form.clone());
    let audio: Vec<u8> = (0..100_003_u64).map(|n| (n * n % 251) as u8).collect();
    for piece in audio.chunks(40_001) {
        client.send_with("audio-chunk", form.clone(), piece);
    }
    client.drain();
    let (theirs, first) = engine.session();
    assert_eq!(first.kind, "detect");
    // Engines have defaults of their own: they are asked for what we can judge.
    assert_eq!(first.data["names"], json!(["alexa_v0.1"]));
    let start = theirs.read().unwrap();
    assert_eq!((start.kind.as_str(), &start.data), ("audio-start", &form));
    let (mut got, mut stamp) = (Vec::new(), 0);
    while got.len() < audio.len() {
        let chunk = theirs.read_kind("audio-chunk", &[]);
        for key in ["rate", "width", "channels"] {
            assert_eq!(chunk.data[key], form[key]);
        }
        let next = chunk.data["timestamp"].as_u64().unwrap();
        assert!(next > stamp, "a timestamp names one chunk");
        stamp = next;
        got.extend(chunk.payload);
    }
    assert!(got == audio, "the bytes differ");
}

#[test]
fn an_intended_word_goes_on_with_the_clients_own_timestamp() {
    let engine = Engine::start().detect_at("alexa_v0.1", LIGHTS_MS);
    let daemon = proxy(&engine, &[]);
    let mut client = daemon.client();
    client.send("detect", json!({"names": ["alexa_v0.1"]}));
    for (index, chunk) in recording("alexa_lights").chunks(CHUNK).enumerate() {
        let data =
            json!({"rate": 16_000, "width": 2, "channels": 1, "timestamp": 7_000_000 + index});
        client.send_with("audio-chunk", data, &bytes(chunk));
    }
    let (details, before) = verdict(&mut client);
    assert_eq!(details["verdict"], "intended");
    assert_eq!(before.len(), 1, "{before:?}");
    assert_eq!(before[0].kind, "detection");
    assert_eq!(before[0].data["name"], "alexa_v0.1", "the engine's own name");
    assert_eq!(before[0].data["speaker"], Value::Null);
    let timestamp = before[0].data["timestamp"].as_u64().unwrap();
    assert_eq!(timestamp, 7_000_000 + LIGHTS_MS * 16 / CHUNK as u64);
    let ms = |key: &str| details[key].as_u64().unwrap();
    assert!(ms("decided_ms") <= ms("end_ms") + 1_000, "{details}");
    let ended = daemon.stop();
    assert_eq!(ended.count("detections_total"), 1);
    assert_eq!(ended.count("upstream_unjudged_total"), 0);
    assert_eq!(ended.lines.len(), 1);
}

#[test]
fn a_word_in_passing_is_counted_with_its_reason_and_does_not_go_on() {
    let engine = Engine::start().detect_at("alexa_v0.1", TOLD_MS);
    let daemon = proxy(&engine, &[]);
    let mut client = daemon.client();
    client.send("detect", json!({}));
    client.stream(&recording("mention_told"));
    let (details, before) = verdict(&mut client);
    assert_eq!(details["verdict"], "accidental");
    assert_eq!(before, []);
    client.send("audio-stop", json!({}));
    client.read_kind("not-detected", &[]);
    let ended = daemon.stop();
    assert_eq!(ended.count("upstream_detections_total"), 1);
    assert_eq!(ended.count("detections_total"), 0);
    let accidental = ended.count("activations_not_addressed_total")
        + ended.count("activations_not_wake_word_total");
    assert_eq!(accidental, 1);
    assert_eq!(ended.lines[0]["verdict"], "accidental");
}

#[test]
fn a_stop_waits_for_what_the_engine_still_has_to_say() {
    // It reports the word after the last chunk came, and the stop is there already.
    let engine = Engine::start().detect_at("alexa_v0.1", LIGHTS_MS);
    let daemon = proxy(&engine, &[]);
    let mut client = daemon.client();
    for round in 0..3 {
        client.send("detect", json!({}));
        client.send("audio-start", json!({"rate": 16_000, "width": 2, "channels": 1}));
        client.stream(&recording("alexa_lights")[..LIGHTS_MS as usize * 16 + CHUNK]);
        client.send("audio-stop", json!({}));
        let events = client.drain();
        assert_eq!(of_kind(&events, "detection").len(), 1, "round {round}: {events:?}");
        assert_eq!(of_kind(&events, "not-detected").len(), 0, "round {round}");
    }
}

#[test]
fn detections_that_can_not_be_judged_are_dropped() {
    let engine = Engine::start();
    let daemon = proxy(&engine.uri, &[]);
    let mut client = daemon.client();
    let lights = recording("alexa_lights");
    client.send("detect", json!({"names": ["alexa"]}));
    client.stream(&lights[..40_000]);
    let (mut theirs, first) = engine.session();
    assert_eq!(first.data["names"], json!(["alexa_v0.1"]));
    let old = theirs.read_kind("audio-chunk", &[]).data["timestamp"].clone();
    client.send("detect", json!({"names": ["alexa"]}));
    client.stream(&lights[..20_000]);
    client.drain();
    for data in [
        json!({"name": "okay_nabu_v0.1", "timestamp": null}),
        json!({"name": "alexa_v0.1", "timestamp": old}),
        json!({"name": 5}),
    ] {
        theirs.send("detection", data);
    }
    // An event that the proxy passes on shows that it has come to these.
    theirs.send("error", json!({"text": "mark"}));
    assert_eq!(client.read_kind("error", &[]).data["text"], "mark");
    client.stream(&lights[20_000..]);
    client.send("audio-stop", json!({}));
    theirs.read_kind("audio-stop", &["audio-chunk", "detect"]);
    theirs.send("info", json!({}));
    let events = client.drain();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].kind, "not-detected");
    // After the stop there is nothing that a detection could be about.
    theirs.send("detection", json!({"name": "alexa", "timestamp": null}));
    theirs.send("error", json!({"text": "mark"}));
    client.read_kind("error", &[]);
    let ended = daemon.stop();
    assert_eq!(ended.count("upstream_detections_total"), 4);
    assert!(ended.count("upstream_unjudged_total") >= 3, "{:?}", ended.counters);
    assert_eq!(ended.count("detections_total"), 0);
}

#[test]
fn an_engine_without_clock_or_name_is_taken_at_its_moment_and_fires_once() {
    let engine = Engine::start();
    let daemon = proxy(&engine.uri, &[]);
    let mut client = daemon.client();
    let lights = recording("alexa_lights");
    let place = LIGHTS_MS as usize * 16;
    client.stream(&lights[..place]);
    let (mut theirs, _) = engine.session();
    client.drain();
    // Again and again, as engines do; far more than can wait for a verdict.
    for _ in 0..100 {
        theirs.send("detection", json!({"name": null, "timestamp": 123_456_789_012_u64}));
    }
    theirs.send("error", json!({"text": "mark"}));
    client.read_kind("error", &[]);
    client.stream(&lights[place..]);
    let events = client.drain();
    assert_eq!(of_kind(&events, "detection").len(), 1, "{events:?}");
    assert_eq!(of_kind(&events, "user-event").len(), 64, "the verifier's limit");
    let ended = daemon.stop();
    assert_eq!(ended.count("upstream_detections_total"), 100);
    assert_eq!(ended.count("upstream_unjudged_total"), 36);
    assert_eq!(ended.count("detections_total"), 1);
}

#[test]
fn an_engine_that_dies_is_told_and_found_again_and_its_last_word_is_still_judged() {
    let engine = Engine::start();
    let daemon = proxy(&engine.uri, &[]);
    let mut client = daemon.client();
    let lights = recording("alexa_lights");
    let place = LIGHTS_MS as usize * 16;
    client.send("detect", json!({"names": ["alexa"]}));
    client.send("audio-start", json!({"rate": 16_000, "width": 2, "channels": 1}));
    client.stream(&lights[..place]);
    let (mut theirs, _) = engine.session();
    client.drain();
    theirs.send("detection", json!({"name": "alexa"}));
    drop(theirs);
    let error = client.read_kind("error", &[]);
    assert_eq!(error.data["code"], "upstream");
    assert!(error.data["text"].as_str().unwrap().contains("has gone"), "{error:?}");
    daemon.wait_for("no wake-word engine; trying again");
    daemon.wait_for("is back");
    client.stream(&lights[place..]);
    let (details, before) = verdict(&mut client);
    assert_eq!((details["verdict"].as_str(), before.len()), (Some("intended"), 1));
    // The new connection knows what to listen for, and gets the audio from here on.
    let (mut theirs, first) = engine.session();
    assert_eq!((first.kind.as_str(), &first.data["names"]), ("detect", &json!(["alexa_v0.1"])));
    theirs.read_kind("audio-start", &[]);
    theirs.read_kind("audio-chunk", &[]);
    client.drain();
    theirs.send("detection", json!({"name": "alexa"}));
    theirs.send("error", json!({"text": "mark"}));
    client.read_kind("error", &[]);
    // Nobody said anything at the recording's end: this one is judged too, and not forwarded.
    client.stream(&recording("noise_hum"));
    let (details, before) = verdict(&mut client);
    assert_ne!(details["verdict"], "intended");
    assert_eq!(before, []);
    let ended = daemon.stop();
    assert_eq!(ended.count("upstream_failures_total"), 1);
}

#[test]
fn without_an_engine_nothing_is_detected_and_everybody_is_told() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("tcp://{}", listener.local_addr().unwrap());
    drop(listener);
    let daemon = proxy(&uri, &[]);
    let mut client = daemon.client();
    client.send("describe", json!({}));
    let error = client.read_kind("error", &[]);
    assert!(error.data["text"].as_str().unwrap().contains("is not there"), "{error:?}");
    client.send("detect", json!({}));
    client.stream(&recording("alexa_lights"));
    client.send("audio-stop", json!({}));
    let events = client.drain();
    assert_eq!(of_kind(&events, "error").len(), 1, "once, not for every try: {events:?}");
    assert_eq!(of_kind(&events, "not-detected").len(), 1);
    assert_eq!(events.len(), 2);
    let ended = daemon.stop();
    assert!(ended.count("upstream_missed_chunks_total") > 0);
    assert_eq!(ended.count("detections_total"), 0);
}

#[test]
fn an_engine_that_talks_nonsense_or_nothing_is_as_good_as_none() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("tcp://{}", listener.local_addr().unwrap());
    // It accepts, and never says a word.
    let daemon = proxy(&uri, &["--wyoming-set", "upstream_timeout_ms=100"]);
    let mut client = daemon.client();
    client.send("detect", json!({}));
    let error = client.read_kind("error", &[]);
    assert!(error.data["text"].as_str().unwrap().contains("is silent"), "{error:?}");
    client.stream(&recording("alexa_lights"));
    assert_eq!(of_kind(&client.drain(), "detection").len(), 0);
    drop(daemon.stop());

    let engine = Engine::start();
    let daemon = proxy(&engine.uri, &[]);
    let mut client = daemon.client();
    client.send("detect", json!({}));
    client.stream(&recording("talk"));
    let (mut theirs, _) = engine.session();
    theirs.raw(b"{\"type\": \"detection\", \"data_length\": 4000000000}\n");
    let error = client.read_kind("error", &[]);
    assert!(error.data["text"].as_str().unwrap().contains("data block is too long"), "{error:?}");
    daemon.wait_for("is back");
    client.stream(&recording("talk"));
    let (mut theirs, _) = engine.session();
    theirs.raw(b"<html>\n");
    client.read_kind("error", &[]);
    assert_eq!(daemon.stop().count("detections_total"), 0);
}

#[test]
fn an_engine_that_does_not_read_is_given_up_and_the_client_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("tcp://{}", listener.local_addr().unwrap());
    let held = std::thread::spawn(move || {
        let mut held = Vec::new();
        // The daemon's own question, then the session that is never read.
        for _ in 0..2 {
            let mut client = Client::over(Box::new(listener.accept().unwrap().0));
            client.read();
            client.send("info", crate::wyoming_support::engine::info());
            held.push(client);
        }
        (listener, held)
    });
    let slow = ["write_timeout_ms=100", "write_backlog_bytes=4096"];
    let daemon = proxy(&uri, &["--wyoming-set", slow[0], "--wyoming-set", slow[1]]);
    let mut client = daemon.client();
    client.send("detect", json!({}));
    let silence = vec![0; 16_000];
    // More than all buffers between take; it must come through all the same.
    for _ in 0..400 {
        client.stream(&silence);
    }
    let events = client.drain();
    assert_eq!(of_kind(&events, "error").len(), 1, "{events:?}");
    let held = held.join().unwrap();
    let ended = daemon.stop();
    assert!(ended.count("slow_readers_total") >= 1);
    assert!(ended.count("upstream_missed_chunks_total") > 0);
    assert_eq!(ended.count("samples_total"), 400 * 16_000);
    drop(held);
}

#[test]
fn an_engine_that_closes_after_each_stream_is_asked_again() {
    let engine = Engine::start();
    let daemon = proxy(&engine.uri, &[]);
    let mut client = daemon.client();
    for _ in 0..3 {
        client.send("detect", json!({}));
        client.stream(&recording("alexa_alone"));
        let (mut theirs, _) = engine.session();
        client.send("audio-stop", json!({}));
        theirs.read_kind("audio-stop", &["audio-chunk"]);
        theirs.send("not-detected", json!({}));
        drop(theirs);
        assert_eq!(client.drain().len(), 1, "one not-detected, and no complaint");
    }
    assert_eq!(daemon.stop().count("upstream_failures_total"), 0);
}

#[test]
fn fifty_clients_have_an_engine_and_a_verdict_each() {
    let engine = Engine::start().detect_at("alexa_v0.1", LIGHTS_MS);
    let daemon = proxy(&engine, &[]);
    let samples = recording("alexa_lights");
    let clients: Vec<Client> = (0..50).map(|_| daemon.client()).collect();
    std::thread::scope(|scope| {
        for (index, mut client) in clients.into_iter().enumerate() {
            let samples = &samples;
            scope.spawn(move || {
                client.send("detect", json!({}));
                client.stream(samples);
                client.send("audio-stop", json!({}));
                let events = client.drain();
                assert_eq!(of_kind(&events, "detection").len(), 1, "client {index}: {events:?}");
            });
        }
    });
    let ended = daemon.stop();
    assert_eq!(ended.count("detections_total"), 50);
    assert_eq!(ended.count("upstream_missed_chunks_total"), 0);
    assert_eq!(ended.count("samples_total"), 50 * samples.len() as u64);
}

#[test]
fn a_client_that_leaves_takes_its_engine_connection_with_it() {
    let engine = Engine::start();
    let daemon = proxy(&engine.uri, &[]);
    let mut client = daemon.client();
    client.send("detect", json!({}));
    client.stream(&recording("talk"));
    let (theirs, _) = engine.session();
    drop(client);
    while theirs.read().is_some() {}
    assert_eq!(daemon.stop().code, Some(0));
}
