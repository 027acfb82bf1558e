//! The audit log: one line for everything that is done to the queue, in a chain of hashes.
//!
//! It is a table of the queue's own database and not a file beside it, so that an act and its
//! line commit together: there is no act without a line and no line without an act. Each line
//! is kept as the text that was hashed; its hash covers the hash before it, so that a changed,
//! removed, added or moved line shows. A chain alone does not show a missing tail: the number
//! of lines and the last hash are kept under a MAC of the device key.

use std::path::Path;
use std::str::FromStr;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use super::altered::altered_clips;
use super::crypto::{DeviceKey, HASH_BYTES, hex, sha256};
use super::id::ClipId;
use super::queue::Queue;
use super::settings::Settings;
use super::time::stamp;
use super::{db, keyfile, schema};
use crate::{Error, ErrorKind, Result};

/// What the first line is chained to.
const ORIGIN: &[u8] = b"wakegate audit log 1";
/// What the head's MAC is for.
const PURPOSE: &str = "audit head";
/// Most problems that a verification names.
const MOST_PROBLEMS: usize = 20;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Act {
    /// The queue was made.
    Created,
    /// Review was consented to.
    ConsentGiven,
    /// The consent was revoked.
    ConsentRevoked,
    /// A clip was stored.
    Stored,
    /// The clips were listed.
    Listed,
    /// A clip was decrypted for a reviewer.
    Played,
    /// A reviewer gave a clip back without a label.
    Released,
    /// A clip was labelled.
    Labelled,
    /// A clip turned out to be accidental: an incident.
    Leak,
    /// A clip was deleted: its key is destroyed.
    Deleted,
    /// A clip's time was over: its key is destroyed.
    Expired,
    /// A clip could not be decrypted: its key is destroyed.
    Damaged,
    /// All clips were deleted and the device key replaced.
    Purged,
    /// The labelled scores were exported.
    Exported,
    /// A reviewer came in by the page.
    LoggedIn,
    /// A reviewer's session on the page ended.
    LoggedOut,
    /// A request was refused.
    Refused,
    /// The device key was replaced.
    KeyRotated,
    /// A calibrated threshold was put in force.
    Certified,
    /// The queue's time was set back to the machine's.
    TimeSet,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Number of the line, from 1.
    pub n: u64,
    /// When, UTC, by the queue's own time, which never goes back.
    pub at: String,
    /// Who: a reviewer's or operator's name, or the program's part.
    pub by: String,
    /// What.
    pub act: Act,
    /// To which clip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<String>,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Lines in the log.
    pub lines: u64,
    /// The last hash, in hexadecimal digits. Noted elsewhere, it shows later whether a whole
    /// older copy of the queue was put back.
    pub head: String,
    /// What is wrong, one line each; empty for a sound log.
    pub problems: Vec<String>,
}

/// The end that a log had at an earlier time, `LINES:HEAD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    lines: i64,
    head: String,
}

impl FromStr for Mark {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.split_once(':')
            .and_then(|(lines, head)| Some((lines.parse().ok()?, head)))
            .filter(|(lines, head)| *lines >= 0_i64 && head.len() == 2 * HASH_BYTES)
            .map(|(lines, head)| Self { lines, head: head.to_ascii_lowercase() })
            .ok_or_else(|| {
                Error::new(ErrorKind::Review, "this is no end of an audit log")
                    .expected("LINES:HEAD, as `wakegate review audit verify` printed them")
                    .found(format!("{:?}", text.chars().take(80).collect::<String>()))
            })
    }
}

