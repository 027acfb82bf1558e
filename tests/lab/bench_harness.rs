//! The latency harness on a clock that is made up: its counts and times are exact.

use std::cell::Cell;

use crate::cli_support::{RATE, package, speech_like};
use wakegate::ErrorKind;
use wakegate::model::Model;
use wakegate_lab::bench::{Measured, Meter, Plan, Row, Stage, Word, Workload, run};

/// Nanoseconds that every reading takes.
const READING: u64 = 1_000;

/// A clock that goes on by [`READING`] each time it is read, and at once to where it is waited
/// for, or `late` nanoseconds further. Each reading is an allocation, too.
#[derive(Default)]
struct Made {
    now: Cell<u64>,
    readings: Cell<u64>,
    late: u64,
    counts: bool,
}

impl Meter for Made {
    fn now(&self) -> u64 {
        self.readings.set(self.readings.get() + 1);
        self.now.set(self.now.get() + READING);
        self.now.get()
    }

    fn wait_until(&self, at: u64) {
        self.now.set(self.now.get().max(at + self.late));
    }

    fn cpu_ns(&self) -> Option<u64> {
        Some(self.now.get() / 2)
    }

    fn allocations(&self) -> Option<u64> {
        self.counts.then(|| self.readings.get())
    }
}

fn tiny() -> Model {
    let folder = tempfile::tempdir().unwrap();
    package(folder.path());
    Model::open(folder.path()).unwrap()
}

const PACED: Plan = Plan { warmup_s: 4.0, seconds: 24.0, pace: true, rate: 48_000 };

fn measure(workload: &Workload, plan: &Plan, meter: &Made) -> Measured {
    let mut begun = 0;
    let measured = run(&tiny(), workload, plan, meter, &mut || begun += 1).unwrap();
    assert_eq!(begun, 1);
    measured
}

fn row(measured: &Measured, stage: Stage) -> &Row {
    measured.rows.iter().find(|row| row.stage == stage).unwrap()
}

#[test]
fn a_paced_measurement_has_as_many_hops_as_its_audio() {
    let meter = Made { late: 500_000, ..Made::default() };
    let measured = measure(&Workload::built_in(), &PACED, &meter);
    assert_eq!((measured.hops, measured.audio_s), (300, 24.0));
    assert_eq!(measured.candidates, row(&measured, Stage::Verifier).n);
    for stage in [Stage::FrontEnd, Stage::Decision, Stage::Spotter, Stage::Listening] {
        assert_eq!(row(&measured, stage).n, 300, "{stage}");
    }
    assert_eq!(row(&measured, Stage::Lateness).n, 1_200);
    // Late by 500 us, and one reading.
    assert_eq!(row(&measured, Stage::Lateness).max_us, 501.0);
    // Made time passes by reading alone, and everything is cut into 32 blocks.
    assert_eq!(row(&measured, Stage::Spotter).max_us, 1.0);
    assert_eq!(row(&measured, Stage::Ring).p50_us, 4.0);
    assert_eq!(row(&measured, Stage::Resample).max_us, 4.0);
    assert_eq!(row(&measured, Stage::Gate).max_us, 8.0);
    assert_eq!(row(&measured, Stage::Spotter).blocks_us, [1.0; 32]);
    // Every frame is a reading for the front end and one for the decision; the rest of a block
    // that completes no frame is one more. A step falls into four blocks on average.
    assert_eq!(row(&measured, Stage::FrontEnd).mean_us, 8.0 + 4.0);
    let hop = row(&measured, Stage::Hop);
    assert!((measured.busy_s - hop.mean_us * 300.0 / 1e6).abs() < 1e-9);
    assert!((measured.rtf() - measured.busy_s / 24.0).abs() < 1e-12);
    assert!((hop.share - hop.p50_us / 80_000.0).abs() < 1e-12);
    assert!((measured.wall_s - 24.0).abs() < 0.02, "{}", measured.wall_s);
    assert!((measured.cpu_s.unwrap() - 12.0).abs() < 0.02, "{:?}", measured.cpu_s);
    assert_eq!(hop.allocations, None);
}

