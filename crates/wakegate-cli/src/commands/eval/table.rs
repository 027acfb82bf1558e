//! The figures as a table that a person reads, and the words that the page shares with it.

use wakegate::Result;
use wakegate::intervals::Interval;
use wakegate_lab::eval::bootstrap_units::Drawn;
use wakegate_lab::eval::figures::{Estimate, Figures, KEPT, PerHour, Share};
use wakegate_lab::eval::paired::Comparison;

use super::{Answer, Evaluated};
use crate::commands::output;

/// The row of the false accepts with an interval that takes none of them as independent.
pub const BY_UNIT: &str = "  by the bootstrap";

/// A row: what it is, its value, its interval, and what it is made of.
pub struct Line {
    pub name: String,
    pub value: String,
    pub interval: String,
    pub counts: String,
}

impl Line {
    fn new(
        name: impl Into<String>,
        [value, interval]: [String; 2],
        counts: impl Into<String>,
    ) -> Self {
        Self { name: name.into(), value, interval, counts: counts.into() }
    }
}

/// Prints everything.
pub fn show(answer: &Answer) -> Result<()> {
    for line in head(answer) {
        output::line(format_args!("{line}"))?;
    }
    let percent = 100.0 * answer.settings.confidence;
    let title = |text: &str| output::line(format_args!("\n{text}"));
    title(&format!("{} ({percent} % intervals)", answer.system.name))?;
    lines(&rows(answer, &answer.system))?;
    if let (Some(against), Some(_)) = (&answer.against, &answer.contest) {
        title(&against.name)?;
        lines(&rows(answer, against))?;
        title(&format!("{} less {} on the same data", answer.system.name, against.name))?;
        lines(&contest(answer))?;
    }
    for (column, groups) in &answer.system.groups {
        title(&format!("by {column}"))?;
        let cells = groups.iter().map(|group| {
            let [frr, accepted, rate] = group_cells(group);
            [group.name.clone(), frr, accepted, rate]
        });
        let head = [column.as_str(), "missed", "negatives accepted", "false accepts an hour"];
        columns(std::iter::once(head.map(str::to_owned)).chain(cells).collect())?;
    }
    if answer.system.reasons.len() > 1 {
        title("triggers by reason")?;
        let cells = answer.system.reasons.iter().map(|count| {
            [
                reason(&count.reason),
                count.true_triggers.to_string(),
                count.false_triggers.to_string(),
                String::new(),
            ]
        });
        let head = ["reason", "true", "false", ""].map(str::to_owned);
        columns(std::iter::once(head).chain(cells).collect())?;
    }
    if let Some(phases) = &answer.phases {
        title(&format!(
            "{} beginnings, {:.1} ms apart, judged by {}",
            phases.phases, phases.apart_ms, phases.model
        ))?;
        lines(&[
            Line::new("verdicts that flip", share(&phases.flips), of(&phases.flips, "recordings")),
            Line::new(
                "spread of p_intended",
                [format!("{:.4}", phases.mean_spread), String::new()],
                "on average",
            ),
        ])?;
    }
    for (index, note) in answer.notes.iter().enumerate() {
        output::line(format_args!("{}note: {note}", if index == 0 { "\n" } else { "" }))?;
    }
    Ok(())
}

/// What was evaluated, in two lines.
pub fn head(answer: &Answer) -> [String; 2] {
    let figures = &answer.system.figures;
    let counted = |n: u64, noun: &str| output::counted(n as usize, noun);
    [
        format!(
            "{}: {} and {} in {}, {} h outside of the targets, {}",
            answer.word,
            counted(figures.frr.n, "target"),
            counted(figures.negatives_accepted.n, "negative"),
            output::counted(answer.recordings, "recording"),
            hours(figures.false_accepts.hours),
            match answer.speakers {
                0 => "no speaker named".to_owned(),
                speakers => output::counted(speakers, "speaker"),
            },
        ),
        format!("events: {}; accepted where {}", answer.events, answer.accepted),
    ]
}

