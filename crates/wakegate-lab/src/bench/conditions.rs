//! What makes a measurement less than it seems, and what to do about it.

use serde::{Deserialize, Serialize};

use super::{Machine, Measured, Stage, Watched};

/// Share of the processor that others may have without a warning.
const OTHERS: f64 = 0.03;
/// By how much the processor's speed may change between start and end.
const DRIFT: f64 = 0.03;
/// Share of the hops that may be cut into by the scheduler: enough of them are the tail.
const PREEMPTED: f64 = 0.01;
/// Hops below which the highest percentile is the longest hop.
const FEWEST_HOPS: u64 = 10_000;
/// Candidates below which the verifier's and the delay's 99th percentile is the longest.
const FEWEST_CANDIDATES: u64 = 100;

/// A doubt, and its remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What is wrong.
    pub what: String,
    /// What helps.
    pub remedy: String,
}

/// Under which conditions something was measured.
#[derive(Debug, Clone)]
pub struct Conditions<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// What was measured.
    pub measured: &'a Measured,
    /// What others did meanwhile.
    pub watched: Watched,
    /// A fixed piece of arithmetic before and after, in ns.
    pub speed_ns: [u64; 2],
    /// Seconds of warm-up.
    pub warmup_s: f64,
    /// Busy threads that were asked for.
    pub load: usize,
    /// Streams that were judged at once.
    pub threads: usize,
    /// Whether the program was built without optimisation.
    pub debug_build: bool,
}

