//! The times of one stage, in constant memory.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::{Per, Stage};
use wakegate::{Error, ErrorKind, Result};

/// The longest time that is told apart from longer ones, in nanoseconds.
const LONGEST_NS: u64 = 60_000_000_000;
/// Decimal digits that the histogram keeps of a time.
const DIGITS: u8 = 3;
/// Buckets that the picture has for one doubling of the time.
const PER_OCTAVE: i32 = 2;

/// The times of one stage. The measurement is cut into blocks of equal length, and each block's
/// median is kept: how far the blocks lie apart is the series' own noise.
pub struct Series {
    stage: Stage,
    all: Histogram<u64>,
    block: Histogram<u64>,
    medians_ns: Vec<u64>,
    sum_ns: u128,
    max_ns: u64,
    allocations: u64,
}

/// What a series comes to. Times in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which stage.
    pub stage: Stage,
    /// What one measurement is for.
    pub per: Per,
    /// Measurements.
    pub n: u64,
    /// Arithmetic mean.
    pub mean_us: f64,
    /// Half of the times are at most this; percentiles hold to 0.1 %.
    pub p50_us: f64,
    /// 90 of 100.
    pub p90_us: f64,
    /// 95 of 100.
    pub p95_us: f64,
    /// 99 of 100.
    pub p99_us: f64,
    /// 999 of 1,000; the longest one where there are fewer.
    pub p999_us: f64,
    /// The longest, exact.
    pub max_us: f64,
    /// The median's share of a hop of 80 ms.
    pub share: f64,
    /// Allocations a measurement, where they are counted.
    pub allocations: Option<f64>,
    /// Medians of the measurement's blocks, in their order; blocks without a measurement have
    /// none.
    pub blocks_us: Vec<f64>,
    /// Upper edge in microseconds and count, for each bucket of half an octave that is not
    /// empty.
    pub histogram: Vec<(f64, u64)>,
}

