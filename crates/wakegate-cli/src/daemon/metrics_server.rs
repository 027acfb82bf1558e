//! The page for Prometheus and the health check: two answers, one connection at a time, bounded
//! in size and time.

use std::io::{ErrorKind as Io, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

fn serve(listener: &TcpListener, closing: &AtomicBool, counters: &Counters) {
    for stream in listener.incoming() {
        if closing.load(Ordering::Relaxed) {
            return;
        }
        match stream {
            // A client that goes away or is too slow is its own loss.
            Ok(stream) => drop(answer(stream, counters)),
            Err(error) => {
                warn!(%error, "the metrics page can't take a connection");
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn answer(mut stream: TcpStream, counters: &Counters) -> std::io::Result<()> {
    let request = read_head(&mut stream)?;
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
fn read_head(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
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
