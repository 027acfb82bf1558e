//! Manifests: a recording a row.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::columns::is_same;
use super::grouping::Visit;
use super::paths::shown;
use super::{Item, Settings, json};
use crate::table::{CsvText, LimitedRows, ParquetReader, RowLength, broken_quote};
use wakegate::{Error, ErrorKind, Result};

/// A table with a recording a row.
#[derive(Debug)]
pub(super) struct Manifest {
    path: PathBuf,
    form: ManifestFormat,
    has_channels: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ManifestFormat {
    /// With this character between the fields.
    Csv(u8),
    JsonLines,
    Parquet,
}

impl Manifest {
    /// Opens the manifest once, and refuses it where its columns are not those of `settings`; also
    /// gives what is odd about them.
    pub(super) fn open(path: &Path, settings: &Settings) -> Result<(Self, Vec<String>)> {
        let form = form(path)?;
        // Its rows are read again later, for which a pipe has nothing left.
        if !is_stdin(path) && fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            return Err(Error::new(ErrorKind::Io, format!("cannot read {}", path.display()))
                .expected("a file, which can be read twice")
                .found("a folder, a device or a pipe")
                .hint("--manifest - takes JSON lines on stdin"));
        }
        let columns = &settings.columns;
        let table = path.to_string_lossy();
        let names = match form {
            ManifestFormat::Csv(delimiter) => {
                let names = Csv::open(path, delimiter)?.columns;
                columns.check(&names, &table)?;
                names
            }
            ManifestFormat::JsonLines if is_stdin(path) => Vec::new(),
            ManifestFormat::JsonLines => {
                let mut names = Vec::new();
                let (rows, _) = LimitedRows::new(open(path)?);
                json::visit(rows, &mut |_, row| {
                    names = row.map(|row| row.keys().cloned().collect()).unwrap_or_default();
                    false
                })
                .map_err(|e| Error::io("read", path, &e))?;
                names
            }
            ManifestFormat::Parquet => {
                let parquet = ParquetReader::open(path)?;
                let names = parquet.names();
                columns.check(&names, &table)?;
                let nested = |name: &&String| columns.needs(name) && parquet.is_nested(name);
                if let Some(name) = names.iter().find(nested) {
                    return Err(Error::new(
                        ErrorKind::Settings,
                        format!("the column {name:?} of {table} can't be read"),
                    )
                    .expected("one value a row: a text or a number")
                    .found("a list or an object")
                    .hint("write the recordings to files, and name those"));
                }
                names
            }
        };
        let has_channels = names.iter().any(|name| columns.is_channel(name));
        Ok((Self { path: path.to_owned(), form, has_channels }, columns.near(&names)))
    }

    /// Whether its rows say which channel is heard.
    pub(super) fn has_channels(&self) -> bool {
        self.has_channels
    }

    /// Bytes of the recordings that it names; none where its rows can't be read twice.
    pub(super) fn bytes(&self, settings: &Settings) -> Option<u64> {
        let mut sum = 0_u64;
        (!is_stdin(&self.path)).then(|| {
            self.visit(settings, &mut |mut item| {
                item.measure();
                sum = sum.saturating_add(item.about.bytes);
                true
            });
            sum
        })
    }

    /// Visits the rows; `false` where the visitor wants no more.
    pub(super) fn visit(&self, settings: &Settings, visit: &mut Visit<'_>) -> bool {
        let result = match self.form {
            ManifestFormat::Csv(delimiter) => self.csv(delimiter, settings, visit),
            ManifestFormat::JsonLines => self.json_lines(settings, visit),
            ManifestFormat::Parquet => self.parquet(settings, visit),
        };
        result.unwrap_or_else(|error| visit(Item::problem(shown(&self.path), error)))
    }