/// Every figure of a system.
pub fn rows(answer: &Answer, system: &Evaluated) -> Vec<Line> {
    let figures = &system.figures;
    let mut rows = vec![
        Line::new("miss rate (FRR)", share(&figures.frr), of(&figures.frr, "targets")),
        Line::new(
            "negatives accepted",
            share(&figures.negatives_accepted),
            of(&figures.negatives_accepted, "negatives"),
        ),
        Line::new(
            "false accepts an hour",
            per_hour(&figures.false_accepts),
            format!("{}; Poisson", in_hours(&figures.false_accepts)),
        ),
        Line::new(
            BY_UNIT,
            [String::new(), span(figures.false_accepts_by_unit.interval, rate)],
            format!("{}{}", drawn(answer, figures.time_drawn), clusters(figures)),
        ),
        Line::new(
            "precision of the queue",
            share(&figures.queue_precision),
            format!(
                "{}; {} not counted",
                of(&figures.queue_precision, "accepted"),
                output::counted(figures.repeats, "repeat")
            ),
        ),
    ];
    for at in &figures.miss_at {
        let threshold = at.threshold.map_or("accepting nothing".to_owned(), |t| {
            format!("{} {t} or more", answer.moment.score())
        });
        rows.push(Line::new(
            format!("miss rate at {} FA/h", at.false_accepts_per_hour),
            estimate(&at.miss_rate, true),
            at.miss_rate.value.map_or(String::new(), |_| threshold),
        ));
    }
    let drawn = drawn(answer, figures.targets_drawn);
    let from = |found: &Estimate| found.value.map_or(String::new(), |_| drawn.clone());
    let equal = &figures.equal_error;
    rows.push(Line::new("equal error rate", estimate(equal, true), from(equal)));
    rows.push(Line::new("AUC", estimate(&figures.auc, false), from(&figures.auc)));
    let [wanted, others] = figures.triggers;
    let stopped =
        figures.stopped_at.map_or(format!("{others} false triggers, {wanted} true"), |at| {
            format!("{} of {others} false triggers, at {}", at.count, at.threshold)
        });
    rows.push(Line::new(
        format!("stopped at {} % kept", 100.0 * KEPT),
        estimate(&figures.stopped, true),
        stopped,
    ));
    rows.push(Line::new(
        "Brier score",
        estimate(&figures.brier, false),
        output::counted((wanted + others) as usize, "trigger"),
    ));
    let delay = figures.delay_s.map_or(["–".to_owned(), String::new()], |delay| {
        [format!("{:.2} s", delay.p50), format!("p95 {:.2}, p99 {:.2}", delay.p95, delay.p99)]
    });
    let n = figures
        .delay_s
        .map_or("no hit of a word with a known end".to_owned(), |d| output::counted(d.n, "hit"));
    rows.push(Line::new(delay_name(answer), delay, n));
    rows
}

/// What the delay of the evaluated moment is called.
pub fn delay_name(answer: &Answer) -> String {
    format!("delay of the {}, p50", answer.moment.name())
}

/// What the bootstrap draws, in words.
fn drawn(answer: &Answer, drawn: Drawn) -> String {
    let Drawn { singles, blocks } = drawn;
    let mut parts = Vec::new();
    match (singles, answer.speakers) {
        (0, _) => {}
        (_, 0 | 1) => parts.push(output::counted(singles, "recording")),
        // Whatever no speaker or several speak in is drawn by itself.
        (_, speakers) if singles > speakers => {
            parts.push(format!("{singles} speakers and recordings"));
        }
        _ => parts.push(output::counted(singles, "speaker")),
    }
    if blocks > 0 {
        let block_s = answer.settings.rules.seconds(answer.settings.block);
        parts.push(format!("{} of {block_s} s", output::counted(blocks, "block")));
    }
    if parts.is_empty() { String::new() } else { format!("bootstrap over {}", parts.join(" and ")) }
}

/// What is known of clusters, behind a semicolon.
pub fn clusters(figures: &Figures) -> String {
    match figures.clusters {
        None => String::new(),
        Some(found) if found.found => format!("; clusters, p = {}", p_value(found.p_value)),
        Some(found) => format!("; no sign of clusters, p = {}", p_value(found.p_value)),
    }
}

