//! The reviewer's page from outside, by raw sockets: who never reads, never asks, or guesses.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::review_support::{HandClock, open_settings, queue, store};
use crate::web_support::{Client, Page, options};
use serde_json::json;
use wakegate::review::Queue;
use wakegate_cli::page::Options;

struct Scene {
    page: Page,
    folder: tempfile::TempDir,
    clock: Arc<HandClock>,
}

fn scene(options: &Options) -> Scene {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let directory = folder.path().join("queue");
    let mut filled = queue(&directory, &open_settings(), &clock);
    (0..2).for_each(|seed| drop(store(&mut filled, seed)));
    drop(filled);
    let page = Page::start(&directory, &open_settings(), &clock, options);
    Scene { page, folder, clock }
}

/// A connection that asks for the page's largest file again and again and reads nothing.
fn deaf(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
    let ask = format!("GET /page.js HTTP/1.1\r\nHost: {address}\r\n\r\n");
    // Until nothing fits any more, on the way there or on the way back.
    while stream.write_all(ask.as_bytes()).is_ok() {}
    stream
}

/// How long a new visitor waits for the page.
fn served_in(address: SocketAddr) -> Duration {
    let start = Instant::now();
    assert_eq!(Client::of(address).get("/").status, 200);
    start.elapsed()
}

#[test]
fn connections_that_never_read_keep_nobody_out() {
    let Scene { page, folder: _folder, .. } = scene(&options(&["Ann"]));
    let ann = page.log_in("Ann");
    let held: Vec<TcpStream> = (0..96).map(|_| deaf(page.address())).collect();
    let waited = served_in(page.address());
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    assert!(ann.next().is_some(), "who is logged in goes on");
    drop(held);
}

#[test]
fn connections_that_never_ask_keep_nobody_out() {
    let Scene { page, folder: _folder, .. } = scene(&options(&["Ann"]));
    let address = page.address();
    let mut held = Vec::new();
    for piece in [&b""[..], b"GET / HTTP/1.1\r\nHost: ", b"POST /api/login HTTP/1.1\r\nContent-Le"]
    {
        for _ in 0..96 {
            let mut stream = TcpStream::connect(address).unwrap();
            let _ = stream.write_all(piece);
            held.push(stream);
        }
        let waited = served_in(address);
        assert!(waited < Duration::from_secs(5), "{waited:?}");
    }
    page.log_in("Ann");
}

#[test]
fn an_answer_that_nobody_takes_ends_its_connection() {
    let Scene { page, folder: _folder, .. } = scene(&options(&["Ann"]));
    let mut stream = deaf(page.address());
    // After the ten seconds in which a write may wait; what is read then ends.
    std::thread::sleep(Duration::from_secs(12));
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    assert!(ended.is_ok() || ended.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset);
}

/// Lines of the audit log that tell of a login that was refused.
fn refused(directory: &std::path::Path) -> usize {
    let mut count = 0;
    let mut take = |line: String| {
        count += usize::from(line.contains("\"act\":\"refused\""));
        Ok(())
    };
    Queue::audit_lines(directory, &mut take).unwrap();
    count
}

#[test]
fn guesses_from_every_name_of_this_machine_are_one_machine_s_and_fill_no_log() {
    let Scene { page, folder, clock } = scene(&options(&["Ann"]));
    let port = page.address().port();
    let mut limited = 0;
    for round in 0..3 {
        for last in 1..40_u8 {
            // Sent from another address of the loopback network each time.
            let from: SocketAddr = format!("127.0.{round}.{last}:0").parse().unwrap();
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
            let socket = socket.unwrap();
            socket.bind(&from.into()).unwrap();
            let to: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
            socket.connect(&to.into()).unwrap();
            let mut stream = TcpStream::from(socket);
            let body = json!({"secret": "0".repeat(32)}).to_string();
            let request = Client::of(page.address()).request("POST", "/api/login", &body);
            stream.write_all(request.as_bytes()).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            limited += usize::from(text.starts_with("HTTP/1.1 429"));
        }
    }
    assert_eq!(limited, 3 * 39 - 5, "five guesses for all of them together");
    // And whoever has the link is let in all the same.
    page.log_in("Ann");
    assert!(refused(&folder.path().join("queue")) <= 5);
    // Day after day.
    for _ in 0..50 {
        clock.pass(301_000);
        for _ in 0..8 {
            Client::of(page.address()).log_in("guess");
        }
    }
    assert!(refused(&folder.path().join("queue")) <= 5 * 51);
}
