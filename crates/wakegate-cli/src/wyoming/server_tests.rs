//! A session that panics takes nobody with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use super::counters::Counters;
use super::protocol::Event;
use super::server::{Client, Running, Service, Session};
use super::settings::Settings;
use super::transport::Uri;
use wakegate::Result;

/// Answers everything but `boom`.
struct Fragile;

impl Service for Fragile {
    fn info(&self) -> Result<Event> {
        Ok(Event::new("info"))
    }

    fn open(&self, client: Client) -> Box<dyn Session> {
        Box::new(FragileSession(client))
    }
}

struct FragileSession(Client);

impl Session for FragileSession {
    fn handle(&mut self, event: Event) -> Result<()> {
        assert_ne!(event.kind, "boom", "a fault that the test asked for");
        self.0.out.send(&Event::new("fine"))
    }
}

fn connect(server: &Running) -> TcpStream {
    let Uri::Tcp(address) = server.address() else { unreachable!() };
    TcpStream::connect(address).unwrap()
}

fn ask(stream: &mut TcpStream, kind: &str) -> String {
    stream.write_all(&Event::new(kind).encode()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

#[test]
fn a_panic_closes_its_own_client_and_is_counted() {
    let uri = Uri::Tcp("127.0.0.1:0".to_owned());
    let counters = Arc::new(Counters::default());
    let server =
        Running::start(&uri, &Settings::default(), Box::new(Fragile), Arc::clone(&counters))
            .unwrap();
    let (mut first, mut second) = (connect(&server), connect(&server));
    assert!(ask(&mut first, "hello").contains("fine"));
    second.write_all(&Event::new("boom").encode()).unwrap();
    let mut said = String::new();
    second.read_to_string(&mut said).unwrap();
    assert!(said.contains("a fault of this program ended the session"), "{said}");
    assert!(ask(&mut first, "hello").contains("fine"));
    assert_eq!(counters.panics.get(), 1);
    drop(server);
    assert_eq!((counters.clients.get(), counters.connections.get()), (0, 2));
    assert_eq!(first.read(&mut [0; 8]).unwrap_or(0), 0, "closing ends every client");
}