#[test]
fn a_word_that_is_proposed_has_its_verdict_when_its_window_is_full() {
    let meter = Made { late: 3_000_000, ..Made::default() };
    let measured = measure(&Workload::built_in(), &PACED, &meter);
    let delay = measured.delay.unwrap();
    // From 4 to 28 s, verdicts up to 26 s: words end at 2, 6, 10, ..., 26 s.
    assert_eq!((delay.words, delay.judged, delay.proposed), (6, 6, true));
    let audio = delay.audio_ms.unwrap();
    // 0.8 s after the word, and the rest of the last frame's window.
    assert_eq!((audio.p50, audio.max), (815.0, 815.0));
    let verdict = delay.verdict_ms.unwrap();
    // What the resampler holds back and the block of 20 ms, the late wake-up, some readings.
    assert!((818.0..900.0).contains(&verdict.p50), "{verdict:?}");
    assert!(verdict.p50 > audio.p50 + 3.0 && verdict.max < 900.0, "{verdict:?}");
}

#[test]
fn at_16_khz_every_hop_is_a_step() {
    let plan = Plan { rate: 16_000, ..PACED };
    let measured = measure(&Workload::built_in(), &plan, &Made::default());
    assert_eq!(row(&measured, Stage::Hop).n, row(&measured, Stage::Spotter).n);
    let verdict = measured.delay.unwrap().verdict_ms.unwrap();
    // 815 ms are within the block that ends at 820 ms.
    assert!((820.0..821.0).contains(&verdict.p50), "{verdict:?}");
}

#[test]
fn at_full_speed_as_much_audio_is_heard_as_there_is_time_for() {
    let plan = Plan { warmup_s: 0.05, seconds: 0.1, pace: false, rate: 16_000 };
    let measured = measure(&Workload::built_in(), &plan, &Made::default());
    // Some 100 readings a hop of a made microsecond each.
    assert!((500..2_000).contains(&measured.hops), "{}", measured.hops);
    assert!((measured.wall_s - 0.1).abs() < 0.001, "{}", measured.wall_s);
    assert!(measured.rows.iter().all(|row| row.stage != Stage::Lateness));
    assert!(measured.busy_s < measured.wall_s);
    assert_eq!(row(&measured, Stage::Hop).blocks_us.len(), 32);
}

#[test]
fn the_spotters_candidates_are_held_against_the_labels() {
    // The tiny spotter takes the bursts for its word; those of one label, and of none.
    let samples: Vec<i16> = speech_like(12.0, 0).iter().map(|s| (s * 32_767.0) as i16).collect();
    let count = |words: Vec<Word>| {
        let workload = Workload::new("bursts".to_owned(), samples.clone(), words).unwrap();
        let plan = Plan { warmup_s: 0.0, seconds: 12.0, ..PACED };
        let measured = measure(&workload, &plan, &Made::default());
        (measured.candidates, measured.delay)
    };
    let (candidates, delay) = count(Vec::new());
    assert!(candidates > 3, "{candidates}");
    assert_eq!(delay, None);
    let word = Word { start: 17 * RATE as u64 / 10, end: 22 * RATE as u64 / 10 };
    let (same, delay) = count(vec![word]);
    let delay = delay.unwrap();
    assert_eq!(same, candidates);
    assert_eq!((delay.words, delay.judged, delay.proposed), (1, 1, false));
    assert!(delay.others >= candidates - 2 && delay.others < candidates, "{delay:?}");
}

#[test]
fn allocations_belong_to_the_stage_that_made_them() {
    let meter = Made { counts: true, ..Made::default() };
    let measured = measure(&Workload::built_in(), &PACED, &meter);
    // The made clock allocates once a reading.
    assert_eq!(row(&measured, Stage::Spotter).allocations, Some(1.0));
    assert_eq!(row(&measured, Stage::FrontEnd).allocations, Some(12.0));
}

#[test]
fn a_plan_out_of_range_is_refused() {
    for plan in [
        Plan { seconds: 0.0, ..PACED },
        Plan { seconds: f64::NAN, ..PACED },
        Plan { warmup_s: -1.0, ..PACED },
        Plan { rate: 44_100, ..PACED },
        Plan { rate: 0, ..PACED },
        Plan { rate: 208_000, ..PACED },
    ] {
        let refused = run(&tiny(), &Workload::built_in(), &plan, &Made::default(), &mut || {});
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Settings, "{plan:?}");
    }
}
