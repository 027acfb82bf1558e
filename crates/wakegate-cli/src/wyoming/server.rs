//! The server: accepts clients, gives each its thread and its session, and ends all of them.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::connection::{Ended, Inbox, Outbox};
use super::counters::Counters;
use super::message;
use super::protocol::Event;
use super::settings::Settings;
use super::transport::{Listener, Stream, Uri};
use super::wake_words::lock;
use wakegate::{Error, ErrorKind, Result};

/// Pause after a failed accept, so that a lack of file descriptors doesn't become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long closing waits for the clients' threads.
const CLOSING_TIME: Duration = Duration::from_secs(5);

/// What the server does for its clients.
pub(super) trait Service: Send + Sync {
    /// Answer to `describe`.
    fn info(&self) -> Result<Event>;
    /// A session for a client that has just connected.
    fn open(&self, client: Client) -> Box<dyn Session>;
}

/// One client's state.
pub(super) trait Session {
    /// Takes an event. An error closes the client after it was told.
    fn handle(&mut self, event: Event) -> Result<()>;
}

/// A connected client.
#[derive(Clone)]
pub(super) struct Client {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Its address.
    pub(super) peer: String,
    /// Where events for it go.
    pub(super) out: Arc<Outbox>,
    pub(super) counters: Arc<Counters>,
}

/// A running server. Dropping it closes it.
pub(super) struct Running {
    address: Uri,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    listener: Listener,
    settings: Settings,
    service: Box<dyn Service>,
    counters: Arc<Counters>,
    closing: AtomicBool,
    next: AtomicU64,
    clients: Mutex<HashMap<u64, Arc<Outbox>>>,
    left: Condvar,
}

