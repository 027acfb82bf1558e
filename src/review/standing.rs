//! What a reviewer's page asks of the queue beside the reviewer's own acts.

use rusqlite::params;

use super::audit::Act;
use super::db;
use super::id::{ClipId, Person};
use super::queue::Queue;
use super::reviewing::Answer;
use super::time::{day_name, local_day};
use crate::Result;

/// How things stand for one reviewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Clips that wait for a label, those that others have included.
    pub left: u64,
    /// Those of them that others have.
    pub elsewhere: u64,
    /// Whether the clip that was asked about may still be labelled.
    pub clip: Option<Answer>,
}

impl Queue {
    /// How things stand, and how with one clip. The page asks every few seconds, so nothing is
    /// written: what is due counts as gone whether or not it has been swept.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) where the database refuses.
    pub fn standing(&mut self, reviewer: &Person, clip: Option<&ClipId>) -> Result<Standing> {
        let now_ms = self.peek_ms()?;
        let mut query = self
            .db
            .prepare(
                "SELECT id, COALESCE(leased_by <> ?1 AND leased_until_ms > ?2, FALSE) FROM clip
                 WHERE label IS NULL AND expires_ms > ?2",
            )
            .map_err(db::refused)?;
        let mut rows = query.query(params![reviewer.as_str(), now_ms]).map_err(db::refused)?;
        let mut standing =
            Standing { left: 0, elsewhere: 0, clip: clip.is_some().then_some(Answer::Gone) };
        while let Some(row) = rows.next().map_err(db::refused)? {
            let id: String = row.get(0).map_err(db::refused)?;
            let taken: bool = row.get(1).map_err(db::refused)?;
            standing.left += 1;
            standing.elsewhere += u64::from(taken);
            if clip.is_some_and(|clip| clip.as_str() == id) {
                standing.clip = Some(if taken { Answer::Taken } else { Answer::Done });
            }
        }
        Ok(standing)
    }

    /// Clips that still wait for a label, those that others have included. Nothing is written:
    /// what is due counts as gone whether or not it has been swept.
    ///
    /// # Errors
    /// [`ErrorKind::Review`](crate::ErrorKind::Review) where the database refuses.
    pub fn waiting(&mut self) -> Result<u64> {
        let now_ms = self.peek_ms()?;
        let sql = "SELECT COUNT(*) FROM clip WHERE label IS NULL AND expires_ms > ?1";
        let count: i64 = self.db.query_row(sql, [now_ms], |row| row.get(0)).map_err(db::refused)?;
        Ok(count.unsigned_abs())
    }

    /// The local day, `YYYY-MM-DD`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) where the database refuses.
    pub fn today(&mut self) -> Result<String> {
        let now_ms = self.peek_ms()?;
        Ok(day_name(local_day(now_ms, &self.moment())))
    }

    /// Deletes what is due, if anything is; unlike [`sweep`](Queue::sweep), writes nothing
    /// where nothing is.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) where the database refuses.
    pub fn sweep_if_due(&mut self) -> Result<()> {
        if self.expired_count()? > 0 {
            self.sweep()?;
        }
        Ok(())
    }

    /// Adds a line to the audit log about something that is no clip.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) where the database refuses.
    pub fn note(&mut self, by: &str, act: Act, note: Option<&str>) -> Result<()> {
        self.act(|step| step.log(by, act, None, note.map(str::to_owned)))
    }
}
