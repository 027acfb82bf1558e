//! Records as JSON lines, CSV or Parquet, or as a table for people.

use std::io::{self, Write};
use std::path::Path;

use clap::ValueEnum;
use wakegate::pipeline::SCHEMA;
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::scoring::{Record, Shape};
use wakegate_lab::table::{Column, Field, ParquetWriter, ROWS, SCHEMA_VERSION, Values};

use super::record_table::TableWriter;

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
    /// A table to look at
    Table,
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

/// Writes records in one of the formats.
pub struct RecordWriter<W: Write + Send> {
    shape: Shape,
    sink: Sink<W>,
}

enum Sink<W: Write + Send> {
    Jsonl(W),
    Csv(Box<csv::Writer<W>>),
    Parquet(Box<ParquetWriter<W>>, Vec<Values>),
    Table(TableWriter<W>),
}

impl<W: Write + Send> RecordWriter<W> {
    /// Starts a table in `out`.
    pub fn new(out: W, format: Format, shape: Shape) -> Result<Self> {
        let header = shape.row(&Record::default());
        let sink = match format {
            Format::Jsonl => Sink::Jsonl(out),
            Format::Table => Sink::Table(TableWriter::new(out).map_err(|e| io_error(&e))?),
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
                Sink::Parquet(Box::new(writer), header.iter().map(|c| c.1.none(GROUP)).collect())
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
            Sink::Table(table) => table.write(record).map_err(|e| io_error(&e)),
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
            Sink::Table(table) => table.flush(),
            Sink::Parquet(..) => Ok(()),
        }
        .map_err(|e| io_error(&e))
    }

    /// Ends the table, and gives its place back.
    pub fn finish(self) -> Result<W> {
        match self.sink {
            Sink::Jsonl(out) => Ok(out),
            Sink::Table(table) => Ok(table.into_inner()),
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
    let full = std::mem::replace(columns, empty.iter().map(|(_, cell)| cell.none(GROUP)).collect());
    let table: Vec<Column> =
        names.zip(full).map(|(name, values)| Column::new(name, values)).collect();
    writer.write_rows(&table)
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
