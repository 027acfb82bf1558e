//! The page's HTML.

use std::fmt::Write;

use super::Plots;
use super::list::list;
use super::worst::Worst;
use crate::commands::eval::table;
use crate::commands::eval::table::Line;
use crate::commands::eval::{Answer, Evaluated};

/// What the page may do: show itself. Nothing is fetched, nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; base-uri 'none'; form-action 'none'";

/// The whole page.
pub fn html(answer: &Answer, plots: &Plots, worst: &Worst) -> String {
    let mut page = String::new();
    let name = escape(&answer.system.name);
    let against = answer.against.as_ref().map(|system| escape(&system.name));
    let title =
        against.as_ref().map_or_else(|| name.clone(), |against| format!("{name} beside {against}"));
    let [data, events] = table::head(answer).map(|line| escape(&capital(&line)));
    put(
        &mut page,
        format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{title}: evaluation</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>\n{}</style>\n</head>\n<body>\n<main>\n\
         <header><h1>{title}: misses and false accepts</h1>\n<p>{data}.</p>\n<p>{events}. {}</p></header>\n",
            include_str!("style.css"),
            intervals(answer),
        ),
    );
    tiles(&mut page, answer);
    figures(&mut page, answer, plots);
    remarks(&mut page, &answer.notes);
    tables(&mut page, answer);
    let [missed, accepted] = worst.of;
    list(&mut page, "Worst misses", "No target was missed", &worst.misses, missed);
    let none = "Nothing was accepted falsely";
    list(&mut page, "Worst false accepts", none, &worst.accepts, accepted);
    made(&mut page, answer);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// What the data is too small for, after what it shows.
fn remarks(page: &mut String, notes: &[String]) {
    if notes.is_empty() {
        return;
    }
    page.push_str("<h2>What to mind</h2>\n<ul class=\"notes\">\n");
    for note in notes {
        put(page, format_args!("<li>{}.</li>\n", options_kept(&escape(&capital(note)))));
    }
    page.push_str("</ul>\n");
}

/// Writing to a string can't fail.
pub fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = page.write_fmt(text);
}

