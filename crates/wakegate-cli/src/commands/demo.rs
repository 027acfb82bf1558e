//! `wakegate demo`: a readable table over the project's own recordings.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anstyle::Style;
use clap::Args;
use wakegate::decision::{Reason, Verdict};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::decode::FileSource;
use wakegate_lab::scoring::Scorer;
use wakegate_lab::scoring::ordered_parallel;
use wakegate_lab::scoring::ordered_parallel::{Bounds, each};

use super::output;
use super::output::counted;
use super::{OneModel, Outcome, worker_count};

/// Columns that the demo's manifest has, in this order.
const COLUMNS: [&str; 4] = ["file", "expected", "kind", "text"];

/// Judge the recordings made for this project and show a table
///
/// Exit code: 0 all scored, 1 some could not be scored, 2 could not run.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
        wakegate demo --data data")]
pub struct Demo {
    /// Folder with the recordings and their manifest.tsv
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    #[command(flatten)]
    model: OneModel,
}

/// A line of the manifest.
struct Entry {
    file: String,
    expected: Verdict,
    text: String,
}

/// A row of the table.
struct Row {
    verdict: Verdict,
    reason: Reason,
    p_intended: f32,
}

impl Demo {
    pub fn run(self) -> Result<Outcome> {
        let model = self.model.open()?;
        let entries = read_manifest(&self.data.join("manifest.tsv"))?;
        let peer = read_peer(&self.data.join("peer.tsv"))?;
        let widths = Widths::of(&entries);
        drop(Scorer::new(&model, true)?);
        widths.head()?;
        let mut tally = Totals::default();
        ordered_parallel::in_order(
            Bounds::of(worker_count(None)?, entries.len()),
            each(&entries),
            || Scorer::new(&model, true),
            |scorer, entry, ()| row(scorer, &self.data.join(&entry.file)),
            |entry, result| {
                match result {
                    Ok(row) => {
                        widths.row(entry, &row)?;
                        tally.add(entry, &row, peer.as_ref());
                    }
                    Err(error) => {
                        tally.failures += 1;
                        output::error(&error.context(&entry.file));
                    }
                }
                Ok(true)
            },
        )?;
        tally.say(&model.manifest().wake_word, peer.as_ref())?;
        Ok(Outcome::of(tally.failures))
    }
}

fn row(scorer: &mut Scorer, path: &Path) -> Result<Row> {
    let scored = scorer.score(&mut FileSource::open(path)?, None)?;
    if let Some(best) = scored.best() {
        return Ok(Row {
            verdict: best.verdict,
            reason: best.reason,
            p_intended: best.posteriors.intended(),
        });
    }
    let p_intended = scored.highest.map_or(0.0, |highest| highest.posteriors.intended());
    let (verdict, reason) = (Verdict::Accidental, Reason::NotWakeWord);
    Ok(Row { verdict, reason, p_intended })
}

fn read_manifest(path: &Path) -> Result<Vec<Entry>> {
    let text = fs::read_to_string(path).map_err(|error| {
        Error::io("read", path, &error)
            .hint("run it in the project's folder, or give the recordings' folder with --data")
    })?;
    let mut lines = text.lines();
    let refused = |line: usize, what: &str, found: &str| {
        Error::new(ErrorKind::Settings, format!("{}, line {line}", path.display()))
            .expected(what)
            .found(format!("{found:?}"))
    };
    let head = lines.next().unwrap_or_default();
    if !head.split('\t').eq(COLUMNS) {
        return Err(refused(1, &format!("the columns {}", COLUMNS.join(", ")), head));
    }
    let entries = (2..).zip(lines).map(|(number, line)| {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[file, expected, _, text] = fields.as_slice() else {
            return Err(refused(number, "4 columns", line));
        };
        let expected = match expected {
            "intended" => Verdict::Intended,
            "accidental" => Verdict::Accidental,
            other => return Err(refused(number, "intended or accidental", other)),
        };
        Ok(Entry { file: file.to_owned(), expected, text: text.to_owned() })
    });
    let entries = entries.collect::<Result<Vec<_>>>()?;
    if entries.is_empty() {
        return Err(refused(2, "a recording", ""));
    }
    Ok(entries)
}

/// Widths of the columns whose text comes from the manifest.
struct Widths {
    file: usize,
    text: usize,
}

impl Widths {
    fn of(entries: &[Entry]) -> Self {
        let widest = |text: fn(&Entry) -> &str| {
            entries.iter().map(|entry| text(entry).chars().count()).max().unwrap_or(0)
        };
        Self { file: widest(|entry| &entry.file).max(4), text: widest(|entry| &entry.text).max(4) }
    }