/// The doubts about a measurement, the gravest first.
pub fn warnings(conditions: &Conditions<'_>) -> Vec<Warning> {
    let Conditions { machine, measured, watched, load, .. } = conditions;
    let mut found = Vec::new();
    let mut warn = |doubt: bool, what: String, remedy: &str| {
        if doubt {
            found.push(Warning { what, remedy: remedy.to_owned() });
        }
    };
    warn(
        conditions.debug_build,
        "a build for development: its times say nothing about a device".to_owned(),
        "build with `cargo build --release`",
    );
    // Asked for, a load is part of the measurement.
    let asked_for = *load > 0;
    let others = watched.others.unwrap_or(0.0);
    warn(
        !asked_for && others > OTHERS,
        format!("other programs had {:.0} % of the processor", others * 1e2),
        "stop them, or keep to an idle processor with --cpu",
    );
    let [before, after] = conditions.speed_ns.map(|ns| ns.max(1) as f64);
    let drift = (after / before).max(before / after) - 1.0;
    warn(
        drift > DRIFT,
        format!("the processor's speed changed by {:.0} % in the measurement", drift * 1e2),
        "let it cool down, set the governor to performance, or warm up longer (--warmup)",
    );
    if let Some(governor) = machine.governor.as_deref() {
        warn(
            governor != "performance",
            format!("the governor is {governor}: the frequency follows the load"),
            "`cpupower frequency-set -g performance`, or leave it and measure with --pace what \
             users have",
        );
    }
    let preempted = watched.preempted.unwrap_or(0);
    warn(
        !asked_for && preempted as f64 > PREEMPTED * measured.hops as f64,
        format!("the scheduler cut in {preempted} times in {} hops", measured.hops),
        "stop other programs; the tail holds their time",
    );
    let threads = conditions.threads;
    let places = if machine.pinned.is_some() { 1 } else { machine.cores };
    warn(
        threads > places,
        format!("{threads} threads on {places} processors: each waits for the others"),
        "no more --threads than processors, or read the rates and not the times",
    );
    warn(
        machine.pinned.is_none() && machine.cores > 1 && threads == 1,
        "the thread may have moved between processors".to_owned(),
        "keep it on one with --cpu",
    );
    warn(
        conditions.warmup_s <= 0.0,
        "no warm-up: the first hops are cold".to_owned(),
        "--warmup 1",
    );
    warn(
        measured.hops < FEWEST_HOPS,
        format!(
            "only {} hops: p99.9 rests on the longest {}",
            measured.hops,
            measured.hops.div_ceil(1_000).max(1)
        ),
        "measure longer with --seconds",
    );
    let verified = measured.rows.iter().any(|row| row.stage == Stage::Verifier);
    warn(
        !verified,
        "no candidate: the verifier did not run".to_owned(),
        "give audio with the wake word, or leave --input out",
    );
    warn(
        verified && measured.candidates < FEWEST_CANDIDATES,
        format!("only {} candidates: p99 of the verifier is the longest", measured.candidates),
        "measure longer with --seconds",
    );
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Per, Row};

    fn row(stage: Stage) -> Row {
        Row {
            stage,
            per: Per::Candidate,
            n: 200,
            mean_us: 1.0,
            p50_us: 1.0,
            p90_us: 1.0,
            p95_us: 1.0,
            p99_us: 1.0,
            p999_us: 1.0,
            max_us: 1.0,
            share: 0.0,
            allocations: None,
            blocks_us: vec![],
            histogram: vec![],
        }
    }

    fn quiet() -> (Machine, Measured) {
        let machine = Machine {
            cpu: None,
            board: None,
            cores: 4,
            pinned: Some(3),
            governor: Some("performance".to_owned()),
            arch: "aarch64".to_owned(),
            kernel: None,
            load: None,
            memory_mb: None,
        };
        let measured = Measured {
            rows: vec![row(Stage::Verifier)],
            delay: None,
            hops: 20_000,
            candidates: 200,
            audio_s: 1_600.0,
            wall_s: 10.0,
            busy_s: 9.0,
            cpu_s: None,
        };
        (machine, measured)
    }

    /// The first words of each warning.
    fn found(change: impl FnOnce(&mut Machine, &mut Measured, &mut Conditions<'_>)) -> Vec<String> {
        let (mut machine, mut measured) = quiet();
        let (shown_machine, shown) = (machine.clone(), measured.clone());
        let mut conditions = Conditions {
            machine: &shown_machine,
            measured: &shown,
            watched: Watched { preempted: Some(3), others: Some(0.01) },
            speed_ns: [100_000, 101_000],
            warmup_s: 1.0,
            load: 0,
            threads: 1,
            debug_build: false,
        };
        change(&mut machine, &mut measured, &mut conditions);
        let conditions = Conditions { machine: &machine, measured: &measured, ..conditions };
        let words = |text: &str| text.split(' ').take(3).collect::<Vec<_>>().join(" ");
        warnings(&conditions).iter().map(|warning| words(&warning.what)).collect()
    }

    #[test]
    fn a_quiet_machine_gives_no_warning() {
        assert!(found(|_, _, _| {}).is_empty());
        // A virtual machine has no governor to speak of.
        assert!(found(|machine, _, _| machine.governor = None).is_empty());
        assert!(found(|_, _, c| c.watched = Watched::default()).is_empty());
    }

    #[test]
    fn each_doubt_is_named() {
        assert_eq!(found(|_, _, c| c.debug_build = true), ["a build for"]);
        assert_eq!(found(|_, _, c| c.watched.others = Some(0.2)), ["other programs had"]);
        assert_eq!(found(|_, _, c| c.speed_ns = [100, 120]), ["the processor's speed"]);
        assert_eq!(found(|_, _, c| c.speed_ns = [120, 100]), ["the processor's speed"]);
        assert_eq!(
            found(|machine, _, _| machine.governor = Some("ondemand".to_owned())),
            ["the governor is"]
        );
        assert_eq!(found(|_, _, c| c.watched.preempted = Some(201)), ["the scheduler cut"]);
        assert_eq!(found(|machine, _, _| machine.pinned = None), ["the thread may"]);
        assert_eq!(found(|_, _, c| c.threads = 2), ["2 threads on"]);
        let free = |machine: &mut Machine| machine.pinned = None;
        assert!(found(|machine, _, c| (c.threads, ()) = (4, free(machine))).is_empty());
        assert_eq!(found(|_, _, c| c.warmup_s = 0.0), ["no warm-up: the"]);
        assert_eq!(found(|_, m, _| m.hops = 9_999), ["only 9999 hops:"]);
        assert_eq!(found(|_, m, _| m.rows.clear()), ["no candidate: the"]);
        assert_eq!(found(|_, m, _| m.candidates = 99), ["only 99 candidates:"]);
    }

    #[test]
    fn a_load_that_was_asked_for_is_no_doubt() {
        let watched = Watched { preempted: Some(9_000), others: Some(0.9) };
        assert!(found(|_, _, c| (c.load, c.watched) = (2, watched)).is_empty());
    }
}
