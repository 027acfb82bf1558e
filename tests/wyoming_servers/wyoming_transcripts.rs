//! Recorded sessions of the real client with a real engine (`tests/wyoming/record.py`): the
//! client's bytes go to our server as they were, the engine's through our reader.

use crate::cli_support::checkout;
use crate::wyoming_support::{Daemon, bytes, recording};
use serde_json::{Map, Value};
use wakegate_cli::wyoming::protocol::{Decoder, Event, Limits};

/// One event of a transcript, as it went over the wire.
struct Frame {
    from: String,
    kind: String,
    line: String,
    data: String,
    payload: Vec<u8>,
}

impl Frame {
    fn bytes(&self) -> Vec<u8> {
        [self.line.as_bytes(), self.data.as_bytes(), &self.payload].concat()
    }
}

/// The events of `tests/wyoming/MODE.jsonl`, with their audio.
fn transcript(mode: &str) -> Vec<Frame> {
    let text = std::fs::read_to_string(checkout(&format!("tests/wyoming/{mode}.jsonl"))).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let names = lines.next().unwrap();
    let mut recordings = names["recordings"].as_array().unwrap().iter();
    let mut audio = Vec::new();
    let frames = lines.map(|event| {
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        let header: Value = serde_json::from_str(&text("line")).unwrap();
        let kind = header["type"].as_str().unwrap().to_owned();
        if kind == "detect" {
            audio = bytes(&recording(recordings.next().unwrap().as_str().unwrap()));
        }
        let place = |index: usize| event["audio"][index].as_u64().map(|place| place as usize);
        let payload = match (place(0), place(1)) {
            (Some(start), Some(end)) => audio[start..end].to_vec(),
            _ => Vec::new(),
        };
        Frame { from: text("from"), kind, line: text("line"), data: text("data"), payload }
    });
    frames.collect()
}

/// Sends what the client said, and gives what our server answered, without the verdicts.
fn replay(mode: &str) -> Vec<crate::wyoming_support::Event> {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    let mut answers = Vec::new();
    for frame in transcript(mode).iter().filter(|frame| frame.from == "client") {
        client.raw(&frame.bytes());
        // The real client waits here too.
        let waits_for = match frame.kind.as_str() {
            "ping" => "pong",
            "describe" => "info",
            _ => continue,
        };
        loop {
            let event = client.read().expect("the server closed the connection");
            let last = event.kind == waits_for;
            answers.push(event);
            if last {
                break;
            }
        }
    }
    answers.retain(|event| event.kind != "user-event");
    answers
}

fn kinds(events: &[crate::wyoming_support::Event]) -> Vec<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

#[test]
fn a_satellites_session_gets_the_engines_answers() {
    let answers = replay("satellite");
    let engine: Vec<Frame> =
        transcript("satellite").into_iter().filter(|frame| frame.from == "engine").collect();
    let theirs: Vec<&str> = engine.iter().map(|frame| frame.kind.as_str()).collect();
    assert_eq!(kinds(&answers), theirs);
    assert_eq!(theirs, ["info", "detection", "pong"]);
    let detection: Value = serde_json::from_str(&engine[1].data).unwrap();
    assert_eq!(answers[1].data["name"], detection["name"]);
    assert_eq!(answers[2].data["text"], "drain");
}

#[test]
fn home_assistants_session_gets_no_detection_of_a_word_in_passing() {
    let answers = replay("home-assistant");
    assert_eq!(kinds(&answers), ["info", "not-detected", "pong", "not-detected", "pong"]);
    let engine = transcript("home-assistant");
    let fired = engine.iter().filter(|frame| frame.kind == "detection").count();
    assert_eq!(fired, 1, "the engine alone took it for a call");
}

#[test]
fn every_recorded_byte_is_read_as_it_was_meant_and_written_as_it_is_read() {
    let limits = Limits { line: 65_536, data: 262_144, payload: 1_048_576 };
    for mode in ["satellite", "home-assistant"] {
        for frame in transcript(mode) {
            let data: Map<String, Value> = match frame.data.as_str() {
                "" => Map::new(),
                data => serde_json::from_str(data).unwrap(),
            };
            let expected = Event { kind: frame.kind.clone(), data, payload: frame.payload.clone() };
            for bytes in [frame.bytes(), expected.encode()] {
                let mut decoder = Decoder::new(limits);
                let mut rest = &bytes[..];
                assert_eq!(decoder.next(&mut rest).unwrap().as_ref(), Some(&expected), "{mode}");
                assert!(rest.is_empty() && !decoder.in_event());
            }
            // The line begins as theirs does; only the lengths differ, by the spaces in the data.
            let start = frame.line.split(", \"data_length\"").next().unwrap();
            let start = start.trim_end_matches("}\n");
            assert!(expected.encode().starts_with(start.as_bytes()), "{start}");
        }
    }
}
