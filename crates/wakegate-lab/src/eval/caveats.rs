//! What the data is too small for. A figure that can't be known is said to be so, beside it.

use super::figures::{Estimate, Figures, KEPT, Settings};
use super::rank::EqualError;

/// Fewer units than this make a bootstrap coarse.
const FEW_UNITS: usize = 20;
/// Fewer targets than this say little of a miss rate.
const FEW_TARGETS: u64 = 30;
/// Fewer delays than this have no 99th percentile of their own.
const FEW_DELAYS: usize = 100;

/// How much a reader of the figures has to mind it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// A figure isn't there, or its interval is wrong.
    Unknown,
    /// A figure is there, and little is known of it.
    Coarse,
    /// What a name means here.
    Detail,
}
use Weight::{Coarse, Detail, Unknown};

/// The sentences for `figures`, which `settings` made; what weighs most comes first.
pub(super) fn of(figures: &Figures, equal: Option<EqualError>, settings: &Settings) -> Vec<String> {
    let drawn = settings.resamples > 0;
    let mut notes = Vec::new();
    let mut say = |weight: Weight, text: String| notes.push((weight, text));
    let (targets, hours) = (figures.frr.n, figures.false_accepts.hours);
    if targets == 0 {
        say(Unknown, "no label is a target: nothing is known of misses".to_owned());
    } else if targets < FEW_TARGETS {
        say(
            Coarse,
            format!("{targets} targets are few: see the width of the miss rate's interval"),
        );
    }
    if hours <= 0.0 {
        say(
            Unknown,
            "no hour outside of the targets: nothing is known of false accepts an hour".to_owned(),
        );
    } else {
        let unseen: Vec<String> = figures
            .miss_at
            .iter()
            .filter(|at| at.false_accepts_per_hour * hours < 1.0)
            .map(|at| at.false_accepts_per_hour.to_string())
            .collect();
        if !unseen.is_empty() && targets > 0 {
            say(
                Coarse,
                format!(
                    "{} h are too short to show {} false accepts an hour: the miss rate there is that \
                 without any",
                    if hours < 0.1 { format!("{hours:.4}") } else { format!("{hours:.2}") },
                    listed(&unseen)
                ),
            );
        }
    }
    let block_s = settings.rules.seconds(settings.block);
    if let Some(found) = figures.clusters.filter(|clusters| clusters.found) {
        say(
            Unknown,
            format!(
                "false accepts come in clusters: the counts of {} blocks of {block_s} s vary {:.1} times \
             as much as those of independent ones (p = {:.4}). Poisson's interval is too narrow: go \
             by the one over blocks",
                found.blocks, found.dispersion, found.p_value
            ),
        );
    }
    let blocks = figures.time_drawn.blocks;
    if drawn && (1..FEW_UNITS).contains(&blocks) {
        say(
            Coarse,
            format!(
                "{blocks} blocks of {block_s} s are few for a bootstrap: its intervals are coarse and tend \
             to be narrow"
            ),
        );
    }
    if figures.negatives_accepted.n == 0 {
        say(
            Unknown,
            "no label is a negative: there is no equal error rate and no area under the curve"
                .to_owned(),
        );
    }
    if targets > 0 && figures.targets_drawn.total() < FEW_UNITS {
        say(
            Coarse,
            format!(
                "{} speakers, recordings or blocks with a target are few for a bootstrap: its intervals are coarse and tend to \
             be narrow",
                figures.targets_drawn.total()
            ),
        );
    }
    let [wanted, _] = figures.triggers;
    if wanted > 0 && (wanted as f64) * (1.0 - KEPT) < 1.0 {
        say(Detail, format!("{} % of {wanted} true triggers are all of them", KEPT * 100.0));
    }
    if equal.is_some_and(|found| !found.reached) {
        say(
            Unknown,
            "no threshold reaches the equal error rate: more of the targets have no detection"
                .to_owned(),
        );
    }
    let mut estimates = vec![
        ("equal error rate".to_owned(), figures.equal_error),
        ("AUC".to_owned(), figures.auc),
        ("share stopped".to_owned(), figures.stopped),
        ("false accepts an hour".to_owned(), figures.false_accepts_by_unit),
    ];
    estimates.extend(
        figures
            .miss_at
            .iter()
            .map(|at| (format!("miss rate at {} FA/h", at.false_accepts_per_hour), at.miss_rate)),
    );
    let named = |is: &dyn Fn(&Estimate) -> bool| {
        let some = estimates.iter().filter(|(_, estimate)| is(estimate));
        some.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let flat = named(&|e| e.interval.is_some_and(|interval| interval.low == interval.high));
    if !flat.is_empty() {
        say(
            Coarse,
            format!("the bootstrap finds too few errors to resample and gives no interval: {flat}"),
        );
    }
    let without = named(&|e| e.value.is_some() && e.interval.is_none());
    if drawn && !without.is_empty() {
        say(Coarse, format!("too few recordings or speakers for a bootstrap of: {without}"));
    }
    if let Some(delay) = figures.delay_s.filter(|delay| delay.n < FEW_DELAYS) {
        say(Detail, format!("the 99th percentile of {} delays is close to their largest", delay.n));
    }
    // Those of one weight stay in the order of the figures.
    notes.sort_by_key(|(weight, _)| *weight);
    notes.into_iter().map(|(_, text)| text).collect()
}

/// `a, b or c`.
fn listed(items: &[String]) -> String {
    match items {
        [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        items => items.concat(),
    }
}