impl Series {
    /// An empty series with room for `blocks` blocks. Recording allocates nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] where there is no memory layout for the histogram.
    pub fn new(stage: Stage, blocks: usize) -> Result<Self> {
        let histogram = || {
            Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).map_err(|error| {
                Error::new(ErrorKind::Settings, "cannot make a histogram").found(error.to_string())
            })
        };
        Ok(Self {
            stage,
            all: histogram()?,
            block: histogram()?,
            medians_ns: Vec::with_capacity(blocks),
            sum_ns: 0,
            max_ns: 0,
            allocations: 0,
        })
    }

    /// Adds a time, and the allocations in it.
    pub fn record(&mut self, ns: u64, allocations: u64) {
        self.all.saturating_record(ns);
        self.block.saturating_record(ns);
        self.sum_ns += u128::from(ns);
        self.max_ns = self.max_ns.max(ns);
        self.allocations += allocations;
    }

    /// Ends a block.
    pub fn end_block(&mut self) {
        if !self.block.is_empty() {
            self.medians_ns.push(self.block.value_at_quantile(0.5));
            self.block.reset();
        }
    }

    /// Adds the series of another stream: its times, and its blocks behind these.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] where the two histograms don't fit together; those of this type do.
    pub fn join(&mut self, other: &Self) -> Result<()> {
        self.all.add(&other.all).map_err(|error| {
            Error::new(ErrorKind::Settings, "cannot join histograms").found(error.to_string())
        })?;
        self.medians_ns.extend(&other.medians_ns);
        self.sum_ns += other.sum_ns;
        self.max_ns = self.max_ns.max(other.max_ns);
        self.allocations += other.allocations;
        Ok(())
    }

    /// Forgets everything: the warm-up is over.
    pub fn clear(&mut self) {
        self.all.reset();
        self.block.reset();
        self.medians_ns.clear();
        (self.sum_ns, self.max_ns, self.allocations) = (0, 0, 0);
    }

    /// Measurements so far.
    pub fn len(&self) -> u64 {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Sum of the times in nanoseconds.
    pub fn sum_ns(&self) -> u128 {
        self.sum_ns
    }

    /// The row, where there is a measurement; `budget_ns` is a hop's length, `counted` whether
    /// allocations were.
    pub fn row(&self, budget_ns: u64, counted: bool) -> Option<Row> {
        let n = self.all.len();
        if n == 0 {
            return None;
        }
        let us = |ns: u64| ns as f64 / 1e3;
        let at = |quantile: f64| us(self.all.value_at_quantile(quantile).min(self.max_ns));
        Some(Row {
            stage: self.stage,
            per: self.stage.per(),
            n,
            mean_us: self.sum_ns as f64 / n as f64 / 1e3,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p95_us: at(0.95),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: us(self.max_ns),
            share: at(0.5) * 1e3 / budget_ns as f64,
            allocations: counted.then_some(self.allocations as f64 / n as f64),
            blocks_us: self.medians_ns.iter().map(|&ns| us(ns)).collect(),
            histogram: self.buckets(),
        })
    }

    fn buckets(&self) -> Vec<(f64, u64)> {
        let mut buckets: Vec<(i32, u64)> = Vec::new();
        for value in self.all.iter_recorded() {
            let ns = value.value_iterated_to().max(1) as f64;
            let place = (ns.log2() * f64::from(PER_OCTAVE)).ceil() as i32;
            match buckets.last_mut() {
                Some((last, count)) if *last == place => *count += value.count_at_value(),
                _ => buckets.push((place, value.count_at_value())),
            }
        }
        let edge = |place: i32| (f64::from(place) / f64::from(PER_OCTAVE)).exp2() / 1e3;
        buckets.into_iter().map(|(place, count)| (edge(place), count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0.1 %: what three digits promise.
    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() <= 0.001, "{found} is not {expected}");
    }

    fn series(times: impl IntoIterator<Item = u64>) -> Series {
        let mut series = Series::new(Stage::Spotter, 4).unwrap();
        times.into_iter().for_each(|ns| series.record(ns, 0));
        series
    }

    #[test]
    fn percentiles_of_a_known_series() {
        // 1 to 1,000 us, mixed up: 7 and 1,000 have no common divisor.
        let row = series((0..1_000_u64).map(|i| (i * 7 % 1_000 + 1) * 1_000));
        let row = row.row(80_000_000, false).unwrap();
        assert_eq!((row.n, row.max_us, row.mean_us), (1_000, 1_000.0, 500.5));
        for (found, expected) in [
            (row.p50_us, 500.0),
            (row.p90_us, 900.0),
            (row.p95_us, 950.0),
            (row.p99_us, 990.0),
            (row.p999_us, 999.0),
        ] {
            close(found, expected);
        }
        close(row.share, 500.0 / 80_000.0);
        assert_eq!(row.histogram.iter().map(|(_, count)| count).sum::<u64>(), 1_000);
        assert!(row.histogram.is_sorted_by(|a, b| a.0 < b.0), "{:?}", row.histogram);
        assert_eq!(row.allocations, None);
    }

    #[test]
    fn few_times_have_the_longest_as_their_highest_percentile() {
        let row = series([10, 20, 3_000_001]).row(80_000_000, false).unwrap();
        assert_eq!((row.p50_us, row.p999_us, row.max_us), (0.02, 3_000.001, 3_000.001));
        assert_eq!(series([]).row(80_000_000, false), None);
    }

    #[test]
    fn each_block_gives_its_median_and_an_empty_one_nothing() {
        let mut series = series([100, 200, 300]);
        series.end_block();
        series.end_block();
        series.record(900, 6);
        series.end_block();
        let row = series.row(1_000, true).unwrap();
        assert_eq!(row.blocks_us, [0.2, 0.9]);
        assert_eq!(row.allocations, Some(1.5));
        let mut other = Series::new(Stage::Spotter, 4).unwrap();
        other.record(2_000, 0);
        other.end_block();
        series.join(&other).unwrap();
        let joined = series.row(1_000, true).unwrap();
        assert_eq!((joined.n, joined.max_us, joined.allocations), (5, 2.0, Some(1.2)));
        assert_eq!(joined.blocks_us, [0.2, 0.9, 2.0]);
        series.clear();
        assert!(series.is_empty());
        assert_eq!(series.row(1_000, true), None);
    }
}
