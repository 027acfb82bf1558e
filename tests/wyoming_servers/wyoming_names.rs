//! What the proxy and its engine are called, and that it has another engine than itself.

use std::net::TcpListener;

use crate::wyoming_support::engine::Engine;
use crate::wyoming_support::{Client, Daemon, of_kind, recording};
use serde_json::json;

/// When an engine usually reports the word of `alexa_lights`, in ms.
const LIGHTS_MS: u64 = 1_930;

fn proxy(uri: &str, more: &[&str]) -> Daemon {
    let quick = ["--upstream", uri, "--wyoming-set", "upstream_backoff_ms=10"];
    Daemon::start(&[&quick[..], more].concat())
}

#[test]
fn an_engine_that_is_slow_to_describe_itself_keeps_nobody_waiting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut taken = Vec::new();
        for stream in listener.incoming() {
            let mut client = Client::over(Box::new(stream.unwrap()));
            // The first one is answered, the others never.
            if taken.is_empty() {
                client.read();
                client.send("info", crate::wyoming_support::engine::info());
            }
            taken.push(client);
        }
    });
    let daemon = proxy(&uri, &["--wyoming-set", "upstream_timeout_ms=60000"]);
    let mut client = daemon.client();
    for _ in 0..3 {
        let asked = std::time::Instant::now();
        client.send("describe", json!({}));
        let info = client.read_kind("info", &[]);
        assert_eq!(info.data["wake"][0]["name"], "openwakeword (wakegate)");
        assert!(asked.elapsed().as_secs() < 30, "{:?}", asked.elapsed());
    }
}

#[test]
fn a_proxy_in_front_of_itself_is_refused() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("tcp://0.0.0.0:{port}");
    let upstream = format!("tcp://localhost:{port}");
    let arguments = ["listen", "--wyoming", &listen, "--upstream", &upstream];
    let output = crate::cli_support::wakegate().args(arguments).output().unwrap();
    let stderr = crate::cli_support::stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("wyoming.upstream is refused"), "{stderr}");
}

#[test]
fn the_engine_hears_its_own_names_and_the_client_its_own() {
    let engine = Engine::start();
    let daemon = proxy(&engine.uri, &[]);
    let mut client = daemon.client();
    client.send("detect", json!({"names": ["Alexa"]}));
    let lights = recording("alexa_lights");
    let place = LIGHTS_MS as usize * 16;
    client.stream(&lights[..place]);
    let (mut theirs, asked) = engine.session();
    assert_eq!(asked.data["names"], json!(["alexa_v0.1"]), "it passes over what it doesn't know");
    client.drain();
    theirs.send("detection", json!({"name": "alexa_v0.1", "timestamp": 123_456_789_012_u64}));
    // It is about the audio that has come so far: the rest waits until it is known.
    theirs.send("error", json!({"text": "mark"}));
    client.read_kind("error", &[]);
    client.stream(&lights[place..]);
    let events = client.drain();
    assert_eq!(of_kind(&events, "detection")[0].data["name"], "Alexa");
}