/// Text that is nothing but text.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// `text` with no line broken inside of an option's name.
fn options_kept(text: &str) -> String {
    let word = |word: &str| match word.starts_with("--") {
        true => format!("<span class=\"keep\">{word}</span>"),
        false => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn intervals(answer: &Answer) -> String {
    format!("Intervals hold with {} % confidence.", 100.0 * answer.settings.confidence)
}

fn tiles(page: &mut String, answer: &Answer) {
    let rows = table::rows(answer, &answer.system);
    let delay = table::delay_name(answer);
    let wanted = [
        "miss rate (FRR)",
        "false accepts an hour",
        "precision of the queue",
        "stopped at 99 % kept",
        delay.as_str(),
    ];
    page.push_str("<dl class=\"tiles\">\n");
    for name in wanted {
        let Some(row) = rows.iter().find(|row| row.name == name) else { continue };
        // Where Poisson's interval is too narrow, the other one stands at the top.
        let clustered = answer.system.figures.clusters.is_some_and(|clusters| clusters.found);
        let by_unit = rows.iter().find(|row| row.name == table::BY_UNIT);
        let is_rate = name == "false accepts an hour";
        let from = by_unit.filter(|_| clustered && is_rate).unwrap_or(row);
        put(
            page,
            format_args!(
                "<div class=\"card\"><dt>{}</dt><dd>{}</dd><dd>{}<br>{}</dd></div>\n",
                escape(&capital(name)),
                escape(&row.value),
                escape(&from.interval),
                escape(&from.counts),
            ),
        );
    }
    page.push_str("</dl>\n");
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn figures(page: &mut String, answer: &Answer, plots: &Plots) {
    let system = &answer.system;
    let figures = &system.figures;
    let names: Vec<String> = [Some(system), answer.against.as_ref()]
        .into_iter()
        .flatten()
        .map(|s| s.name.clone())
        .collect();
    let legend = |names: &[String]| {
        let mut list = String::new();
        for (index, name) in names.iter().enumerate() {
            let class = if index == 0 { "key" } else { "key two" };
            put(
                &mut list,
                format_args!("<li><span class=\"{class}\"></span>{}</li>", escape(name)),
            );
        }
        format!("<ul class=\"legend\">{list}</ul>")
    };
    let systems = if names.len() > 1 { legend(&names) } else { String::new() };
    let [wanted, others] = figures.triggers;
    let silent = figures.frr.n - wanted.min(figures.frr.n);
    page.push_str("<div class=\"plots\">\n");
    let accepts = figures.false_accepts.count;
    let mut figure = |title: &str, text: &str, plot: &str, legend: &str| {
        let plot = if !plot.is_empty() {
            plot
        } else if title == "False accepts over time" && accepts == 0 {
            "<p class=\"soft\">There is no false accept to show.</p>"
        } else {
            "<p class=\"soft\">The data has nothing to show here.</p>"
        };
        put(
            page,
            format_args!(
                "<figure class=\"card\"><figcaption>{title}<small>{}</small></figcaption>\n{plot}{legend}</figure>\n",
                escape(text),
            ),
        );
    };
    figure(
        "Misses against false accepts",
        &format!(
            "Over all thresholds, events made and matched at each. n = {} targets, {:.2} h{}. The dot is where the system works.",
            figures.frr.n,
            figures.false_accepts.hours,
            if figures.band.is_empty() { "" } else { "; the band is the bootstrap's" },
        ),
        &plots.det,
        &systems,
    );
    figure(
        "Scores of the triggers",
        &format!(
            "What the first stage proposes. {silent} of {} targets have no trigger.",
            figures.frr.n
        ),
        &plots.histogram,
        &legend(&[format!("true (n = {wanted})"), format!("false (n = {others})")]),
    );
    let brier =
        figures.brier.value.map_or(String::new(), |value| format!(" Brier score {value:.3}."));
    figure(
        "Reliability",
        &format!(
            "On the diagonal a score is a probability: of the triggers at 0.8, 80 % were intended. Bars are exact intervals; n = {} triggers.{brier}",
            figures.reliability.iter().map(|bin| bin.n).sum::<u64>()
        ),
        &plots.reliability,
        "",
    );
    let clusters = match table::clusters(figures).trim_start_matches("; ") {
        "" => String::new(),
        said => format!(" By blocks of time: {said}."),
    };
    figure(
        "False accepts over time",
        &format!(
            "A steady climb is chance; a step is one recording that the system does not stand.{clusters}"
        ),
        &plots.timeline,
        &systems,
    );
    page.push_str("</div>\n");
}

fn tables(page: &mut String, answer: &Answer) {
    page.push_str("<h2>Every figure</h2>\n");
    rows(page, &answer.system.name, &table::rows(answer, &answer.system));
    if let Some(against) = &answer.against {
        put(page, format_args!("<h2>{}</h2>\n", escape(&against.name)));
        rows(page, &against.name, &table::rows(answer, against));
        put(
            page,
            format_args!(
                "<h2>{} less {}, on the same data</h2>\n",
                escape(&answer.system.name),
                escape(&against.name)
            ),
        );
        rows(page, "difference", &table::contest(answer));
    }
    groups(page, &answer.system);
}

fn rows(page: &mut String, name: &str, lines: &[Line]) {
    put(
        page,
        format_args!(
            "<div class=\"card\"><table class=\"figures\"><thead><tr><th>Figure</th><th>{}</th><th>Interval</th><th>From</th></tr></thead><tbody>\n",
            escape(name),
        ),
    );
    for line in lines {
        put(
            page,
            format_args!(
                "<tr><th scope=\"row\"{}>{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"soft\">{}</td></tr>\n",
                // Another view of the row above.
                if line.name.starts_with(' ') { " class=\"sub\"" } else { "" },
                escape(&capital(line.name.trim_start())),
                escape(&line.value),
                escape(&line.interval),
                escape(&line.counts),
            ),
        );
    }
    page.push_str("</tbody></table></div>\n");
}

fn groups(page: &mut String, system: &Evaluated) {
    let mut grid = |title: &str, head: &[&str], body: Vec<Vec<String>>| {
        put(
            page,
            format_args!(
                "<h2>{}</h2>\n<div class=\"card scroll\" tabindex=\"0\"><table class=\"grid\"><thead><tr>",
                escape(title)
            ),
        );
        head.iter().for_each(|cell| put(page, format_args!("<th>{}</th>", escape(cell))));
        page.push_str("</tr></thead><tbody>\n");
        for row in body {
            page.push_str("<tr>");
            for (name, cell) in head.iter().zip(&row) {
                let (name, cell) = (escape(name), escape(cell));
                put(page, format_args!("<td class=\"n\" data-name=\"{name}\">{cell}</td>"));
            }
            page.push_str("</tr>\n");
        }
        page.push_str("</tbody></table></div>\n");
    };
    for (column, groups) in &system.groups {
        let cells = groups.iter().map(|group| {
            let [frr, accepted, rate] = table::group_cells(group);
            vec![group.name.clone(), frr, accepted, rate]
        });
        grid(
            &format!("By {column}"),
            &[column, "missed", "negatives accepted", "false accepts an hour"],
            cells.collect(),
        );
    }
    if system.reasons.len() > 1 {
        let cells = system.reasons.iter().map(|count| {
            vec![
                table::reason(&count.reason),
                count.true_triggers.to_string(),
                count.false_triggers.to_string(),
            ]
        });
        grid("Triggers by reason", &["reason", "true", "false"], cells.collect());
    }
}

fn made(page: &mut String, answer: &Answer) {
    put(
        page,
        format_args!(
            "<h2>How it was made</h2>\n<dl class=\"card made\"><dt>command</dt><dd><code>{}</code></dd><dt>wakegate</dt><dd>{}</dd>\n\
         <dt>events</dt><dd>{}</dd><dt>bootstrap</dt><dd>{} draws, seed {}, blocks of {} s</dd>\n",
            escape(&answer.command),
            answer.wakegate,
            escape(&answer.events),
            answer.settings.resamples,
            answer.settings.seed,
            answer.settings.rules.seconds(answer.settings.block),
        ),
    );
    for input in &answer.inputs {
        put(
            page,
            format_args!(
                "<dt>{}, {} bytes</dt><dd><code>sha256 {}</code></dd>\n",
                escape(&input.path),
                input.bytes,
                input.sha256,
            ),
        );
    }
    for failed in &answer.failed {
        put(
            page,
            format_args!(
                "<dt>left out: {}</dt><dd>{}</dd>\n",
                escape(&failed.recording),
                escape(&failed.reason)
            ),
        );
    }
    page.push_str("</dl>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_not_torn() {
        assert_eq!(
            options_kept("score with --x, or"),
            "score with <span class=\"keep\">--x,</span> or"
        );
    }

    #[test]
    fn what_a_file_is_called_is_no_markup() {
        assert_eq!(
            escape("<img src=x onerror='a'>&\"b\""),
            "&lt;img src=x onerror=&#39;a&#39;&gt;&amp;&quot;b&quot;"
        );
    }
}
