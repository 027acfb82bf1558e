//! Counts for the overview, the labelled scores, and the certificate in force.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::audit::Act;
use super::crypto::DeviceKey;
use super::id::Person;
use super::queue::{Queue, Step};
use super::record::LabelledScore;
use super::reviewing::{LEAKS, REVIEWED};
use super::store::{STOPPED, STORED};
use super::time::day_name;
use super::{consent, db};
use crate::intervals::{Interval, clopper_pearson};
use crate::{Error, ErrorKind, Result};

/// What the MAC of the certificate is for.
const PURPOSE: &str = "certificate";
/// Confidence of the interval on the share of leaks.
pub const CONFIDENCE: f64 = 0.95;

/// The overview.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// Clips in the queue.
    pub queued: u64,
    /// Those of them that wait for a label.
    pub unlabelled: u64,
    /// Bytes of their ciphertext.
    pub bytes: u64,
    /// Clips ever labelled.
    pub reviewed: u64,
    /// Clips ever labelled accidental.
    pub leaks: u64,
    /// Share of leaks among the labelled, exact (Clopper-Pearson), 95 %.
    pub leak_share: Interval,
    /// Who consented and when, while that is in force.
    pub consent: Option<String>,
    /// The certificate in force.
    pub certificate: Option<Certificate>,
    /// How far the machine's clock lies behind the queue's time, in seconds.
    pub clock_behind_s: i64,
    /// Local days with anything to count, oldest first.
    pub days: Vec<Day>,
}

/// One local day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Day {
    /// `YYYY-MM-DD`.
    pub date: String,
    /// Clips stored.
    pub stored: u64,
    /// Clips labelled.
    pub reviewed: u64,
    /// Clips labelled accidental.
    pub leaks: u64,
    /// Clips that expired.
    pub expired: u64,
    /// Activations whose audio was wiped, by reason.
    pub stopped: BTreeMap<String, u64>,
}

/// A calibrated threshold that is in force, and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Least posterior of intended that may be queued.
    pub threshold: f32,
    /// Share of accidental clips among the queued that it certifies at most.
    pub share: f64,
    /// With this confidence.
    pub confidence: f64,
    /// Labelled activations at or above the threshold.
    pub labels: u64,
    /// Accidental ones among them.
    pub accidental: u64,
    /// Upper limit of the share of accidental clips at the threshold.
    pub upper: f64,
}

