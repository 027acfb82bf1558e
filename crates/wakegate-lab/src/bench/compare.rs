//! Two measurements held against each other, and against their own noise.

use std::fmt;

use serde::Serialize;

use super::{Report, Row, Stage};

/// Blocks that a series needs before its noise is known.
const FEWEST_BLOCKS: usize = 5;
/// Difference of medians in microseconds below which there is none: some readings of the clock.
/// Two runs of one program differ by 7 % where a stage takes a third of a microsecond.
const LEAST_US: f64 = 0.2;
/// Resamples of the bootstrap.
const RESAMPLES: usize = 2_000;
/// Seed of the bootstrap: the same two files always give the same words.
const SEED: u64 = 0x5eed_0f1e_11a9_e000;

/// What became of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Faster, by more than the noise and the tolerance.
    Faster,
    /// Slower, by more than both.
    Slower,
    /// No difference that the noise or the tolerance would not explain.
    Same,
    /// Too few blocks to know the noise, or no time in one of the two.
    Unknown,
}

/// A stage now, against the same stage then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comparison {
    /// The stage.
    pub stage: Stage,
    /// Median now by median then: above 1 is slower.
    pub ratio: f64,
    /// 95 % interval of the ratio, by a bootstrap over the blocks of both series.
    pub interval: [f64; 2],
    /// What that comes to.
    pub change: Change,
}

/// Compares the stages that both reports have. A difference of less than `tolerance`, a share,
/// is none: two runs of one program differ by some percent where its memory lies otherwise.
pub fn compare(then: &Report, now: &Report, tolerance: f64) -> Vec<Comparison> {
    let both = Stage::ALL.into_iter().filter_map(|stage| then.row(stage).zip(now.row(stage)));
    both.map(|(then, now)| of_rows(then, now, tolerance)).collect()
}

/// A circumstance of a measurement in words.
type Described = fn(&Report) -> String;

/// What makes the two measurements unlike each other beside the program, one line each.
pub fn unlike(then: &Report, now: &Report) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    let pinned = |report: &Report| {
        report.machine.pinned.map_or("any processor".to_owned(), |cpu| format!("processor {cpu}"))
    };
    let described: [(&str, Described); 10] = [
        ("mode", |r| r.mode.clone()),
        ("profile", |r| format!("{}, level {}", r.build.profile, r.build.opt_level)),
        ("compiler", |r| r.build.rustc.clone()),
        ("target", |r| r.build.target.clone()),
        ("processor features", |r| r.build.target_features.clone()),
        ("compiler flags", |r| format!("{:?}", r.build.flags)),
        ("threads", |r| r.threads.to_string()),
        ("runtime", |r| r.runtime.clone()),
        ("rate", |r| format!("{} Hz", r.device_hz)),
        ("load", |r| format!("{} threads", r.load_threads)),
    ];
    let mut found = vec![
        ("processor", text(&then.machine.cpu), text(&now.machine.cpu)),
        ("place", pinned(then), pinned(now)),
        ("governor", text(&then.machine.governor), text(&now.machine.governor)),
        ("kernel", text(&then.machine.kernel), text(&now.machine.kernel)),
    ];
    found.extend(described.map(|(name, of)| (name, of(then), of(now))));
    let mut lines: Vec<String> = found
        .into_iter()
        .filter(|(_, then, now)| then != now)
        .map(|(name, then, now)| format!("{name}: {then} then, {now} now"))
        .collect();
    if then.workload.sha256 != now.workload.sha256 {
        lines.push(format!("audio: {} then, {} now", then.workload.name, now.workload.name));
    }
    if then.model_sha256 != now.model_sha256 {
        lines.push(format!("networks: {} then, {} now", then.model, now.model));
    }
    lines
}

/// What both being one program means, where they are.
pub fn same_program(then: &Report, now: &Report) -> Option<&'static str> {
    let same = then.build.is_same(&now.build);
    same.then_some("both are of the same program: what differs is the machine, or noise")
}

fn of_rows(then: &Row, now: &Row, tolerance: f64) -> Comparison {
    let ratio = now.p50_us / then.p50_us;
    let known = then.blocks_us.len().min(now.blocks_us.len()) >= FEWEST_BLOCKS
        && then.blocks_us.iter().chain(&now.blocks_us).all(|&us| us > 0.0);
    if !known || !ratio.is_finite() || ratio <= 0.0 {
        let interval = [ratio, ratio];
        return Comparison { stage: now.stage, ratio, interval, change: Change::Unknown };
    }
    let interval = bootstrap(&then.blocks_us, &now.blocks_us);
    let change = if (now.p50_us - then.p50_us).abs() < LEAST_US {
        Change::Same
    } else if interval[0] > 1.0 && ratio > 1.0 + tolerance {
        Change::Slower
    } else if interval[1] < 1.0 && ratio < 1.0 / (1.0 + tolerance) {
        Change::Faster
    } else {
        Change::Same
    };
    Comparison { stage: now.stage, ratio, interval, change }
}