impl Queue {
    /// Holds the whole audit log against its hashes and its signed end, and against an earlier
    /// end of it. For a queue that can't be opened because its log was altered as well; nothing
    /// is written.
    ///
    /// # Errors
    /// [`ErrorKind::Review`] where there is no queue or no device key. What is wrong with the
    /// log is in the answer.
    pub fn inspect(
        directory: &Path,
        settings: &Settings,
        expect: Option<&Mark>,
    ) -> Result<Verified> {
        let settings = Settings { directory: directory.to_owned(), ..settings.clone() };
        let mut db = db::connect(directory)?;
        let db = db::lock(&mut db)?;
        let mut verified = verify(&db, &settings.key_path())?;
        if let Some(mark) = expect {
            let hash: Option<Vec<u8>> = db
                .query_row("SELECT hash FROM audit WHERE n = ?1", [mark.lines], |row| row.get(0))
                .optional()
                .map_err(db::refused)?;
            let is_held = match hash {
                Some(hash) => hex(&hash) == mark.head,
                None => mark.lines == 0 && hex(&origin()) == mark.head,
            };
            if !is_held {
                let text = "the log is not a continuation of the expected one".to_owned();
                verified.problems.push(text);
            }
        }
        Ok(verified)
    }

    /// As [`inspect`](Self::inspect), of the open queue.
    ///
    /// # Errors
    /// Only where the database or the device key can't be read.
    pub fn verify_audit(&self) -> Result<Verified> {
        let tx = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate);
        verify(&tx.map_err(db::refused)?, &self.key_path)
    }

    /// Calls `take` with each line of the audit log of the queue in `directory`, as it was
    /// hashed, oldest first. Needs no key.
    ///
    /// # Errors
    /// [`ErrorKind::Review`] where there is no queue, and what `take` gives.
    pub fn audit_lines(directory: &Path, take: &mut dyn FnMut(String) -> Result<()>) -> Result<()> {
        lines(&db::connect(directory)?, take)
    }
}

/// The end of the chain.
struct Head {
    count: i64,
    hash: Vec<u8>,
    mac: Vec<u8>,
}

impl Head {
    fn read(db: &Connection) -> Result<Option<Self>> {
        db.query_row("SELECT count, hash, mac FROM audit_head", [], |row| {
            Ok(Self { count: row.get(0)?, hash: row.get(1)?, mac: row.get(2)? })
        })
        .optional()
        .map_err(db::refused)
    }

    fn is_sound(&self, key: &DeviceKey) -> Result<bool> {
        key.is_mac(PURPOSE, &signed(self.count, &self.hash), &self.mac)
    }
}

fn signed(count: i64, hash: &[u8]) -> Vec<u8> {
    [&count.to_be_bytes(), hash].concat()
}

fn origin() -> [u8; HASH_BYTES] {
    sha256(&[ORIGIN])
}

/// Starts an empty log.
pub(super) fn start(db: &Connection, key: &DeviceKey) -> Result<()> {
    write_head(db, key, 0, &origin())
}

/// Signs the head with another device key.
pub(super) fn sign_again(db: &Connection, key: &DeviceKey) -> Result<()> {
    let head = Head::read(db)?.ok_or_else(altered)?;
    write_head(db, key, head.count, &head.hash)
}

fn write_head(db: &Connection, key: &DeviceKey, count: i64, hash: &[u8]) -> Result<()> {
    let mac = key.mac(PURPOSE, &signed(count, hash))?;
    db::change_one(
        db,
        "INSERT OR REPLACE INTO audit_head (one, count, hash, mac) VALUES (1, ?1, ?2, ?3)",
        params![count, hash, mac.as_slice()],
    )
}

