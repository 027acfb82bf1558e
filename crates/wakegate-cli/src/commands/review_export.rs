//! `wakegate review export`: the labelled scores as CSV, JSON lines or Parquet.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use wakegate::review::{LabelledScore, Person, Settings};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::table::{Column, Field, ParquetWriter, ROWS, SCHEMA_VERSION, Values, WholeFile};

use super::Outcome;
use super::output::{self, counted};
use super::review::open;

/// What a Parquet file of labelled scores says of its rows.
const WHAT: &str = "labelled activations";
/// Goes up when a column is renamed, is removed or changes its meaning.
const VERSION: &str = "1";
/// Rows of a row group.
const GROUP: usize = 50_000;

/// Print the labelled scores: numbers only, never audio
#[derive(Args)]
pub struct Export {
    /// File to write, there once it is complete; without it, stdout
    #[arg(long, value_name = "FILE", alias = "out", value_parser = output::file())]
    output: Option<PathBuf>,
    /// Its form; without it, by the ending of FILE: .csv, .jsonl or .parquet; else CSV
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Short for --format csv
    #[arg(long, conflicts_with_all = ["jsonl", "format"])]
    csv: bool,
    /// Short for --format jsonl
    #[arg(long, conflicts_with = "format", alias = "json")]
    jsonl: bool,
    /// Who does it, for the audit log
    #[arg(long, value_name = "NAME", env = "USER", default_value = "operator")]
    by: Person,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Comma-separated values with a header
    Csv,
    /// One JSON object a line
    #[value(alias = "json")]
    Jsonl,
    /// Parquet, with the version of its schema in the file's metadata
    Parquet,
}

impl Export {
    pub fn run(self, settings: &Settings) -> Result<Outcome> {
        let format = self.format()?;
        // Before anything is logged as exported.
        if self.output.is_none() && format == Format::Parquet && io::stdout().is_terminal() {
            return Err(Error::new(ErrorKind::Settings, "will not write Parquet to a terminal")
                .hint("--output labels.parquet"));
        }
        let file = self.output.as_deref().map(WholeFile::create).transpose()?;
        let scores = open(settings)?.labelled_scores(&self.by)?;
        match file {
            Some(mut file) => {
                write(&scores, format, &mut file).and_then(|()| file.commit())?;
            }
            None => to_stdout(&scores, format)?,
        }
        output::talk(format_args!("{}", counted(scores.len(), "labelled score")));
        Ok(Outcome::AllWell)
    }

    fn format(&self) -> Result<Format> {
        if self.csv || self.jsonl {
            return Ok(if self.csv { Format::Csv } else { Format::Jsonl });
        }
        match (self.format, &self.output) {
            (Some(format), _) => Ok(format),
            (None, None) => Ok(Format::Csv),
            (None, Some(path)) => by_ending(path),
        }
    }
}

fn by_ending(path: &Path) -> Result<Format> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match ending.as_str() {
        "csv" => Ok(Format::Csv),
        "json" | "jsonl" => Ok(Format::Jsonl),
        "parquet" => Ok(Format::Parquet),
        _ => Err(Error::new(ErrorKind::Settings, format!("which form has {}?", path.display()))
            .expected("a name that ends in .csv, .jsonl or .parquet")
            .found(format!("{ending:?}"))
            .hint("--format says it")),
    }
}

/// A reader of stdout that has gone is no error.
fn to_stdout(scores: &[LabelledScore], format: Format) -> Result<()> {
    let mut bytes = Vec::new();
    write(scores, format, &mut bytes)?;
    let mut out = io::stdout().lock();
    match out.write_all(&bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Io, "cannot write to stdout").found(error.to_string()))
        }
        _ => Ok(()),
    }
}

fn write(scores: &[LabelledScore], format: Format, out: &mut (impl Write + Send)) -> Result<()> {
    let unwritten = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Io, "cannot write the scores").found(error.to_string())
    };
    match format {
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(out);
            scores
                .iter()
                .try_for_each(|score| writer.serialize(score))
                .map_err(|e| unwritten(&e))?;
            writer.flush().map_err(|e| unwritten(&e))
        }
        Format::Jsonl => {
            let mut out = BufWriter::new(out);
            for score in scores {
                serde_json::to_writer(&mut out, score).map_err(|e| unwritten(&e))?;
                out.write_all(b"\n").map_err(|e| unwritten(&e))?;
            }
            out.flush().map_err(|e| unwritten(&e))
        }
        Format::Parquet => {
            let schema: Vec<Field> = columns(&[]).iter().map(Column::field).collect();
            let metadata = [(ROWS, WHAT), (SCHEMA_VERSION, VERSION)];
            let mut writer = ParquetWriter::new(out, &schema, &metadata)?;
            scores.chunks(GROUP).try_for_each(|group| writer.write_rows(&columns(group)))?;
            writer.finish().map(|_| ())
        }
    }
}

/// The columns of the CSV, by the same names and in the same order.
fn columns(scores: &[LabelledScore]) -> Vec<Column> {
    let text = |name: &str, of: fn(&LabelledScore) -> &str| {
        let values = scores.iter().map(|score| Some(of(score).to_owned()));
        Column::new(name, Values::Text(values.collect()))
    };
    let float = |name: &str, of: fn(&LabelledScore) -> Option<f32>| {
        let values = scores.iter().map(|score| of(score).map(f64::from));
        Column::new(name, Values::Float(values.collect()))
    };
    vec![
        text("day", |s| &s.day),
        text("label", |s| &s.label),
        text("wake_word", |s| &s.wake_word),
        text("model", |s| &s.model),
        float("p_intended", |s| Some(s.p_intended)),
        float("p_not_wake_word", |s| Some(s.p_not_wake_word)),
        float("p_not_addressed", |s| Some(s.p_not_addressed)),
        float("p_wake_word", |s| Some(s.p_wake_word)),
        float("p_addressed", |s| Some(s.p_addressed)),
        float("spotter_peak", |s| s.spotter_peak),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_those_of_the_csv() {
        let score = LabelledScore {
            day: "2026-03-02".into(),
            label: "intended".into(),
            wake_word: "alexa".into(),
            model: "alexa-1".into(),
            p_intended: 0.97,
            p_not_wake_word: 0.01,
            p_not_addressed: 0.02,
            p_wake_word: 0.9,
            p_addressed: 0.8,
            spotter_peak: None,
        };
        let mut csv = Vec::new();
        write(&[score], Format::Csv, &mut csv).unwrap();
        let header = String::from_utf8(csv).unwrap().lines().next().unwrap().to_owned();
        let names: Vec<String> = columns(&[]).into_iter().map(|column| column.name).collect();
        assert_eq!(names.join(","), header);
    }
}
