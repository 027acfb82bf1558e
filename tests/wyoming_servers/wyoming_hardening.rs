//! What hostile, broken and slow clients do to the Wyoming server: nothing, except to themselves.

use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::cli_support::{package_of, speech_like};
use crate::wyoming_support::{Client, Daemon, PATIENCE, frame, of_kind, recording, signal};
use serde_json::json;

/// A client that was there before and must not notice anything.
fn well(client: &mut Client) {
    client.send("detect", json!({}));
    client.stream(&recording("alexa_lights"));
    assert_eq!(of_kind(&client.drain(), "detection").len(), 1, "another client suffered");
}

#[test]
fn a_client_that_does_not_speak_the_protocol_is_told_and_closed_alone() {
    let daemon = Daemon::start(&["--wyoming-set", "most_line_bytes=1000"]);
    let mut bystander = daemon.client();
    let long = vec![b'x'; 100_000];
    for (bytes, code) in [
        (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], "protocol"),
        (b"\n", "protocol"),
        (b"{\"type\": \"audio-chunk\", \"data\": [}\n", "protocol"),
        (b"{\"type\": \"detect\", \"data_length\": 3}\n{]}", "protocol"),
        (b"{\"type\": \"detect\", \"data\": {\"names\": \"alexa\"}}\n", "protocol"),
        (b"\xff\xfe\xfd\n", "protocol"),
        (b"{\"type\": \"a\", \"data_length\": 99999999999999999999}\n", "protocol"),
        (b"{\"type\": \"a\", \"data_length\": 9999999999}\n", "limit"),
        (b"{\"type\": \"a\", \"payload_length\": 18446744073709551615}\n", "limit"),
        (&long, "limit"),
    ] {
        let mut client = daemon.client();
        client.try_raw(bytes);
        let events = client.read_to_end();
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        assert_eq!(events.len(), 1, "{shown}: {events:?}");
        assert_eq!(events[0].kind, "error", "{shown}");
        assert_eq!(events[0].data["code"], code, "{shown}: {events:?}");
        let mut after = daemon.client();
        after.send("ping", json!({}));
        after.read_kind("pong", &[]);
    }
    well(&mut bystander);
    let ended = daemon.stop();
    assert_eq!((ended.count("malformed_total"), ended.count("over_limit_total")), (7, 3));
    assert_eq!(ended.count("panics_total"), 0);
}

#[test]
fn a_client_that_stops_in_the_middle_of_an_event_is_closed_in_time() {
    let daemon = Daemon::start(&["--wyoming-set", "event_timeout_ms=300"]);
    let mut bystander = daemon.client();
    let event = frame("audio-chunk", &json!({"rate": 16_000, "width": 2, "channels": 1}), &[0; 64]);
    for length in [1, 20, event.len() - 64, event.len() - 1] {
        let mut client = daemon.client();
        client.raw(&event[..length]);
        let events = client.read_to_end();
        assert_eq!(events.len(), 1, "{length}: {events:?}");
        assert_eq!(events[0].data["code"], "limit");
        assert!(events[0].data["text"].as_str().unwrap().contains("all of it within 300 ms"));
    }
    // Byte after byte, each in time, is no way around it.
    let mut client = daemon.client();
    let mut count = 0;
    while client.try_raw(b" ") {
        count += 1;
        assert!(count < 1_000, "a client may not go on like this");
        std::thread::sleep(Duration::from_millis(20));
    }
    well(&mut bystander);
    assert_eq!(daemon.stop().count("stalled_total"), 5);
}

#[test]
fn a_client_that_says_nothing_is_closed_after_the_idle_time() {
    let daemon = Daemon::start(&["--wyoming-set", "idle_s=1"]);
    let mut client = daemon.client();
    client.send("ping", json!({}));
    let events = client.read_to_end();
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[1].data["text"].as_str().unwrap().contains("an event within 1 s"));
    assert_eq!(daemon.stop().count("idle_total"), 1);
}

