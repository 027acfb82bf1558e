//! From the end of a word to its verdict.

use serde::{Deserialize, Serialize};

use super::{Word, Workload};
use wakegate::audio::SAMPLE_RATE;
use wakegate::pipeline::Activation;

/// How far an activation's word may lie beside the labelled one, in samples: labels and
/// estimates of a word's edges differ by some tenths of a second.
const SLACK: u64 = SAMPLE_RATE as u64 / 2;

/// The delays of one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delay {
    /// Words whose end was heard in the measurement, long enough before its end for a verdict.
    pub words: u64,
    /// Those that had a verdict, whichever.
    pub judged: u64,
    /// Verdicts on anything else.
    pub others: u64,
    /// Whether candidates were proposed at the words' ends; otherwise the spotter found them.
    pub proposed: bool,
    /// Audio after the word's end that the verdict needed, in ms.
    pub audio_ms: Option<Summary>,
    /// From the word's end to the verdict, in ms: that audio, the rest of the block that
    /// brought it, a late wake-up, and the work.
    pub verdict_ms: Option<Summary>,
}

/// Exact percentiles of a short series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Half are at most this.
    pub p50: f64,
    /// 90 of 100.
    pub p90: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100; the longest one of less than a hundred.
    pub p99: f64,
    /// The longest.
    pub max: f64,
    /// Arithmetic mean.
    pub mean: f64,
}

impl Summary {
    /// Of `values`, which need not be in order; none of none. A percentile is the smallest
    /// value that at least so many are not above.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let &max = sorted.last()?;
        let at = |share: f64| {
            let rank = (share * sorted.len() as f64).ceil() as usize;
            sorted[rank.clamp(1, sorted.len()) - 1]
        };
        Some(Self {
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            max,
            mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
        })
    }
}

/// An activation with the moment of its verdict.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub(super) activation: Activation,
    /// The moment on the stream's own clock: samples that the device had recorded by then.
    pub(super) at_sample: f64,
}

/// Holds verdicts against the words of a workload that is heard again and again.
pub(super) struct Matcher<'w> {
    workload: &'w Workload,
    /// Number of the word after the last one with a verdict or of the warm-up, over all rounds.
    next: u64,
    /// Words before this one belong to the warm-up.
    first: u64,
    others: u64,
    audio_ms: Vec<f64>,
    verdict_ms: Vec<f64>,
}

impl<'w> Matcher<'w> {
    /// With room for `most` verdicts.
    pub(super) fn new(workload: &'w Workload, most: usize) -> Self {
        let room = || Vec::with_capacity(most);
        Self { workload, next: 0, first: 0, others: 0, audio_ms: room(), verdict_ms: room() }
    }

    /// Word `number`, counted over all rounds.
    pub(super) fn word(&self, number: u64) -> Option<Word> {
        let count = self.workload.words().len() as u64;
        let word = self.workload.words().get(usize::try_from(number.checked_rem(count)?).ok()?)?;
        let base = number / count * self.workload.samples().len() as u64;
        Some(Word { start: base + word.start, end: base + word.end })
    }

    /// Words that have ended by `sample`.
    pub(super) fn ended_by(&self, sample: u64) -> u64 {
        let length = self.workload.samples().len() as u64;
        let words = self.workload.words();
        let inside = words.partition_point(|word| word.end <= sample % length);
        sample / length * words.len() as u64 + inside as u64
    }

    /// The warm-up has ended at `sample`.
    pub(super) fn begin(&mut self, sample: u64) {
        self.first = self.ended_by(sample);
        // A candidate that was proposed in the warm-up still comes back.
        if !self.workload.is_proposed() {
            self.next = self.next.max(self.first);
        }
        self.others = 0;
        self.audio_ms.clear();
        self.verdict_ms.clear();
    }

    /// Takes a verdict. Allocates nothing while there is room.
    pub(super) fn take(&mut self, judged: &Judged) {
        let Some((number, word)) = self.find(&judged.activation) else {
            self.others += 1;
            return;
        };
        if number < self.next {
            return;
        }
        self.next = number + 1;
        if number < self.first {
            return;
        }
        let ms = |samples: f64| samples * 1e3 / f64::from(SAMPLE_RATE);
        let needed = judged.activation.decided_sample as f64 - word.end as f64;
        self.audio_ms.push(ms(needed));
        self.verdict_ms.push(ms(judged.at_sample - word.end as f64));
    }

    /// The word that `activation` is for: the next one without a verdict where it was proposed,
    /// the first that it lies on otherwise.
    fn find(&self, activation: &Activation) -> Option<(u64, Word)> {
        if activation.spotter_peak.is_none() {
            return self.word(self.next).map(|word| (self.next, word));
        }
        if self.workload.is_proposed() {
            return None;
        }
        let (start, end) = (activation.start_sample, activation.end_sample);
        // From the last one on: a second verdict on it is no other word's.
        (self.next.saturating_sub(1)..)
            .map_while(|number| Some((number, self.word(number)?)))
            .take_while(|(_, word)| word.start <= end + SLACK)
            .find(|(_, word)| start <= word.end + SLACK)
    }

