//! The figures of parts of the data: by speaker, noise, word, whatever the labels say.

use std::collections::BTreeMap;

use serde::Serialize;

use super::event::Rules;
use super::figures::{PerHour, Share};
use super::matching::Recording;
use super::tally::{Place, Tally};
use crate::Result;

/// A part of the data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The value that its labels share.
    pub name: String,
    /// Of its targets, those without an accepted event.
    pub frr: Share,
    /// Of its labelled negatives, those with one.
    pub negatives_accepted: Share,
    /// The false accepts in its recordings, on labelled negatives or not.
    pub false_accepts: PerHour,
}

#[derive(Default)]
struct Counts {
    missed: [u64; 2],
    accepted: [u64; 2],
    falses: u64,
    exposed: u64,
}

/// The figures by group, in the order of their names. `name` gives the group of a label, and
/// of a whole recording where [`Place::span`] is none.
///
/// # Errors
/// [`ErrorKind::Settings`](crate::ErrorKind::Settings) for a confidence outside of 0 to 1.
pub fn by(
    recordings: &[Recording],
    tally: &Tally,
    rules: &Rules,
    confidence: f64,
    name: impl Fn(Place) -> String,
) -> Result<Vec<Group>> {
    let mut groups: BTreeMap<String, Counts> = BTreeMap::new();
    for outcome in &tally.outcomes {
        let counts = groups.entry(name(outcome.place)).or_default();
        let (share, is) = if outcome.wanted {
            (&mut counts.missed, !outcome.accepted)
        } else {
            (&mut counts.accepted, outcome.accepted)
        };
        share[0] += u64::from(is);
        share[1] += 1;
    }
    let whole = |recording: usize| name(Place { recording, span: None });
    for (number, recording) in recordings.iter().enumerate() {
        let exposed = recording.exposed(rules).unwrap_or(0);
        if exposed > 0 {
            groups.entry(whole(number)).or_default().exposed += exposed;
        }
    }
    for found in &tally.false_accepts {
        groups.entry(whole(found.place.recording)).or_default().falses += 1;
    }
    let group = |(name, counts): (String, Counts)| {
        let share = |[k, n]: [u64; 2]| Share::new(k, n, confidence);
        let hours = rules.seconds(counts.exposed) / 3600.0;
        Ok(Group {
            name,
            frr: share(counts.missed)?,
            negatives_accepted: share(counts.accepted)?,
            false_accepts: PerHour::new(counts.falses, hours, confidence)?,
        })
    };
    groups.into_iter().map(group).collect()
}

/// What a system said of the triggers for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonCount {
    /// The reason, in the system's words.
    pub reason: String,
    /// True triggers with it.
    pub true_triggers: u64,
    /// False triggers with it.
    pub false_triggers: u64,
}

/// How many triggers have each reason, by that of their best detection.
pub fn by_reason(recordings: &[Recording], tally: &Tally) -> Vec<ReasonCount> {
    let mut reasons: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for trigger in &tally.triggers {
        let detection = &recordings[trigger.place.recording].detections()[trigger.best];
        let counts = reasons.entry(&detection.reason).or_default();
        counts[usize::from(!trigger.wanted)] += 1;
    }
    let count = |(reason, [true_triggers, false_triggers]): (&str, [u64; 2])| ReasonCount {
        reason: reason.to_owned(),
        true_triggers,
        false_triggers,
    };
    reasons.into_iter().map(count).collect()
}
