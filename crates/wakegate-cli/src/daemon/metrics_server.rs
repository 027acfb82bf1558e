//! The page for Prometheus and the health check: two answers, to few connections at a time, each
//! bounded in size and time. Where there are too many, the oldest makes room: whoever never ends
//! a request keeps nobody waiting.

use std::collections::VecDeque;
use std::io::{ErrorKind as Io, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;

use super::metrics::Counters;
use super::prometheus;
use wakegate::{Error, ErrorKind, Result};

/// Longest request that is read, in bytes.
const LONGEST: usize = 8_192;
/// Longest time that a client may take in all.
const PATIENCE: Duration = Duration::from_secs(2);

/// Connections at a time.
const MOST: usize = 8;

/// The page; it closes when this is dropped.
pub struct Page {
    address: SocketAddr,
    closing: Arc<AtomicBool>,
}

impl Page {
    /// Opens the page at `address`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where the address is taken or can't be used.
    pub fn open(address: SocketAddr, counters: Arc<Counters>) -> Result<Self> {
        let refused = |error: std::io::Error| {
            Error::new(ErrorKind::Io, format!("cannot open the page at {address}"))
                .found(error.to_string())
                .hint("give metrics.listen another port")
        };
        let listener = TcpListener::bind(address).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let closing = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&closing);
        thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || serve(&listener, &theirs, &counters))
            .map_err(refused)?;
        Ok(Self { address, closing })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        // The thread waits for a connection: here is one.
        let _ = TcpStream::connect_timeout(&self.address, PATIENCE);
    }
}

fn serve(listener: &TcpListener, closing: &AtomicBool, counters: &Arc<Counters>) {
    let mut open: VecDeque<Weak<TcpStream>> = VecDeque::new();
    for stream in listener.incoming() {
        if closing.load(Ordering::Relaxed) {
            return;
        }
        match stream.and_then(|stream| begin(stream, counters)) {
            Ok(stream) => open.push_back(stream),
            Err(error) => {
                warn!(%error, "the metrics page can't take a connection");
                thread::sleep(Duration::from_millis(100));
            }
        }
        open.retain(|stream| stream.strong_count() > 0);
        if open.len() > MOST
            && let Some(oldest) = open.pop_front().and_then(|stream| stream.upgrade())
        {
            // One that is answered meanwhile is as closed as it can be.
            let _ = oldest.shutdown(Shutdown::Both);
        }
    }
}

/// Answers on a thread of its own, which closes the connection when it ends.
fn begin(stream: TcpStream, counters: &Arc<Counters>) -> std::io::Result<Weak<TcpStream>> {
    let (stream, counters) = (Arc::new(stream), Arc::clone(counters));
    let watched = Arc::downgrade(&stream);
    // A client that goes away or is too slow is its own loss.
    let serve = move || drop(answer(&stream, &counters));
    thread::Builder::new().name("metrics-client".to_owned()).spawn(serve)?;
    Ok(watched)
}

fn answer(mut stream: &TcpStream, counters: &Counters) -> std::io::Result<()> {
    let request = read_head(stream)?;
    let (status, kind, body) = respond(&request, counters);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\nX-Content-Type-Options: nosniff\r\n\r\n",
        body.len()
    );
    let head_only = request.starts_with(b"HEAD ");
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(head.as_bytes())?;
    if !head_only {
        stream.write_all(body.as_bytes())?;
    }
    stream.shutdown(Shutdown::Both)
}

/// Reads up to the empty line that ends a request's head.
fn read_head(mut stream: &TcpStream) -> std::io::Result<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    let mut head = Vec::new();
    let mut piece = [0; 1_024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > LONGEST {
            return Err(Io::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => return Err(Io::UnexpectedEof.into()),
            count => head.extend_from_slice(&piece[..count]),
        }
    }
    Ok(head)
}

fn respond(request: &[u8], counters: &Counters) -> (&'static str, &'static str, String) {
    const PLAIN: &str = "text/plain; charset=utf-8";
    let line = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if !is_meant(request) {
        let text = "ask by an address or by a name without a dot\n".to_owned();
        return ("421 Misdirected Request", PLAIN, text);
    }
    if !matches!(method, b"GET" | b"HEAD") {
        return ("405 Method Not Allowed", PLAIN, "only GET\n".to_owned());
    }
    match path.split(|&byte| byte == b'?').next().unwrap_or_default() {
        b"/metrics" => {
            ("200 OK", "text/plain; version=0.0.4; charset=utf-8", prometheus::text(counters))
        }
        b"/healthz" if counters.is_healthy() => ("200 OK", PLAIN, "ok\n".to_owned()),
        b"/healthz" => ("503 Service Unavailable", PLAIN, "no audio is judged\n".to_owned()),
        _ => ("404 Not Found", PLAIN, "/metrics and /healthz are here\n".to_owned()),
    }
}

/// Whether the request names this machine by an address or by a name without a dot, which no name
/// server of the internet answers for, or names nothing, as old programs do. A web page whose name
/// was pointed here reads nothing.
fn is_meant(request: &[u8]) -> bool {
    let head = String::from_utf8_lossy(request);
    let hosts = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    let mut hosts = hosts.filter(|(key, _)| key.trim().eq_ignore_ascii_case("host"));
    let Some((_, host)) = hosts.next() else { return true };
    let host = host.trim();
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => host,
    };
    let bare = bare.strip_prefix('[').and_then(|b| b.strip_suffix(']')).unwrap_or(bare);
    let is_near = !bare.is_empty() && !bare.contains('.') || bare.parse::<IpAddr>().is_ok();
    is_near && hosts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_near_names_are_meant() {
        let meant = |hosts: &str| is_meant(format!("GET / HTTP/1.1\r\n{hosts}\r\n").as_bytes());
        for host in
            ["127.0.0.1:9464", "127.0.0.1", "localhost", "LocalHost:9464", "[::1]:9464", "speaker"]
        {
            assert!(meant(&format!("Host: {host}\r\n")), "{host}");
        }
        assert!(meant("Accept: */*\r\n"), "HTTP/1.0 names none");
        for host in
            ["evil.example", "evil.example:9464", "", "127.0.0.1.evil.example", "localhost."]
        {
            assert!(!meant(&format!("hOST: {host}\r\n")), "{host}");
        }
        assert!(!meant("Host: localhost\r\nHost: evil.example\r\n"), "twice");
    }
}
