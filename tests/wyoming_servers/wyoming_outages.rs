//! `wyoming.detect = "word"` where something ends and comes back: nothing is lost, nothing is told
//! twice.

use std::collections::BTreeSet;
use std::net::TcpListener;

use crate::wyoming_support::engine::Engine;
use crate::wyoming_support::{CHUNK, Client, Daemon, Ended, Event, of_kind, recording};
use serde_json::{Value, json};

const WORD: [&str; 2] = ["--wyoming-set", "detect=\"word\""];

/// Streams a recording as a satellite does, and gives everything that came.
fn hear(client: &mut Client, name: &str) -> Vec<Event> {
    client.send("detect", json!({"names": ["alexa"]}));
    client.stream(&recording(name));
    client.drain()
}

/// One detection, and one verdict of this kind after it.
fn once(events: &[Event], verdict: &str) {
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["detection", "user-event"], "{events:?}");
    assert_eq!(events[1].data["data"]["verdict"], verdict, "{events:?}");
}

/// The activations on standard output: as many as these, each with a number of its own.
fn all_once(ended: &[Ended], count: usize) {
    for ended in ended {
        let numbers = ended.lines.iter().map(|line| line["activation"].as_u64().unwrap());
        let unique: BTreeSet<u64> = numbers.collect();
        assert_eq!(unique.len(), ended.lines.len(), "{:?}", ended.lines);
        assert_eq!(ended.count("words_total"), ended.lines.len() as u64);
        assert_eq!(ended.count("dropped_verdicts_total"), 0);
    }
    assert_eq!(ended.iter().map(|ended| ended.lines.len()).sum::<usize>(), count);
}

#[test]
fn two_satellites_at_once_have_their_own_words_and_verdicts() {
    let daemon = Daemon::start(&WORD);
    let said = [("alexa_lights", "intended"), ("mention_told", "accidental")];
    let recordings = said.map(|(name, _)| recording(name));
    let mut clients = [daemon.client(), daemon.client()];
    let mut heard: [Vec<Event>; 2] = Default::default();
    for _ in 0..2 {
        clients.iter_mut().for_each(|it| it.send("detect", json!({"names": ["alexa"]})));
        // Chunk by chunk, in turn: both words are on their way at once.
        let most = recordings.iter().map(Vec::len).max().unwrap();
        for start in (0..most).step_by(CHUNK) {
            for ((client, samples), heard) in clients.iter_mut().zip(&recordings).zip(&mut heard) {
                let chunk = &samples[start.min(samples.len())..(start + CHUNK).min(samples.len())];
                if !chunk.is_empty() {
                    client.chunk(chunk);
                    heard.extend(client.drain());
                }
            }
        }
        for (heard, (_, verdict)) in heard.iter_mut().zip(said) {
            once(heard, verdict);
            heard.clear();
        }
    }
    drop(clients);
    let ended = daemon.stop();
    let sources: BTreeSet<&str> =
        ended.lines.iter().map(|line| line["source"].as_str().unwrap()).collect();
    assert_eq!(sources.len(), 2, "{sources:?}");
    all_once(&[ended], 4);
}

#[test]
fn a_restart_of_the_server_loses_and_doubles_nothing() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let uri = format!("tcp://127.0.0.1:{port}");
    let first = Daemon::start_at(&uri, &WORD);
    let mut client = first.client();
    once(&hear(&mut client, "alexa_lights"), "intended");
    // In the middle of the next, before its word.
    let samples = recording("alexa_timer");
    client.send("detect", json!({"names": ["alexa"]}));
    client.stream(&samples[..16_000]);
    assert_eq!(client.drain(), []);
    let first = first.stop();
    assert!(client.read_to_end().is_empty());
    // The satellite comes back, and says what it wants anew.
    let second = Daemon::start_at(&uri, &WORD);
    let mut client = second.client();
    client.send("detect", json!({"names": ["alexa"]}));
    client.stream(&samples[16_000..]);
    once(&client.drain(), "intended");
    once(&hear(&mut client, "mention_told"), "accidental");
    drop(client);
    all_once(&[first, second.stop()], 3);
}

#[test]
fn an_outage_of_the_judged_engine_loses_and_doubles_nothing() {
    let engine = Engine::start();
    let more = ["--upstream", &engine.uri, "--wyoming-set", "upstream_backoff_ms=10"];
    let daemon = Daemon::start(&[&more[..], &WORD].concat());
    let mut client = daemon.client();
    let (lights, place) = (recording("alexa_lights"), 2_000 * 16);
    client.send("detect", json!({"names": ["alexa"]}));
    client.stream(&lights[..place]);
    let (mut theirs, _) = engine.session();
    client.drain();
    // It says the word, and is gone before anybody knows what was meant.
    theirs.send("detection", json!({"name": "alexa_v0.1"}));
    client.read_kind("detection", &[]);
    drop(theirs);
    let error = client.read_kind("error", &[]);
    assert_eq!(error.data["code"], "upstream");
    client.stream(&lights[place..]);
    let events = client.drain();
    assert_eq!(of_kind(&events, "detection"), Vec::<&Event>::new(), "it was told before");
    let verdicts = of_kind(&events, "user-event");
    assert_eq!(verdicts.len(), 1, "{events:?}");
    assert_eq!(verdicts[0].data["data"]["verdict"], "intended");
    // The engine is back, and says the next word as if nothing had been.
    daemon.wait_for("is back");
    client.send("detect", json!({"names": ["alexa"]}));
    let told = recording("mention_told");
    let (before, after) = told.split_at(2_280 * 16);
    client.stream(before);
    let (mut theirs, _) = engine.session();
    client.drain();
    theirs.send("detection", json!({"name": "alexa_v0.1"}));
    client.read_kind("detection", &[]);
    client.stream(after);
    let events = client.drain();
    let verdicts: Vec<&Value> = of_kind(&events, "user-event")
        .into_iter()
        .map(|event| &event.data["data"]["verdict"])
        .collect();
    assert_eq!(verdicts, ["accidental"]);
    assert_eq!(of_kind(&events, "detection"), Vec::<&Event>::new(), "{events:?}");
    drop((client, theirs));
    let ended = daemon.stop();
    assert_eq!(ended.count("detections_total"), 2);
    assert_eq!(ended.count("upstream_detections_total"), 2);
    assert_eq!(ended.count("upstream_unjudged_total"), 0);
    all_once(&[ended], 2);
}