impl Running {
    /// Listens on `uri`.
    ///
    /// # Errors
    /// As [`Listener::bind`]; [`ErrorKind::Io`] where no thread can be started.
    pub(super) fn start(
        uri: &Uri,
        settings: &Settings,
        service: Box<dyn Service>,
        counters: Arc<Counters>,
    ) -> Result<Self> {
        let listener = Listener::bind(uri)?;
        let address = listener
            .address()
            .map_err(|e| Error::new(ErrorKind::Io, "cannot listen").found(e.to_string()))?;
        if listener.is_public() {
            tracing::warn!(%address, "other machines can reach this Wyoming server; it has no passwords");
        }
        let shared = Arc::new(Shared {
            listener,
            settings: settings.clone(),
            service,
            counters,
            closing: AtomicBool::new(false),
            next: AtomicU64::new(1),
            clients: Mutex::default(),
            left: Condvar::new(),
        });
        let accepting = spawn("wyoming", {
            let shared = Arc::clone(&shared);
            move || shared.accept()
        })?;
        tracing::info!(%address, "Wyoming server is ready");
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    pub(super) fn address(&self) -> &Uri {
        &self.address
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    fn close(&mut self) {
        let Some(accepting) = self.accepting.take() else { return };
        let shared = &self.shared;
        shared.closing.store(true, Ordering::SeqCst);
        if let Err(error) = shared.listener.close() {
            tracing::warn!(%error, "the Wyoming listener did not close");
        }
        if accepting.join().is_err() {
            tracing::error!("the Wyoming listener's thread had failed");
        }
        let clients = lock(&shared.clients);
        clients.values().for_each(|out| out.close());
        let (clients, _) = shared
            .left
            .wait_timeout_while(clients, CLOSING_TIME, |clients| !clients.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        if !clients.is_empty() {
            tracing::warn!(count = clients.len(), "Wyoming clients did not end in time");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Takes clients until the server closes.
    fn accept(self: &Arc<Self>) {
        let mut told = false;
        while !self.closing.load(Ordering::SeqCst) {
            match self.listener.accept() {
                Ok(_) if self.closing.load(Ordering::SeqCst) => return,
                Ok((stream, peer)) => {
                    told = false;
                    if let Err(error) = self.admit(stream, peer) {
                        self.counters.accept_errors.inc();
                        tracing::warn!(%error, "a Wyoming client could not be taken");
                    }
                }
                Err(_) if self.closing.load(Ordering::SeqCst) => return,
                Err(error) => {
                    self.counters.accept_errors.inc();
                    // It goes on like this until some file is closed: one line is enough.
                    if !told {
                        tracing::warn!(%error, "a Wyoming connection could not be accepted");
                        told = true;
                    }
                    std::thread::sleep(ACCEPT_PAUSE);
                }
            }
        }
    }

    /// Gives a client its thread, or turns it away.
    fn admit(self: &Arc<Self>, stream: Stream, peer: String) -> Result<()> {
        let failed = |e: std::io::Error| {
            Error::new(ErrorKind::Io, format!("cannot set up {peer}")).found(e.to_string())
        };
        stream.prepare(self.settings.write_backlog_bytes).map_err(failed)?;
        let incoming = stream.try_clone().map_err(failed)?;
        let out =
            Outbox::new(stream, &self.settings, Arc::clone(&self.counters)).map_err(failed)?;
        let out = Arc::new(out);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        {
            let mut clients = lock(&self.clients);
            if clients.len() >= self.settings.most_clients {
                self.counters.refused.inc();
                let full = Error::new(ErrorKind::Limit, "there are too many clients")
                    .expected(format!("at most {}", self.settings.most_clients))
                    .hint("raise most_clients in the settings of wyoming");
                // Its send buffer is empty, so this does not wait; it may be gone already.
                let _ = out.send(&message::error(&full));
                return Ok(());
            }
            clients.insert(number, Arc::clone(&out));
            self.counters.clients.set(clients.len() as u64);
        }
        self.counters.connections.inc();
        let client = Client { number, peer, out, counters: Arc::clone(&self.counters) };
        let shared = Arc::clone(self);
        let inbox = Inbox::new(incoming, &self.settings);
        let thread = spawn("wyoming-client", move || shared.serve(client, inbox));
        if thread.is_err() {
            self.forget(number);
        }
        thread.map(drop)
    }

    /// A client's thread.
    fn serve(&self, client: Client, mut inbox: Inbox) {
        let number = client.number;
        tracing::debug!(client = number, peer = client.peer, "Wyoming client connected");
        let served = catch_unwind(AssertUnwindSafe(|| self.converse(&client, &mut inbox)));
        if let Err(error) = served.unwrap_or_else(|_| {
            self.counters.panics.inc();
            Err(Error::new(ErrorKind::Runtime, "a fault of this program ended the session"))
        }) {
            if error.kind() == ErrorKind::Io {
                tracing::debug!(client = number, %error, "Wyoming client is gone");
            } else {
                tracing::warn!(client = number, peer = client.peer, %error, "Wyoming client closed");
                // Where the peer doesn't read, this fails as what was sent before it.
                let _ = client.out.send(&message::error(&error));
                client.out.finish();
                inbox.discard();
            }
        }
        client.out.close();
        self.forget(number);
        tracing::debug!(client = number, "Wyoming client left");
    }

    fn converse(&self, client: &Client, inbox: &mut Inbox) -> Result<()> {
        let counters = &self.counters;
        let mut session = self.service.open(client.clone());
        loop {
            let event = match inbox.next() {
                Ok(Ok(event)) => event,
                Ok(Err(Ended::Gone)) => return Ok(()),
                Ok(Err(ended)) => {
                    let counter =
                        if ended == Ended::Idle { &counters.idle } else { &counters.stalled };
                    counter.inc();
                    return Err(self.too_late(ended));
                }
                Err(error) => {
                    let limit = error.kind() == ErrorKind::Limit;
                    let counter = if limit { &counters.over_limit } else { &counters.malformed };
                    counter.inc();
                    return Err(error);
                }
            };
            counters.events.inc();
            match event.kind.as_str() {
                "describe" => match self.service.info() {
                    Ok(info) => client.out.send(&info)?,
                    Err(error) => client.out.send(&message::error(&error))?,
                },
                "ping" => {
                    let text = event.get("text").cloned().unwrap_or_default();
                    client.out.send(&Event::new("pong").with("text", text))?;
                }
                _ => session.handle(event).inspect_err(|error| self.count_failure(error))?,
            }
        }
    }

    fn count_failure(&self, error: &Error) {
        match error.kind() {
            ErrorKind::Protocol => self.counters.malformed.inc(),
            // A peer that is gone or does not read; counted where that was seen.
            ErrorKind::Io | ErrorKind::Limit => {}
            _ => self.counters.failures.inc(),
        }
    }

    fn too_late(&self, ended: Ended) -> Error {
        let (message, settings) = (&self.settings.idle_s, &self.settings.event_timeout_ms);
        let (text, expected) = match ended {
            Ended::Idle => ("nothing came for too long", format!("an event within {message} s")),
            _ => ("an event did not go on", format!("all of it within {settings} ms")),
        };
        Error::new(ErrorKind::Limit, text).expected(expected)
    }

    fn forget(&self, number: u64) {
        let mut clients = lock(&self.clients);
        clients.remove(&number);
        self.counters.clients.set(clients.len() as u64);
        self.left.notify_all();
    }
}

/// Starts a named thread.
pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(work).map_err(|error| {
        Error::new(ErrorKind::Io, "cannot start a thread")
            .found(error.to_string())
            .hint("lower most_clients in the settings of wyoming, or the limits of the system")
    })
}