    fn csv(&self, delimiter: u8, settings: &Settings, visit: &mut Visit<'_>) -> Result<bool> {
        let Csv { mut reader, length, columns, is_spaced } = Csv::open(&self.path, delimiter)?;
        // Where semicolons lie between the fields, commas lie inside numbers.
        let commas = reader.get_ref().delimiter() == b';';
        let mut record = csv::StringRecord::new();
        loop {
            length.begin();
            let more = reader.read_record(&mut record);
            if let Some((line, found)) = broken_quote(&reader) {
                return Err(Error::new(ErrorKind::Settings, "the rows can't be read on")
                    .context(self.place(line))
                    .expected("a second quote for each quote")
                    .found(found));
            }
            let item = match more {
                Ok(false) => return Ok(true),
                Ok(true) => {
                    let line = record.position().map_or(0, csv::Position::line);
                    let get = |name: &str| {
                        let exact = columns.iter().position(|column| column == name);
                        let alike = || columns.iter().position(|column| is_same(name, column));
                        let cell = exact.or_else(alike).and_then(|place| record.get(place));
                        match cell.map(|cell| if is_spaced { cell.trim() } else { cell }) {
                            None | Some("") => Value::Null,
                            Some(text) if commas && settings.columns.is_trigger(name) => {
                                Value::String(text.replace(',', "."))
                            }
                            Some(text) => Value::String(text.to_owned()),
                        }
                    };
                    settings.columns.row(&get, settings, self.place(line))
                }
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    let is_io = matches!(error.kind(), csv::ErrorKind::Io(_));
                    if let Some(error) = length.problem().filter(|_| is_io) {
                        return Err(error.context(self.place(reader.position().line())));
                    }
                    let error = Error::new(ErrorKind::Settings, "the row can't be read")
                        .found(error.to_string());
                    if is_io {
                        return Err(error);
                    }
                    Item::problem(self.place(line), error)
                }
            };
            if !visit(item) {
                return Ok(false);
            }
        }
    }

    fn json_lines(&self, settings: &Settings, visit: &mut Visit<'_>) -> Result<bool> {
        let last = Cell::new(0);
        let (rows, length) = LimitedRows::new(open(&self.path)?);
        let visited = json::visit(rows, &mut |number, row| {
            length.begin();
            last.set(number);
            let place = self.place(number);
            visit(match row {
                Ok(object) => {
                    let get = |name: &str| {
                        let alike = || object.iter().find(|(key, _)| is_same(name, key));
                        let found = object.get(name).or_else(|| alike().map(|(_, value)| value));
                        found.cloned().unwrap_or(Value::Null)
                    };
                    settings.columns.row(&get, settings, place)
                }
                Err(error) => Item::problem(
                    place,
                    Error::new(ErrorKind::Settings, "the row can't be read")
                        .expected("a JSON object on one line, or an array of objects")
                        .found(error),
                ),
            })
        });
        visited.map_err(|error| match length.problem() {
            Some(problem) => problem.context(self.place(last.get() + 1)),
            None => Error::io("read", &self.path, &error),
        })
    }

    fn parquet(&self, settings: &Settings, visit: &mut Visit<'_>) -> Result<bool> {
        let mut number = 0;
        let columns = &settings.columns;
        ParquetReader::open(&self.path)?.rows(&|name| columns.name(name), &mut |row| {
            number += 1;
            let get = |name: &str| {
                let alike = || row.iter().find(|(column, _)| is_same(name, column));
                let cell = row.iter().find(|(column, _)| column == name).or_else(alike);
                cell.map_or(Value::Null, |(_, value)| value.clone())
            };
            visit(columns.row(&get, settings, self.place(number)))
        })
    }

    /// What a row is called that names nothing itself.
    fn place(&self, line: u64) -> String {
        format!("{}:{line}", self.path.display())
    }
}

fn form(path: &Path) -> Result<ManifestFormat> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        Some("csv") => Ok(ManifestFormat::Csv(b',')),
        Some("tsv") => Ok(ManifestFormat::Csv(b'\t')),
        Some("jsonl" | "ndjson" | "json") => Ok(ManifestFormat::JsonLines),
        Some("parquet") => Ok(ManifestFormat::Parquet),
        _ if is_stdin(path) => Ok(ManifestFormat::JsonLines),
        _ => Err(Error::new(ErrorKind::Settings, "cannot tell the manifest's form")
            .expected("a name that ends in .csv, .tsv, .jsonl or .parquet, or - for JSON lines")
            .found(path.display().to_string())
            .hint("a list of bare paths is --list FILE")),
    }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn open(path: &Path) -> Result<Box<dyn Read>> {
    if is_stdin(path) {
        return Ok(Box::new(io::stdin()));
    }
    Ok(Box::new(File::open(path).map_err(|e| Error::io("read", path, &e))?))
}

/// An open table of text.
struct Csv {
    reader: csv::Reader<CsvText<LimitedRows<Box<dyn Read>>>>,
    length: RowLength,
    columns: Vec<String>,
    is_spaced: bool,
}

impl Csv {
    /// Every row has as many fields as the header, or is an error of its own.
    fn open(path: &Path, delimiter: u8) -> Result<Self> {
        let (rows, length) = LimitedRows::new(open(path)?);
        let text = CsvText::new(rows, delimiter, true);
        let text = text.map_err(|e| Error::io("read", path, &e))?;
        let mut reader = csv::ReaderBuilder::new().delimiter(text.delimiter()).from_reader(text);
        let header = reader.headers().map_err(|error| {
            let problem = length.problem().map(|problem| problem.context(path.display()));
            problem.unwrap_or_else(|| unread(path, &error))
        })?;
        // Who puts a space behind each comma of the header puts it behind all.
        let is_spaced = header.iter().any(|name| name != name.trim());
        let columns = header.iter().map(|name| name.trim().to_owned()).collect();
        Ok(Self { reader, length, columns, is_spaced })
    }
}

fn unread(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("cannot read {}", path.display())).found(error.to_string())
}
