//! The measurement as a person reads it.

use anstyle::{AnsiColor, Style};
use wakegate::Result;
use wakegate_lab::bench::budget::Check;
use wakegate_lab::bench::{Change, Comparison, Machine, Report, Row, Stage, Summary};

use crate::commands::output::{counted, line};

/// Cells of the longest bar.
const BAR_CELLS: u64 = 40;
/// Digits of a hash that are shown.
const SHOWN: usize = 12;
/// Style of what is as it should be.
const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Style of what is not.
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Prints everything, and the times of the stage `drawn` as a histogram.
pub fn print(report: &Report, drawn: Stage) -> Result<()> {
    head(report)?;
    stages(report)?;
    line(format_args!(""))?;
    facts(report)?;
    match report.row(drawn) {
        Some(row) => histogram(row),
        None => line(format_args!("\n{drawn}: nothing was measured")),
    }
}

fn head(report: &Report) -> Result<()> {
    let Report { version, build, model, runtime, machine, workload, mode, .. } = report;
    let sha256 = build.sha256.as_deref().and_then(|sha256| sha256.get(..SHOWN));
    line(format_args!(
        "wakegate {version} ({} build, {}{}), {model}, {runtime}",
        build.profile,
        build.compiler(),
        sha256.map_or(String::new(), |sha256| format!(", sha256 {sha256}")),
    ))?;
    line(format_args!("{}", described(machine)))?;
    line(format_args!(
        "{}, {}; {mode}{}, device at {} Hz; {:.1} s ({:.1} s of audio) after {} s of warm-up: {}, {}\n",
        workload.name,
        counted(workload.words, "word"),
        match report.threads {
            1 => String::new(),
            threads => format!(", {threads} streams at once"),
        },
        report.device_hz,
        report.wall_s,
        report.audio_s,
        report.warmup_s,
        counted(report.hops as usize, "hop"),
        counted(report.candidates as usize, "candidate"),
    ))
}

fn described(machine: &Machine) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(machine.board.clone());
    parts.push(machine.cpu.clone().unwrap_or_else(|| "unknown processor".to_owned()));
    parts.push(machine.arch.clone());
    parts.push(counted(machine.cores, "core"));
    parts.push(match machine.pinned {
        Some(cpu) => format!("kept on processor {cpu}"),
        None => "on any processor".to_owned(),
    });
    parts.push(format!("governor {}", machine.governor.as_deref().unwrap_or("unknown")));
    parts.extend(machine.kernel.clone());
    parts.join(", ")
}

fn stages(report: &Report) -> Result<()> {
    let bold = Style::new().bold();
    let titles = ["p50", "p90", "p95", "p99", "p99.9", "max", "mean"].map(|t| format!("{t:>9}"));
    line(format_args!(
        "{bold}{:<10} {:<9} {:>8}{} {:>9}{bold:#}",
        "stage",
        "per",
        "n",
        titles.concat(),
        "of 80 ms"
    ))?;
    for row in &report.stages {
        let times =
            [row.p50_us, row.p90_us, row.p95_us, row.p99_us, row.p999_us, row.max_us, row.mean_us];
        line(format_args!(
            "{:<10} {:<9} {:>8}{} {:>8.3}%",
            row.stage,
            row.per.as_str(),
            row.n,
            times.map(|us| format!("{:>9}", time(us))).concat(),
            row.share * 1e2
        ))?;
    }
    Ok(())
}

/// Microseconds with three digits and a unit.
fn time(us: f64) -> String {
    let (value, unit) = if us < 1_000.0 {
        (us, "µs")
    } else if us < 1e6 {
        (us / 1e3, "ms")
    } else {
        (us / 1e6, "s")
    };
    let decimals = if value < 10.0 {
        2
    } else if value < 100.0 {
        1
    } else {
        0
    };
    format!("{value:.decimals$} {unit}")
}

