//! What a reviewer does: gets a clip that nobody else has, labels it, gives it back, deletes it.

use rusqlite::{OptionalExtension, params};

use super::audit::Act;
use super::crypto::{ClipKey, DeviceKey, clip_context};
use super::id::{ClipId, Label, Person};
use super::queue::{DEVICE, Queue, Step};
use super::record::{LabelledScore, Record};
use super::time::stamp;
use super::{db, stats};
use crate::gate::AudioBuffer;
use crate::{Error, ErrorKind, Result};

/// What a day's labels and leaks are counted as.
pub(super) const REVIEWED: &str = "reviewed";
/// See [`REVIEWED`].
pub(super) const LEAKS: &str = "leaks";

/// A clip that one reviewer has and nobody else.
///
/// It can't be cloned, printed or serialised, and its samples are wiped when it is dropped.
pub struct LeasedClip {
    /// The clip.
    pub id: ClipId,
    /// What is known of it.
    pub record: Record,
    /// Its samples, 16 kHz mono, decrypted.
    pub audio: AudioBuffer,
    /// Until when nobody else gets it, RFC 3339, UTC.
    pub leased_until: String,
}

/// What the list shows of a clip: everything but the audio.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The clip.
    pub id: ClipId,
    /// What is known of it.
    pub record: Record,
    /// The label, of a clip that stays after it.
    pub label: Option<String>,
    /// Who has it at present.
    pub leased_by: Option<String>,
}

/// How a request about one clip ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It was a leak: the clip is deleted and the incident counted.
    Leak,
    /// There is no such clip: it expired, was deleted, or never was.
    Gone,
    /// Another reviewer has it, or it already has its label.
    Taken,
}

impl Queue {
    /// Leases a clip without a label to `reviewer` and decrypts it: the one they already have,
    /// else the oldest that nobody has. `None` where none is left. A clip that does not
    /// decrypt is deleted, logged as damaged, and the next one is taken.
    ///
    /// # Errors
    /// As every act.
    pub fn next_for(&mut self, reviewer: &Person) -> Result<Option<LeasedClip>> {
        self.next_but(reviewer, None)
    }

    /// As [`next_for`](Self::next_for), but for one clip that the reviewer keeps and does not want
    /// now.
    ///
    /// # Errors
    /// As every act.
    pub fn next_but(
        &mut self,
        reviewer: &Person,
        but: Option<&ClipId>,
    ) -> Result<Option<LeasedClip>> {
        self.act(|step| {
            while let Some(id) = next_id(step, reviewer, but)? {
                if let Some(clip) = lease(step, reviewer, id)? {
                    return Ok(Some(clip));
                }
            }
            Ok(None)
        })
    }

    /// Decrypts the clip `id` for `reviewer` again; `None` unless they have its lease.
    ///
    /// # Errors
    /// As every act.
    pub fn play(&mut self, reviewer: &Person, id: &ClipId) -> Result<Option<LeasedClip>> {
        self.act(|step| match holder(step, id)? {
            Some(Holder { leased_by: Some(by), label: None }) if by == reviewer.as_str() => {
                lease(step, reviewer, id.clone())
            }
            _ => {
                refuse(step, reviewer, id, "play")?;
                Ok(None)
            }
        })
    }

    /// Gives a leased clip back without a label.
    ///
    /// # Errors
    /// As every act.
    pub fn release(&mut self, reviewer: &Person, id: &ClipId) -> Result<Answer> {
        self.act(|step| {
            let answer = answer(step, reviewer, id)?;
            if answer != Answer::Done {
                refuse(step, reviewer, id, "release")?;
                return Ok(answer);
            }
            let sql = "UPDATE clip SET leased_by = NULL, leased_until_ms = NULL WHERE id = ?1";
            db::change_one(step.db, sql, [id.as_str()])?;
            step.log(reviewer.as_str(), Act::Released, Some(id), None)?;
            Ok(Answer::Done)
        })
    }

    /// Labels a clip that nobody else has, and keeps its scores for the calibration. Its audio
    /// is deleted, unless the settings keep labelled clips; one labelled accidental always is.
    ///
    /// # Errors
    /// As every act.
    pub fn label(&mut self, reviewer: &Person, id: &ClipId, label: Label) -> Result<Answer> {
        self.act(|step| {
            let answer = answer(step, reviewer, id)?;
            if answer != Answer::Done {
                refuse(step, reviewer, id, "label")?;
                return Ok(answer);
            }
            let Some((record, _)) = decrypt(step, id)? else { return Ok(Answer::Gone) };
            stats::keep_score(step, &LabelledScore::of(&record, step.day, label))?;
            step.count(REVIEWED, 1)?;
            let by = reviewer.as_str();
            step.log(by, Act::Labelled, Some(id), Some(label.to_string()))?;
            if label == Label::Accidental {
                step.count(LEAKS, 1)?;
                step.log(by, Act::Leak, Some(id), None)?;
                gone(step.erase(by, Act::Deleted, id, Some("leak".to_owned()))?)?;
                return Ok(Answer::Leak);
            }
            if step.settings.keep_labelled {
                let sql = "UPDATE clip SET label = ?2, leased_by = NULL, leased_until_ms = NULL
                           WHERE id = ?1";
                db::change_one(step.db, sql, params![id.as_str(), label.as_str()])?;
            } else {
                gone(step.erase(by, Act::Deleted, id, Some("labelled".to_owned()))?)?;
            }
            Ok(Answer::Done)
        })
    }

