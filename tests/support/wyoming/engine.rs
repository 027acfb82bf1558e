//! A wake-word engine that does what the test tells it to.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use serde_json::{Value, json};

use super::{Client, Event, PATIENCE, frame};

/// Listens, answers the first `describe` of every connection, and leaves the rest to the test.
pub struct Engine {
    /// Where it listens.
    pub uri: String,
    sessions: Receiver<Session>,
}

impl Engine {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("tcp://{}", listener.local_addr().unwrap());
        let (sender, sessions) = channel();
        // The thread ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let sender = sender.clone();
                let stream: TcpStream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut client = Client::over(Box::new(stream.try_clone().unwrap()));
                    if client.read().is_none_or(|event| event.kind != "describe") {
                        return;
                    }
                    client.send("info", info());
                    // What comes is always read, so that the proxy never waits for the test.
                    let (pump, events) = channel();
                    drop(sender.send(Session { stream, events }));
                    while let Some(event) = client.read() {
                        drop(pump.send(event));
                    }
                });
            }
        });
        Self { uri, sessions }
    }

    /// The next connection on which anything is asked, with its first event.
    pub fn session(&self) -> (Session, Event) {
        loop {
            let session = self.sessions.recv_timeout(PATIENCE).expect("no connection");
            if let Some(event) = session.read() {
                return (session, event);
            }
        }
    }

    /// Serves connections for good: "detects" a word as soon as `at_ms` of a stream have come.
    pub fn detect_at(self, name: &'static str, at_ms: u64) -> String {
        let uri = self.uri.clone();
        std::thread::spawn(move || {
            while let Ok(mut session) = self.sessions.recv() {
                std::thread::spawn(
                    move || {
                        while let Some(()) = detect_once(&mut session, name, at_ms) {}
                    },
                );
            }
        });
        uri
    }
}

/// One connection of the engine; it ends when it is dropped.
pub struct Session {
    stream: TcpStream,
    events: Receiver<Event>,
}

impl Session {
    pub fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub fn send(&mut self, kind: &str, data: Value) {
        self.raw(&frame(kind, &data, &[]));
    }

    /// The next event; `None` at the end of the connection.
    pub fn read(&self) -> Option<Event> {
        match self.events.recv_timeout(PATIENCE) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the proxy says nothing"),
        }
    }

    /// The next event of this type; what comes before it must be of the types in `besides`.
    pub fn read_kind(&self, kind: &str, besides: &[&str]) -> Event {
        loop {
            let event = self.read().unwrap_or_else(|| panic!("the connection ended, not {kind}"));
            if event.kind == kind {
                return event;
            }
            assert!(besides.contains(&event.kind.as_str()), "{event:?}, not {kind}");
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.stream.shutdown(Shutdown::Both));
    }
}

/// One stream of one connection; `None` at its end.
fn detect_once(session: &mut Session, name: &str, at_ms: u64) -> Option<()> {
    let (mut bytes, mut detected) = (0, false);
    loop {
        let event = session.events.recv().ok()?;
        match event.kind.as_str() {
            "describe" => session.send("info", info()),
            "audio-chunk" => {
                bytes += event.payload.len() as u64;
                if !detected && bytes >= at_ms * 32 {
                    detected = true;
                    let timestamp = &event.data["timestamp"];
                    let data = json!({"name": name, "timestamp": timestamp, "speaker": null});
                    session.send("detection", data);
                }
            }
            "audio-stop" => {
                if !detected {
                    session.send("not-detected", json!({}));
                }
                return Some(());
            }
            _ => {}
        }
    }
}

/// What it offers: a word that we can judge, and one that we can't.
pub fn info() -> Value {
    let model = |name: &str| {
        json!({"name": name, "description": name, "phrase": null, "installed": true,
               "attribution": {"name": "a", "url": "b"}, "languages": [], "version": "1"})
    };
    json!({"asr": [], "wake": [{
        "name": "openwakeword", "description": "An engine", "installed": true, "version": "2",
        "attribution": {"name": "a", "url": "b"},
        "models": [model("alexa_v0.1"), model("okay_nabu_v0.1")],
    }]})
}
