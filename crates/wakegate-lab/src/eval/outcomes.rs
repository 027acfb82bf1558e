//! What a system did, label by label, at one operating point.

use super::event::{Detection, Event, Rules, events, triggers};
use super::matching::{Fate, Recording, Span, WHOLE, fates};

/// Where something happened: numbers of a recording and of one of its spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordingPlace {
    /// The recording's number.
    pub recording: usize,
    /// The span's number in it; none for a false accept on nothing that is labelled.
    pub span: Option<usize>,
}

/// A labelled stretch and what became of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Which.
    pub place: RecordingPlace,
    /// Whether it is a target.
    pub wanted: bool,
    /// Whether the system accepted something there.
    pub accepted: bool,
    /// The highest score there: the strictest threshold at which something would be accepted.
    pub score: Option<f32>,
    /// Samples from the word's end to the decision of its hit, where both are known.
    pub delay: Option<i64>,
    /// Whom the bootstrap draws together.
    pub unit: usize,
}

/// A false accept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FalseAccept {
    /// Where.
    pub place: RecordingPlace,
    /// The event.
    pub event: Event,
}

/// A proposal of the first stage, before the second has its say.
///
/// One that comes less than the refractory time after a target's, and is not surer, is its echo
/// and no trigger: where it would be accepted, the target's has been before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trigger {
    /// Where.
    pub place: RecordingPlace,
    /// Whether it is on a target; the triggers of one target count as one, with the highest
    /// score.
    pub wanted: bool,
    /// Its score.
    pub score: f32,
    /// Which of the recording's detections has that score.
    pub best: usize,
    /// Whom the bootstrap draws together.
    pub unit: usize,
}

/// Everything that happened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcomes {
    /// Every labelled stretch, in the order of the recordings.
    pub outcomes: Vec<Outcome>,
    /// Every false accept.
    pub false_accepts: Vec<FalseAccept>,
    /// Accepted events beyond the first of a target.
    pub repeats: usize,
    /// Every trigger.
    pub triggers: Vec<Trigger>,
}

impl Outcomes {
    /// The tally of `recordings` where `keep` tells which detections are accepted.
    pub fn of(recordings: &[Recording], rules: &Rules, keep: impl Fn(&Detection) -> bool) -> Self {
        let mut tally = Self::default();
        for (number, recording) in recordings.iter().enumerate() {
            tally.add(number, recording, rules, &keep);
        }
        tally
    }

    /// The targets.
    pub fn targets(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.wanted)
    }

    /// The labelled negatives.
    pub fn negatives(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| !outcome.wanted)
    }

    fn add(
        &mut self,
        number: usize,
        recording: &Recording,
        rules: &Rules,
        keep: &impl Fn(&Detection) -> bool,
    ) {
        let spans = recording.spans();
        let first = self.outcomes.len();
        let place = |span: Option<usize>| RecordingPlace { recording: number, span };
        self.outcomes.extend(spans.iter().enumerate().map(|(index, span)| Outcome {
            place: place(Some(index)),
            wanted: span.wanted,
            accepted: false,
            score: None,
            delay: None,
            unit: span.unit,
        }));
        let outcomes = &mut self.outcomes[first..];

        // The score of a stretch is that of its best single detection: merging is for firings.
        let single = Rules { merge: 0, refractory: 0, ..*rules };
        let each = events(recording.detections(), &single, |_| true);
        for (event, fate) in each.iter().zip(fates(recording, &each, rules)) {
            if let Fate::Hit(index) | Fate::Repeat(index) | Fate::False(Some(index)) = fate {
                let score = &mut outcomes[index].score;
                *score = Some(score.map_or(event.score, |score| score.max(event.score)));
            }
        }

        let accepted = events(recording.detections(), rules, keep);
        for (event, fate) in accepted.iter().zip(fates(recording, &accepted, rules)) {
            match fate {
                Fate::Hit(index) => {
                    outcomes[index].accepted = true;
                    outcomes[index].delay = delay(&spans[index], event);
                }
                Fate::Repeat(_) => self.repeats += 1,
                Fate::False(span) => {
                    if let Some(index) = span {
                        outcomes[index].accepted = true;
                    }
                    self.false_accepts.push(FalseAccept { place: place(span), event: *event });
                }
            }
        }
        self.trigger(number, recording, rules);
    }

    fn trigger(&mut self, number: usize, recording: &Recording, rules: &Rules) {
        let proposed = triggers(recording.detections(), rules);
        // Number of the trigger of each target, and of the last target with its last time.
        let mut of_target: Vec<Option<usize>> = vec![None; recording.spans().len()];
        let mut last: Option<(usize, u64)> = None;
        for (event, fate) in proposed.iter().zip(fates(recording, &proposed, rules)) {
            let place = |span| RecordingPlace { recording: number, span };
            let trigger = |span, wanted, unit| {
                let Event { score, best, .. } = *event;
                Trigger { place: place(span), wanted, score, best, unit }
            };
            match fate {
                Fate::Hit(index) | Fate::Repeat(index) => {
                    let unit = recording.spans()[index].unit;
                    let trigger = trigger(Some(index), true, unit);
                    let at = *of_target[index].get_or_insert(self.triggers.len());
                    if at == self.triggers.len() {
                        self.triggers.push(trigger);
                    } else if event.score > self.triggers[at].score {
                        self.triggers[at] = trigger;
                    }
                    last = Some((at, event.time));
                }
                Fate::False(span) => {
                    let echo = last.is_some_and(|(at, time)| {
                        event.time - time < rules.refractory
                            && event.score <= self.triggers[at].score
                    });
                    if !echo {
                        self.triggers.push(trigger(span, false, recording.unit_at(event.time)));
                    }
                }
            }
        }
    }
}

