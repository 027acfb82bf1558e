//! The misses and false accepts that tell most: the surest mistakes.

use wakegate_lab::eval::matching::WHOLE;
use wakegate_lab::eval::outcomes::{Outcome, RecordingPlace};

use super::audio;
use crate::commands::eval::join::Joined;
use crate::commands::eval::labels::Labels;
use crate::commands::eval::{Answer, table};

/// How many of each are shown.
const SHOWN: usize = 10;
/// What is heard before a word's end, in seconds.
const BEFORE_S: f64 = 2.5;

/// The two lists.
pub struct Worst {
    /// Targets, the ones with the lowest scores first.
    pub misses: Vec<Entry>,
    /// False accepts, the ones with the highest scores first.
    pub accepts: Vec<Entry>,
    /// How many there are of each.
    pub of: [usize; 2],
}

/// One mistake.
pub struct Entry {
    /// The recording.
    pub name: String,
    /// Where in it and what the system said, in words.
    pub facts: String,
    /// What the label says beyond that, as (column, value).
    pub values: Vec<(String, String)>,
    /// The sound as a URI, or why there is none; nothing where none was asked for.
    pub audio: Option<Result<String, String>>,
}

/// Finds them; `audio` reads the recordings.
pub fn find(answer: &Answer, joined: &Joined, labels: &Labels, audio: bool) -> Worst {
    let (tally, recordings) = (&answer.system.tally, &joined.systems[0]);
    let score = answer.moment.score();
    let seconds = |samples: u64| answer.settings.rules.seconds(samples);
    let mut misses: Vec<&Outcome> = tally.targets().filter(|target| !target.accepted).collect();
    misses.sort_by(|a, b| a.score.unwrap_or(-1.0).total_cmp(&b.score.unwrap_or(-1.0)));
    let mut accepts: Vec<_> = tally.false_accepts.iter().collect();
    accepts.sort_by(|a, b| b.event.score.total_cmp(&a.event.score));
    let of = [misses.len(), accepts.len()];

    let entry = |place: RecordingPlace, at: Option<u64>, said: String| {
        let path = &joined.paths[place.recording];
        let at_s = at.map(seconds);
        let row =
            place.span.map(|span| &labels.rows[recordings[place.recording].spans()[span].row]);
        let values = row.into_iter().flat_map(|row| {
            let columns = labels.extra().chain(["speaker"]);
            columns
                .map(|column| (column.to_owned(), row.value(column).trim().to_owned()))
                .filter(|(_, value)| !value.is_empty())
        });
        Entry {
            name: joined.names[place.recording].clone(),
            facts: match at_s {
                Some(at) => format!("at {at:.2} s: {said}"),
                None => said,
            },
            values: values.collect(),
            audio: audio.then(|| {
                audio::piece(path, at_s.map_or(0.0, |at| at - BEFORE_S))
                    .map_err(|error| error.to_string())
            }),
        }
    };
    let miss = |outcome: &&Outcome| {
        let recording = &recordings[outcome.place.recording];
        let span = outcome.place.span.map(|span| recording.spans()[span]);
        let at = span.map(|span| span.end).filter(|&end| end != WHOLE);
        let trigger =
            tally.triggers.iter().find(|trigger| trigger.wanted && trigger.place == outcome.place);
        let said = match trigger {
            None => "nothing was proposed".to_owned(),
            Some(trigger) => {
                let reason = table::reason(&recording.detections()[trigger.best].reason);
                format!("{score} {:.3}, {reason}", trigger.score)
            }
        };
        entry(outcome.place, at, said)
    };
    Worst {
        misses: misses.iter().take(SHOWN).map(miss).collect(),
        accepts: accepts
            .iter()
            .take(SHOWN)
            .map(|found| {
                entry(
                    found.place,
                    Some(found.event.time),
                    format!("{score} {:.3}", found.event.score),
                )
            })
            .collect(),
        of,
    }
}
