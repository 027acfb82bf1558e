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
use wakegate::review::{ClipId, Label, Person};
use wakegate::{Error, ErrorKind, Result};

/// Bytes of a secret.
const SECRET_BYTES: usize = 16;
/// Addresses whose failures are remembered; beyond it, a guess of any other is refused unread.
const MOST_ADDRESSES: usize = 1024;
/// Failures of all addresses together that the audit log tells of, in the time that they count.
const MOST_TOLD: usize = 10;
/// How long a label can be taken back.
const UNDO_MS: u64 = 6_000;
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

/// Hashes are compared instead of secrets: how long that takes says nothing about a secret.
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
    pending: Option<Pending>,
}

/// A label that the reviewer may still take back; the clip stays theirs meanwhile.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) id: ClipId,
    pub(super) label: Label,
    due_ms: u64,
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
    /// A label that was given and not yet written.
    pub(super) pending: Option<Pending>,
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
    /// With what the audit log is to say of it, if anything.
    Refused {
        tell: Option<&'static str>,
    },
    Limited {
        retry_s: u64,
    },
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

    /// Opens a session with the secret of a link. The right one opens it whatever others have
    /// tried from the same address: nobody can guess it, and nobody is to be shut out by guesses.
    pub(super) fn log_in(&mut self, secret_: &str, from: IpAddr, now_ms: u64) -> Result<Login> {
        let limited = self.limited(from, now_ms);
        let wanted = hash(secret_);
        let age = |link: &Link| now_ms.saturating_sub(link.made_ms);
        let place = self
            .links
            .iter()
            .position(|link| link.hash == wanted && age(link) < self.limits.link_s * 1000);
        let Some(place) = place else {
            if let Some(retry_s) = limited {
                return Ok(Login::Limited { retry_s });
            }
            self.failures.entry(from).or_default().push(now_ms);
            return Ok(Login::Refused { tell: self.told() });
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
            pending: None,
        });
        Ok(Login::Open(Opened { reviewer, cookie, token }))
    }

    /// What the audit log is to say of a failure that was just counted: of the first few of a
    /// window, whatever addresses they come from, so that nobody fills the log.
    fn told(&self) -> Option<&'static str> {
        match self.failures.values().map(Vec::len).sum::<usize>() {
            MOST_TOLD => Some("log in; further failures are not told for a while"),
            count => (count < MOST_TOLD).then_some("log in"),
        }
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

    /// Keeps a label that may be taken back for some seconds; gives the one before it.
    pub(super) fn put_off(
        &mut self,
        reviewer: &Person,
        id: ClipId,
        label: Label,
        now_ms: u64,
    ) -> Option<Pending> {
        let session = self.open.iter_mut().find(|session| session.reviewer == *reviewer)?;
        session.pending.replace(Pending { id, label, due_ms: now_ms + UNDO_MS })
    }

    /// Takes the label out of the reviewer's session, to be written or forgotten.
    pub(super) fn take_pending(&mut self, reviewer: &Person) -> Option<Pending> {
        self.open.iter_mut().find(|session| session.reviewer == *reviewer)?.pending.take()
    }

    /// The clip whose label the reviewer may still take back.
    pub(super) fn pending_id(&self, reviewer: &Person) -> Option<ClipId> {
        let session = self.open.iter().find(|session| session.reviewer == *reviewer)?;
        session.pending.as_ref().map(|pending| pending.id.clone())
    }

    /// Takes out the labels that can't be taken back any more, each with whose it is.
    pub(super) fn due(&mut self, now_ms: u64) -> Vec<(Person, Pending)> {
        let take = |session: &mut Session| {
            let pending = session.pending.take_if(|pending| pending.due_ms <= now_ms)?;
            Some((session.reviewer.clone(), pending))
        };
        self.open.iter_mut().filter_map(take).collect()
    }

    /// Takes the clips out of all sessions.
    pub(super) fn let_all_go(&mut self) {
        for session in &mut self.open {
            (session.held, session.pending) = (None, None);
        }
    }

    fn find(&mut self, secrets: &Secrets<'_>) -> Option<&mut Session> {
        let (cookie, token) = (hash(secrets.cookie), hash(secrets.token));
        self.open.iter_mut().find(|session| session.cookie == cookie && session.token == token)
    }
}

impl Session {
    fn end(self, why: &'static str) -> Ended {
        let clip = self.held.map(|held| held.id);
        Ended { reviewer: self.reviewer, clip, pending: self.pending, why }
    }
}
