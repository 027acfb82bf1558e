//! A page over real HTTP, and a client that sends what it is told and nothing else.
#![allow(dead_code)]

pub mod tls;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use wakegate::model::Model;
use wakegate::review::Settings;
use wakegate_cli::page::{Event, Limits, Options, Server};

use crate::review_support::{HandClock, person, reopen};

/// Options for `reviewers` on a free loopback port.
pub fn options(reviewers: &[&str]) -> Options {
    Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        names: Vec::new(),
        tls: None,
        reviewers: reviewers.iter().map(|name| person(name)).collect(),
        limits: Limits::default(),
    }
}

/// A running page with the links and errors that it told.
pub struct Page {
    pub server: Server,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Page {
    /// The page of the queue in `directory`, without a model.
    pub fn start(
        directory: &Path,
        settings: &Settings,
        clock: &Arc<HandClock>,
        options: &Options,
    ) -> Self {
        Self::with(directory, settings, clock, options, None)
    }

    /// As [`start`](Self::start), with a model.
    pub fn with(
        directory: &Path,
        settings: &Settings,
        clock: &Arc<HandClock>,
        options: &Options,
        model: Option<&Model>,
    ) -> Self {
        let queue = reopen(directory, settings, clock).unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&events);
        let tell = move |event| told.lock().unwrap().push(event);
        let server = Server::start(options, queue, model, Arc::clone(clock) as _, tell).unwrap();
        Self { server, events }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The latest link's secret of a reviewer, and how many there were.
    pub fn secret(&self, of: &str) -> (String, usize) {
        let events = self.events.lock().unwrap();
        let links: Vec<&String> = events
            .iter()
            .filter_map(|event| match event {
                Event::Link { reviewer, url } if reviewer.as_str() == of => Some(url),
                _ => None,
            })
            .collect();
        let secret = links.last().unwrap().split_once("/#").unwrap().1.to_owned();
        (secret, links.len())
    }

    pub fn errors(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let error = |event: &Event| match event {
            Event::Failed(error) => Some(error.to_string()),
            _ => None,
        };
        events.iter().filter_map(error).collect()
    }

    /// A client that is logged in.
    pub fn log_in(&self, reviewer: &str) -> Client {
        let mut client = Client::of(self.address());
        let answer = client.log_in(&self.secret(reviewer).0);
        assert_eq!(answer.status, 200, "{}", answer.text());
        client
    }
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends bytes, and gives all that comes back until the server closes.
pub fn exchange(address: SocketAddr, request: &[u8]) -> Option<Answer> {
    let bytes = exchange_bytes(address, request);
    (!bytes.is_empty()).then(|| Answer::parse(&bytes))
}

/// As [`exchange`], whatever comes back.
pub fn exchange_bytes(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // A server that refuses early may close before all is written.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// A browser's part: its headers can be changed one by one.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub host: String,
    pub origin: Option<String>,
    pub cookie: Option<String>,
    pub token: Option<String>,
    pub fetch_site: Option<&'static str>,
    pub kind: &'static str,
}

impl Client {
    pub fn of(address: SocketAddr) -> Self {
        Self {
            address,
            host: address.to_string(),
            origin: Some(format!("http://{address}")),
            cookie: None,
            token: None,
            fetch_site: Some("same-origin"),
            kind: "application/json",
        }
    }

    pub fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = self.request(method, path, body);
        exchange(self.address, request.as_bytes()).expect("an answer")
    }

    pub fn request(&self, method: &str, path: &str, body: &str) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        let mut line = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        };
        line("Origin", self.origin.as_deref());
        line("Cookie", self.cookie.as_deref());
        line("X-Wakegate-Token", self.token.as_deref());
        line("Sec-Fetch-Site", self.fetch_site);
        if method == "POST" {
            line("Content-Type", Some(self.kind));
            line("Content-Length", Some(&body.len().to_string()));
        }
        head.push_str("Connection: close\r\n\r\n");
        head + body
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &body.to_string())
    }

    pub fn log_in(&mut self, secret: &str) -> Answer {
        let answer = self.post("/api/login", &json!({ "secret": secret }));
        if answer.status == 200 {
            let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap();
            self.cookie = Some(cookie.to_owned());
            self.token = Some(answer.json()["token"].as_str().unwrap().to_owned());
        }
        answer
    }

    /// The next clip's name, if there is a next clip.
    pub fn next(&self) -> Option<String> {
        let answer = self.post("/api/next", &json!({})).json();
        answer["clip"]["id"].as_str().map(str::to_owned)
    }

    pub fn decide(&self, id: &str, decision: &str) -> Value {
        self.post(&format!("/api/clips/{id}/decide"), &json!({ "decision": decision })).json()
    }

    pub fn standing(&self) -> Value {
        self.get("/api/standing").json()
    }
}
