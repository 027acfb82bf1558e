//! The queue's database: how it is opened, locked, asked and scrubbed.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Params, Transaction, TransactionBehavior,
    params,
};

use super::{fault, file_ownership};
use crate::{Error, ErrorKind, Result};

/// Name of the database in the queue's folder.
const FILE: &str = "queue.db";
/// What a refusal calls the folder.
pub(super) const FOLDER: &str = "the review queue's folder";
/// How long another process may hold the database.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pages that the write-ahead log holds before it is moved into the database.
const LOG_PAGES: i64 = 64;
/// Most bytes by which a scrub lets the database grow.
const PIECE: u64 = 1 << 20;
/// How long a scrub waits for other processes; the next act tries again.
const IMPATIENCE: Duration = Duration::from_millis(250);

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
    let file = path(&file_ownership::own_folder(directory, FOLDER)?);
    // Made here, so that it has its mode from the start; SQLite's other files take it over.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::io("create", &file, &error));
        }
        _ => {}
    }
    connect(directory)
}

/// Opens the database that is in `directory`. It is looked for where the folder really lies:
/// a link on the way is as good as any name, one in the place of the database is not.
pub(super) fn connect(directory: &Path) -> Result<Connection> {
    let directory = file_ownership::own_folder(directory, FOLDER)?;
    for file in files(&directory) {
        file_ownership::own_file_if_any(&file, "the review queue's file")?;
    }
    let file = path(&directory);
    if !file.exists() {
        return Err(Error::new(ErrorKind::Review, "there is no review queue")
            .expected(format!("one in {}", directory.display()))
            .found("none"));
    }
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
        // Against a file that was made to deceive.
        ("trusted_schema", "OFF"),
        ("cell_size_check", "ON"),
        ("mmap_size", "0"),
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

/// A fact on record.
pub(super) fn fact<T: rusqlite::types::FromSql>(db: &Connection, name: &str) -> Result<Option<T>> {
    db.query_row("SELECT value FROM fact WHERE name = ?1", [name], |row| row.get(0))
        .optional()
        .map_err(refused)
}

/// Puts a fact on record.
pub(super) fn set_fact(db: &Connection, name: &str, value: impl rusqlite::ToSql) -> Result<()> {
    change_one(
        db,
        "INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)",
        params![name, value],
    )
}

/// Runs a statement that has to change one row, and nothing less: what an act says is done is
/// done.
pub(super) fn change_one(db: &Connection, sql: &str, values: impl Params) -> Result<()> {
    match db.execute(sql, values).map_err(refused)? {
        1 => Ok(()),
        count => Err(disobeyed(&format!("{count} changed rows"))),
    }
}

/// The error of a database that does something else than it was told.
pub(super) fn disobeyed(found: &str) -> Error {
    Error::new(ErrorKind::Review, "the review queue's database does not do what it is told")
        .expected("one changed row")
        .found(found)
        .hint("`wakegate review audit verify` looks at all of it; `wakegate review purge --all` starts over")
}

/// Adds to a day's count.
pub(super) fn count(db: &Connection, day: i64, what: &str, count: i64) -> Result<()> {
    change_one(
        db,
        "INSERT INTO tally (day, what, count) VALUES (?1, ?2, ?3)
         ON CONFLICT (day, what) DO UPDATE SET count = count + ?3",
        params![day, what, count],
    )
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

/// Every file that SQLite keeps for the database in `directory`.
fn files(directory: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|ending| directory.join(format!("{FILE}{ending}")))
}

/// Removes the database's files.
pub(super) fn destroy(directory: &Path) -> Result<()> {
    for file in files(directory) {
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
