//! The way into the queue: what the gate has to know, and what it lets through.

use rusqlite::params;

use super::audit::Act;
use super::crypto::{ClipKey, clip_context};
use super::id::ClipId;
use super::queue::{DEVICE, Queue, Step};
use super::record::Record;
use super::{consent, db, fault, stats};
use crate::Result;
use crate::gate::{Gate, Guarded, Heard, IntendedClip, LiveAudio, State, Stop};

/// What a day's stored clips are counted as.
pub(super) const STORED: &str = "stored";
/// What the stops of a day are counted as, with the reason behind it.
pub(super) const STOPPED: &str = "stopped:";

/// What became of a clip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It is in the queue, on the medium.
    Kept(ClipId),
    /// It was dropped, and its audio wiped.
    Dropped(Stop),
}

impl Queue {
    /// What [`Gate::admit`] has to know.
    ///
    /// # Errors
    /// As every act.
    pub fn gate_state(&mut self) -> Result<State> {
        let free_bytes = free_bytes(&self.directory);
        self.act(|step| state(step, free_bytes))
    }

    /// Lets `gate` decide about an activation and the audio around it, and stores what it lets
    /// through: the one way of a clip, in one act. Whatever is not stored is wiped and counted,
    /// by the gate and among the day's stops.
    ///
    /// A consent that was given after `since_ms`, the moment of the steady clock at which the
    /// first of the audio was heard, does not reach back; `None` is for a recording, of which
    /// that is not known.
    ///
    /// # Errors
    /// As every act; nothing is stored or counted then.
    pub fn take(
        &mut self,
        gate: &mut Gate,
        heard: Heard,
        audio: LiveAudio,
        since_ms: Option<u64>,
    ) -> Result<Stored> {
        let free_bytes = free_bytes(&self.directory);
        let moment = self.moment();
        let age_ms = since_ms.map_or(0, |since| moment.steady_ms.saturating_sub(since));
        self.act(|step| {
            let clip = match gate.admit(heard, audio, &state(step, free_bytes)?, moment) {
                Ok(clip) => clip,
                Err(stop) => return dropped(step, stop),
            };
            let stored = put(step, &clip, age_ms)?;
            if let Stored::Dropped(stop) = stored {
                gate.counters().count_stop(stop);
            }
            Ok(stored)
        })
    }

    /// Encrypts a clip and stores it. When this returns [`Stored::Kept`], the clip is on the
    /// medium. The gate's rules are held again, in the same transaction: between the gate and
    /// here a consent may have been revoked.
    ///
    /// # Errors
    /// As every act; nothing is stored then.
    pub fn store(&mut self, clip: IntendedClip) -> Result<Stored> {
        self.act(|step| put(step, &clip, 0))
    }

    /// Adds to today's count of what the gate stopped.
    ///
    /// # Errors
    /// As every act.
    pub fn count_stops(&mut self, stops: &[(Stop, u64)]) -> Result<()> {
        self.act(|step| {
            for (stop, count) in stops {
                step.count(&format!("{STOPPED}{stop}"), i64::try_from(*count).unwrap_or(i64::MAX))?;
            }
            Ok(())
        })
    }
}

fn state(step: &Step<'_>, free_bytes: Option<u64>) -> Result<State> {
    Ok(State {
        consented: consent::current(step)?.is_some(),
        stored_today: stored_today(step)?,
        free_bytes,
        certified_at: stats::certificate(step)?.map(|c| c.threshold),
    })
}

/// Stores a clip that began `age_ms` ago, unless something stands in the way.
fn put(step: &Step<'_>, clip: &IntendedClip, age_ms: u64) -> Result<Stored> {
    let heard_ms = step.now_ms.saturating_sub(i64::try_from(age_ms).unwrap_or(i64::MAX));
    let stop = if !step.settings.enabled {
        Some(Stop::Disabled)
    } else if consent::given_ms(step)?.is_none_or(|given_ms| heard_ms < given_ms) {
        Some(Stop::NoConsent)
    } else if stored_today(step)? >= step.settings.daily_cap {
        Some(Stop::DailyCap)
    } else {
        full(step, clip)?
    };
    match stop {
        Some(stop) => dropped(step, stop),
        None => insert(step, clip).map(Stored::Kept),
    }
}

/// Counts a stop of today.
fn dropped(step: &Step<'_>, stop: Stop) -> Result<Stored> {
    step.count(&format!("{STOPPED}{stop}"), 1)?;
    Ok(Stored::Dropped(stop))
}

fn stored_today(step: &Step<'_>) -> Result<u32> {
    let count = db::counted(step.db, step.day, STORED)?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The stop of a clip that there is no room for.
fn full(step: &Step<'_>, clip: &IntendedClip) -> Result<Option<Stop>> {
    let (clips, bytes): (i64, i64) = step
        .db
        .query_row("SELECT COUNT(*), COALESCE(SUM(LENGTH(sealed)), 0) FROM clip", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(db::refused)?;
    let bytes = bytes.unsigned_abs() + 2 * clip.samples() as u64;
    let is_full = clips >= i64::from(step.settings.max_clips)
        || bytes > u64::from(step.settings.max_mb) * 1_000_000;
    Ok(is_full.then_some(Stop::QueueFull))
}

fn insert(step: &Step<'_>, clip: &IntendedClip) -> Result<ClipId> {
    let id = ClipId::random()?;
    let record = Record::of(clip, step.now_ms, step.settings.retention_ms());
    let text = record.to_text()?;
    let key = ClipKey::random()?;
    let mut pcm = pcm16(clip.audio());
    fault::point("store:plain");
    let sealed = key.seal(&clip_context(&id, &text), &mut pcm)?;
    let about = key.seal_record(&id, &text)?;
    let wrapped = step.key.wrap(&id, &key)?;
    drop((key, pcm));
    fault::point("store:sealed");
    db::change_one(
        step.db,
        "INSERT INTO clip (id, record, stored_ms, expires_ms, wrapped_key, sealed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id.as_str(), about, record.stored_ms, record.expires_ms, wrapped, sealed],
    )?;
    fault::point("store:inserted");
    step.count(STORED, 1)?;
    step.log(DEVICE, Act::Stored, Some(&id), None)?;
    fault::point("store:logged");
    Ok(id)
}

/// Samples as 16-bit little-endian PCM, in guarded memory.
fn pcm16(samples: &[f32]) -> Guarded<u8> {
    let mut pcm = Guarded::new(2 * samples.len());
    for (bytes, sample) in pcm.as_mut_slice().chunks_exact_mut(2).zip(samples) {
        let value = (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    pcm
}

/// Free bytes on the file system of `directory`; `None` where the system does not say.
fn free_bytes(directory: &std::path::Path) -> Option<u64> {
    let about = rustix::fs::statvfs(directory).ok()?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}
