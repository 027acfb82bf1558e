//! The binary as a Wyoming server, and a client that speaks the protocol by itself: nothing here
//! uses the library's own reader and writer.
#![allow(dead_code)]

pub mod engine;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wakegate::audio::read_all;
use wakegate_lab::decode::FileSource;

use crate::cli_support::{checkout, wakegate};

/// Nothing that these tests wait for takes longer, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Samples of a satellite's chunk.
pub const CHUNK: usize = 1024;

/// A running `wakegate listen --wyoming`.
pub struct Daemon {
    child: Child,
    /// Where it listens.
    pub uri: String,
    stderr: Receiver<String>,
    talk: Option<JoinHandle<()>>,
    stdout: Option<JoinHandle<String>>,
}

/// How a daemon ended.
pub struct Ended {
    pub code: Option<i32>,
    /// The JSON lines of stdout.
    pub lines: Vec<Value>,
    /// Everything on stderr that was not asked for before.
    pub stderr: String,
    /// The counters that are not 0, without `wakegate_wyoming_`.
    pub counters: BTreeMap<String, u64>,
}

impl Daemon {
    /// Starts one on a free loopback port.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_at("tcp://127.0.0.1:0", arguments)
    }

    /// Starts one at `uri`.
    pub fn start_at(uri: &str, arguments: &[&str]) -> Self {
        let mut child = wakegate()
            .args(["listen", "--wyoming", uri])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, stderr) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let talk = std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        let mut out = child.stdout.take().unwrap();
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            text
        });
        let mut daemon =
            Self { child, uri: String::new(), stderr, talk: Some(talk), stdout: Some(stdout) };
        let line = daemon.wait_for("wakegate serves Wyoming at ");
        daemon.uri = line.rsplit(' ').next().unwrap().to_owned();
        daemon
    }

    /// The next line of stderr that holds `text`.
    pub fn wait_for(&self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.stderr.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("{text:?} is not on stderr ({error}): {seen:#?}"),
            }
        }
    }

    /// A new client.
    pub fn client(&self) -> Client {
        Client::connect(&self.uri)
    }

    /// The process's number.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The process's resident memory in KiB.
    pub fn rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(mut self) -> Ended {
        signal(self.child.id(), "TERM");
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "SIGTERM did not end it");
            std::thread::sleep(Duration::from_millis(10));
        };
        self.talk.take().unwrap().join().unwrap();
        let stderr: Vec<String> = self.stderr.try_iter().collect();
        let lines = self.stdout.take().unwrap().join().unwrap();
        let counters = stderr
            .iter()
            .filter_map(|line| line.strip_prefix("wakegate_wyoming_")?.split_once(' '))
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect();
        Ended {
            code: status.code(),
            lines: lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            stderr: stderr.join("\n"),
            counters,
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Where a test fails; where it was stopped, there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// A counter's value.
    pub fn count(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }
}

/// Sends a signal to a process of ours.
pub fn signal(process: u32, name: &str) {
    let done = Command::new("kill").args([format!("-{name}"), process.to_string()]).status();
    assert!(done.unwrap().success());
}

/// An event as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub kind: String,
    pub data: Value,
    pub payload: Vec<u8>,
}

/// A socket that is read with a time limit.
pub trait Socket: Read + Write + Send {
    fn clone_for_reading(&self) -> Box<dyn Socket>;
}

impl Socket for TcpStream {
    fn clone_for_reading(&self) -> Box<dyn Socket> {
        self.set_read_timeout(Some(PATIENCE)).unwrap();
        Box::new(self.try_clone().unwrap())
    }
}

impl Socket for std::os::unix::net::UnixStream {
    fn clone_for_reading(&self) -> Box<dyn Socket> {
        self.set_read_timeout(Some(PATIENCE)).unwrap();
        Box::new(self.try_clone().unwrap())
    }
}

/// One end of a connection.
pub struct Client {
    socket: Box<dyn Socket>,
    reader: BufReader<Box<dyn Socket>>,
}

impl Client {
    pub fn connect(uri: &str) -> Self {
        if let Some(address) = uri.strip_prefix("tcp://") {
            return Self::over(Box::new(TcpStream::connect(address).unwrap()));
        }
        let path = uri.strip_prefix("unix://").unwrap();
        Self::over(Box::new(std::os::unix::net::UnixStream::connect(path).unwrap()))
    }

