//! `wyoming.detect = "word"`: the detection at the end of the word, the verdict after it.

use std::collections::BTreeMap;

use crate::cli_support::checkout;
use crate::wyoming_support::engine::Engine;
use crate::wyoming_support::{CHUNK, Client, Daemon, Event, of_kind, recording};
use serde_json::{Value, json};

const WORD: [&str; 2] = ["--wyoming-set", "detect=\"word\""];
const VERDICT: [&str; 2] = ["--wyoming-set", "detect=\"verdict\""];

/// Where the wake word of a demo recording ends, in ms.
pub fn ends() -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(checkout("data/words.tsv")).unwrap();
    let lines = text.lines().skip(1).map(|line| {
        let mut fields = line.split('\t');
        let (name, _, end) = (fields.next(), fields.next(), fields.next());
        let end: f64 = end.unwrap().parse().unwrap();
        let name = name.unwrap().strip_suffix(".flac").unwrap();
        (name.to_owned(), (end * 1e3) as u64)
    });
    lines.collect()
}

/// Streams chunk by chunk as an assistant hears it: what came, each with the ms that the client
/// had sent by then.
fn heard(client: &mut Client, samples: &[i16]) -> Vec<(u64, Event)> {
    let mut found = Vec::new();
    for (index, chunk) in samples.chunks(CHUNK).enumerate() {
        client.chunk(chunk);
        let sent = ((index * CHUNK + chunk.len()) / 16) as u64;
        found.extend(client.drain().into_iter().map(|event| (sent, event)));
    }
    found
}

fn first<'e>(heard: &'e [(u64, Event)], kind: &str) -> Option<&'e (u64, Event)> {
    heard.iter().find(|(_, event)| event.kind == kind)
}

#[test]
fn the_detection_comes_with_the_word_and_the_verdict_after_it() {
    let daemon = Daemon::start(&WORD);
    let mut client = daemon.client();
    for (name, end) in ends() {
        client.send("detect", json!({"names": ["alexa"]}));
        let events = heard(&mut client, &recording(&name));
        let (at, detection) = first(&events, "detection").unwrap_or_else(|| panic!("{name}"));
        // Rounded up to a satellite's chunk.
        assert!(*at <= end + 250 + 64, "{name}: {at} ms for a word that ends at {end} ms");
        let stamp = detection.data["timestamp"].as_u64().unwrap();
        assert!(stamp.abs_diff(end) < 130, "{name}: {stamp} for {end}");
        let (later, verdict) = first(&events, "user-event").unwrap();
        assert!(later > at, "{name}");
        let details = &verdict.data["data"];
        let intended = name.starts_with("alexa");
        assert_eq!(details["verdict"] == "intended", intended, "{name}: {details}");
        assert!(details["word_decided_ms"].as_u64() < details["decided_ms"].as_u64());
        let kinds: Vec<&str> = events.iter().map(|(_, event)| event.kind.as_str()).collect();
        assert_eq!(kinds, ["detection", "user-event"], "{name}");
    }
    let ended = daemon.stop();
    assert_eq!(ended.count("detections_total"), 13);
    assert_eq!(ended.count("words_total"), 13);
}

#[test]
fn what_does_not_even_sound_alike_is_never_detected() {
    let daemon = Daemon::start(&WORD);
    let mut client = daemon.client();
    for name in ["talk", "other_word", "noise_hum", "alike_lesson", "alike_unacceptable"] {
        client.send("audio-start", json!({"rate": 16_000, "width": 2, "channels": 1}));
        client.stream(&recording(name));
        client.send("audio-stop", json!({}));
        let events = client.drain();
        assert_eq!(of_kind(&events, "detection").len(), 0, "{name}: {events:?}");
        assert_eq!(of_kind(&events, "not-detected").len(), 1, "{name}: {events:?}");
    }
}