    /// Deletes a clip, whoever has it.
    ///
    /// # Errors
    /// As every act.
    pub fn delete(&mut self, by: &Person, id: &ClipId) -> Result<Answer> {
        self.act(|step| {
            if step.erase(by.as_str(), Act::Deleted, id, None)? {
                return Ok(Answer::Done);
            }
            refuse(step, by, id, "delete")?;
            Ok(Answer::Gone)
        })
    }

    /// The one clip whose name begins with `prefix`; a whole name is taken whether or not there
    /// is such a clip.
    ///
    /// # Errors
    /// [`ErrorKind::Review`] where no name or more than one begins so.
    pub fn find(&mut self, prefix: &str) -> Result<ClipId> {
        let parsed = prefix.parse::<ClipId>();
        let digits = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if parsed.is_ok() || prefix.is_empty() || !prefix.bytes().all(digits) {
            return parsed;
        }
        let found = self
            .db
            .prepare("SELECT id FROM clip WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2")
            .and_then(|mut query| {
                query.query_map([prefix], |row| row.get::<_, String>(0))?.collect()
            })
            .map_err(db::refused)?;
        let found: Vec<String> = found;
        match found.as_slice() {
            [only] => only.parse(),
            [] => Err(none_of(prefix, "no clip's name begins so")),
            _ => Err(none_of(prefix, "more than one clip's name begins so")),
        }
    }

    /// Every clip in the queue, oldest first, without its audio. One whose record does not
    /// decrypt is deleted, and logged as damaged.
    ///
    /// # Errors
    /// As every act.
    pub fn list(&mut self, by: &Person) -> Result<Vec<Entry>> {
        self.act(|step| {
            let mut query = step
                .db
                .prepare(
                    "SELECT id, record, stored_ms, expires_ms, wrapped_key, label,
                            CASE WHEN leased_until_ms > ?1 THEN leased_by END
                     FROM clip ORDER BY stored_ms, id",
                )
                .map_err(db::refused)?;
            let rows = query
                .query_map([step.now_ms], |row| {
                    Ok((row.get::<_, String>(0)?, Row::read(row)?, row.get(5)?, row.get(6)?))
                })
                .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
                .map_err(db::refused)?;
            let mut entries = Vec::new();
            for (id, row, label, leased_by) in rows {
                let id: ClipId = id.parse()?;
                match record(step.key, &id, &row) {
                    Ok((_, _, record)) => entries.push(Entry { id, record, label, leased_by }),
                    Err(error) => damaged(step, &id, &error)?,
                }
            }
            let note = format!("{} clips", entries.len());
            step.log(by.as_str(), Act::Listed, None, Some(note))?;
            Ok(entries)
        })
    }
}

fn next_id(step: &Step<'_>, reviewer: &Person, but: Option<&ClipId>) -> Result<Option<ClipId>> {
    let id: Option<String> = step
        .db
        .query_row(
            "SELECT id FROM clip
             WHERE label IS NULL AND id IS NOT ?3
               AND (leased_by IS NULL OR leased_by = ?1 OR leased_until_ms <= ?2)
             ORDER BY leased_by IS ?1 AND leased_until_ms > ?2 DESC, stored_ms, id LIMIT 1",
            params![reviewer.as_str(), step.now_ms, but.map(ClipId::as_str)],
            |row| row.get(0),
        )
        .optional()
        .map_err(db::refused)?;
    id.map(|id| id.parse()).transpose()
}

/// Leases and decrypts a clip; `None` where it was damaged, and is deleted now.
fn lease(step: &Step<'_>, reviewer: &Person, id: ClipId) -> Result<Option<LeasedClip>> {
    let Some((record, audio)) = decrypt(step, &id)? else { return Ok(None) };
    let until = step.now_ms.saturating_add(step.settings.lease_ms());
    let sql = "UPDATE clip SET leased_by = ?2, leased_until_ms = ?3 WHERE id = ?1";
    db::change_one(step.db, sql, params![id.as_str(), reviewer.as_str(), until])?;
    step.log(reviewer.as_str(), Act::Played, Some(&id), None)?;
    Ok(Some(LeasedClip { id, record, audio, leased_until: stamp(until) }))
}

