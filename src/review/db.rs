//! The queue's database: its form, and how it is opened.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};

use super::fault;
use crate::{Error, ErrorKind, Result};

/// Name of the database in the queue's folder.
const FILE: &str = "queue.db";
/// The form of the database that this version reads and writes.
pub(super) const SCHEMA: i64 = 2;
/// How long another process may hold the database.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pages that the write-ahead log holds before it is moved into the database.
const LOG_PAGES: i64 = 64;
/// Most bytes by which a scrub lets the database grow.
const PIECE: u64 = 1 << 20;
/// How long a scrub waits for other processes; the next act tries again.
const IMPATIENCE: Duration = Duration::from_millis(250);

/// Dates, counts and the names of who did what are in the clear; audio, keys, words and scores
/// never are.
const TABLES: &str = "
CREATE TABLE fact (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
CREATE TABLE clip (
    id TEXT PRIMARY KEY,
    record BLOB NOT NULL,
    stored_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    wrapped_key BLOB NOT NULL,
    sealed BLOB NOT NULL,
    label TEXT,
    leased_by TEXT,
    leased_until_ms INTEGER
) STRICT;
CREATE INDEX clip_by_expiry ON clip (expires_ms);
CREATE TABLE score (n INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
CREATE TABLE filler (bytes BLOB NOT NULL) STRICT;
CREATE TABLE consent (
    n INTEGER PRIMARY KEY,
    by TEXT NOT NULL,
    given_ms INTEGER NOT NULL,
    revoked_ms INTEGER,
    mac BLOB NOT NULL
) STRICT;
CREATE TABLE tally (
    day INTEGER NOT NULL, what TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (day, what)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (n INTEGER PRIMARY KEY, line TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE audit_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    count INTEGER NOT NULL, hash BLOB NOT NULL, mac BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_grows BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
";

/// Where the database lies.
pub(super) fn path(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// Opens the database in `directory`, and makes both where they are missing.
pub(super) fn open(directory: &Path) -> Result<Connection> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|e| Error::io("create", directory, &e))?;
    let file = path(directory);
    // Made here, so that it has its mode from the start; SQLite's other files take it over.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::io("create", &file, &error));
        }
        _ => {}
    }
    connect(&file)
}

/// Opens a database that is there.
pub(super) fn connect(file: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = Connection::open_with_flags(file, flags).map_err(refused)?;
    db.busy_timeout(PATIENCE).map_err(refused)?;
    for (name, value) in [
        ("journal_mode", "WAL"),
        // Every commit is on the medium before it is acknowledged.
        ("synchronous", "FULL"),
        // What is deleted is overwritten in the file, and nothing spills to a temporary one.
        ("secure_delete", "ON"),
        ("temp_store", "MEMORY"),
        ("trusted_schema", "OFF"),
    ] {
        db.pragma_update(None, name, value).map_err(refused)?;
    }
    db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES).map_err(refused)?;
    // A log is only ever given back to the file system by a scrub.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(refused)?;
    Ok(db)
}

/// Locks the database for writing, before anything of it is read.
pub(super) fn lock(db: &mut Connection) -> Result<Transaction<'_>> {
    db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(refused)
}

/// Whether the tables are not there yet.
///
/// # Errors
/// [`ErrorKind::Review`] for a database of another form.
pub(super) fn is_new(db: &Connection) -> Result<bool> {
    let version: i64 =
        db.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(refused)?;
    match version {
        0 => Ok(true),
        SCHEMA => Ok(false),
        other => Err(Error::new(ErrorKind::Review, "cannot use this review queue")
            .expected(format!("form {SCHEMA}"))
            .found(format!("form {other}"))
            .hint("it was made by another version of wakegate")),
    }
}

/// Makes the tables.
pub(super) fn create(db: &Connection) -> Result<()> {
    db.execute_batch(TABLES).map_err(refused)?;
    db.pragma_update(None, "user_version", SCHEMA).map_err(refused)
}

/// A fact on record.
pub(super) fn fact<T: rusqlite::types::FromSql>(db: &Connection, name: &str) -> Result<Option<T>> {
    db.query_row("SELECT value FROM fact WHERE name = ?1", [name], |row| row.get(0))
        .optional()
        .map_err(refused)
}

