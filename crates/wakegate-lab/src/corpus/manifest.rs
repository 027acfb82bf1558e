//! Manifests: a recording a row.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::grouping::Visit;
use super::{Item, Settings};
use crate::table::ParquetReader;
use wakegate::{Error, ErrorKind, Result};

/// Most bytes of a row.
const MOST_ROW: u64 = 16 << 20;

/// A table with a recording a row.
#[derive(Debug)]
pub(super) struct Manifest {
    path: PathBuf,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// With this character between the fields.
    Csv(u8),
    JsonLines,
    Parquet,
}

impl Manifest {
    /// Opens the manifest once, and refuses it where its columns are not those of `settings`.
    pub(super) fn open(path: &Path, settings: &Settings) -> Result<Self> {
        let form = form(path)?;
        match form {
            Form::Csv(delimiter) => {
                let mut reader = csv(open(path)?, delimiter, &Rc::default());
                let header = reader.headers().map_err(|error| unread(path, &error))?;
                let names: Vec<String> = header.iter().map(str::to_owned).collect();
                settings.columns.check(&names, &path.to_string_lossy())?;
            }
            Form::JsonLines if is_stdin(path) => {}
            Form::JsonLines => drop(open(path)?),
            Form::Parquet => {
                let names = ParquetReader::open(path)?.names();
                settings.columns.check(&names, &path.to_string_lossy())?;
            }
        }
        Ok(Self { path: path.to_owned(), form })
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
            Form::Csv(delimiter) => self.csv(delimiter, settings, visit),
            Form::JsonLines => self.json_lines(settings, visit),
            Form::Parquet => self.parquet(settings, visit),
        };
        result.unwrap_or_else(|error| {
            visit(Item::problem(self.path.to_string_lossy().into_owned(), error))
        })
    }

    fn csv(&self, delimiter: u8, settings: &Settings, visit: &mut Visit<'_>) -> Result<bool> {
        let read = Rc::new(Cell::new(0));
        let mut reader = csv(open(&self.path)?, delimiter, &read);
        let header = reader.headers().map_err(|error| unread(&self.path, &error))?.clone();
        let mut record = csv::StringRecord::new();
        loop {
            read.set(0);
            let item = match reader.read_record(&mut record) {
                Ok(false) => return Ok(true),
                Ok(true) => {
                    let line = record.position().map_or(0, csv::Position::line);
                    let get = |name: &str| {
                        let place = header.iter().position(|column| column == name);
                        match place.and_then(|place| record.get(place)) {
                            None | Some("") => Value::Null,
                            Some(text) => Value::String(text.to_owned()),
                        }
                    };
                    settings.columns.row(&get, settings, self.place(line))
                }
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    let is_io = matches!(error.kind(), csv::ErrorKind::Io(_));
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
        let mut reader = BufReader::new(open(&self.path)?);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let count = reader.by_ref().take(MOST_ROW + 1).read_until(b'\n', &mut line);
            if count.map_err(|e| Error::io("read", &self.path, &e))? == 0 {
                break;
            }
            if line.len() as u64 > MOST_ROW {
                return Err(too_long().context(self.place(number)));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let item = match serde_json::from_slice::<Map<String, Value>>(&line) {
                Ok(object) => {
                    let get = |name: &str| object.get(name).cloned().unwrap_or(Value::Null);
                    settings.columns.row(&get, settings, self.place(number))
                }
                Err(error) => Item::problem(
                    self.place(number),
                    Error::new(ErrorKind::Settings, "the row can't be read")
                        .expected("a JSON object on one line")
                        .found(error.to_string()),
                ),
            };
            if !visit(item) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn parquet(&self, settings: &Settings, visit: &mut Visit<'_>) -> Result<bool> {
        let mut number = 0;
        let columns = &settings.columns;
        ParquetReader::open(&self.path)?.rows(&|name| columns.name(name), &mut |row| {
            number += 1;
            let get = |name: &str| {
                let cell = row.iter().find(|(column, _)| column == name);
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

fn form(path: &Path) -> Result<Form> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        Some("csv") => Ok(Form::Csv(b',')),
        Some("tsv") => Ok(Form::Csv(b'\t')),
        Some("jsonl" | "ndjson" | "json") => Ok(Form::JsonLines),
        Some("parquet") => Ok(Form::Parquet),
        _ if is_stdin(path) => Ok(Form::JsonLines),
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

/// Every row has as many fields as the header, or is an error of its own. `read` counts the bytes
/// of a row.
fn csv(inner: Box<dyn Read>, delimiter: u8, read: &Rc<Cell<u64>>) -> csv::Reader<Rows> {
    let rows = Rows { inner, read: Rc::clone(read) };
    csv::ReaderBuilder::new().delimiter(delimiter).from_reader(rows)
}

/// A table whose rows are no longer than a limit: a reader holds each of them whole.
struct Rows {
    inner: Box<dyn Read>,
    /// Bytes since the last row began, and what was read ahead of it.
    read: Rc<Cell<u64>>,
}

impl Read for Rows {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.read.get() > MOST_ROW {
            return Err(io::Error::other(too_long()));
        }
        let count = self.inner.read(out)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

fn too_long() -> Error {
    Error::new(ErrorKind::Limit, "the row is too long")
        .expected(format!("at most {} MiB", MOST_ROW >> 20))
        .found("more")
        .hint("the file may lack line ends, or be no table at all")
}

fn unread(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("cannot read {}", path.display())).found(error.to_string())
}