    pub fn over(socket: Box<dyn Socket>) -> Self {
        let reader = BufReader::new(socket.clone_for_reading());
        Self { socket, reader }
    }

    /// Sends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Sends bytes that the other end may not want any more; `false` if so.
    pub fn try_raw(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).is_ok()
    }

    /// Sends an event as Python's writer does.
    pub fn send(&mut self, kind: &str, data: Value) {
        self.send_with(kind, data, &[]);
    }

    pub fn send_with(&mut self, kind: &str, data: Value, payload: &[u8]) {
        self.raw(&frame(kind, &data, payload));
    }

    /// The next event; `None` at the end of the connection.
    pub fn read(&mut self) -> Option<Event> {
        let mut line = String::new();
        if self.reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let header: Value = serde_json::from_str(&line).unwrap();
        let length = |key: &str| header.get(key).and_then(Value::as_u64).unwrap_or(0) as usize;
        let mut block = vec![0; length("data_length")];
        self.reader.read_exact(&mut block).ok()?;
        let mut payload = vec![0; length("payload_length")];
        self.reader.read_exact(&mut payload).ok()?;
        let data =
            if block.is_empty() { json!({}) } else { serde_json::from_slice(&block).unwrap() };
        Some(Event { kind: header["type"].as_str().unwrap().to_owned(), data, payload })
    }

    /// The next event of this type; what comes before it must be of the types in `besides`.
    pub fn read_kind(&mut self, kind: &str, besides: &[&str]) -> Event {
        loop {
            let event = self.read().unwrap_or_else(|| panic!("the connection ended, not {kind}"));
            if event.kind == kind {
                return event;
            }
            assert!(besides.contains(&event.kind.as_str()), "{event:?}, not {kind}");
        }
    }

    /// Everything that was sent until now, by asking for a pong.
    pub fn drain(&mut self) -> Vec<Event> {
        self.send("ping", json!({"text": "drain"}));
        let mut events = Vec::new();
        loop {
            let event = self.read().expect("the connection ended");
            if event.kind == "pong" {
                return events;
            }
            events.push(event);
        }
    }

    /// Everything until the end of the connection.
    pub fn read_to_end(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.read()).collect()
    }

    /// Sends 16 kHz mono audio in a satellite's bare chunks.
    pub fn stream(&mut self, samples: &[i16]) {
        for chunk in samples.chunks(CHUNK) {
            self.chunk(chunk);
        }
    }

    pub fn chunk(&mut self, samples: &[i16]) {
        let data = json!({"rate": 16_000, "width": 2, "channels": 1, "timestamp": null});
        self.send_with("audio-chunk", data, &bytes(samples));
    }
}

/// An event's bytes on the wire.
pub fn frame(kind: &str, data: &Value, payload: &[u8]) -> Vec<u8> {
    let block = if data.as_object().is_some_and(|data| !data.is_empty()) {
        data.to_string().into_bytes()
    } else {
        Vec::new()
    };
    let mut header = json!({"type": kind, "version": "1.10.2"});
    if !block.is_empty() {
        header["data_length"] = block.len().into();
    }
    if !payload.is_empty() {
        header["payload_length"] = payload.len().into();
    }
    [format!("{header}\n").as_bytes(), &block, payload].concat()
}

/// 16-bit little-endian PCM.
pub fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// A demo recording, with a second of silence after it.
pub fn recording(name: &str) -> Vec<i16> {
    decode(&checkout(&format!("data/{name}.flac")))
}

fn decode(path: &Path) -> Vec<i16> {
    let samples = read_all(&mut FileSource::open(path).unwrap()).unwrap();
    let mut samples: Vec<i16> = samples.iter().map(|s| (s * 32_768.0).round() as i16).collect();
    samples.resize(samples.len() + 16_000, 0);
    samples
}

/// The events of a kind.
pub fn of_kind<'e>(events: &'e [Event], kind: &str) -> Vec<&'e Event> {
    events.iter().filter(|event| event.kind == kind).collect()
}