#[test]
fn a_client_that_closes_one_direction_still_gets_what_it_asked_for() {
    let daemon = Daemon::start(&[]);
    let socket = TcpStream::connect(daemon.uri.strip_prefix("tcp://").unwrap()).unwrap();
    let mut client = Client::over(Box::new(socket.try_clone().unwrap()));
    client.stream(&recording("alexa_lights"));
    socket.shutdown(Shutdown::Write).unwrap();
    let events = client.read_to_end();
    assert_eq!(of_kind(&events, "detection").len(), 1, "{events:?}");
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_counted() {
    let daemon = Daemon::start(&[
        "--wyoming-set",
        "write_timeout_ms=200",
        "--wyoming-set",
        "write_backlog_bytes=4096",
    ]);
    let mut bystander = daemon.client();
    let mut client = daemon.client();
    let ping = frame("ping", &json!({"text": "x".repeat(10_000)}), &[]);
    let mut sent = 0;
    // What it sends is limited by what it leaves unread.
    while client.try_raw(&ping) {
        sent += 1;
        assert!(sent < 100_000, "nobody stops a client that does not read");
    }
    well(&mut bystander);
    let ended = daemon.stop();
    assert_eq!(ended.count("slow_readers_total"), 1, "{}", ended.stderr);
}

#[test]
fn one_client_too_many_is_told_and_the_place_is_free_again_later() {
    let daemon = Daemon::start(&["--wyoming-set", "most_clients=2"]);
    let mut first = daemon.client();
    let mut second = daemon.client();
    first.drain();
    second.drain();
    let mut third = daemon.client();
    let events = third.read_to_end();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].data["text"].as_str().unwrap().contains("at most 2"));
    drop(second);
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let mut next = daemon.client();
        if next.try_raw(&frame("ping", &json!({}), &[]))
            && next.read().is_some_and(|e| e.kind == "pong")
        {
            break;
        }
        assert!(std::time::Instant::now() < end, "the place is never free again");
        std::thread::sleep(Duration::from_millis(20));
    }
    well(&mut first);
    assert!(daemon.stop().count("clients_refused_total") >= 1);
}

#[test]
fn fifty_clients_at_once_lose_nothing_and_share_nothing() {
    // The time for an event is for clients that stop; these only wait for their turn on the processor.
    let daemon = Daemon::start(&["--wyoming-set", "event_timeout_ms=600000"]);
    let intended = recording("alexa_lights");
    let passing = recording("mention_told");
    let mut clients: Vec<Client> = (0..50).map(|_| daemon.client()).collect();
    std::thread::scope(|scope| {
        for (index, client) in clients.iter_mut().enumerate() {
            let samples = if index % 2 == 0 { &intended } else { &passing };
            scope.spawn(move || {
                client.send("detect", json!({"names": ["alexa"]}));
                client.stream(samples);
                client.send("audio-stop", json!({}));
                let events = client.drain();
                let detected = of_kind(&events, "detection").len();
                let not = of_kind(&events, "not-detected").len();
                let expected = if index % 2 == 0 { (1, 0) } else { (0, 1) };
                assert_eq!((detected, not), expected, "client {index}: {events:?}");
            });
        }
    });
    let ended = daemon.stop();
    assert_eq!(ended.count("connections_total"), 50);
    assert_eq!(ended.count("detections_total"), 25);
    let samples = 25 * (intended.len() + passing.len()) as u64;
    assert_eq!(ended.count("samples_total"), samples, "every sample was judged");
    assert_eq!(ended.lines.iter().filter(|line| line["verdict"] == "intended").count(), 25);
}

#[test]
fn a_model_that_gives_no_number_closes_its_clients_and_never_detects() {
    let folder = tempfile::tempdir().unwrap();
    package_of(folder.path(), "spotter", "verifier_nan");
    let daemon = Daemon::start(&["--model", folder.path().to_str().unwrap()]);
    let voice: Vec<i16> =
        speech_like(4.0, 1).iter().map(|sample| (sample * 32_767.0) as i16).collect();
    for _ in 0..2 {
        let mut client = daemon.client();
        client.send("detect", json!({"names": ["tiny"]}));
        client.stream(&voice);
        let events = client.read_to_end();
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0].data["code"], "failed");
        let text = events[0].data["text"].as_str().unwrap();
        assert!(text.contains("posterior of intended is refused"), "{text}");
    }
    let ended = daemon.stop();
    assert_eq!((ended.count("failures_total"), ended.count("detections_total")), (2, 0));
}

#[test]
fn a_signal_ends_everything_with_clients_in_every_state() {
    let daemon = Daemon::start(&[]);
    let mut idle = daemon.client();
    let mut streaming = daemon.client();
    let mut inside = daemon.client();
    idle.drain();
    streaming.stream(&recording("alexa_lights")[..30_000]);
    inside.raw(b"{\"type\": \"audio-");
    streaming.drain();
    let ended = daemon.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("did not end in time"), "{}", ended.stderr);
    assert_eq!(ended.count("detections_total"), 0, "a candidate without its verdict is dropped");
    for mut client in [idle, inside] {
        assert_eq!(client.read(), None);
    }
}

#[test]
fn a_stopped_process_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let uri = format!("unix://{}", folder.path().join("w").display());
    let daemon = Daemon::start_at(&uri, &[]);
    let mut client = daemon.client();
    let samples = recording("alexa_lights");
    client.stream(&samples[..20_000]);
    client.drain();
    signal(daemon.process(), "STOP");
    let mut waiting = daemon.client();
    waiting.raw(&frame("ping", &json!({}), &[]));
    signal(daemon.process(), "CONT");
    waiting.read_kind("pong", &[]);
    client.stream(&samples[20_000..]);
    assert_eq!(of_kind(&client.drain(), "detection").len(), 1);
}
