//! What the handlers share: the queue, the sessions, and the ways to them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::FromRequestParts;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};

use super::Event;
use super::crowd::counted;
use super::guard::Refusal;
use super::picture::Painter;
use super::session::{Ended, Pending, Secrets, Sessions};
use super::site::Site;
use wakegate::gate::Clock;
use wakegate::review::Act;
use wakegate::review::{Person, Queue};
use wakegate::{Error, ErrorKind, Result};

/// The header with the token that only the page's own script knows.
pub(super) const TOKEN: &str = "x-wakegate-token";

/// Who asks, on one connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// Their address, as limits count it.
    pub(super) from: IpAddr,
    /// Whether a session was shown on the connection.
    pub(super) known: Arc<AtomicBool>,
}

impl Peer {
    pub(super) fn new(address: IpAddr) -> Self {
        Self { from: counted(address), known: Arc::default() }
    }
}

/// The queue with what makes pictures of its clips.
pub(super) struct Desk {
    pub(super) queue: Queue,
    pub(super) painter: Painter,
}

/// Everything behind the page.
pub(super) struct App {
    pub(super) site: Site,
    desk: Mutex<Desk>,
    sessions: Mutex<Sessions>,
    clock: Arc<dyn Clock>,
    on_event: Box<dyn Fn(Event) + Send + Sync>,
}

impl App {
    pub(super) fn new(
        site: Site,
        desk: Desk,
        sessions: Sessions,
        clock: Arc<dyn Clock>,
        on_event: Box<dyn Fn(Event) + Send + Sync>,
    ) -> Self {
        Self { site, desk: Mutex::new(desk), sessions: Mutex::new(sessions), clock, on_event }
    }

    /// The steady clock in milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now().steady_ms
    }

    /// The sessions; never held while anything is waited for.
    pub(super) fn sessions(&self) -> std::result::Result<MutexGuard<'_, Sessions>, Refusal> {
        self.sessions.lock().map_err(|_| self.failed(panicked()))
    }

    /// Runs `work` with the queue, off the thread that serves.
    pub(super) async fn desk<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Desk) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, Refusal> {
        let app = Arc::clone(self);
        let run = move || {
            let mut desk = app.desk.lock().map_err(|_| panicked())?;
            work(&mut desk)
        };
        match tokio::task::spawn_blocking(run).await {
            Ok(result) => result.map_err(|error| self.failed(error)),
            Err(_) => Err(self.failed(panicked())),
        }
    }

    /// Says in the terminal what went wrong; the page only hears that something did.
    pub(super) fn failed(&self, error: Error) -> Refusal {
        (self.on_event)(Event::Failed(error));
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the queue is closed; the terminal says why")
    }

    /// Makes a link for `reviewer` and tells it.
    pub(super) fn announce(&self, reviewer: &Person) -> std::result::Result<(), Refusal> {
        let secret = self.sessions()?.link(reviewer, self.now_ms());
        let secret = secret.map_err(|error| self.failed(error))?;
        (self.on_event)(Event::Link { reviewer: reviewer.clone(), url: self.site.link(&secret) });
        Ok(())
    }

    /// Writes a label that can't be taken back any more. A clip that is gone by now has none.
    pub(super) async fn write(
        self: &Arc<Self>,
        reviewer: &Person,
        pending: Pending,
    ) -> std::result::Result<(), Refusal> {
        let person = reviewer.clone();
        let Pending { id, label, .. } = pending;
        self.desk(move |desk| desk.queue.label(&person, &id, label).map(drop)).await
    }

    /// Writes the labels that are due, ends the sessions whose time is over, and deletes the clips
    /// whose time is.
    pub(super) async fn settle(self: &Arc<Self>) -> std::result::Result<(), Refusal> {
        let due = self.sessions()?.due(self.now_ms());
        for (reviewer, pending) in due {
            self.write(&reviewer, pending).await?;
        }
        let ended = self.sessions()?.reap(self.now_ms());
        for session in ended {
            self.ended(session, true).await?;
        }
        Ok(())
    }

    /// Gives back the clip of a session that ended; a new link opens the next session.
    pub(super) async fn ended(
        self: &Arc<Self>,
        session: Ended,
        relink: bool,
    ) -> std::result::Result<(), Refusal> {
        let Ended { reviewer, clip, pending, why } = session;
        if let Some(pending) = pending {
            self.write(&reviewer, pending).await?;
        }
        let person = reviewer.clone();
        self.desk(move |desk| {
            if let Some(clip) = clip {
                desk.queue.release(&person, &clip)?;
            }
            desk.queue.note(person.as_str(), Act::LoggedOut, Some(why))
        })
        .await?;
        if relink { self.announce(&reviewer) } else { Ok(()) }
    }
}

fn panicked() -> Error {
    Error::new(ErrorKind::Review, "the review page has stopped")
        .found("a panic while a request was served")
        .hint("start `wakegate review serve` again, and report this")
}

/// The value of the page's cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, site: &Site) -> Option<&'a str> {
    let name = site.cookie_name();
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// A reviewer who is logged in, and what the request showed for it.
pub(super) struct Visitor {
    pub(super) person: Person,
    pub(super) cookie: String,
    /// Seconds until the session ends if nothing is done.
    pub(super) session_s: u64,
}

impl Visitor {
    async fn of(parts: &Parts, app: &Arc<App>, act: bool) -> std::result::Result<Self, Refusal> {
        app.settle().await?;
        let unknown = Refusal::new(StatusCode::UNAUTHORIZED, "there is no session");
        let cookie = cookie(&parts.headers, &app.site).ok_or(unknown)?;
        let token = parts.headers.get(TOKEN).and_then(|value| value.to_str().ok());
        let secrets = Secrets { cookie, token: token.ok_or(unknown)? };
        let mut sessions = app.sessions()?;
        let person = sessions.who(&secrets, act, app.now_ms()).ok_or(unknown)?;
        let session_s = sessions.remaining_s(&secrets, app.now_ms());
        if let Some(peer) = parts.extensions.get::<Peer>() {
            peer.known.store(true, Ordering::Relaxed);
        }
        Ok(Self { person, cookie: cookie.to_owned(), session_s })
    }
}

/// A visitor who does something: the session goes on.
pub(super) struct Acting(pub(super) Visitor);

impl FromRequestParts<Arc<App>> for Acting {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &Arc<App>,
    ) -> std::result::Result<Self, Refusal> {
        Visitor::of(parts, app, true).await.map(Self)
    }
}

/// A page that asks by itself: that keeps no session alive.
pub(super) struct Watching(pub(super) Visitor);

impl FromRequestParts<Arc<App>> for Watching {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &Arc<App>,
    ) -> std::result::Result<Self, Refusal> {
        Visitor::of(parts, app, false).await.map(Self)
    }
}
