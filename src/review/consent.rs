//! The owner's consent: recorded, dated, signed by the device key, revocable.

use rusqlite::{OptionalExtension, params};

use super::audit::Act;
use super::crypto::DeviceKey;
use super::db;
use super::id::Person;
use super::queue::{Queue, Step};
use super::time::stamp;
use crate::{Error, ErrorKind, Result};

/// What the MAC is for.
const PURPOSE: &str = "consent";

/// A consent in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Who gave it.
    pub by: String,
    /// When, RFC 3339, UTC.
    pub given_at: String,
}

struct Row {
    n: i64,
    by: String,
    given_ms: i64,
    revoked_ms: Option<i64>,
    mac: Vec<u8>,
}

impl Row {
    fn signed(&self) -> Vec<u8> {
        let revoked = self.revoked_ms.map_or_else(|| "-".to_owned(), |ms| ms.to_string());
        format!("{}\0{}\0{}\0{revoked}", self.n, self.by, self.given_ms).into_bytes()
    }

    fn write(&self, step: &Step<'_>, key: &DeviceKey) -> Result<()> {
        let mac = key.mac(PURPOSE, &self.signed())?;
        db::change_one(
            step.db,
            "INSERT OR REPLACE INTO consent (n, by, given_ms, revoked_ms, mac)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![self.n, self.by, self.given_ms, self.revoked_ms, mac.as_slice()],
        )
    }
}

impl Queue {
    /// Records that `by` consents to review. A consent that is in force stays as it is.
    ///
    /// # Errors
    /// As every act.
    pub fn give_consent(&mut self, by: &Person) -> Result<Consent> {
        self.act(|step| {
            if let Some(consent) = current(step)? {
                return Ok(consent);
            }
            let n = last(step)?.map_or(1, |row| row.n + 1);
            let row = Row {
                n,
                by: by.as_str().to_owned(),
                given_ms: step.now_ms,
                revoked_ms: None,
                mac: Vec::new(),
            };
            row.write(step, step.key)?;
            step.log(by.as_str(), Act::ConsentGiven, None, None)?;
            Ok(Consent { by: row.by, given_at: stamp(row.given_ms) })
        })
    }

    /// Revokes the consent and wipes the queue: every clip is deleted and the device key
    /// replaced. Gives the number of clips wiped. The wipe happens without a consent too.
    ///
    /// # Errors
    /// As every act.
    pub fn revoke_consent(&mut self, by: &Person) -> Result<u64> {
        self.rekey(true, by.as_str(), Act::Purged, |step| {
            if let Some(row) = last(step)?.filter(|row| row.revoked_ms.is_none()) {
                let row = Row { revoked_ms: Some(step.now_ms), ..row };
                row.write(step, step.key)?;
                step.log(by.as_str(), Act::ConsentRevoked, None, None)?;
            }
            Ok(())
        })
    }

    /// The consent in force.
    ///
    /// # Errors
    /// As every act; [`ErrorKind::Review`] for one that this device did not record.
    pub fn consent(&mut self) -> Result<Option<Consent>> {
        self.act(current)
    }
}

/// The consent in force.
pub(super) fn current(step: &Step<'_>) -> Result<Option<Consent>> {
    let row = in_force(step)?;
    Ok(row.map(|row| Consent { by: row.by, given_at: stamp(row.given_ms) }))
}

/// When the consent in force was given.
pub(super) fn given_ms(step: &Step<'_>) -> Result<Option<i64>> {
    Ok(in_force(step)?.map(|row| row.given_ms))
}

/// Dates the consent in force no later than `ms`: it holds from then on.
pub(super) fn date_back(step: &Step<'_>, ms: i64) -> Result<()> {
    match in_force(step)?.filter(|row| row.given_ms > ms) {
        Some(row) => Row { given_ms: ms, ..row }.write(step, step.key),
        None => Ok(()),
    }
}

fn in_force(step: &Step<'_>) -> Result<Option<Row>> {
    let Some(row) = last(step)? else { return Ok(None) };
    if !step.key.is_mac(PURPOSE, &row.signed(), &row.mac)? {
        return Err(Error::new(ErrorKind::Review, "the recorded consent is altered")
            .expected("one that this device recorded")
            .hint("`wakegate review purge --all`, then `wakegate review consent --by NAME`"));
    }
    Ok(row.revoked_ms.is_none().then_some(row))
}

/// Signs the consents with the next device key, those that this one signed.
pub(super) fn sign_again(step: &Step<'_>, next: &DeviceKey) -> Result<()> {
    let mut query = step
        .db
        .prepare("SELECT n, by, given_ms, revoked_ms, mac FROM consent")
        .map_err(db::refused)?;
    let rows = query
        .query_map([], read)
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(db::refused)?;
    for row in rows {
        if step.key.is_mac(PURPOSE, &row.signed(), &row.mac)? {
            row.write(step, next)?;
        } else {
            // What this device did not sign is worth nothing, least of all a new signature.
            db::change_one(step.db, "DELETE FROM consent WHERE n = ?1", [row.n])?;
        }
    }
    Ok(())
}

fn last(step: &Step<'_>) -> Result<Option<Row>> {
    step.db
        .query_row(
            "SELECT n, by, given_ms, revoked_ms, mac FROM consent ORDER BY n DESC LIMIT 1",
            [],
            read,
        )
        .optional()
        .map_err(db::refused)
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        n: row.get(0)?,
        by: row.get(1)?,
        given_ms: row.get(2)?,
        revoked_ms: row.get(3)?,
        mac: row.get(4)?,
    })
}
