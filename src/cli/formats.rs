//! Records as JSON lines, CSV or Parquet.

use std::io::{self, Write};
use std::path::Path;

use clap::ValueEnum;
use serde_json::Value;
use wakegate::table::{Column, Field, Kind, ParquetWriter, ROWS, SCHEMA_VERSION, Values};
use wakegate::{Error, ErrorKind, Result};

use super::record::{Named, Record, SCHEMA};

/// Rows of a Parquet row group.
const GROUP: usize = 1 << 14;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A JSON object a line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
    /// Tab-separated values with a header
    Tsv,
    /// Apache Parquet, compressed with Snappy
    Parquet,
}

impl Format {
    /// The format that a file's name asks for.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            Some("jsonl" | "ndjson" | "json") => Ok(Self::Jsonl),
            Some("csv") => Ok(Self::Csv),
            Some("tsv") => Ok(Self::Tsv),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(Error::new(ErrorKind::Settings, "cannot tell the output's format")
                .expected("a name that ends in .jsonl, .csv, .tsv or .parquet")
                .found(path.display().to_string())
                .hint("give it with --format")),
        }
    }
}

/// Which columns a table of records has beside those that all have.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// Ids, labels and groups.
    pub names: bool,
    /// Numbers of activations.
    pub activations: bool,
    /// Names of the columns that are carried through.
    pub carried: Vec<String>,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Text(Option<String>),
    /// A number of 32 bits; its shortest decimal is that of 32 bits.
    Single(Option<f32>),
    Float(Option<f64>),
    Int(Option<i64>),
}

impl Shape {
    /// Refuses carried columns that the table has anyway.
    pub fn check(&self) -> Result<()> {
        let all = Self { names: true, activations: true, carried: Vec::new() };
        let taken: Vec<String> = all.row(&Record::default()).into_iter().map(|c| c.0).collect();
        match self.carried.iter().find(|name| taken.contains(name)) {
            None => Ok(()),
            Some(name) => Err(Error::new(ErrorKind::Settings, "a column can't be carried")
                .expected(format!("a name other than the output's own {}", taken.join(", ")))
                .found(name.clone())
                .hint("rename it in the manifest")),
        }
    }

    /// The columns of a record with their names.
    fn row(&self, record: &Record) -> Vec<(String, Cell)> {
        let text = |text: &str| Cell::Text(Some(text.to_owned()));
        let mut row: Vec<(&str, Cell)> = vec![("path", text(&record.path))];
        if self.names {
            let Named { id, label, group } = record.named.clone().unwrap_or_default();
            row.push(("id", Cell::Text(id)));
            row.push(("label", Cell::Text(label)));
            row.push(("group", Cell::Text(group)));
        }
        if self.activations {
            let number = record.activation.flatten();
            row.push(("activation", Cell::Int(number.and_then(|n| i64::try_from(n).ok()))));
        }
        let warnings = (!record.warnings.is_empty()).then(|| record.warnings.join("; "));
        row.extend([
            ("audio_s", Cell::Float(record.audio_s)),
            ("verdict", Cell::Text(record.verdict.as_deref().map(str::to_owned))),
            ("reason", Cell::Text(record.reason.as_deref().map(str::to_owned))),
            ("p_intended", Cell::Single(record.p_intended)),
            ("p_wake_word", Cell::Single(record.p_wake_word)),
            ("p_addressed", Cell::Single(record.p_addressed)),
            ("wake_word", text(&record.wake_word)),
            ("start_s", Cell::Float(record.start_s)),
            ("end_s", Cell::Float(record.end_s)),
            ("decided_s", Cell::Float(record.decided_s)),
            ("model", text(&record.model)),
            ("schema", Cell::Int(Some(i64::from(record.schema)))),
            ("error", Cell::Text(record.error.clone())),
            ("warnings", Cell::Text(warnings)),
        ]);
        let carried = |name: &String| {
            let value = record.carried.0.iter().find(|(carried, _)| carried == name);
            Cell::Text(match value.map(|(_, value)| value) {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
            })
        };
        let own = row.into_iter().map(|(name, cell)| (name.to_owned(), cell));
        own.chain(self.carried.iter().map(|name| (name.clone(), carried(name)))).collect()
    }
}

/// Writes records in one of the formats.
pub struct RecordWriter<W: Write + Send> {
    shape: Shape,
    sink: Sink<W>,
}

enum Sink<W: Write + Send> {
    Jsonl(W),
    Csv(Box<csv::Writer<W>>),
    Parquet(Box<ParquetWriter<W>>, Vec<Values>),
}