fn facts(report: &Report) -> Result<()> {
    let fact = |name: &str, text: String| line(format_args!("{name:<12} {text}"));
    fact(
        "work",
        format!(
            "RTF {:.5}: {:.3} % of one processor{}",
            report.rtf,
            report.rtf * 1e2,
            report.cpu_s_per_audio_s.map_or(String::new(), |cpu| {
                format!("; processor time {:.3} ms for a second of audio", cpu * 1e3)
            })
        ),
    )?;
    let of_streams = match report.threads {
        1 => String::new(),
        threads => format!(", {threads} streams together"),
    };
    fact("speed", format!("{:.0} times real time{of_streams}", report.speed))?;
    if let Some(delay) = &report.delay {
        let shown = |summary: &Option<Summary>| match summary {
            None => "no verdict".to_owned(),
            Some(s) => {
                format!("p50 {:.0}, p90 {:.0}, p99 {:.0}, max {:.0} ms", s.p50, s.p90, s.p99, s.max)
            }
        };
        let how = if delay.proposed { "proposed at its end" } else { "found by the spotter" };
        fact("verdict", format!("{} after the word's end", shown(&delay.verdict_ms)))?;
        fact("", format!("of it audio: {}", shown(&delay.audio_ms)))?;
        fact(
            "",
            format!(
                "{} of {} judged, each {how}; {} beside them",
                delay.judged,
                counted(delay.words as usize, "word"),
                counted(delay.others as usize, "verdict")
            ),
        )?;
    }
    let mb = |bytes: Option<u64>| {
        bytes.map_or("unknown".to_owned(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6))
    };
    if let Some(start) = &report.start_up {
        let times = &start.first_verdict_ms;
        let least = times.iter().copied().fold(f64::INFINITY, f64::min);
        let most = times.iter().copied().fold(0.0, f64::max);
        fact(
            "start-up",
            format!(
                "{:.0} ms to the first verdict, median of {} ({least:.0} to {most:.0})",
                start.median_ms,
                times.len()
            ),
        )?;
        let (steady, peak) = (mb(start.memory.steady), mb(start.memory.peak));
        fact("memory", format!("{steady} resident when steady, {peak} at the most"))?;
    }
    let sizes = &report.sizes;
    fact(
        "size",
        format!(
            "binary {}, networks {} and {}",
            mb(sizes.binary),
            mb(Some(sizes.model.spotter)),
            mb(Some(sizes.model.verifier))
        ),
    )?;
    fact("allocations", "not counted in this program; a test does (benches/README.md)".to_owned())?;
    fact("clock", format!("{:.0} ns a reading, about one in every time", report.clock_ns))
}

fn histogram(row: &Row) -> Result<()> {
    line(format_args!("\n{}, {} times up to", row.stage, row.n))?;
    let most = row.histogram.iter().map(|&(_, count)| count).max().unwrap_or(1);
    for &(edge, count) in &row.histogram {
        // A bar is never empty: the tail is what the picture is for.
        let cells = (count * BAR_CELLS).div_ceil(most.max(1));
        let bar: String = (0..cells).map(|_| '█').collect();
        line(format_args!("{:>9} {bar} {count}", time(edge)))?;
    }
    Ok(())
}

/// Prints what became of the stages.
pub fn print_comparison(comparisons: &[Comparison]) -> Result<()> {
    line(format_args!(""))?;
    for comparison in comparisons {
        let style = match comparison.change {
            Change::Slower => BAD,
            Change::Faster => GOOD,
            Change::Same | Change::Unknown => Style::new(),
        };
        line(format_args!("{style}{comparison}{style:#}"))?;
    }
    Ok(())
}

/// Prints the limits.
pub fn print_budget(checks: &[Check]) -> Result<()> {
    line(format_args!(""))?;
    for check in checks {
        let Check { key, limit, found } = check;
        let found = found.map_or("not measured".to_owned(), significant);
        let (style, word) = if check.is_kept() { (GOOD, "ok  ") } else { (BAD, "OVER") };
        line(format_args!("{style}{word}{style:#}  {key}: {found}, at most {limit}"))?;
    }
    Ok(())
}

/// Three decimals, and three digits of what is smaller than 1: RTFs are.
fn significant(value: f64) -> String {
    let zeros = if value > 0.0 && value < 1.0 { -value.log10().floor() as usize - 1 } else { 0 };
    let decimals = zeros.min(9) + 3;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn small_figures_keep_their_digits() {
        let shown = [0.0, 1_234.567_8, 0.5, 0.000_512_34].map(super::significant);
        assert_eq!(shown, ["0.000", "1234.568", "0.500", "0.000512"]);
    }
}