/// Puts a fact on record.
pub(super) fn set_fact(db: &Connection, name: &str, value: impl rusqlite::ToSql) -> Result<()> {
    db.execute("INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)", params![name, value])
        .map_err(refused)?;
    Ok(())
}

/// Adds to a day's count.
pub(super) fn count(db: &Connection, day: i64, what: &str, count: i64) -> Result<()> {
    db.execute(
        "INSERT INTO tally (day, what, count) VALUES (?1, ?2, ?3)
         ON CONFLICT (day, what) DO UPDATE SET count = count + ?3",
        params![day, what, count],
    )
    .map_err(refused)?;
    Ok(())
}

/// A day's count.
pub(super) fn counted(db: &Connection, day: i64, what: &str) -> Result<i64> {
    db.query_row(
        "SELECT COALESCE(SUM(count), 0) FROM tally WHERE day = ?1 AND what = ?2",
        params![day, what],
        |row| row.get(0),
    )
    .map_err(refused)
}

/// Moves what the write-ahead log holds into the database, overwrites the log and empties it, so
/// that nothing deleted stays in either, nor in blocks that the file system takes back; `false`
/// where another process is reading, or the disk is too full.
pub(super) fn scrub(db: &Connection) -> Result<bool> {
    let log = db.path().map(|path| format!("{path}-wal"));
    let bytes = log.and_then(|log| fs::metadata(log).ok()).map_or(0, |about| about.len());
    if bytes == 0 {
        return Ok(true);
    }
    // Who deletes does not wait for who reads the audit log at leisure.
    db.busy_timeout(IMPATIENCE).map_err(refused)?;
    let is_empty = overwrite(db, bytes);
    db.busy_timeout(PATIENCE).map_err(refused)?;
    is_empty
}

/// Overwrites the write-ahead log, of so many bytes, and empties it.
fn overwrite(db: &Connection, bytes: u64) -> Result<bool> {
    if !checkpoint(db, "RESTART")? {
        return Ok(false);
    }
    // What is written next goes over the log from its start: zeros, as much as it held. Each
    // commit adds to it, if none of them starts it over.
    db.pragma_update(None, "wal_autocheckpoint", 0).map_err(refused)?;
    let mut filled = Ok(true);
    for _ in 0..bytes.div_ceil(PIECE) {
        filled = fill(db, bytes.min(PIECE));
        if !matches!(filled, Ok(true)) {
            break;
        }
    }
    db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES).map_err(refused)?;
    if !filled? {
        return Ok(false);
    }
    fault::point("scrub:filled");
    checkpoint(db, "TRUNCATE")
}

/// Commits so many zeros and their removal, which puts them into the log; `false` where another
/// process is in the way, or the disk is full.
fn fill(db: &Connection, bytes: u64) -> Result<bool> {
    let sql = format!(
        "BEGIN IMMEDIATE; INSERT INTO filler VALUES (zeroblob({bytes})); DELETE FROM filler; COMMIT"
    );
    let Err(error) = db.execute_batch(&sql) else { return Ok(true) };
    if !db.is_autocommit() {
        db.execute_batch("ROLLBACK").map_err(refused)?;
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy) => Ok(false),
        _ => Err(refused(error)),
    }
}

/// `false` where another process is in the way.
fn checkpoint(db: &Connection, mode: &str) -> Result<bool> {
    let busy: rusqlite::Result<i64> =
        db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(0));
    match busy {
        Ok(busy) => Ok(busy == 0),
        // What it holds is in the database or in the log, and will be tried again.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => Ok(false),
        Err(error) => Err(refused(error)),
    }
}

/// Removes the database's files.
pub(super) fn destroy(directory: &Path) -> Result<()> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let file = directory.join(format!("{FILE}{ending}"));
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &file, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// SQLite's error as ours. Its messages never hold values, only statements.
pub(super) fn refused(error: rusqlite::Error) -> Error {
    let refused = Error::new(ErrorKind::Review, "the review queue's database refuses")
        .found(error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => {
            refused.hint("another wakegate holds it; try again")
        }
        Some(ErrorCode::DiskFull) => refused.hint(
            "nothing was stored or deleted: free some space; `wakegate review purge --all` needs none",
        ),
        _ => refused,
    }
}