/// The comparison.
pub fn contest(answer: &Answer) -> Vec<Line> {
    let Some(contest) = &answer.contest else { return Vec::new() };
    let paired = |name: &str, found: &Comparison| {
        let pairs = found.pairs;
        let counts = format!(
            "only the first {}, only the second {}, of {}; McNemar p = {}",
            pairs.only_first,
            pairs.only_second,
            pairs.n(),
            p_value(found.p_value)
        );
        Line::new(name, [points(found.difference), span(found.interval, points_of)], counts)
    };
    let by_unit = |name: &str, found: &Estimate| {
        let cells = [points(found.value), span(found.interval, points_of)];
        Line::new(name, cells, "bootstrap over speakers and recordings")
    };
    let [first, second] = &contest.false_accepts;
    let signed = |value: f64| format!("{value:+.2}");
    let rate = &contest.false_accepts_by_unit;
    vec![
        paired("targets accepted", &contest.targets),
        by_unit("  over speakers", &contest.targets_by_unit),
        paired("negatives accepted", &contest.negatives),
        by_unit("  over speakers", &contest.negatives_by_unit),
        Line::new(
            "false accepts an hour",
            [rate.value.map_or("–".to_owned(), signed), span(rate.interval, signed)],
            format!("{} and {} in {} h; bootstrap", first.count, second.count, hours(first.hours)),
        ),
    ]
}

/// The three figures of a group.
pub fn group_cells(group: &wakegate_lab::eval::groups::Group) -> [String; 3] {
    let of_share = |found: &Share| {
        if found.n == 0 {
            return "–".to_owned();
        }
        let [value, interval] = share(found);
        format!("{value} {interval} {}/{}", found.k, found.n)
    };
    let rate = &group.false_accepts;
    let rate = match rate.value {
        Some(_) => {
            let [value, interval] = per_hour(rate);
            format!("{value} {interval} {} in {} h", rate.count, hours(rate.hours))
        }
        None => "–".to_owned(),
    };
    [of_share(&group.frr), of_share(&group.negatives_accepted), rate]
}

/// A reason as people read it.
pub fn reason(text: &str) -> String {
    if text.is_empty() { "(none)".to_owned() } else { text.to_owned() }
}

fn share(found: &Share) -> [String; 2] {
    let value = found.value.map_or("–".to_owned(), percent);
    [value, span(Some(found.interval).filter(|_| found.n > 0), percent_of)]
}

fn per_hour(found: &PerHour) -> [String; 2] {
    [found.value.map_or("–".to_owned(), rate), span(found.interval, rate)]
}

fn estimate(found: &Estimate, as_percent: bool) -> [String; 2] {
    let plain = |value: f64| format!("{value:.3}");
    if as_percent {
        [found.value.map_or("–".to_owned(), percent), span(found.interval, percent_of)]
    } else {
        [found.value.map_or("–".to_owned(), plain), span(found.interval, plain)]
    }
}

fn span(interval: Option<Interval>, shown: impl Fn(f64) -> String) -> String {
    match interval {
        None => String::new(),
        // A bootstrap that draws no error, whatever it draws, knows nothing: that is no certainty.
        Some(i) if i.low == i.high => "too few errors".to_owned(),
        Some(i) => format!("[{}, {}]", shown(i.low), shown(i.high)),
    }
}

fn percent(value: f64) -> String {
    format!("{} %", percent_of(value))
}

fn percent_of(value: f64) -> String {
    format!("{:.1}", 100.0 * value)
}

fn points(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{} points", points_of(value)))
}

fn points_of(value: f64) -> String {
    format!("{:+.1}", 100.0 * value)
}

fn rate(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") }
}

fn hours(value: f64) -> String {
    if value < 0.1 { format!("{value:.4}") } else { format!("{value:.2}") }
}

fn p_value(value: f64) -> String {
    if value < 1e-4 { format!("{value:.1e}") } else { format!("{value:.4}") }
}

fn of(found: &Share, noun: &str) -> String {
    format!("{} of {} {noun}", found.k, found.n)
}

fn in_hours(found: &PerHour) -> String {
    format!("{} in {} h", found.count, hours(found.hours))
}

fn lines(rows: &[Line]) -> Result<()> {
    let cells = rows.iter().map(|row| {
        [format!("  {}", row.name), row.value.clone(), row.interval.clone(), row.counts.clone()]
    });
    columns(cells.collect())
}

/// Prints cells in columns as wide as they need.
fn columns(cells: Vec<[String; 4]>) -> Result<()> {
    let width =
        |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    for row in &cells {
        let [a, b, c, d] = row;
        let text = format!("{a:<0$}  {b:<1$}  {c:<2$}  {d}", widths[0], widths[1], widths[2]);
        output::line(format_args!("{}", text.trim_end()))?;
    }
    Ok(())
}