/// Whether the head is the one that this device key signed, and the last line is there.
pub(super) fn is_head_sound(db: &Connection, key: &DeviceKey) -> Result<bool> {
    let Some(head) = Head::read(db)? else { return Ok(false) };
    let last: Option<(i64, Vec<u8>)> = db
        .query_row("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
        .map_err(db::refused)?;
    let (count, hash) = last.unwrap_or_else(|| (0, origin().to_vec()));
    Ok(head.is_sound(key)? && count == head.count && hash == head.hash)
}

/// The error of a queue whose log was altered.
pub(super) fn altered() -> Error {
    Error::new(ErrorKind::Review, "the audit log is altered; the queue is closed")
        .expected("the log that this device key signed")
        .found("another end of it")
        .hint(
            "`wakegate review audit verify` says where; `wakegate review purge --all` starts over",
        )
}

/// Adds a line; the caller's transaction makes it last, together with what it tells.
pub(super) fn append(
    db: &Connection,
    key: &DeviceKey,
    now_ms: i64,
    by: &str,
    act: Act,
    clip: Option<&ClipId>,
    note: Option<String>,
) -> Result<()> {
    let head = Head::read(db)?.ok_or_else(altered)?;
    let count = head.count + 1;
    let line = Line {
        n: count.unsigned_abs(),
        at: stamp(now_ms),
        by: by.to_owned(),
        act,
        clip: clip.map(|id| id.as_str().to_owned()),
        note,
    };
    let text = serde_json::to_string(&line).map_err(|error| {
        Error::new(ErrorKind::Review, "cannot write an audit line").found(error.to_string())
    })?;
    let hash = sha256(&[&head.hash, text.as_bytes()]);
    db::change_one(
        db,
        "INSERT INTO audit (n, line, hash) VALUES (?1, ?2, ?3)",
        params![count, text, hash.as_slice()],
    )?;
    write_head(db, key, count, &hash)
}

fn lines(db: &Connection, take: &mut dyn FnMut(String) -> Result<()>) -> Result<()> {
    let mut query = db.prepare("SELECT line FROM audit ORDER BY n").map_err(db::refused)?;
    let mut rows = query.query([]).map_err(db::refused)?;
    while let Some(row) = rows.next().map_err(db::refused)? {
        take(row.get(0).map_err(db::refused)?)?;
    }
    Ok(())
}

/// What SQLite finds wrong with the file: an index that hides rows, pages of two owners.
fn damage(db: &Connection) -> Result<Vec<String>> {
    let sql = format!("PRAGMA integrity_check({MOST_PROBLEMS})");
    let mut query = db.prepare(&sql).map_err(db::refused)?;
    let said = query
        .query_map([], |row| row.get::<_, String>(0))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(db::refused)?;
    Ok(said
        .into_iter()
        .filter(|line| line != "ok")
        .map(|line| format!("the file: {line}"))
        .collect())
}

/// Holds the database against its form, every clip against what was stored of it, every line
/// against the chain, and the chain against its signed head. The database is locked, so that the
/// key is the one that signed what is read.
fn verify(db: &Transaction<'_>, key_path: &Path) -> Result<Verified> {
    let wanted = db::fact::<String>(db, "key_id")?.unwrap_or_default();
    let key = keyfile::find(key_path, &wanted)?;
    let mut problems = schema::problems(db)?;
    problems.extend(damage(db)?);
    let altered = altered_clips(db, &key)?;
    problems.extend(altered.iter().map(|(id, error)| format!("clip {id}: {error}")));
    let mut chain = origin().to_vec();
    let mut expected = 0_i64;
    let mut query =
        db.prepare("SELECT n, line, hash FROM audit ORDER BY n").map_err(db::refused)?;
    let mut rows = query.query([]).map_err(db::refused)?;
    while let Some(row) = rows.next().map_err(db::refused)? {
        let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(i64, String, Vec<u8>)> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        };
        expected += 1;
        let Ok((number, text, hash)) = read(row) else {
            problems.push(format!("line {expected} is not readable"));
            continue;
        };
        if number != expected {
            problems.push(format!("line {expected} is missing: line {number} follows"));
            expected = number;
        }
        if sha256(&[&chain, text.as_bytes()]).as_slice() != hash.as_slice() {
            problems.push(format!("line {number} is not the one that was written there"));
        }
        match serde_json::from_str::<Line>(&text) {
            Ok(line) if i64::try_from(line.n) == Ok(number) => {}
            _ => problems.push(format!("line {number} does not say its own number")),
        }
        chain = hash;
    }
    match Head::read(db)? {
        None => problems.push("the signed end of the log is missing".to_owned()),
        Some(head) => {
            if !head.is_sound(&key)? {
                problems.push("the end of the log was not signed by this device key".to_owned());
            }
            if head.count != expected || head.hash != chain {
                problems.push(format!(
                    "the log ends after {expected} lines, its signed end says {}",
                    head.count
                ));
            }
        }
    }
    problems.truncate(MOST_PROBLEMS);
    Ok(Verified { lines: expected.unsigned_abs(), head: hex(&chain), problems })
}
