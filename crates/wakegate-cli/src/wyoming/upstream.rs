//! The connection to the upstream engine, one for each client: made, watched, made again.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connection::{Ended, Inbox, Outbox};
use super::counters::Counters;
use super::protocol::Event;
use super::server::spawn;
use super::settings::Settings;
use super::transport::{Stream, Uri};
use super::wake_words::lock;
use wakegate::{Error, ErrorKind, Result};

/// Longer than any program runs.
const FOREVER: Duration = Duration::from_secs(1 << 31);

/// What the engine's side has to say.
pub(super) enum News {
    /// An event of the engine.
    Event(Event),
    /// The engine is not there, or has gone; told once until it is back.
    Gone(Error),
}

/// Where the engine is, and how patient we are.
#[derive(Clone)]
pub(super) struct Engine {
    pub(super) uri: Uri,
    pub(super) settings: Settings,
    pub(super) counters: Arc<Counters>,
}

impl Engine {
    /// A new connection: what comes in, where things go, and what the engine says about itself.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where there is none, or nobody who answers `describe` in time.
    fn connect(&self) -> Result<(Inbox, Outbox, Event)> {
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Io, format!("the wake-word engine at {} is not there", self.uri))
                .found(error.to_string())
                .hint("start it, or correct the upstream address")
        };
        let patience = self.settings.upstream_timeout();
        let stream = Stream::connect(&self.uri, patience).map_err(failed)?;
        stream.prepare(self.settings.write_backlog_bytes).map_err(failed)?;
        let mut inbox = Inbox::new(stream.try_clone().map_err(failed)?, &self.settings);
        let counters = Arc::clone(&self.counters);
        let out = Outbox::new(stream, &self.settings, counters).map_err(failed)?;
        out.send(&Event::new("describe"))?;
        inbox.set_idle(patience);
        let end = Instant::now() + patience;
        while Instant::now() < end {
            match inbox.next()? {
                Ok(event) if event.kind == "info" => {
                    inbox.set_idle(self.settings.idle());
                    return Ok((inbox, out, event));
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        Err(Error::new(ErrorKind::Io, format!("the wake-word engine at {} is silent", self.uri))
            .expected(format!("an answer to describe within {} ms", patience.as_millis()))
            .hint("check that it speaks Wyoming"))
    }

    /// What the engine says about itself, over a connection of its own.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it is not there or does not answer in time.
    pub(super) fn info(&self) -> Result<Event> {
        let (_, out, info) = self.connect()?;
        out.close();
        Ok(info)
    }
}

/// A connection that is kept up until it is dropped.
pub(super) struct Link {
    shared: Arc<Shared>,
    patience: Duration,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    phase: Phase,
    /// Number of the latest connection, from 1.
    number: u64,
    /// Answers to `describe` so far.
    infos: u64,
    /// Whether the engine may close the connection without being in the wrong.
    may_end: bool,
}

enum Phase {
    /// A connection is being made.
    Trying,
    /// The engine is there.
    Up(Arc<Outbox>),
    /// It is not; another try comes after a pause.
    Down,
    /// It has closed the connection in order; the next try comes when it is needed.
    Resting,
    /// The client has gone.
    Closed,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Changes the phase, unless the client has gone; `false` if it has.
    fn enter(&self, phase: Phase) -> bool {
        let mut state = self.state();
        if matches!(state.phase, Phase::Closed) {
            return false;
        }
        state.phase = phase;
        self.changed.notify_all();
        true
    }

    /// Waits until `done` or the time is over.
    fn wait(&self, time: Duration, mut done: impl FnMut(&State) -> bool) {
        let waited = self.changed.wait_timeout_while(self.state(), time, |state| !done(state));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Link {
    /// Begins to connect; `news` is called from the connection's thread.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where no thread can be started.
    pub(super) fn start(
        engine: Engine,
        mut news: impl FnMut(News) + Send + 'static,
    ) -> Result<Self> {
        let state = State { phase: Phase::Trying, number: 0, infos: 0, may_end: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let patience = engine.settings.upstream_timeout();
        spawn("wyoming-upstream", {
            let shared = Arc::clone(&shared);
            move || keep(&shared, &engine, &mut news)
        })?;
        Ok(Self { shared, patience })
    }

    /// Waits, not for long, for a connection that is being made.
    pub(super) fn ready(&self) {
        {
            let mut state = self.shared.state();
            state.may_end = false;
            if matches!(state.phase, Phase::Resting) {
                state.phase = Phase::Trying;
                self.shared.changed.notify_all();
            }
        }
        self.shared.wait(2 * self.patience, |state| !matches!(state.phase, Phase::Trying));
    }

    /// The connection and its number, if the engine is there.
    pub(super) fn current(&self) -> Option<(Arc<Outbox>, u64)> {
        let state = self.shared.state();
        match &state.phase {
            Phase::Up(out) => Some((Arc::clone(out), state.number)),
            _ => None,
        }
    }

    /// Sends the end of a stream, and waits, not for long, until the engine has come to it:
    /// it works through its events in order, so what it says before it answers `describe`
    /// is all that it has to say.
    pub(super) fn end_stream(&self, stop: &Event) {
        let Some((out, number)) = self.current() else { return };
        let infos = {
            let mut state = self.shared.state();
            state.may_end = true;
            state.infos
        };
        let sent = out.send(stop).and_then(|()| out.send(&Event::new("describe")));
        // One that closes the connection at once has come to the end too.
        drop(sent);
        self.shared.wait(self.patience, |state| {
            let up = matches!(state.phase, Phase::Up(_)) && state.number == number;
            state.infos > infos || !up
        });
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if let Phase::Up(out) = &state.phase {
            out.close();
        }
        state.phase = Phase::Closed;
        self.shared.changed.notify_all();
    }
}

/// The connection's thread.
fn keep(shared: &Shared, engine: &Engine, news: &mut impl FnMut(News)) {
    let (first, most) = engine.settings.backoff();
    let (mut pause, mut told) = (first, false);
    loop {
        let start = Instant::now();
        let mut alive = false;
        let ended = engine.connect().and_then(|(inbox, out, info)| {
            engine.counters.upstream_connects.inc();
            news(News::Event(info));
            {
                let mut state = shared.state();
                if matches!(state.phase, Phase::Closed) {
                    return Ok(());
                }
                state.number += 1;
                state.phase = Phase::Up(Arc::new(out));
                shared.changed.notify_all();
            }
            // Said once it is true: whoever reads it may count on the next audio.
            if std::mem::take(&mut told) {
                tracing::info!(engine = %engine.uri, "the wake-word engine is back");
            }
            listen(shared, inbox, &mut |event| {
                alive = true;
                news(News::Event(event));
            })
        });
        let (closed, may_end) = {
            let state = shared.state();
            (matches!(state.phase, Phase::Closed), state.may_end)
        };
        if closed {
            return;
        }
        if alive || start.elapsed() > most {
            pause = first;
        }
        if ended.is_ok() && may_end {
            if !shared.enter(Phase::Resting) {
                return;
            }
            shared.wait(FOREVER, |state| !matches!(state.phase, Phase::Resting));
            continue;
        }
        engine.counters.upstream_failures.inc();
        if !told {
            let error = ended.err().unwrap_or_else(|| {
                Error::new(
                    ErrorKind::Io,
                    format!("the wake-word engine at {} has gone", engine.uri),
                )
                .hint("nothing is detected until it is back")
            });
            tracing::warn!(%error, "no wake-word engine; trying again");
            news(News::Gone(error));
            told = true;
        }
        if !shared.enter(Phase::Down) {
            return;
        }
        shared.wait(pause, |state| matches!(state.phase, Phase::Closed));
        pause = (2 * pause).min(most);
        if !shared.enter(Phase::Trying) {
            return;
        }
    }
}

/// Hands on what the engine says until the connection ends.
fn listen(shared: &Shared, mut inbox: Inbox, news: &mut impl FnMut(Event)) -> Result<()> {
    loop {
        match inbox.next() {
            Ok(Ok(event)) => {
                let info = event.kind == "info";
                news(event);
                if info {
                    shared.state().infos += 1;
                    shared.changed.notify_all();
                }
            }
            // An engine may have nothing to say for days.
            Ok(Err(Ended::Idle)) => {}
            Ok(Err(Ended::Gone)) => return Ok(()),
            Ok(Err(Ended::Stalled)) => {
                return Err(Error::new(
                    ErrorKind::Protocol,
                    "the wake-word engine's event stalled",
                ));
            }
            Err(error) => return Err(error.context("the wake-word engine")),
        }
    }
}
