//! The way out after the machine's clock was far ahead once.

use super::audit::Act;
use super::id::{ClipId, Person};
use super::queue::{Queue, Step};
use super::time::stamp;
use super::{consent, db};
use crate::Result;

impl Queue {
    /// Takes the machine's clock for the queue's time again, where that is behind: the days'
    /// counts and new clips then go by it. Clips that were stored after it are deleted, since
    /// nobody knows any more how old they are; gives how many. The log says from when to when.
    ///
    /// # Errors
    /// As every act.
    pub fn set_time(&mut self, by: &Person) -> Result<u64> {
        let machine_ms = self.moment().unix_ms;
        self.act(|step| {
            if step.now_ms <= machine_ms {
                return Ok(0);
            }
            let later = later_than(step, machine_ms)?;
            for id in &later {
                let note = Some("of a time that was taken back".to_owned());
                step.erase(by.as_str(), Act::Deleted, id, note)?;
            }
            consent::date_back(step, machine_ms)?;
            let note = format!("from {} to {}", stamp(step.now_ms), stamp(machine_ms));
            step.log(by.as_str(), Act::TimeSet, None, Some(note))?;
            db::set_fact(step.db, "seen_ms", machine_ms)?;
            Ok(later.len() as u64)
        })
    }
}

/// The clips that were stored after `ms`.
fn later_than(step: &Step<'_>, ms: i64) -> Result<Vec<ClipId>> {
    let sql = "SELECT id FROM clip NOT INDEXED WHERE stored_ms > ?1";
    let mut query = step.db.prepare(sql).map_err(db::refused)?;
    let ids = query
        .query_map([ms], |row| row.get::<_, String>(0))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(db::refused)?;
    ids.iter().map(|id| id.parse()).collect()
}
