//! A message broker that does what a test wants, and keeps what it was told.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// What a broker does.
#[derive(Clone, Copy)]
pub struct Manners {
    /// How many messages it acknowledges, on each connection.
    pub acknowledges: usize,
    /// How long it takes to say that a client is connected.
    pub welcome_after: Duration,
}

/// Acknowledges everything at once.
pub const GOOD: Manners = Manners { acknowledges: usize::MAX, welcome_after: Duration::ZERO };

/// A message that a client published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub topic: String,
    pub retained: bool,
    pub payload: String,
}

#[derive(Default)]
struct Kept {
    clients: Vec<String>,
    published: Vec<Published>,
    /// Connections that ended without a goodbye.
    torn: usize,
    streams: Vec<TcpStream>,
}

/// A broker that runs; dropping it ends it and its connections.
pub struct Broker {
    pub port: u16,
    kept: Arc<Mutex<Kept>>,
    closing: Arc<AtomicBool>,
}

impl Broker {
    /// Listens on `port`, or on any with 0.
    pub fn start(port: u16, manners: Manners) -> Self {
        let late = Instant::now() + PATIENCE;
        let listener = loop {
            match TcpListener::bind(("127.0.0.1", port)) {
                Ok(listener) => break listener,
                Err(error) => assert!(Instant::now() < late, "{error}"),
            }
            thread::sleep(Duration::from_millis(20));
        };
        let port = listener.local_addr().unwrap().port();
        let (kept, closing): (Arc<Mutex<Kept>>, Arc<AtomicBool>) = Default::default();
        let (theirs, over) = (Arc::clone(&kept), Arc::clone(&closing));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, kept) = (stream.unwrap(), Arc::clone(&theirs));
                kept.lock().unwrap().streams.push(stream.try_clone().unwrap());
                thread::spawn(move || serve(stream, &kept, manners));
            }
        });
        Self { port, kept, closing }
    }

    /// The clients that came, by their names.
    pub fn clients(&self) -> Vec<String> {
        self.kept.lock().unwrap().clients.clone()
    }

    /// Connections that ended without a goodbye.
    pub fn torn(&self) -> usize {
        self.kept.lock().unwrap().torn
    }

    /// Everything that was published, in that order.
    pub fn published(&self) -> Vec<Published> {
        self.kept.lock().unwrap().published.clone()
    }

    /// The payloads of a topic.
    pub fn of(&self, topic: &str) -> Vec<String> {
        let published = self.published().into_iter();
        published.filter(|it| it.topic == topic).map(|it| it.payload).collect()
    }

    /// Waits until what was published is as `done` wants it.
    pub fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let late = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < late, "never: {what}; seen: {:#?}", self.published());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // Wakes the one that waits for connections, so that the port is free again.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        for stream in &self.kept.lock().unwrap().streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn serve(mut stream: TcpStream, kept: &Mutex<Kept>, manners: Manners) {
    let mut left = manners.acknowledges;
    while let Some((head, body)) = packet(&mut stream) {
        let answer: Vec<u8> = match head >> 4 {
            1 => {
                // Behind the protocol's name, level, flags and keep-alive.
                kept.lock().unwrap().clients.push(text(&body, 10));
                thread::sleep(manners.welcome_after);
                vec![0x20, 2, 0, 0]
            }
            3 => {
                let topic = text(&body, 0);
                let number = 2 + topic.len();
                let payload = String::from_utf8_lossy(&body[number + 2..]).into_owned();
                let retained = head & 1 == 1;
                kept.lock().unwrap().published.push(Published { topic, retained, payload });
                if left == 0 {
                    continue;
                }
                left -= 1;
                vec![0x40, 2, body[number], body[number + 1]]
            }
            12 => vec![0xd0, 0],
            14 => return,
            _ => continue,
        };
        if stream.write_all(&answer).is_err() {
            break;
        }
    }
    kept.lock().unwrap().torn += 1;
}

/// A text with its length in front.
fn text(body: &[u8], at: usize) -> String {
    let length = usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
    String::from_utf8(body[at + 2..at + 2 + length].to_vec()).unwrap()
}

/// First byte and body of an MQTT packet.
fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut byte = || {
        let mut one = [0];
        stream.read_exact(&mut one).ok().map(|()| one[0])
    };
    let head = byte()?;
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let next = byte()?;
        length |= usize::from(next & 0x7f) << shift;
        shift += 7;
        if next & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}