    fn head(&self) -> Result<()> {
        let bold = Style::new().bold();
        output::line(format_args!(
            "{bold}{:<file$}  {:<text$}  {:<10}  {:<13}  p_intended{bold:#}",
            "file",
            "said",
            "verdict",
            "reason",
            file = self.file,
            text = self.text
        ))
    }

    fn row(&self, entry: &Entry, row: &Row) -> Result<()> {
        let right = (row.verdict == Verdict::Intended) == (entry.expected == Verdict::Intended);
        let style = output::verdict_style(row.verdict.as_str());
        output::line(format_args!(
            "{:<file$}  {:<text$}  {style}{:<10}{style:#}  {:<13}  {} {:.3}{}",
            entry.file,
            entry.text,
            row.verdict,
            row.reason,
            output::bar(row.p_intended),
            row.p_intended,
            if right { String::new() } else { format!("  expected {}", entry.expected) },
            file = self.file,
            text = self.text
        ))
    }
}

/// Which recordings wake another engine, as data/peer.tsv has it.
struct Peer {
    name: String,
    wakes: HashSet<String>,
}

/// The peer's answers, if the folder has any.
fn read_peer(path: &Path) -> Result<Option<Peer>> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(None) };
    let refused = |line: usize, found: &str| {
        Error::new(ErrorKind::Settings, format!("{}, line {line}", path.display()))
            .expected("a recording, and wakes or sleeps; before them `file` and the engine's name")
            .found(format!("{found:?}"))
    };
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let name = head.strip_prefix("file\t").ok_or_else(|| refused(1, head))?;
    let mut wakes = HashSet::new();
    for (number, line) in (2..).zip(lines) {
        match line.split_once('\t') {
            Some((file, "wakes")) => drop(wakes.insert(file.to_owned())),
            Some((_, "sleeps")) => {}
            _ => return Err(refused(number, line)),
        }
    }
    Ok(Some(Peer { name: name.to_owned(), wakes }))
}

/// What an engine lets through: intended and accidental recordings.
#[derive(Default)]
struct Passed([usize; 2]);

impl Passed {
    fn add(&mut self, entry: &Entry, passes: bool) {
        self.0[usize::from(entry.expected != Verdict::Intended)] += usize::from(passes);
    }

    fn text(&self, wanted: usize) -> String {
        let [intended, accidental] = self.0;
        let all = counted(intended + accidental, "clip");
        format!(
            "{all}, {accidental} of them accidental; {} of {wanted} requests missed",
            wanted - intended
        )
    }
}

/// What would have reached a reviewer.
#[derive(Default)]
struct Totals {
    recordings: usize,
    wanted: usize,
    right: usize,
    unsure: bool,
    /// What the peer lets through, and what the gate does.
    peer: Passed,
    gate: Passed,
    failures: usize,
}

impl Totals {
    fn add(&mut self, entry: &Entry, row: &Row, peer: Option<&Peer>) {
        let passed = row.verdict == Verdict::Intended;
        let wanted = entry.expected == Verdict::Intended;
        self.recordings += 1;
        self.wanted += usize::from(wanted);
        self.right += usize::from(passed == wanted);
        self.unsure |= row.verdict == Verdict::Unsure;
        self.peer.add(entry, peer.is_some_and(|peer| peer.wakes.contains(&entry.file)));
        self.gate.add(entry, passed);
    }

    fn say(&self, wake_word: &str, peer: Option<&Peer>) -> Result<()> {
        let Self { recordings, wanted, right, .. } = self;
        output::line(format_args!(""))?;
        if self.unsure {
            output::line(format_args!(
                "unsure: its reason is the likeliest, but not sure enough to pass; wiped like an accidental one."
            ))?;
        }
        output::line(format_args!(
            "{right} of {} judged as expected.",
            counted(*recordings, "recording")
        ))?;
        output::line(format_args!("Would have reached a reviewer for \"{wake_word}\":"))?;
        let name = peer.map_or("", |peer| &peer.name);
        let width = name.chars().count().max("wakegate".len()) + 1;
        if let Some(peer) = peer {
            let text = self.peer.text(*wanted);
            output::line(format_args!("  {:<width$} {text}", format!("{}:", peer.name)))?;
        }
        output::line(format_args!("  {:<width$} {}", "wakegate:", self.gate.text(*wanted)))
    }
}
