//! Clips whose row is not the one that was stored.

use rusqlite::Connection;

use super::crypto::DeviceKey;
use super::db;
use super::id::ClipId;
use super::queue::Step;
use super::reviewing::{Row, damaged, record};
use crate::{Error, Result};

/// Every clip whose row is not the one that was stored under its name, and why. The audio is not
/// looked at: that is held against the record when it is played.
pub(super) fn altered_clips(db: &Connection, key: &DeviceKey) -> Result<Vec<(ClipId, Error)>> {
    let mut query = db
        .prepare("SELECT id, record, stored_ms, expires_ms, wrapped_key FROM clip NOT INDEXED")
        .map_err(db::refused)?;
    let mut rows = query.query([]).map_err(db::refused)?;
    let mut altered = Vec::new();
    while let Some(row) = rows.next().map_err(db::refused)? {
        let id: ClipId = row.get::<_, String>(0).map_err(db::refused)?.parse()?;
        let about = Row::read(row).map_err(db::refused)?;
        if let Err(error) = record(key, &id, &about) {
            altered.push((id, error));
        }
    }
    Ok(altered)
}

/// Deletes those clips, and logs them as damaged.
pub(super) fn remove_altered(step: &Step<'_>) -> Result<()> {
    let altered = altered_clips(step.db, step.key)?;
    altered.iter().try_for_each(|(id, error)| damaged(step, id, error))
}
