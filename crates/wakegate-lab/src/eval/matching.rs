//! Events against labels: hit, repeat, or false accept.

use std::ops::Range;

use super::bootstrap_units;
use super::bootstrap_units::CELLS;
use super::event::{Detection, Event, Rules};

/// A labelled stretch of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First sample; 0 where the label is about the whole recording.
    pub start: u64,
    /// The sample after the last; [`WHOLE`] where the label is about the whole recording.
    pub end: u64,
    /// Whether the wake word was said there, to the device: a *target*. Anything else is a
    /// *negative*.
    pub wanted: bool,
    /// Whom the bootstrap draws together: a speaker, by number from 0.
    pub unit: usize,
    /// The caller's number of the label.
    pub row: usize,
}

/// The end of a label about a whole recording.
pub const WHOLE: u64 = u64::MAX;

impl Span {
    /// Whether an event at `time` belongs to it.
    fn holds(&self, time: u64, rules: &Rules) -> bool {
        (self.start..=self.end.saturating_add(rules.tolerance)).contains(&time)
    }
}

/// A recording with its labels and what a system made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Its length in samples, where it is known.
    pub length: Option<u64>,
    /// Whom the bootstrap draws together with its false accepts; the first of its cells where it
    /// is [cut](Self::in_blocks).
    pub unit: usize,
    cell: Option<u64>,
    spans: Vec<Span>,
    detections: Vec<Detection>,
    /// The longest span, so that a search by the starts knows where to end.
    longest: u64,
}

impl Recording {
    /// A recording; the order of what is in it doesn't matter.
    pub fn new(
        length: Option<u64>,
        unit: usize,
        mut spans: Vec<Span>,
        mut detections: Vec<Detection>,
    ) -> Self {
        spans.sort_by_key(|span| (span.start, span.end, span.row));
        // Of detections at the same sample the surest is first, so that the order in a file
        // changes nothing.
        detections.sort_by(|a, b| a.time.cmp(&b.time).then(b.score.total_cmp(&a.score)));
        let longest = spans.iter().map(|span| span.end - span.start.min(span.end)).max();
        Self { length, unit, cell: None, spans, detections, longest: longest.unwrap_or(0) }
    }

    /// Its labels by their start.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Its detections by their time.
    pub fn detections(&self) -> &[Detection] {
        &self.detections
    }

    /// The same recording, whose time the bootstrap draws in blocks of `block` samples: it then
    /// has as many units as it has tenths of a block, from [`unit`](Self::unit) on. One whose
    /// length is not known, or that is no longer than a block, stays whole.
    #[must_use]
    pub fn in_blocks(mut self, block: u64) -> Self {
        let long = self.length.is_some_and(|length| length > block);
        self.cell = (long && block > 0).then(|| (block / CELLS as u64).max(1));
        self
    }

    /// Whether its time is drawn in blocks.
    pub fn is_cut(&self) -> bool {
        self.cell.is_some()
    }

    /// Its units: one, or its cells.
    pub fn units(&self) -> Range<usize> {
        bootstrap_units::cells(self.unit, self.length, self.cell)
    }

    /// The unit that what happens at `time` belongs to.
    pub fn unit_at(&self, time: u64) -> usize {
        let place = self.cell.map_or(0, |cell| usize::try_from(time / cell).unwrap_or(usize::MAX));
        self.unit + place.min(self.units().len() - 1)
    }

    /// Samples in which an event would be a false accept: all but the targets with their
    /// tolerance. `None` where the length is not known.
    pub fn exposed(&self, rules: &Rules) -> Option<u64> {
        self.length?;
        Some(self.gaps(rules).iter().map(|gap| gap.end - gap.start).sum())
    }

    /// The same by unit; nothing where the length is not known.
    pub fn exposed_by_unit(&self, rules: &Rules) -> Vec<(usize, u64)> {
        let cell = self.cell.unwrap_or(u64::MAX);
        let mut parts: Vec<(usize, u64)> = Vec::new();
        for gap in self.gaps(rules) {
            let mut at = gap.start;
            while at < gap.end {
                let end = (at / cell).saturating_add(1).saturating_mul(cell).min(gap.end);
                let unit = self.unit_at(at);
                match parts.last_mut() {
                    Some((last, samples)) if *last == unit => *samples += end - at,
                    _ => parts.push((unit, end - at)),
                }
                at = end;
            }
        }
        parts
    }

    /// What lies outside of the targets with their tolerance.
    fn gaps(&self, rules: &Rules) -> Vec<Range<u64>> {
        let length = self.length.unwrap_or(0);
        let (mut gaps, mut covered) = (Vec::new(), 0);
        for span in self.spans.iter().filter(|span| span.wanted) {
            let start = span.start.clamp(covered, length);
            gaps.push(covered..start);
            covered = span.end.saturating_add(rules.tolerance).clamp(start, length);
        }
        gaps.push(covered..length);
        gaps
    }

    /// The spans that an event at `time` belongs to.
    fn holding(&self, time: u64, rules: &Rules) -> impl Iterator<Item = usize> {
        let after = self.spans.partition_point(|span| span.start <= time);
        let reach = self.longest.saturating_add(rules.tolerance);
        (0..after)
            .rev()
            .take_while(move |&index| time - self.spans[index].start <= reach)
            .filter(move |&index| self.spans[index].holds(time, rules))
    }
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The first event of this target.
    Hit(usize),
    /// Another event of a target that has its hit: neither a hit nor a false accept.
    Repeat(usize),
    /// A false accept, with the labelled negative that it is on, if any.
    False(Option<usize>),
}

