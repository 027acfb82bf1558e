//! Detections to events: what a person would call one firing, in sample time.

use serde::Serialize;

/// How detections become events and events meet labels. A false accept has no meaning without
/// them, so they are part of every metric's name: see [`name`](Self::name).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rules {
    /// Samples a second of every time here.
    pub rate_hz: u32,
    /// A detection at most so many samples after the one before it belongs to the same event.
    pub merge: u64,
    /// A detection less than so many samples after the first of an event fires nothing: a device
    /// that has just woken does not wake again.
    pub refractory: u64,
    /// A word is found by an event from its start to so many samples after its end.
    pub tolerance: u64,
}

impl Rules {
    /// `seconds` as samples.
    pub fn samples(&self, seconds: f64) -> u64 {
        (seconds * f64::from(self.rate_hz)).round() as u64
    }

    /// `samples` as seconds.
    pub fn seconds(&self, samples: u64) -> f64 {
        samples as f64 / f64::from(self.rate_hz)
    }

    /// The rules as they stand behind a metric: `merge 0.25 s, refractory 1 s, tolerance 0.5 s`.
    pub fn name(&self) -> String {
        let [merge, refractory, tolerance] =
            [self.merge, self.refractory, self.tolerance].map(|samples| self.seconds(samples));
        format!("merge {merge} s, refractory {refractory} s, tolerance {tolerance} s")
    }
}

/// A moment at which a system proposes the wake word: one activation, or one frame of an engine
/// that gives a score for each.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// Where the word ends by the system's account, in samples from the recording's start.
    pub time: u64,
    /// The sample that had to be heard for the decision, where it is known.
    pub decided: Option<u64>,
    /// Higher means likelier intended; for calibration, a probability.
    pub score: f32,
    /// Whether the system accepted it.
    pub accepted: bool,
    /// Why, in the system's words.
    pub reason: String,
}

/// One or more detections that are one firing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// Time of the first detection, in samples: that is when the system fires.
    pub time: u64,
    /// When the first detection was decided, in samples.
    pub decided: Option<u64>,
    /// The highest score.
    pub score: f32,
    /// Which detection has it.
    pub best: usize,
    /// How many detections there are.
    pub size: usize,
    last: u64,
}

/// The events among those of `detections`, earliest first, that `keep` lets through.
pub fn events(
    detections: &[Detection],
    rules: &Rules,
    keep: impl Fn(&Detection) -> bool,
) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for (index, detection) in detections.iter().enumerate().filter(|(_, d)| keep(d)) {
        let &Detection { time, decided, score, .. } = detection;
        match events.last_mut() {
            Some(event) if time.saturating_sub(event.last) <= rules.merge => {
                event.last = time;
                event.size += 1;
                if score > event.score {
                    (event.score, event.best) = (score, index);
                }
            }
            Some(event) if time.saturating_sub(event.time) < rules.refractory => {}
            _ => events.push(Event { time, decided, score, best: index, size: 1, last: time }),
        }
    }
    events
}

/// Every proposal as an event, whatever its score and without a refractory time: the triggers
/// among which a second stage chooses.
pub fn triggers(detections: &[Detection], rules: &Rules) -> Vec<Event> {
    events(detections, &Rules { refractory: 0, ..*rules }, |_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { rate_hz: 16_000, merge: 1_600, refractory: 16_000, tolerance: 0 };

    fn at(time: u64, score: f32) -> Detection {
        Detection { time, decided: Some(time + 10), score, accepted: true, reason: String::new() }
    }

    #[test]
    fn six_frames_in_a_row_are_one_event() {
        let frames: Vec<_> =
            (0..6).map(|n| at(32_000 + n * 1_280, 0.5 + n as f32 / 20.0)).collect();
        let found = events(&frames, &RULES, |_| true);
        let [event] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((event.time, event.size, event.best), (32_000, 6, 5));
        assert_eq!((event.score, event.decided), (0.75, Some(32_010)));
    }

    #[test]
    fn the_merge_window_counts_from_the_detection_before() {
        let times = |times: &[u64]| -> Vec<(u64, usize)> {
            let detections: Vec<_> = times.iter().map(|&time| at(time, 0.5)).collect();
            events(&detections, &RULES, |_| true).iter().map(|e| (e.time, e.size)).collect()
        };
        // A run may outlast the refractory time and is still one.
        assert_eq!(times(&(0..20).map(|n| n * 1_600).collect::<Vec<_>>()), [(0, 20)]);
        assert_eq!(times(&[0, 1_600]), [(0, 2)]);
        // Just outside of the window, inside of the refractory time: nothing fires.
        assert_eq!(times(&[0, 1_601]), [(0, 1)]);
        assert_eq!(times(&[0, 15_999]), [(0, 1)]);
        assert_eq!(times(&[0, 16_000]), [(0, 1), (16_000, 1)]);
        // What did not fire does not lengthen the refractory time, nor the event.
        assert_eq!(times(&[0, 15_000, 16_000]), [(0, 1), (16_000, 1)]);
    }

    #[test]
    fn a_threshold_comes_before_the_merging() {
        let detections = [at(0, 0.2), at(1_000, 0.9), at(40_000, 0.3)];
        let found = events(&detections, &RULES, |d| d.score >= 0.5);
        assert_eq!(found.iter().map(|e| (e.time, e.size)).collect::<Vec<_>>(), [(1_000, 1)]);
        let found = triggers(&[at(0, 0.2), at(5_000, 0.9)], &RULES);
        assert_eq!(found.len(), 2, "a weak trigger hides no strong one");
    }

    #[test]
    fn the_rules_have_a_name() {
        assert_eq!(RULES.name(), "merge 0.1 s, refractory 1 s, tolerance 0 s");
    }
}