    /// The delays; the stream was heard up to `end`, and a verdict takes up to `longest` more.
    pub(super) fn delays(self, end: u64, longest: u64) -> Option<Delays> {
        if self.workload.words().is_empty() {
            return None;
        }
        let judged = self.verdict_ms.len() as u64;
        // A quick verdict may come for a word so late that it need not have had one.
        let due = self.ended_by(end.saturating_sub(longest)).saturating_sub(self.first);
        Some(Delays {
            words: due.max(judged),
            others: self.others,
            proposed: self.workload.is_proposed(),
            audio_ms: self.audio_ms,
            verdict_ms: self.verdict_ms,
        })
    }
}

/// The delays one by one, of one stream or several.
pub(super) struct Delays {
    words: u64,
    others: u64,
    proposed: bool,
    audio_ms: Vec<f64>,
    verdict_ms: Vec<f64>,
}

impl Delays {
    /// Adds another stream's.
    pub(super) fn join(&mut self, other: Self) {
        self.words += other.words;
        self.others += other.others;
        self.audio_ms.extend(other.audio_ms);
        self.verdict_ms.extend(other.verdict_ms);
    }

    pub(super) fn summary(&self) -> Delay {
        Delay {
            words: self.words,
            judged: self.verdict_ms.len() as u64,
            others: self.others,
            proposed: self.proposed,
            audio_ms: Summary::of(&self.audio_ms),
            verdict_ms: Summary::of(&self.verdict_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wakegate::decision::{Reason, Verdict};
    use wakegate::model::{Posteriors, WakeScores};

    fn judged(start: u64, end: u64, peak: Option<f32>, at_sample: f64) -> Judged {
        let activation = Activation {
            number: 1,
            verdict: Verdict::Intended,
            reason: Reason::Intended,
            posteriors: Posteriors::new([1.0, 0.0, 0.0]).unwrap(),
            scores: WakeScores::new([1.0, 1.0]).unwrap(),
            start_sample: start,
            end_sample: end,
            decided_sample: end + 12_800,
            word_decided_sample: None,
            spotter_peak: peak,
        };
        Judged { activation, at_sample }
    }

    fn workload() -> Workload {
        let words = vec![Word { start: 16_000, end: 24_000 }, Word { start: 48_000, end: 56_000 }];
        Workload::new("two words".to_owned(), vec![0; 64_000], words).unwrap()
    }

    #[test]
    fn percentiles_are_values_of_the_series() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        let found = Summary::of(&values).unwrap();
        assert_eq!((found.p50, found.p90, found.p95), (100.0, 180.0, 190.0));
        assert_eq!((found.p99, found.max, found.mean), (198.0, 200.0, 100.5));
        assert_eq!(Summary::of(&[7.0]).unwrap().p50, 7.0);
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn words_are_counted_over_all_rounds() {
        let workload = workload();
        let matcher = Matcher::new(&workload, 8);
        assert_eq!(matcher.word(3), Some(Word { start: 112_000, end: 120_000 }));
        for (sample, ended) in [(0, 0), (23_999, 0), (24_000, 1), (56_000, 2), (87_999, 2)] {
            assert_eq!(matcher.ended_by(sample), ended, "{sample}");
        }
        assert_eq!(matcher.ended_by(88_000), 3);
    }

    #[test]
    fn a_verdict_is_held_against_the_word_that_it_lies_on() {
        let workload = workload();
        let mut matcher = Matcher::new(&workload, 8);
        // A word of the warm-up, a second verdict on it, one beside all words.
        matcher.begin(30_000);
        matcher.take(&judged(16_200, 23_900, Some(0.9), 37_000.0));
        matcher.take(&judged(47_000, 56_160, Some(0.9), 56_000.0 + 14_400.0));
        matcher.take(&judged(47_500, 56_100, Some(0.9), 75_000.0));
        matcher.take(&judged(100_000, 101_000, Some(0.9), 116_000.0));
        matcher.take(&judged(112_000, 119_840, Some(0.9), 120_000.0 + 16_000.0));
        let delay = matcher.delays(140_000, 16_000).unwrap().summary();
        assert_eq!((delay.words, delay.judged), (3, 2));
        assert_eq!(delay.others, 1);
        assert_eq!(delay.audio_ms.unwrap().p50, 790.0);
        assert_eq!(delay.audio_ms.unwrap().max, 810.0);
        assert_eq!(delay.verdict_ms.unwrap().p50, 900.0);
        assert_eq!(delay.verdict_ms.unwrap().max, 1_000.0);
    }

    #[test]
    fn proposed_candidates_come_back_in_their_order() {
        let workload = Workload::built_in();
        let mut matcher = Matcher::new(&workload, 8);
        let end = workload.words()[0].end;
        // What the verifier says of the span does not matter, and the spotter's own are others.
        matcher.take(&judged(0, end, None, end as f64 + 13_600.0));
        matcher.take(&judged(0, end, Some(0.2), 1e6));
        let delay = matcher.delays(end + 16_000, 16_000).unwrap().summary();
        assert_eq!((delay.words, delay.judged, delay.others, delay.proposed), (1, 1, 1, true));
        assert_eq!(delay.verdict_ms.unwrap().max, 850.0);
    }

    #[test]
    fn without_words_there_is_no_delay() {
        let workload = Workload::new("quiet".to_owned(), vec![0; 16_000], Vec::new()).unwrap();
        let mut matcher = Matcher::new(&workload, 8);
        matcher.begin(20_000);
        matcher.take(&judged(0, 100, Some(0.9), 1_000.0));
        assert!(matcher.delays(1_000_000, 16_000).is_none());
    }
}
