//! Intervals of false accepts an hour on made streams: where they come in clusters, Poisson's
//! interval misses the truth too often, and the one over blocks of time does not.

use wakegate::intervals::{Interval, poisson};
use wakegate_lab::eval::bootstrap::{Resampling, intervals};
use wakegate_lab::eval::bootstrap_units::{BootstrapUnits, CELLS};
use wakegate_lab::eval::clusters::{Clusters, Exposure};
use wakegate_lab::eval::event::{Detection, Rules};
use wakegate_lab::eval::figures::{Figures, Settings};
use wakegate_lab::eval::matching::Recording;
use wakegate_lab::eval::random::Random;

const HOUR: f64 = 3600.0;
const HOURS: f64 = 48.0;
const BLOCK_S: f64 = 300.0;
/// False accepts an hour of every made stream, on average.
const RATE: f64 = 1.5;

/// How the events of a stream come.
#[derive(Clone, Copy)]
struct Made {
    /// Events of a cluster on average, geometrically distributed; 1 for independent ones.
    size: f64,
    /// Seconds in which a cluster's events lie.
    spread_s: f64,
}

const CLUSTERED: Made = Made { size: 5.0, spread_s: 90.0 };
const INDEPENDENT: Made = Made { size: 1.0, spread_s: 0.0 };

/// Seconds of the events of a stream that has [`RATE`] of them an hour (Neyman and Scott's
/// process: clusters at random, each with its events behind it).
fn stream(made: Made, random: &mut Random) -> Vec<f64> {
    let exponential = |random: &mut Random| -(1.0 - random.unit()).ln();
    let mut times = Vec::new();
    // From before the start, so that what reaches into the stream is there too.
    let mut at = -made.spread_s;
    loop {
        at += exponential(random) * HOUR * made.size / RATE;
        if at >= HOURS * HOUR {
            times.sort_by(f64::total_cmp);
            return times;
        }
        loop {
            let time = at + random.unit() * made.spread_s;
            if (0.0..HOURS * HOUR).contains(&time) {
                times.push(time);
            }
            if random.unit() < 1.0 / made.size {
                break;
            }
        }
    }
}

/// Poisson's interval and that over blocks, of the rate an hour; and what is said of clusters.
fn judged(times: &[f64], seed: u64) -> (Interval, Interval, Option<Clusters>) {
    let cells = (HOURS * HOUR / BLOCK_S) as usize * CELLS;
    let cell_s = HOURS * HOUR / cells as f64;
    let mut falses = vec![0; cells];
    times.iter().for_each(|time| falses[(time / cell_s) as usize] += 1);
    let exposure = Exposure::new(falses, vec![cell_s / HOUR; cells]);
    let units = BootstrapUnits::stream(cells);
    let resampling = Resampling { units: &units, count: 400, seed };
    let drawn = intervals(resampling, 0.95, |weights| vec![exposure.per_hour(weights)]);
    let Interval { low, high } = poisson(times.len() as u64, 0.95).unwrap();
    let exact = Interval { low: low / HOURS, high: high / HOURS };
    (exact, drawn[0].unwrap(), exposure.clusters(&units, seed))
}

/// Of made streams, the shares in which Poisson's interval and that over blocks hold the rate,
/// and in which clusters are found.
fn coverage(made: Made, streams: u64) -> [f64; 3] {
    let holds = |interval: Interval| (interval.low..=interval.high).contains(&RATE);
    let mut counts = [0_u32; 3];
    for seed in 0..streams {
        let times = stream(made, &mut Random::named(seed, "stream"));
        let (exact, drawn, clusters) = judged(&times, seed);
        let said = [holds(exact), holds(drawn), clusters.is_some_and(|c| c.found)];
        counts.iter_mut().zip(said).for_each(|(count, is)| *count += u32::from(is));
    }
    counts.map(|count| f64::from(count) / streams as f64)
}

#[test]
fn in_clusters_poisson_is_too_narrow_and_blocks_are_not() {
    let [exact, drawn, found] = coverage(CLUSTERED, 300);
    println!("clusters: Poisson holds in {exact}, blocks in {drawn}, clusters found in {found}");
    assert!(exact < 0.65, "Poisson's interval, said to hold in 0.95, holds in {exact}");
    assert!(drawn > 0.88, "the interval over blocks holds in {drawn}");
    assert!(found > 0.95, "clusters are found in {found}");
}

#[test]
fn of_independent_events_both_hold_and_no_clusters_are_found() {
    let [exact, drawn, found] = coverage(INDEPENDENT, 300);
    println!("independent: Poisson holds in {exact}, blocks in {drawn}, clusters found in {found}");
    assert!(exact > 0.92, "Poisson's interval holds in {exact}");
    assert!(drawn > 0.90, "the interval over blocks holds in {drawn}");
    // The level of the test is 1 in 100.
    assert!(found < 0.04, "clusters are found in {found}");
}

#[test]
fn the_figures_have_both_intervals_and_say_which_to_go_by() {
    let rules = Rules { rate_hz: 16_000, merge: 4_000, refractory: 16_000, tolerance: 8_000 };
    let settings = Settings {
        rules,
        threshold: None,
        confidence: 0.95,
        block: rules.samples(BLOCK_S),
        resamples: 400,
        seed: 1,
    };
    let figures = |made: Made| {
        let times = stream(made, &mut Random::named(7, "stream"));
        let detection = |&time: &f64| Detection {
            time: rules.samples(time),
            decided: None,
            score: 0.9,
            accepted: true,
            reason: String::new(),
        };
        let length = rules.samples(HOURS * HOUR);
        let detections = times.iter().map(detection).collect();
        let recording = Recording::new(Some(length), 0, Vec::new(), detections);
        Figures::of(&[recording.in_blocks(settings.block)], &settings).unwrap().0
    };
    let width = |interval: Interval| interval.high - interval.low;
    let clustered = figures(CLUSTERED);
    assert_eq!(clustered.time_drawn.blocks, (HOURS * HOUR / BLOCK_S) as usize);
    let rate = clustered.false_accepts;
    assert_eq!(clustered.false_accepts_by_unit.value, rate.value);
    let drawn = clustered.false_accepts_by_unit.interval.unwrap();
    assert!(width(drawn) > 1.5 * width(rate.interval.unwrap()), "{drawn:?} and {rate:?}");
    assert!(clustered.clusters.unwrap().found);
    let said = |figures: &Figures| figures.notes.iter().any(|note| note.contains("in clusters"));
    assert!(said(&clustered), "{:?}", clustered.notes);

    let independent = figures(INDEPENDENT);
    let drawn = independent.false_accepts_by_unit.interval.unwrap();
    let ratio = width(drawn) / width(independent.false_accepts.interval.unwrap());
    assert!((0.75..1.25).contains(&ratio), "{ratio}");
    assert!(!independent.clusters.unwrap().found && !said(&independent));
}