impl<W: Write + Send> RecordWriter<W> {
    /// Starts a table in `out`.
    pub fn new(out: W, format: Format, shape: Shape) -> Result<Self> {
        let header = shape.row(&Record::default());
        let sink = match format {
            Format::Jsonl => Sink::Jsonl(out),
            Format::Csv | Format::Tsv => {
                let delimiter = if format == Format::Csv { b',' } else { b'\t' };
                let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
                let names = header.iter().map(|(name, _)| name);
                writer.write_record(names).map_err(csv_error)?;
                Sink::Csv(Box::new(writer))
            }
            Format::Parquet => {
                let schema: Vec<Field> =
                    header.iter().map(|(name, cell)| Field::new(name, cell.kind())).collect();
                let version = SCHEMA.to_string();
                let rows = if shape.activations { "activations" } else { "recordings" };
                let metadata = [(SCHEMA_VERSION, version.as_str()), (ROWS, rows)];
                let writer = ParquetWriter::new(out, &schema, &metadata)?;
                Sink::Parquet(Box::new(writer), header.iter().map(|c| c.1.none()).collect())
            }
        };
        Ok(Self { shape, sink })
    }

    /// Adds a record.
    pub fn write(&mut self, record: &Record) -> Result<()> {
        match &mut self.sink {
            Sink::Jsonl(out) => {
                serde_json::to_writer(&mut *out, record).map_err(|e| io_error(&e.into()))?;
                out.write_all(b"\n").map_err(|e| io_error(&e))
            }
            Sink::Csv(writer) => {
                let row = self.shape.row(record);
                writer.write_record(row.iter().map(|(_, cell)| cell.text())).map_err(csv_error)
            }
            Sink::Parquet(writer, columns) => {
                let row = self.shape.row(record);
                for ((_, cell), values) in row.into_iter().zip(columns.iter_mut()) {
                    cell.push(values);
                }
                if columns.first().is_some_and(|values| values.len() >= GROUP) {
                    write_group(writer, columns, &self.shape)?;
                }
                Ok(())
            }
        }
    }

    /// Adds a record that is JSON already; it need not be read for JSON lines.
    pub fn write_json(&mut self, line: &[u8]) -> Result<()> {
        if let Sink::Jsonl(out) = &mut self.sink {
            let written = out.write_all(line).and_then(|()| out.write_all(b"\n"));
            return written.map_err(|e| io_error(&e));
        }
        let record: Record = serde_json::from_slice(line).map_err(|error| {
            Error::new(ErrorKind::Io, "a record of the journal can't be read")
                .found(error.to_string())
        })?;
        self.write(&record)
    }

    /// Passes on what is written so far, where the format allows it.
    pub fn flush(&mut self) -> Result<()> {
        match &mut self.sink {
            Sink::Jsonl(out) => out.flush(),
            Sink::Csv(writer) => writer.flush(),
            Sink::Parquet(..) => Ok(()),
        }
        .map_err(|e| io_error(&e))
    }

    /// Ends the table, and gives its place back.
    pub fn finish(self) -> Result<W> {
        match self.sink {
            Sink::Jsonl(out) => Ok(out),
            Sink::Csv(writer) => writer.into_inner().map_err(|e| io_error(e.error())),
            Sink::Parquet(mut writer, mut columns) => {
                write_group(&mut writer, &mut columns, &self.shape)?;
                writer.finish()
            }
        }
    }
}

fn write_group<W: Write + Send>(
    writer: &mut ParquetWriter<W>,
    columns: &mut Vec<Values>,
    shape: &Shape,
) -> Result<()> {
    let empty = shape.row(&Record::default());
    let names = empty.iter().map(|(name, _)| name);
    let full = std::mem::replace(columns, empty.iter().map(|(_, cell)| cell.none()).collect());
    let table: Vec<Column> =
        names.zip(full).map(|(name, values)| Column::new(name, values)).collect();
    writer.write_rows(&table)
}

impl Cell {
    fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Single(_) | Self::Float(_) => Kind::Float,
            Self::Int(_) => Kind::Int,
        }
    }

    /// A column of this kind without values.
    fn none(&self) -> Values {
        match self.kind() {
            Kind::Float => Values::Float(Vec::with_capacity(GROUP)),
            Kind::Int => Values::Int(Vec::with_capacity(GROUP)),
            Kind::Text | Kind::Bool => Values::Text(Vec::with_capacity(GROUP)),
        }
    }

    fn push(self, column: &mut Values) {
        match (self, column) {
            (Self::Text(value), Values::Text(values)) => values.push(value),
            (Self::Single(value), Values::Float(values)) => values.push(value.map(f64::from)),
            (Self::Float(value), Values::Float(values)) => values.push(value),
            (Self::Int(value), Values::Int(values)) => values.push(value),
            // The columns were made of the cells' kinds.
            _ => {}
        }
    }

    /// As CSV has it; nothing for nothing.
    fn text(&self) -> String {
        match self {
            Self::Text(value) => value.clone(),
            Self::Single(value) => value.map(|value| value.to_string()),
            Self::Float(value) => value.map(|value| value.to_string()),
            Self::Int(value) => value.map(|value| value.to_string()),
        }
        .unwrap_or_default()
    }
}

fn io_error(error: &io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot write the records").found(error.to_string())
}

fn csv_error(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => io_error(&error),
        other => Error::new(ErrorKind::Io, "cannot write CSV").found(format!("{other:?}")),
    }
}