/// The record and the samples of a clip, which must be the ones that were stored together;
/// otherwise the clip is deleted, logged as damaged, and there is none.
fn decrypt(step: &Step<'_>, id: &ClipId) -> Result<Option<(Record, AudioBuffer)>> {
    let found: Option<(Row, Vec<u8>)> = step
        .db
        .query_row(
            "SELECT id, record, stored_ms, expires_ms, wrapped_key, sealed FROM clip WHERE id = ?1",
            [id.as_str()],
            |row| Ok((Row::read(row)?, row.get(5)?)),
        )
        .optional()
        .map_err(db::refused)?;
    let Some((row, sealed)) = found else { return Ok(None) };
    match unseal(step, id, &row, &sealed) {
        Ok(clip) => Ok(Some(clip)),
        Err(error) => damaged(step, id, &error).map(|()| None),
    }
}

/// What the database holds of a clip beside its audio, from the second column on.
pub(super) struct Row {
    record: Vec<u8>,
    stored_ms: i64,
    expires_ms: i64,
    wrapped: Vec<u8>,
}

impl Row {
    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            record: row.get(1)?,
            stored_ms: row.get(2)?,
            expires_ms: row.get(3)?,
            wrapped: row.get(4)?,
        })
    }
}

pub(super) fn damaged(step: &Step<'_>, id: &ClipId, error: &Error) -> Result<()> {
    gone(step.erase(DEVICE, Act::Damaged, id, Some(error.to_string()))?)
}

/// Holds that a clip that was there is gone.
fn gone(erased: bool) -> Result<()> {
    if erased { Ok(()) } else { Err(db::disobeyed("none, of a clip that is to go")) }
}

/// A clip's key, and its record as text and in parts. The columns that the sweep and the order go
/// by must be what the record says.
pub(super) fn record(key: &DeviceKey, id: &ClipId, row: &Row) -> Result<(ClipKey, String, Record)> {
    let key = key.unwrap_key(id, &row.wrapped)?;
    let text = key.open_record(id, &row.record)?;
    let record = Record::parse(&text)?;
    if (record.stored_ms, record.expires_ms) != (row.stored_ms, row.expires_ms) {
        return Err(altered());
    }
    Ok((key, text, record))
}

fn altered() -> Error {
    Error::new(ErrorKind::Review, "the clip's row is altered")
        .expected("the dates and the length that it was stored with")
}

fn unseal(step: &Step<'_>, id: &ClipId, row: &Row, sealed: &[u8]) -> Result<(Record, AudioBuffer)> {
    let (key, text, record) = record(step.key, id, row)?;
    if record.expires_ms <= step.now_ms {
        return Err(Error::new(ErrorKind::Review, "the clip's time is over"));
    }
    let pcm = key.open(&clip_context(id, &text), sealed)?;
    if record.samples != (pcm.as_slice().len() / 2) as u64 {
        return Err(altered());
    }
    let mut audio = AudioBuffer::silent(pcm.as_slice().len() / 2);
    for (sample, bytes) in audio.samples_mut().iter_mut().zip(pcm.as_slice().chunks_exact(2)) {
        *sample = f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0;
    }
    Ok((record, audio))
}

/// Who has a clip, and whether it has its label.
struct Holder {
    leased_by: Option<String>,
    label: Option<String>,
}

fn holder(step: &Step<'_>, id: &ClipId) -> Result<Option<Holder>> {
    step.db
        .query_row(
            "SELECT CASE WHEN leased_until_ms > ?2 THEN leased_by END, label
             FROM clip WHERE id = ?1",
            params![id.as_str(), step.now_ms],
            |row| Ok(Holder { leased_by: row.get(0)?, label: row.get(1)? }),
        )
        .optional()
        .map_err(db::refused)
}

/// Whether `reviewer` may decide about a clip: done if so.
fn answer(step: &Step<'_>, reviewer: &Person, id: &ClipId) -> Result<Answer> {
    Ok(match holder(step, id)? {
        None => Answer::Gone,
        Some(Holder { label: Some(_), .. }) => Answer::Taken,
        Some(Holder { leased_by: Some(by), .. }) if by != reviewer.as_str() => Answer::Taken,
        Some(_) => Answer::Done,
    })
}

fn refuse(step: &Step<'_>, by: &Person, id: &ClipId, what: &str) -> Result<()> {
    step.log(by.as_str(), Act::Refused, Some(id), Some(what.to_owned()))
}

fn none_of(prefix: &str, found: &str) -> Error {
    Error::new(ErrorKind::Review, format!("which clip is {prefix}?"))
        .expected("the name of a clip, or the beginning of one alone")
        .found(found)
        .hint("`wakegate review list` shows the clips")
}