fn delay(span: &Span, event: &Event) -> Option<i64> {
    let decided = event.decided.filter(|_| span.end != WHOLE)?;
    Some(i64::try_from(decided).ok()? - i64::try_from(span.end).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { rate_hz: 100, merge: 10, refractory: 100, tolerance: 50 };

    fn detection(time: u64, score: f32) -> Detection {
        let accepted = score >= 0.5;
        Detection { time, decided: Some(time + 80), score, accepted, reason: String::new() }
    }

    fn span(start: u64, end: u64, wanted: bool) -> Span {
        Span { start, end, wanted, unit: 7, row: 0 }
    }

    #[test]
    fn a_six_frame_event_on_nothing_is_one_false_accept() {
        let frames = (0..6).map(|n| detection(500 + 8 * n, 0.9)).collect();
        let recording = Recording::new(Some(1_000), 0, Vec::new(), frames);
        let tally = Outcomes::of(&[recording], &RULES, |d| d.accepted);
        assert_eq!(tally.false_accepts.len(), 1);
        assert_eq!((tally.triggers.len(), tally.repeats), (1, 0));
    }

    #[test]
    fn counts_by_hand() {
        // A target found twice, one that is only proposed, one that nothing proposes; a mention
        // that is accepted; music that is accepted with no label there.
        let spans = vec![
            span(100, 150, true),
            span(400, 450, true),
            span(600, 650, true),
            span(800, 850, false),
        ];
        let detections = vec![
            detection(140, 0.6),
            detection(141, 0.7),
            // Proposed again in the window, and higher, but within the refractory time.
            detection(190, 0.9),
            detection(440, 0.3),
            detection(845, 0.8),
            detection(2_000, 0.95),
            detection(2_500, 0.2),
        ];
        let recording = Recording::new(Some(3_000), 3, spans, detections);
        let tally = Outcomes::of(&[recording], &RULES, |d| d.accepted);
        let told: Vec<_> = tally.outcomes.iter().map(|o| (o.accepted, o.score)).collect();
        let expected = [(true, Some(0.9)), (false, Some(0.3)), (false, None), (true, Some(0.8))];
        assert_eq!(told, expected);
        assert_eq!(tally.outcomes[0].delay, Some(140 + 80 - 150));
        assert_eq!(tally.outcomes[3].delay, None, "a negative has no delay");
        let places: Vec<_> = tally.false_accepts.iter().map(|f| f.place.span).collect();
        assert_eq!(places, [Some(3), None]);
        assert_eq!(tally.repeats, 0, "the refractory time holds the repeat back");
        let triggers: Vec<_> = tally.triggers.iter().map(|t| (t.wanted, t.score, t.unit)).collect();
        // The target's two proposals are one true trigger with the higher score.
        let expected =
            [(true, 0.9, 7), (true, 0.3, 7), (false, 0.8, 3), (false, 0.95, 3), (false, 0.2, 3)];
        assert_eq!(triggers, expected);
        assert_eq!((tally.targets().count(), tally.negatives().count()), (3, 1));
    }

    #[test]
    fn a_second_firing_in_one_window_is_a_repeat() {
        let rules = Rules { refractory: 20, ..RULES };
        let detections = vec![detection(110, 0.6), detection(160, 0.9)];
        let recording = Recording::new(Some(1_000), 0, vec![span(100, 150, true)], detections);
        let tally = Outcomes::of(&[recording], &rules, |d| d.accepted);
        assert_eq!(tally.outcomes.iter().filter(|o| o.accepted).count(), 1);
        assert_eq!((tally.repeats, tally.false_accepts.len()), (1, 0));
    }

    #[test]
    fn an_echo_of_a_target_is_no_false_trigger() {
        // The tolerance ends at 200, the refractory time at 240.
        let triggers = |first: f32, second: u64| {
            let detections = vec![detection(140, first), detection(second, 0.9)];
            let spans = vec![span(100, 150, true)];
            let recording = Recording::new(Some(1_000), 0, spans, detections);
            let tally = Outcomes::of(&[recording], &RULES, |d| d.accepted);
            tally.triggers.iter().map(|t| (t.wanted, t.score)).collect::<Vec<_>>()
        };
        assert_eq!(triggers(0.9, 239), [(true, 0.9)]);
        assert_eq!(triggers(0.9, 240), [(true, 0.9), (false, 0.9)]);
        // Surer than the target's, it is accepted where that is not: a false accept.
        assert_eq!(triggers(0.3, 239), [(true, 0.3), (false, 0.9)]);
    }

    #[test]
    fn a_label_without_times_has_no_delay() {
        let recording =
            Recording::new(Some(1_000), 0, vec![span(0, WHOLE, true)], vec![detection(50, 0.9)]);
        let tally = Outcomes::of(&[recording], &RULES, |d| d.accepted);
        assert!(tally.outcomes[0].accepted && tally.outcomes[0].delay.is_none());
    }
}
