//! The queue: one folder with an encrypted database, and everything that may be done to it.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Transaction, params};

use super::audit;
use super::audit::Act;
use super::crypto::DeviceKey;
use super::id::ClipId;
use super::settings::Settings;
use super::time::{Timekeeper, local_day};
use super::{altered, consent, db, fault, keyfile, schema, stats};
use crate::gate::{Clock, Moment};
use crate::{Error, Result};

/// The part of the program that the audit log names where no person acts.
pub(super) const DEVICE: &str = "wakegate";
/// How old the time on record may be where clips wait.
const HOUR_MS: i64 = 3_600_000;
/// The clips whose time is over, by the table itself: an index can be made to hide some.
const DUE: &str = "FROM clip NOT INDEXED WHERE expires_ms <= ?1";

/// Clips that wait for a reviewer, encrypted, expiring and audited.
///
/// Several processes may have the same queue open: each act is one transaction.
pub struct Queue {
    pub(super) db: Connection,
    pub(super) settings: Settings,
    pub(super) directory: PathBuf,
    pub(super) key_path: PathBuf,
    clock: Arc<dyn Clock>,
    time: Timekeeper,
    /// Whether something deleted may still stand in the write-ahead log.
    unscrubbed: bool,
}

/// What one act has at hand inside its transaction.
pub(super) struct Step<'a> {
    pub(super) db: &'a Connection,
    pub(super) key: &'a DeviceKey,
    pub(super) settings: &'a Settings,
    /// The queue's time in milliseconds since 1970.
    pub(super) now_ms: i64,
    /// The local day, since 1970.
    pub(super) day: i64,
    /// Whether something was deleted, so that the database has to be scrubbed.
    erased: Cell<bool>,
}

impl Step<'_> {
    /// Adds a line to the audit log.
    pub(super) fn log(
        &self,
        by: &str,
        act: Act,
        clip: Option<&ClipId>,
        note: Option<String>,
    ) -> Result<()> {
        audit::append(self.db, self.key, self.now_ms, by, act, clip, note)
    }

    /// Adds to today's count.
    pub(super) fn count(&self, what: &str, count: i64) -> Result<()> {
        db::count(self.db, self.day, what, count)
    }

    /// Removes a clip with its key, and says so in the log.
    pub(super) fn erase(
        &self,
        by: &str,
        act: Act,
        id: &ClipId,
        note: Option<String>,
    ) -> Result<bool> {
        let found = self
            .db
            .execute("DELETE FROM clip WHERE id = ?1", [id.as_str()])
            .map_err(db::refused)?;
        fault::point("delete:removed");
        if found > 0 {
            self.erased.set(true);
            self.log(by, act, Some(id), note)?;
        } else if self.holds(id)? {
            return Err(db::disobeyed("none, and the clip still there"));
        }
        fault::point("delete:logged");
        Ok(found > 0)
    }

    /// Whether a clip is there, by the table itself: an index can be made to hide one.
    fn holds(&self, id: &ClipId) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM clip NOT INDEXED WHERE id = ?1)";
        self.db.query_row(sql, [id.as_str()], |row| row.get(0)).map_err(db::refused)
    }
}

