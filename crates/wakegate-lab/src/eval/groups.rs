//! The figures of parts of the data: by speaker, noise, word, whatever the labels say.

use std::collections::BTreeMap;

use serde::Serialize;

use super::event::Rules;
use super::figures::{Delay, KEPT, PerHour, Share};
use super::matching::Recording;
use super::outcomes::{Outcome, Outcomes, RecordingPlace};
use super::rank::{Ranked, Scored};
use wakegate::Result;

/// A part of the data. What ranks scores has no interval here: parts are small.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The value that its labels share.
    pub name: String,
    /// Of its targets, those without an accepted event.
    pub frr: Share,
    /// The same at the thresholds at which the whole data has few false accepts an hour.
    pub miss_at: Vec<GroupMiss>,
    /// Of its labelled negatives, those with an accepted event.
    pub negatives_accepted: Share,
    /// The false accepts in its recordings, on labelled negatives or not.
    pub false_accepts: PerHour,
    /// The equal error rate of its targets against its labelled negatives.
    pub equal_error: Option<f64>,
    /// The area under the curve of the same.
    pub auc: Option<f64>,
    /// Share of its false triggers that are stopped where [`KEPT`] of its true ones are kept.
    pub stopped: Option<f64>,
    /// Delay of its hits.
    pub delay_s: Option<Delay>,
}

/// The misses of a group where the whole data has at most so many false accepts an hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GroupMiss {
    /// At most so many.
    pub false_accepts_per_hour: f64,
    /// Of its targets, those without an event at that threshold.
    pub frr: Share,
}

/// What a system does at one operating point, and at those of few false accepts an hour.
#[derive(Debug, Clone, Copy)]
pub struct Points<'a> {
    /// The operating point.
    pub here: &'a Outcomes,
    /// The others: false accepts an hour, and the tally there.
    pub at: &'a [(f64, Outcomes)],
}

#[derive(Default)]
struct Part<'a> {
    outcomes: Vec<&'a Outcome>,
    triggers: Vec<Scored>,
    /// (missed, targets) at each of the other points.
    missed: Vec<[u64; 2]>,
    falses: u64,
    exposed: u64,
}

/// The figures by group, in the order of their names. `name` gives the group of a label, and
/// of a whole recording where [`RecordingPlace::span`] is none.
///
/// # Errors
/// [`ErrorKind::Settings`](wakegate::ErrorKind::Settings) for a confidence outside of 0 to 1.
pub fn by(
    recordings: &[Recording],
    points: Points<'_>,
    rules: &Rules,
    confidence: f64,
    name: impl Fn(RecordingPlace) -> String,
) -> Result<Vec<Group>> {
    let mut parts: BTreeMap<String, Part<'_>> = BTreeMap::new();
    for outcome in &points.here.outcomes {
        parts.entry(name(outcome.place)).or_default().outcomes.push(outcome);
    }
    for (index, (_, tally)) in points.at.iter().enumerate() {
        for target in tally.targets() {
            let part = parts.entry(name(target.place)).or_default();
            part.missed.resize(points.at.len(), [0, 0]);
            part.missed[index][0] += u64::from(!target.accepted);
            part.missed[index][1] += 1;
        }
    }
    for t in &points.here.triggers {
        let scored = Scored { score: Some(t.score), wanted: t.wanted, unit: t.unit };
        parts.entry(name(t.place)).or_default().triggers.push(scored);
    }
    let whole = |recording: usize| name(RecordingPlace { recording, span: None });
    for (number, recording) in recordings.iter().enumerate() {
        let exposed = recording.exposed(rules).unwrap_or(0);
        if exposed > 0 {
            parts.entry(whole(number)).or_default().exposed += exposed;
        }
    }
    for found in &points.here.false_accepts {
        parts.entry(whole(found.place.recording)).or_default().falses += 1;
    }
    let rates = points.at.iter().map(|(rate, _)| *rate).collect::<Vec<_>>();
    let group = |(name, part): (String, Part<'_>)| part.group(name, &rates, rules, confidence);
    parts.into_iter().map(group).collect()
}

impl Part<'_> {
    fn group(self, name: String, rates: &[f64], rules: &Rules, confidence: f64) -> Result<Group> {
        let trials = self.outcomes.iter();
        let trials =
            trials.map(|o| Scored { score: o.score, wanted: o.wanted, unit: o.unit }).collect();
        let (trials, triggers) = (Ranked::new(trials), Ranked::new(self.triggers));
        let side = |wanted: bool| self.outcomes.iter().filter(move |o| o.wanted == wanted);
        let miss_at = rates.iter().zip(&self.missed).map(|(&rate, &[k, n])| {
            let frr = Share::new(k, n, confidence)?;
            Ok(GroupMiss { false_accepts_per_hour: rate, frr })
        });
        let hours = rules.seconds(self.exposed) / 3600.0;
        Ok(Group {
            name,
            frr: Share::of(side(true).map(|target| !target.accepted), confidence)?,
            miss_at: miss_at.collect::<Result<_>>()?,
            negatives_accepted: Share::of(side(false).map(|n| n.accepted), confidence)?,
            false_accepts: PerHour::new(self.falses, hours, confidence)?,
            equal_error: trials.equal_error(None).map(|found| found.rate),
            auc: trials.auc(None),
            stopped: triggers.stopped_at(KEPT, None).map(|found| found.stopped),
            delay_s: Delay::of(side(true).copied(), rules),
        })
    }
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
pub fn by_reason(recordings: &[Recording], tally: &Outcomes) -> Vec<ReasonCount> {
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