/// 95 % interval of the ratio of the medians of `now` to `then`.
fn bootstrap(then: &[f64], now: &[f64]) -> [f64; 2] {
    let mut state = SEED;
    // Steele, Lea and Flood's SplitMix64 (2014).
    let mut draw = |below: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(z ^ (z >> 31)) * below as u128) >> 64) as usize
    };
    let mut drawn = Vec::new();
    let mut median_of_resample = |values: &[f64]| {
        drawn.clear();
        drawn.extend((0..values.len()).map(|_| values[draw(values.len())]));
        median(&mut drawn)
    };
    let mut ratios: Vec<f64> =
        (0..RESAMPLES).map(|_| median_of_resample(now) / median_of_resample(then)).collect();
    ratios.sort_by(f64::total_cmp);
    let tail = RESAMPLES / 40;
    [ratios[tail], ratios[RESAMPLES - 1 - tail]]
}

/// The middle value, or the mean of the two; NaN of none.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, ratio, interval: [low, high], change } = self;
        let (factor, word) =
            if *ratio >= 1.0 { (*ratio, "slower") } else { (1.0 / ratio, "faster") };
        write!(f, "{stage} {factor:.2}x {word}, ")?;
        match change {
            Change::Faster | Change::Slower => write!(f, "outside noise")?,
            Change::Same => write!(f, "within noise")?,
            Change::Unknown => return write!(f, "too few blocks to tell it from noise"),
        }
        write!(f, " (ratio {ratio:.3}, 95 % {low:.3} to {high:.3})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Per;

    /// A stage whose blocks lie `spread` around `p50`, evenly to both sides.
    fn row(p50: f64, spread: f64, blocks: usize) -> Row {
        let place = |block: usize| (block * 7 % blocks) as f64 / blocks as f64 - 0.5;
        Row {
            stage: Stage::Verifier,
            per: Per::Candidate,
            n: 100,
            mean_us: p50,
            p50_us: p50,
            p90_us: p50,
            p95_us: p50,
            p99_us: p50,
            p999_us: p50,
            max_us: p50,
            share: 0.0,
            allocations: None,
            blocks_us: (0..blocks).map(|block| p50 * (1.0 + spread * place(block))).collect(),
            histogram: vec![],
        }
    }

    fn said(then: &Row, now: &Row) -> (Change, String) {
        let comparison = of_rows(then, now, 0.05);
        (comparison.change, comparison.to_string())
    }

    #[test]
    fn a_difference_beyond_the_noise_is_called_by_its_name() {
        let (change, words) = said(&row(1_000.0, 0.1, 32), &row(1_310.0, 0.1, 32));
        assert_eq!(change, Change::Slower);
        assert!(words.starts_with("verifier 1.31x slower, outside noise (ratio 1.310, 95 % 1.2"));
        let (change, words) = said(&row(1_310.0, 0.1, 32), &row(1_000.0, 0.1, 32));
        assert_eq!(change, Change::Faster);
        assert!(words.starts_with("verifier 1.31x faster, outside noise (ratio 0.763"), "{words}");
    }

    #[test]
    fn the_same_difference_in_a_wilder_series_is_noise() {
        let (change, words) = said(&row(1_000.0, 1.6, 12), &row(1_150.0, 1.6, 12));
        assert_eq!(change, Change::Same);
        assert!(words.starts_with("verifier 1.15x slower, within noise"), "{words}");
    }

    #[test]
    fn a_sure_difference_below_the_tolerance_is_none() {
        let (then, now) = (row(1_000.0, 0.001, 32), row(1_040.0, 0.001, 32));
        assert_eq!(said(&then, &now).0, Change::Same);
        assert_eq!(of_rows(&then, &now, 0.01).change, Change::Slower);
        assert_eq!(of_rows(&now, &then, 0.01).change, Change::Faster);
    }

    #[test]
    fn a_difference_of_some_clock_readings_is_none() {
        assert_eq!(said(&row(0.35, 0.001, 32), &row(0.45, 0.001, 32)).0, Change::Same);
        assert_eq!(said(&row(0.35, 0.001, 32), &row(0.75, 0.001, 32)).0, Change::Slower);
    }

    #[test]
    fn too_few_blocks_say_nothing() {
        let (change, words) = said(&row(1_000.0, 0.1, 32), &row(9_000.0, 0.1, 4));
        assert_eq!(change, Change::Unknown);
        assert_eq!(words, "verifier 9.00x slower, too few blocks to tell it from noise");
        assert_eq!(said(&row(0.0, 0.1, 32), &row(1.0, 0.1, 32)).0, Change::Unknown);
    }

    #[test]
    fn the_same_files_give_the_same_words() {
        let (then, now) = (row(1_000.0, 0.4, 20), row(1_100.0, 0.4, 20));
        assert_eq!(said(&then, &now), said(&then, &now));
        let [low, high] = bootstrap(&then.blocks_us, &now.blocks_us);
        assert!(low < 1.1 && 1.1 < high, "{low} to {high}");
    }
}
