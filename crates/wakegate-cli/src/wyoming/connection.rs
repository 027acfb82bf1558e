//! One connection: events in, each within its time, and events out, never waiting for long.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::counters::Counters;
use super::protocol::{Decoder, Event};
use super::settings::Settings;
use super::transport::Stream;
use super::wake_words::lock;
use wakegate::{Error, ErrorKind, Result};

/// Bytes asked of a socket at once: 0.5 s of 16 kHz mono 16-bit audio.
const BUFFER_BYTES: usize = 16_384;
/// What a client that is being closed may still send before it is cut off.
const MOST_DISCARDED_BYTES: usize = 16 << 20;
/// How long that may take.
const DISCARD_TIME: Duration = Duration::from_millis(500);

/// Events from a peer.
pub(super) struct Inbox {
    stream: Stream,
    decoder: Decoder,
    buffer: Vec<u8>,
    /// What of the buffer is not decoded yet.
    unread: std::ops::Range<usize>,
    idle: Duration,
    event_timeout: Duration,
    /// When the event that is not complete began.
    began: Option<Instant>,
}

/// How a peer's events ended without being wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The peer closed the connection, or is gone.
    Gone,
    /// It sent nothing for too long.
    Idle,
    /// It did not complete an event.
    Stalled,
}

impl Inbox {
    pub(super) fn new(stream: Stream, settings: &Settings) -> Self {
        Self {
            stream,
            decoder: Decoder::new(settings.limits()),
            buffer: vec![0; BUFFER_BYTES],
            unread: 0..0,
            idle: settings.idle(),
            event_timeout: settings.event_timeout(),
            began: None,
        }
    }

    /// Waits for an event for at most this long.
    pub(super) fn set_idle(&mut self, idle: Duration) {
        self.idle = idle;
    }

    /// The next event, or why there is none.
    ///
    /// # Errors
    /// Those of [`Decoder::next`].
    pub(super) fn next(&mut self) -> Result<std::result::Result<Event, Ended>> {
        loop {
            let mut rest = &self.buffer[self.unread.clone()];
            let event = self.decoder.next(&mut rest)?;
            self.unread.start = self.unread.end - rest.len();
            if let Some(event) = event {
                self.began = None;
                return Ok(Ok(event));
            }
            if let Err(ended) = self.fill() {
                return Ok(Err(ended));
            }
        }
    }

    /// Reads what is at hand, or waits for it.
    fn fill(&mut self) -> std::result::Result<(), Ended> {
        loop {
            let (patience, over) = if self.decoder.in_event() {
                let began = *self.began.get_or_insert_with(Instant::now);
                let left = self.event_timeout.saturating_sub(began.elapsed());
                (left, Ended::Stalled)
            } else {
                (self.idle, Ended::Idle)
            };
            if patience.is_zero() {
                return Err(over);
            }
            self.stream.set_read_timeout(patience).map_err(|_| Ended::Gone)?;
            match (&self.stream).read(&mut self.buffer) {
                Ok(0) => return Err(Ended::Gone),
                Ok(count) => {
                    self.unread = 0..count;
                    return Ok(());
                }
                Err(error) if is_timeout(&error) => return Err(over),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Ended::Gone),
            }
        }
    }

    /// Reads on for a moment and throws it away: a socket that is closed with bytes unread
    /// takes back what was sent last, here the error that says why.
    pub(super) fn discard(&mut self) {
        let end = Instant::now() + DISCARD_TIME;
        let mut count = 0;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero()
                || count > MOST_DISCARDED_BYTES
                || self.stream.set_read_timeout(left).is_err()
            {
                return;
            }
            match (&self.stream).read(&mut self.buffer) {
                Ok(0) | Err(_) => return,
                Ok(read) => count += read,
            }
        }
    }
}

/// Events to a peer, from any thread.
pub(super) struct Outbox {
    stream: Stream,
    /// Whether the peer still takes events; locked while one is written.
    open: Mutex<bool>,
    timeout: Duration,
    counters: Arc<Counters>,
}

impl Outbox {
    /// # Errors
    /// The socket's, where it refuses a setting.
    pub(super) fn new(
        stream: Stream,
        settings: &Settings,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let timeout = settings.write_timeout();
        stream.set_write_timeout(timeout)?;
        Ok(Self { stream, open: Mutex::new(true), timeout, counters })
    }

    /// Sends an event. A peer that does not take it within the time is closed.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] for such a peer, [`ErrorKind::Io`] for one that is gone.
    pub(super) fn send(&self, event: &Event) -> Result<()> {
        let mut open = lock(&self.open);
        if !*open {
            return Err(gone("it was closed"));
        }
        let result = self.write(&event.encode());
        if result.is_err() {
            // Half an event may be out: nothing may follow it.
            *open = false;
            self.stream.close();
        }
        result
    }

    /// Closes the connection: every read and write on it returns.
    pub(super) fn close(&self) {
        self.stream.close();
    }

    /// Says that no more will be sent; the peer may still send.
    pub(super) fn finish(&self) {
        *lock(&self.open) = false;
        self.stream.close_write();
    }

    fn write(&self, mut bytes: &[u8]) -> Result<()> {
        let end = Instant::now() + self.timeout;
        while !bytes.is_empty() {
            // Each write may wait for the whole time, but a peer that takes byte after byte
            // gets no more than twice of it.
            match (&self.stream).write(bytes) {
                Ok(0) => return Err(gone("it takes nothing")),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => return Err(self.slow()),
                Err(error) => return Err(gone(&error.to_string())),
            }
            if !bytes.is_empty() && Instant::now() >= end {
                return Err(self.slow());
            }
        }
        Ok(())
    }

    fn slow(&self) -> Error {
        self.counters.slow_readers.inc();
        Error::new(ErrorKind::Limit, "the peer does not read what it is sent")
            .expected(format!("every event taken within {} ms", self.timeout.as_millis()))
    }
}

fn gone(why: &str) -> Error {
    Error::new(ErrorKind::Io, "cannot send to the peer").found(why)
}

/// What a socket's time limit gives: one of two kinds, by the system.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
