//! Who may see the page: one-time links, sessions that end, and a limit on guesses.
//!
//! A link's secret opens one session and is void from then on. A session needs two secrets with
//! every request: the cookie, and a token that only the page's own script knows. Cookies are
//! not kept apart by port, so that another program on the same machine may be sent one; it is
//! of no use alone. Only hashes of the secrets are kept.

use std::collections::HashMap;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::picture::Prepared;
use wakegate::review::{ClipId, Person};
use wakegate::{Error, ErrorKind, Result};

/// Bytes of a secret.
const SECRET_BYTES: usize = 16;
/// Addresses whose failures are remembered; beyond it, nobody who is unknown may try.
const MOST_ADDRESSES: usize = 1024;
/// How long the audio of a clip may wait to be fetched.
const FETCH_MS: u64 = 60_000;

/// How long links and sessions last, and how many guesses are borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A link that is not used in this many seconds is void.
    pub link_s: u64,
    /// A session ends after this many seconds without a reviewer's act.
    pub idle_s: u64,
    /// And in any case after this many seconds.
    pub session_s: u64,
    /// Failed logins that one address has, in `failures_s` seconds.
    pub failures: u32,
    /// See `failures`.
    pub failures_s: u64,
}

impl Default for Limits {
    /// Links for 15 minutes, sessions for 15 idle ones and 8 hours at most, 5 failures in 5
    /// minutes.
    fn default() -> Self {
        Self { link_s: 900, idle_s: 900, session_s: 8 * 3600, failures: 5, failures_s: 300 }
    }
}

type Hash = [u8; 32];

/// A fresh secret in hexadecimal digits, and what is kept of it.
fn secret() -> Result<(String, Hash)> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(ErrorKind::Runtime, "the system gives no random numbers")
            .found(error.to_string())
    })?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let hash = hash(&text);
    Ok((text, hash))
}

/// Hashes are compared in place of secrets: how long that takes says nothing about a secret.
fn hash(secret: &str) -> Hash {
    Sha256::new().chain_update(b"wakegate page 1").chain_update(secret).finalize().into()
}

struct Link {
    reviewer: Person,
    hash: Hash,
    made_ms: u64,
}

/// A reviewer who is logged in.
struct Session {
    reviewer: Person,
    cookie: Hash,
    token: Hash,
    started_ms: u64,
    used_ms: u64,
    held: Option<Held>,
}

/// The clip that a session has.
struct Held {
    id: ClipId,
    since_ms: u64,
    prepared: Prepared,
}

/// A session that ended.
pub(super) struct Ended {
    pub(super) reviewer: Person,
    pub(super) clip: Option<ClipId>,
    pub(super) why: &'static str,
}

/// The secrets of a session, told once.
pub(super) struct Opened {
    pub(super) reviewer: Person,
    pub(super) cookie: String,
    pub(super) token: String,
}

/// How a login ended.
pub(super) enum Login {
    Open(Opened),
    Refused,
    Limited { retry_s: u64 },
}

/// The two secrets that a request brings.
pub(super) struct Secrets<'a> {
    pub(super) cookie: &'a str,
    pub(super) token: &'a str,
}

/// Links, sessions and failures. Times are milliseconds of the steady clock.
pub(super) struct Sessions {
    limits: Limits,
    links: Vec<Link>,
    open: Vec<Session>,
    failures: HashMap<IpAddr, Vec<u64>>,
}