/// What each of `events`, earliest first, is in `recording`; the numbers are those of its
/// [`spans`](Recording::spans).
///
/// An event that could belong to several targets takes the one that ends first among those
/// without a hit, so that as many as possible have one.
pub fn fates(recording: &Recording, events: &[Event], rules: &Rules) -> Vec<Fate> {
    let spans = recording.spans();
    let mut hit = vec![false; spans.len()];
    let first_to_end = |wanted: bool, free: Option<&[bool]>, time: u64| {
        recording
            .holding(time, rules)
            .filter(|&index| spans[index].wanted == wanted)
            .filter(|&index| free.is_none_or(|hit| !hit[index]))
            .min_by_key(|&index| (spans[index].end, index))
    };
    events
        .iter()
        .map(|event| {
            if let Some(index) = first_to_end(true, Some(&hit), event.time) {
                hit[index] = true;
                return Fate::Hit(index);
            }
            match first_to_end(true, None, event.time) {
                Some(index) => Fate::Repeat(index),
                None => Fate::False(first_to_end(false, None, event.time)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::event::events;

    const RULES: Rules = Rules { rate_hz: 100, merge: 10, refractory: 30, tolerance: 50 };

    fn span(start: u64, end: u64, wanted: bool) -> Span {
        Span { start, end, wanted, unit: 0, row: 0 }
    }

    fn detection(time: u64) -> Detection {
        Detection { time, decided: None, score: 0.9, accepted: true, reason: String::new() }
    }

    fn judged(spans: &[Span], times: &[u64]) -> Vec<Fate> {
        let detections = times.iter().map(|&time| detection(time)).collect();
        let recording = Recording::new(Some(1_000), 0, spans.to_vec(), detections);
        let found = events(recording.detections(), &RULES, |_| true);
        fates(&recording, &found, &RULES)
    }

    #[test]
    fn a_second_detection_in_one_window_is_no_second_hit() {
        let found = judged(&[span(100, 150, true)], &[140, 190]);
        assert_eq!(found, [Fate::Hit(0), Fate::Repeat(0)]);
    }

    #[test]
    fn a_word_is_found_from_its_start_to_the_tolerance_after_its_end() {
        let spans = [span(100, 150, true)];
        let one = |time| judged(&spans, &[time]);
        assert_eq!(one(99), [Fate::False(None)], "before the word nobody can have heard it");
        assert_eq!(one(100), [Fate::Hit(0)]);
        assert_eq!(one(200), [Fate::Hit(0)]);
        assert_eq!(one(201), [Fate::False(None)]);
    }

    #[test]
    fn overlapping_targets_get_a_hit_each() {
        let spans = [span(100, 150, true), span(160, 200, true)];
        // Both events lie in the first one's window, the second in the second's too.
        assert_eq!(judged(&spans, &[150, 190]), [Fate::Hit(0), Fate::Hit(1)]);
        assert_eq!(judged(&spans, &[190, 250]), [Fate::Hit(0), Fate::Hit(1)]);
    }

    #[test]
    fn a_false_accept_names_the_negative_that_it_is_on() {
        let spans = [span(100, 150, false), span(300, 350, true), span(0, WHOLE, false)];
        let found = judged(&spans, &[140, 320, 600]);
        // By their starts, the label of the whole recording is the first.
        assert_eq!(found, [Fate::False(Some(1)), Fate::Hit(2), Fate::False(Some(0))]);
    }

    #[test]
    fn a_label_without_times_is_about_the_whole_recording() {
        let found = judged(&[span(0, WHOLE, true)], &[5, 500, 900]);
        assert_eq!(found, [Fate::Hit(0), Fate::Repeat(0), Fate::Repeat(0)]);
    }

    #[test]
    fn targets_and_their_tolerance_are_no_time_for_false_accepts() {
        let exposed = |spans: &[Span]| {
            Recording::new(Some(1_000), 0, spans.to_vec(), Vec::new()).exposed(&RULES)
        };
        assert_eq!(exposed(&[]), Some(1_000));
        assert_eq!(exposed(&[span(100, 150, false)]), Some(1_000));
        assert_eq!(exposed(&[span(100, 150, true)]), Some(900));
        assert_eq!(exposed(&[span(100, 150, true), span(160, 200, true)]), Some(850));
        assert_eq!(exposed(&[span(100, 300, true), span(160, 200, true)]), Some(750));
        assert_eq!(exposed(&[span(980, 990, true)]), Some(980));
        assert_eq!(exposed(&[span(0, WHOLE, true)]), Some(0));
        assert_eq!(Recording::new(None, 0, Vec::new(), Vec::new()).exposed(&RULES), None);
    }

    #[test]
    fn a_recording_in_blocks_has_a_unit_for_each_of_their_tenths() {
        let whole =
            |length: Option<u64>| Recording::new(length, 7, vec![span(140, 260, true)], Vec::new());
        let cut = whole(Some(1_050)).in_blocks(1_000);
        assert!(cut.is_cut() && cut.units() == (7..18));
        assert_eq!([0, 99, 100, 1_049, 9_999].map(|time| cut.unit_at(time)), [7, 7, 8, 17, 17]);
        // The target and its tolerance, from 140 to 310, lie in three cells.
        let parts = cut.exposed_by_unit(&RULES);
        assert_eq!(parts[..3], [(7, 100), (8, 40), (10, 90)]);
        assert_eq!(parts.last(), Some(&(17, 50)));
        assert_eq!(parts.iter().map(|(_, samples)| samples).sum::<u64>(), 1_050 - 170);
        assert_eq!(cut.exposed(&RULES), Some(880));
        for kept in [whole(Some(1_000)), whole(None), whole(Some(90))] {
            let kept = kept.in_blocks(1_000);
            assert!(!kept.is_cut() && kept.units() == (7..8) && kept.unit_at(5_000) == 7);
        }
        assert!(!whole(Some(1_050)).in_blocks(0).is_cut());
    }
}