impl Queue {
    /// Opens the queue in `directory`, and makes it where there is none. `settings` holds
    /// everything but the folder: `settings.directory` is not looked at.
    ///
    /// # Errors
    /// [`Settings`](crate::ErrorKind::Settings) for a setting out of its range,
    /// [`Io`](crate::ErrorKind::Io) for a folder or file that can't be used,
    /// [`Review`](crate::ErrorKind::Review) for a key that others may read, that is missing or
    /// that is another queue's, and for an altered audit log.
    pub fn open(directory: &Path, settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self> {
        settings.validate()?;
        let settings = Settings { directory: directory.to_owned(), ..settings.clone() };
        let key_path = settings.key_path();
        let mut db = db::open(directory)?;
        begin(&mut db, &key_path, clock.now())?;
        let mut queue = Self {
            db,
            settings,
            directory: directory.to_owned(),
            key_path,
            clock,
            time: Timekeeper::default(),
            unscrubbed: true,
        };
        queue.sweep()?;
        Ok(queue)
    }

    /// The present moment, by the clock that the queue was given.
    pub(super) fn moment(&self) -> Moment {
        self.clock.now()
    }

    /// Whether there is a queue in `directory`.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io) where this user may not look.
    pub fn exists(directory: &Path) -> Result<bool> {
        let file = db::path(directory);
        file.try_exists().map_err(|e| {
            Error::io("look for the review queue", &file, &e)
                .hint("run as the user whose queue it is")
        })
    }

    /// The folder of the queue.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The settings it works by.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Deletes every clip whose time is over, and gives how many there were. Every other act
    /// does the same first; this is for the times in which nothing happens, and also deletes the
    /// clips whose row is not what was stored.
    ///
    /// # Errors
    /// As every act: [`Review`](crate::ErrorKind::Review) where the queue is altered, locked or
    /// its device key gone, [`Io`](crate::ErrorKind::Io) where the key's file can't be used.
    pub fn sweep(&mut self) -> Result<u64> {
        let before = self.expired_count()?;
        self.act(altered::remove_altered)?;
        Ok(before)
    }

    /// Does what time asks for, for the times in which nothing happens: deletes the clips whose
    /// time is over, and puts the queue's time on record once an hour where clips wait, so that
    /// a machine without a clock of its own does not lengthen their lives by much when it
    /// starts anew. Where there is none of that, nothing is written.
    ///
    /// # Errors
    /// As [`sweep`](Self::sweep).
    pub fn tend(&mut self) -> Result<()> {
        let now_ms = self.peek_ms()?;
        let seen_ms = db::fact::<i64>(&self.db, "seen_ms")?.unwrap_or(0);
        let is_due = self.unscrubbed || self.expired_count()? > 0;
        if is_due || (now_ms - seen_ms >= HOUR_MS && self.waiting()? > 0) {
            return self.act(|_| Ok(()));
        }
        Ok(())
    }

    /// The queue's present time in ms since 1970, without an act: nothing is written.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) where the database can't be read.
    pub fn peek_ms(&mut self) -> Result<i64> {
        let seen = db::fact::<i64>(&self.db, "seen_ms")?.unwrap_or(0);
        Ok(self.time.advance(&self.clock.now(), seen))
    }

    /// Clips whose time is over and that are still there.
    pub(super) fn expired_count(&mut self) -> Result<u64> {
        let now_ms = self.peek_ms()?;
        let count: i64 = self
            .db
            .query_row(&format!("SELECT COUNT(*) {DUE}"), [now_ms], |row| row.get(0))
            .map_err(db::refused)?;
        Ok(count.unsigned_abs())
    }

    /// One act: expires what is due, then runs `act`, all in one transaction.
    pub(super) fn act<T>(&mut self, act: impl FnOnce(&Step<'_>) -> Result<T>) -> Result<T> {
        let moment = self.clock.now();
        let tx = db::lock(&mut self.db)?;
        schema::check(&tx)?;
        let key = settle(&tx, &self.key_path)?;
        let seen = db::fact::<i64>(&tx, "seen_ms")?.unwrap_or(0);
        let now_ms = self.time.advance(&moment, seen);
        db::set_fact(&tx, "seen_ms", now_ms)?;
        let step = Step {
            db: &tx,
            key: &key,
            settings: &self.settings,
            now_ms,
            day: local_day(now_ms, &moment),
            erased: Cell::new(false),
        };
        if !audit::is_head_sound(&tx, &key)? {
            // What is due goes all the same; the log can't tell of it any more.
            let due = tx.execute(&format!("DELETE {DUE}"), [now_ms]).map_err(db::refused)?;
            tx.commit().map_err(db::refused)?;
            if due > 0 {
                db::scrub(&self.db)?;
            }
            return Err(audit::altered());
        }
        expire(&step)?;
        let value = act(&step)?;
        let erased = step.erased.get();
        tx.commit().map_err(db::refused)?;
        self.time.recorded(now_ms);
        fault::point("act:committed");
        if erased || self.unscrubbed {
            self.unscrubbed = !db::scrub(&self.db)?;
            fault::point("act:scrubbed");
        }
        Ok(value)
    }

    /// Replaces the device key, after `first` in the same transaction. Clip keys are wrapped
    /// again, or deleted with their clips where `wipe` is set; `by` and `act` go to the log.
    /// Gives the number of clips wiped. A wipe happens even where the key can't be replaced;
    /// that is an error afterwards.
    pub(super) fn rekey(
        &mut self,
        wipe: bool,
        by: &str,
        act: Act,
        first: impl FnOnce(&Step<'_>) -> Result<()>,
    ) -> Result<u64> {
        let path = self.key_path.clone();
        let mut failed = None;
        let wiped = self.act(|step| {
            first(step)?;
            let next = match keyfile::write_next(&path) {
                // A wipe comes first. Where the key can't be replaced, it is said afterwards.
                Err(error) if wipe => {
                    failed = Some(error);
                    None
                }
                next => Some(next?),
            };
            let wiped = match &next {
                Some(next) if !wipe => rewrap(step, next)?,
                _ => wipe_all(step)?,
            };
            let note = wipe.then(|| {
                let key = if next.is_some() { "" } else { ", the device key stays" };
                format!("{wiped} clips{key}")
            });
            step.log(by, act, None, note)?;
            if let Some(next) = &next {
                sign_again(step, next)?;
            }
            fault::point("rekey:rewrapped");
            Ok(wiped)
        })?;
        if let Some(error) = failed {
            return Err(error.context("every clip is deleted, but the device key stays"));
        }
        fault::point("rekey:committed");
        // Under a lock of its own: by now another process may have settled it, and be at the
        // next rotation.
        db::lock(&mut self.db).and_then(|tx| settle(&tx, &self.key_path)).map_err(|error| {
            error.context("the device key is replaced, but the old one is still there")
        })?;
        fault::point("rekey:promoted");
        Ok(wiped)
    }
}

impl Drop for Queue {
    /// Leaves nothing in the write-ahead log: its blocks go back to the file system some day.
    fn drop(&mut self) {
        // Where another process has it open, the last one does it; after a crash, the next.
        let _ = db::scrub(&self.db);
    }
}

/// Signs and seals everything but the clips with the next device key, and goes by it.
fn sign_again(step: &Step<'_>, next: &DeviceKey) -> Result<()> {
    consent::sign_again(step, next)?;
    stats::sign_certificate_again(step, next)?;
    stats::seal_scores_again(step, next)?;
    audit::sign_again(step.db, next)?;
    db::set_fact(step.db, "key_id", next.id())
}

/// Deletes every clip.
fn wipe_all(step: &Step<'_>) -> Result<u64> {
    let count = step.db.execute("DELETE FROM clip", []).map_err(db::refused)?;
    step.erased.set(true);
    let left: i64 = step
        .db
        .query_row("SELECT COUNT(*) FROM clip NOT INDEXED", [], |row| row.get(0))
        .map_err(db::refused)?;
    if left > 0 {
        return Err(db::disobeyed(&format!("{left} clips still there")));
    }
    Ok(count as u64)
}

/// Wraps every clip's key for the next device key.
fn rewrap(step: &Step<'_>, next: &DeviceKey) -> Result<u64> {
    let mut query = step.db.prepare("SELECT id, wrapped_key FROM clip").map_err(db::refused)?;
    let rows = query
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .map_err(db::refused)?;
    step.erased.set(true);
    for row in rows.collect::<rusqlite::Result<Vec<_>>>().map_err(db::refused)? {
        let (id, wrapped) = (row.0.parse::<ClipId>()?, row.1);
        // A key that does not unwrap is left as it is: its clip can't be played either way.
        if let Ok(key) = step.key.unwrap_key(&id, &wrapped) {
            let sql = "UPDATE clip SET wrapped_key = ?2 WHERE id = ?1";
            db::change_one(step.db, sql, params![id.as_str(), next.wrap(&id, &key)?])?;
        }
    }
    Ok(0)
}

/// Deletes what is due, each with its line.
fn expire(step: &Step<'_>) -> Result<()> {
    let mut query = step.db.prepare(&format!("SELECT id {DUE}")).map_err(db::refused)?;
    let due = query
        .query_map([step.now_ms], |row| row.get::<_, String>(0))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(db::refused)?;
    for id in due {
        if !step.erase(DEVICE, Act::Expired, &id.parse()?, None)? {
            return Err(db::disobeyed("none, of a clip whose time is over"));
        }
        step.count("expired", 1)?;
    }
    Ok(())
}

/// The key that the database goes by, whoever replaced it last; ends a rotation that was cut
/// short. `tx` holds the database for writing, so that nobody else is at the files of the key.
fn settle(tx: &Transaction<'_>, key_path: &Path) -> Result<DeviceKey> {
    let wanted = db::fact::<String>(tx, "key_id")?.unwrap_or_default();
    keyfile::settle(key_path, &wanted)
}

/// Makes the tables of a new queue, with its key; settles the key of an old one.
fn begin(db: &mut Connection, key_path: &Path, moment: Moment) -> Result<()> {
    let tx = db::lock(db)?;
    keyfile::remove_draft(key_path)?;
    if schema::is_new(&tx)? {
        let key = match keyfile::load(key_path)? {
            Some(key) => key,
            None => keyfile::create(key_path)?,
        };
        fault::point("open:key_made");
        schema::create(&tx)?;
        db::set_fact(&tx, "key_id", key.id())?;
        audit::start(&tx, &key)?;
        audit::append(&tx, &key, moment.unix_ms, DEVICE, Act::Created, None, None)?;
    } else {
        schema::mend(&tx)?;
        schema::check(&tx)?;
        settle(&tx, key_path)?;
    }
    tx.commit().map_err(db::refused)?;
    fault::point("open:committed");
    Ok(())
}