/// The share of what is said after the word that an assistant misses which hears the client's
/// audio from the detection on.
fn lost(events: &[(u64, Event)], end: u64, samples: &[i16]) -> f64 {
    let loud = samples.chunks(160).rposition(|frame| frame.iter().any(|s| s.abs() > 1_000));
    let last = loud.unwrap() as u64 * 10;
    let (at, _) = first(events, "detection").unwrap();
    at.saturating_sub(end) as f64 / (last - end) as f64
}

#[test]
fn an_assistant_loses_little_of_a_command_said_in_one_breath() {
    let commands = ["alexa_lights", "alexa_timer", "alexa_weather_room", "alexa_volume_chords"];
    let mut losses = Vec::new();
    for mode in [WORD, VERDICT] {
        let daemon = Daemon::start(&mode);
        let mut client = daemon.client();
        for name in commands {
            client.send("detect", json!({"names": ["alexa"]}));
            let samples = recording(name);
            let events = heard(&mut client, &samples);
            losses.push(lost(&events, ends()[name], &samples));
            eprintln!("{}: {name}: {:.0} % lost", mode[1], 100.0 * losses.last().unwrap());
        }
    }
    let (word, verdict) = losses.split_at(commands.len());
    // A satellite's chunk of 64 ms is part of it.
    assert!(word.iter().all(|&lost| lost <= 0.15), "{word:?}");
    for (word, verdict) in word.iter().zip(verdict) {
        assert!(word < verdict, "{word} {verdict}");
    }
}

#[test]
fn a_client_that_falls_silent_at_its_detection_gets_a_verdict_of_what_was_heard() {
    let daemon = Daemon::start(&WORD);
    let mut client = daemon.client();
    let samples = recording("mention_told");
    client.send("detect", json!({"names": ["alexa"]}));
    for chunk in samples.chunks(CHUNK) {
        client.chunk(chunk);
        if !of_kind(&client.drain(), "detection").is_empty() {
            break;
        }
    }
    // As satellites do once they have theirs.
    client.send("detect", json!({"names": ["alexa"]}));
    let events = client.drain();
    let verdict = &of_kind(&events, "user-event")[0].data["data"];
    assert_ne!(verdict["verdict"], "intended", "{verdict}");
    assert_eq!(daemon.stop().count("activations_intended_total"), 0);
}

#[test]
fn the_proxy_passes_a_word_on_at_once_and_judges_behind_it() {
    for (name, report, said) in [("mention_told", 2_280, true), ("alike_lesson", 2_200, false)] {
        let engine = Engine::start();
        let more = ["--upstream", &engine.uri, "--wyoming-set", "upstream_backoff_ms=10"];
        let daemon = Daemon::start(&[&more[..], &WORD].concat());
        let mut client = daemon.client();
        let samples = recording(name);
        let (before, after) = samples.split_at(report * 16);
        client.stream(before);
        let (mut theirs, _) = engine.session();
        client.drain();
        theirs.send("detection", json!({"name": "alexa_v0.1", "timestamp": null}));
        theirs.send("error", json!({"text": "mark"}));
        if said {
            let detection = client.read_kind("detection", &[]);
            assert_eq!(detection.data["name"], "alexa_v0.1");
        }
        client.read_kind("error", &[]);
        client.stream(after);
        let events = client.drain();
        assert_eq!(of_kind(&events, "detection"), Vec::<&Event>::new(), "{name}");
        let verdicts = of_kind(&events, "user-event");
        let verdict: &Value = &verdicts[0].data["data"];
        assert_eq!(verdict["verdict"], "accidental", "{name}: {verdict}");
        assert_eq!(verdict["word_decided_ms"].is_u64(), said, "{name}: {verdict}");
        let ended = daemon.stop();
        assert_eq!(ended.count("detections_total"), u64::from(said), "{name}");
        assert_eq!(ended.count("upstream_detections_total"), 1);
        assert_eq!(ended.count("upstream_unjudged_total"), 0);
    }
}