impl Queue {
    /// The overview.
    ///
    /// # Errors
    /// As every act.
    pub fn stats(&mut self) -> Result<Stats> {
        let unix_ms = self.moment().unix_ms;
        self.act(|step| {
            let (queued, unlabelled, bytes): (i64, i64, i64) = step
                .db
                .query_row(
                    "SELECT COUNT(*), COUNT(*) FILTER (WHERE label IS NULL),
                            COALESCE(SUM(LENGTH(sealed)), 0) FROM clip",
                    [],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
                .map_err(db::refused)?;
            let days = days(step)?;
            let reviewed = days.iter().map(|day| day.reviewed).sum();
            let leaks = days.iter().map(|day| day.leaks).sum();
            Ok(Stats {
                queued: queued.unsigned_abs(),
                unlabelled: unlabelled.unsigned_abs(),
                bytes: bytes.unsigned_abs(),
                reviewed,
                leaks,
                leak_share: clopper_pearson(leaks, reviewed, CONFIDENCE)?,
                consent: consent::current(step)?.map(|c| format!("{}, {}", c.by, c.given_at)),
                certificate: certificate(step)?,
                clock_behind_s: (step.now_ms - unix_ms).max(0) / 1000,
                days,
            })
        })
    }

    /// The scores of every labelled clip, oldest first: what `wakegate calibrate` takes. A line
    /// that was altered is left out, and the audit log says so.
    ///
    /// # Errors
    /// As every act.
    pub fn labelled_scores(&mut self, by: &Person) -> Result<Vec<LabelledScore>> {
        self.act(|step| {
            let sealed = sealed_scores(step)?;
            let open = |(n, sealed): &(i64, Vec<u8>)| open_score(step.key, *n, sealed).ok();
            let lines: Vec<String> = sealed.iter().filter_map(open).collect();
            let altered = match sealed.len() - lines.len() {
                0 => String::new(),
                count => format!(", {count} altered"),
            };
            let note = format!("{} scores{altered}", lines.len());
            step.log(by.as_str(), Act::Exported, None, Some(note))?;
            lines.iter().map(|line| LabelledScore::parse(line)).collect()
        })
    }

    /// Puts a calibrated threshold in force: the gate lets nothing through below it.
    ///
    /// # Errors
    /// As every act; [`ErrorKind::Settings`] for a threshold outside 0 to 1.
    pub fn set_certificate(&mut self, by: &Person, certificate: &Certificate) -> Result<()> {
        crate::gate::in_range("threshold", f64::from(certificate.threshold), 0.0..=1.0)?;
        self.act(|step| {
            write_certificate(step, step.key, certificate)?;
            let note = format!("threshold {}", certificate.threshold);
            step.log(by.as_str(), Act::Certified, None, Some(note))
        })
    }
}

fn days(step: &Step<'_>) -> Result<Vec<Day>> {
    let mut query =
        step.db.prepare("SELECT day, what, count FROM tally ORDER BY day").map_err(db::refused)?;
    let mut rows = query.query([]).map_err(db::refused)?;
    let mut days: BTreeMap<i64, Day> = BTreeMap::new();
    while let Some(row) = rows.next().map_err(db::refused)? {
        let number: i64 = row.get(0).map_err(db::refused)?;
        let what: String = row.get(1).map_err(db::refused)?;
        let count = row.get::<_, i64>(2).map_err(db::refused)?.unsigned_abs();
        let day = days.entry(number).or_default();
        day.date = day_name(number);
        match what.as_str() {
            STORED => day.stored = count,
            REVIEWED => day.reviewed = count,
            LEAKS => day.leaks = count,
            "expired" => day.expired = count,
            other => {
                if let Some(reason) = other.strip_prefix(STOPPED) {
                    day.stopped.insert(reason.to_owned(), count);
                }
            }
        }
    }
    Ok(days.into_values().collect())
}

/// What the scores of row `n` are bound to: their place, so that none is doubled or moved.
fn score_context(n: i64) -> Vec<u8> {
    format!("wakegate labelled score 1\0{n}").into_bytes()
}

fn open_score(key: &DeviceKey, n: i64, sealed: &[u8]) -> Result<String> {
    key.open_text(&score_context(n), sealed)
}

fn sealed_scores(step: &Step<'_>) -> Result<Vec<(i64, Vec<u8>)>> {
    let mut query =
        step.db.prepare("SELECT n, sealed FROM score ORDER BY n").map_err(db::refused)?;
    query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(db::refused)
}

fn write_score(step: &Step<'_>, key: &DeviceKey, n: i64, line: &str) -> Result<()> {
    let sealed = key.seal_text(&score_context(n), line)?;
    let sql = "INSERT OR REPLACE INTO score (n, sealed) VALUES (?1, ?2)";
    db::change_one(step.db, sql, params![n, sealed])
}

/// Keeps the scores of a clip that has its label.
pub(super) fn keep_score(step: &Step<'_>, score: &LabelledScore) -> Result<()> {
    let sql = "SELECT COALESCE(MAX(n), 0) + 1 FROM score";
    let n = step.db.query_row(sql, [], |row| row.get(0)).map_err(db::refused)?;
    write_score(step, step.key, n, &score.to_text()?)
}

/// Seals the scores with the next device key; those that are altered are removed.
pub(super) fn seal_scores_again(step: &Step<'_>, next: &DeviceKey) -> Result<()> {
    for (n, sealed) in sealed_scores(step)? {
        match open_score(step.key, n, &sealed) {
            Ok(line) => write_score(step, next, n, &line)?,
            Err(_) => {
                db::change_one(step.db, "DELETE FROM score WHERE n = ?1", [n])?;
            }
        }
    }
    Ok(())
}

fn write_certificate(step: &Step<'_>, key: &DeviceKey, certificate: &Certificate) -> Result<()> {
    let text = serde_json::to_string(certificate).map_err(|error| {
        Error::new(ErrorKind::Review, "cannot write the certificate").found(error.to_string())
    })?;
    let mac = key.mac(PURPOSE, text.as_bytes())?;
    db::set_fact(step.db, "certificate", text)?;
    db::set_fact(step.db, "certificate_mac", mac.as_slice())
}

/// The certificate in force.
///
/// # Errors
/// [`ErrorKind::Review`] for one that this device did not put in force.
pub(super) fn certificate(step: &Step<'_>) -> Result<Option<Certificate>> {
    let Some(text) = db::fact::<String>(step.db, "certificate")? else { return Ok(None) };
    let mac = db::fact::<Vec<u8>>(step.db, "certificate_mac")?.unwrap_or_default();
    let altered = || {
        Error::new(ErrorKind::Review, "the calibrated threshold is altered")
            .expected("one that this device put in force")
            .hint("put it in force again with `wakegate calibrate --queue`")
    };
    if !step.key.is_mac(PURPOSE, text.as_bytes(), &mac)? {
        return Err(altered());
    }
    serde_json::from_str(&text).map(Some).map_err(|_| altered())
}

/// Signs the certificate with the next device key; one that is altered is removed.
pub(super) fn sign_certificate_again(step: &Step<'_>, next: &DeviceKey) -> Result<()> {
    match certificate(step) {
        Ok(Some(certificate)) => write_certificate(step, next, &certificate),
        Ok(None) => Ok(()),
        Err(_) => {
            let sql = "DELETE FROM fact WHERE name IN ('certificate', 'certificate_mac')";
            step.db.execute(sql, []).map_err(db::refused)?;
            Ok(())
        }
    }
}