impl Sessions {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, links: Vec::new(), open: Vec::new(), failures: HashMap::new() }
    }

    /// The secret of a new link for `reviewer`; an older one is void.
    pub(super) fn link(&mut self, reviewer: &Person, now_ms: u64) -> Result<String> {
        let (text, hash) = secret()?;
        self.links.retain(|link| link.reviewer != *reviewer);
        self.links.push(Link { reviewer: reviewer.clone(), hash, made_ms: now_ms });
        Ok(text)
    }

    /// Reviewers whose link is void by its age; they get a new one when they ask.
    pub(super) fn late_links(&self, now_ms: u64) -> Vec<Person> {
        let late = |link: &&Link| now_ms.saturating_sub(link.made_ms) >= self.limits.link_s * 1000;
        self.links.iter().filter(late).map(|link| link.reviewer.clone()).collect()
    }

    /// Opens a session with the secret of a link.
    pub(super) fn log_in(&mut self, secret_: &str, from: IpAddr, now_ms: u64) -> Result<Login> {
        if let Some(retry_s) = self.limited(from, now_ms) {
            return Ok(Login::Limited { retry_s });
        }
        let wanted = hash(secret_);
        let age = |link: &Link| now_ms.saturating_sub(link.made_ms);
        let place = self
            .links
            .iter()
            .position(|link| link.hash == wanted && age(link) < self.limits.link_s * 1000);
        let Some(place) = place else {
            self.failures.entry(from).or_default().push(now_ms);
            return Ok(Login::Refused);
        };
        let reviewer = self.links.swap_remove(place).reviewer;
        let ((cookie, cookie_hash), (token, token_hash)) = (secret()?, secret()?);
        self.open.push(Session {
            reviewer: reviewer.clone(),
            cookie: cookie_hash,
            token: token_hash,
            started_ms: now_ms,
            used_ms: now_ms,
            held: None,
        });
        Ok(Login::Open(Opened { reviewer, cookie, token }))
    }

    /// Seconds until `from` may try again, if it may not now.
    fn limited(&mut self, from: IpAddr, now_ms: u64) -> Option<u64> {
        let window = self.limits.failures_s * 1000;
        self.failures.retain(|_, times| {
            times.retain(|&time| now_ms.saturating_sub(time) < window);
            !times.is_empty()
        });
        let retry = |since: u64| (since + window).saturating_sub(now_ms).div_ceil(1000).max(1);
        match self.failures.get(&from) {
            Some(times) if times.len() >= self.limits.failures as usize => {
                Some(retry(times.first().copied().unwrap_or(now_ms)))
            }
            None if self.failures.len() >= MOST_ADDRESSES => Some(retry(now_ms)),
            _ => None,
        }
    }

    /// Ends what is over, and wipes what was not fetched.
    pub(super) fn reap(&mut self, now_ms: u64) -> Vec<Ended> {
        let limits = self.limits;
        let over = |session: &mut Session| {
            now_ms.saturating_sub(session.used_ms) >= limits.idle_s * 1000
                || now_ms.saturating_sub(session.started_ms) >= limits.session_s * 1000
        };
        let ended = self.open.extract_if(.., over).map(|session| session.end("time is up"));
        let ended = ended.collect();
        for held in self.open.iter_mut().filter_map(|session| session.held.as_mut()) {
            if now_ms.saturating_sub(held.since_ms) >= FETCH_MS {
                held.prepared.wipe();
            }
        }
        ended
    }

    /// Ends the session of this cookie.
    pub(super) fn end(&mut self, cookie: &str, why: &'static str) -> Option<Ended> {
        let place = self.open.iter().position(|session| session.cookie == hash(cookie))?;
        Some(self.open.swap_remove(place).end(why))
    }

    /// Ends every session.
    pub(super) fn end_all(&mut self) -> Vec<Ended> {
        self.links.clear();
        self.open.drain(..).map(|session| session.end("the server stops")).collect()
    }

    /// Whose session it is. An act keeps the session from ending for idleness.
    pub(super) fn who(&mut self, secrets: &Secrets<'_>, act: bool, now_ms: u64) -> Option<Person> {
        let session = self.find(secrets)?;
        if act {
            session.used_ms = now_ms;
        }
        Some(session.reviewer.clone())
    }

    /// Seconds until the session ends if nothing is done.
    pub(super) fn remaining_s(&mut self, secrets: &Secrets<'_>, now_ms: u64) -> u64 {
        let limits = self.limits;
        self.find(secrets).map_or(0, |session| {
            let left =
                |since: u64, length_s: u64| (since + length_s * 1000).saturating_sub(now_ms) / 1000;
            left(session.used_ms, limits.idle_s).min(left(session.started_ms, limits.session_s))
        })
    }

    /// Puts a clip into the reviewer's session. It is wiped where that has ended.
    pub(super) fn hold(&mut self, reviewer: &Person, id: ClipId, prepared: Prepared, now_ms: u64) {
        if let Some(session) = self.open.iter_mut().find(|session| session.reviewer == *reviewer) {
            session.held = Some(Held { id, since_ms: now_ms, prepared });
        }
    }

    /// The clip that the reviewer's session has, if it is `id`.
    pub(super) fn held(&mut self, reviewer: &Person, id: &ClipId) -> Option<&mut Prepared> {
        let session = self.open.iter_mut().find(|session| session.reviewer == *reviewer)?;
        session.held.as_mut().filter(|held| held.id == *id).map(|held| &mut held.prepared)
    }

    /// Which clip the reviewer's session has.
    pub(super) fn held_id(&self, reviewer: &Person) -> Option<ClipId> {
        let session = self.open.iter().find(|session| session.reviewer == *reviewer)?;
        session.held.as_ref().map(|held| held.id.clone())
    }

    /// Takes the clip out of the reviewer's session.
    pub(super) fn let_go(&mut self, reviewer: &Person) {
        for session in self.open.iter_mut().filter(|session| session.reviewer == *reviewer) {
            session.held = None;
        }
    }

    /// Takes the clips out of all sessions.
    pub(super) fn let_all_go(&mut self) {
        self.open.iter_mut().for_each(|session| session.held = None);
    }

    fn find(&mut self, secrets: &Secrets<'_>) -> Option<&mut Session> {
        let (cookie, token) = (hash(secrets.cookie), hash(secrets.token));
        self.open.iter_mut().find(|session| session.cookie == cookie && session.token == token)
    }
}

impl Session {
    fn end(self, why: &'static str) -> Ended {
        Ended { reviewer: self.reviewer, clip: self.held.map(|held| held.id), why }
    }
}
