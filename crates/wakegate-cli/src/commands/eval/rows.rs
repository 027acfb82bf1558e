//! Rows of a table, whichever form it has: JSON lines, CSV, TSV or Parquet. The form is told by
//! what is in the file, so that its name may be any.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::{Map, Number, Value};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::table::{
    CsvText, LimitedRows, Object, ParquetReader, RowLength, Utf8, broken_quote,
};

/// What a file of Parquet begins and ends with.
const PARQUET: &[u8] = b"PAR1";
/// As much of a file as its form is told by.
const HEAD: usize = 1 << 16;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// An object a line.
    JsonLines,
    /// A header, and commas between the fields.
    Csv,
    /// A header, and tabs between the fields.
    Tsv,
    /// Times and a text by tabs, without a header, as Audacity exports labels.
    Audacity,
    /// Apache Parquet.
    Parquet,
}

impl RowFormat {
    /// The form of a file that begins with `head`.
    pub fn of(head: &[u8]) -> Self {
        if head.starts_with(PARQUET) {
            return Self::Parquet;
        }
        let text = String::from_utf8_lossy(head);
        let line = text.trim_start_matches('\u{feff}').lines().find(|line| !line.trim().is_empty());
        match line {
            None => Self::JsonLines,
            Some(line) if line.trim_start().starts_with('{') => Self::JsonLines,
            Some(line) if are_times(line) => Self::Audacity,
            Some(line) if line.contains('\t') => Self::Tsv,
            Some(_) => Self::Csv,
        }
    }
}

/// Whether a line has two numbers before anything else.
fn are_times(line: &str) -> bool {
    let mut fields = line.split('\t');
    let mut number = || fields.next().is_some_and(|field| decimal(field).parse::<f64>().is_ok());
    number() && number()
}

/// A number as every program reads it: where people write a comma before its fraction, so does
/// Audacity.
fn decimal(field: &str) -> String {
    field.trim().replacen(',', ".", 1)
}

/// How a table is read.
pub struct Reading<'a> {
    /// The columns to read; every other is passed over.
    pub wanted: &'a dyn Fn(&str) -> bool,
    /// Those of them that are numbers: the text of CSV becomes one, and a whole one an integer.
    pub numbers: &'a [&'a str],
    /// Whether quotes in a TSV enclose a field.
    pub quoted_tabs: bool,
    /// What the table is, for an error: `the scores`.
    pub name: &'a str,
    /// What a row is, for an error.
    pub row: &'a str,
    /// What helps where the table is cut off.
    pub remedy: &'a str,
}

/// What is known of a table before its rows.
#[derive(Debug, Default)]
pub struct Head {
    /// Its columns, where they are named once for all rows.
    pub columns: Option<Vec<String>>,
    /// The version of its schema, where the file says so.
    pub schema: Option<String>,
}

/// Takes a row: its place in words, and its values by column.
pub type Take<'t> = dyn FnMut(&str, Map<String, Value>) -> Result<()> + 't;

impl Reading<'_> {
    /// Reads the table at `path`: hands its head to `begin` and then its rows to `take`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it can't be read, [`ErrorKind::Settings`] where it is no whole
    /// table, and what `begin` and `take` give; with the file and the place.
    pub fn read(
        &self,
        path: &Path,
        begin: &mut dyn FnMut(RowFormat, &Head) -> Result<()>,
        take: &mut Take<'_>,
    ) -> Result<()> {
        let unread = |e: io::Error| Error::io("read", path, &e);
        let file = File::open(path).map_err(unread)?;
        let (rows, length) = LimitedRows::new(file);
        let mut reader = BufReader::with_capacity(HEAD, Utf8::new(rows));
        let form = RowFormat::of(reader.fill_buf().map_err(unread)?);
        match form {
            RowFormat::JsonLines => {
                begin(form, &Head::default()).and_then(|()| self.json_lines(reader, &length, take))
            }
            RowFormat::Csv | RowFormat::Tsv => self.csv(reader, form, &length, begin, take),
            RowFormat::Audacity => {
                begin(form, &Head::default()).and_then(|()| self.audacity(reader, &length, take))
            }
            RowFormat::Parquet => return self.parquet(path, begin, take),
        }
        .map_err(|error| error.context(path.display()))
    }

    fn json_lines(
        &self,
        mut reader: impl BufRead,
        length: &RowLength,
        take: &mut Take<'_>,
    ) -> Result<()> {
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            length.begin();
            let place = format!("line {number}");
            let count = reader.read_until(b'\n', &mut line);
            if count.map_err(|e| unread(length, &e).context(&place))? == 0 {
                break;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let Object(row) = serde_json::from_slice(&line).map_err(|error| {
                let cut = !line.ends_with(b"\n") && error.is_eof();
                let error = if cut { self.cut_off() } else { self.refused(self.row, &error) };
                error.context(&place)
            })?;
            let row = row.into_iter().filter(|(name, _)| (self.wanted)(name));
            take(&place, row.map(|(name, value)| self.typed(name, value)).collect())?;
        }
        Ok(())
    }

    fn csv(
        &self,
        reader: impl Read,
        form: RowFormat,
        length: &RowLength,
        begin: &mut dyn FnMut(RowFormat, &Head) -> Result<()>,
        take: &mut Take<'_>,
    ) -> Result<()> {
        let tabs = form == RowFormat::Tsv;
        let quoting = !tabs || self.quoted_tabs;
        let text = CsvText::new(reader, if tabs { b'\t' } else { b',' }, quoting);
        let text = text.map_err(|e| unread(length, &e))?;
        let commas = text.delimiter() == b';';
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(text.delimiter())
            .quoting(quoting)
            .from_reader(text);
        let header = reader.headers().map_err(|error| {
            length.problem().unwrap_or_else(|| self.refused(self.row, &error)).context("line 1")
        })?;
        let columns: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        if let Some(twice) =
            columns.iter().find(|&a| columns.iter().filter(|&b| a == b).count() > 1)
        {
            return Err(self.refused("each column once", &format!("{twice} twice")));
        }
        let has_schema = columns.iter().any(|name| name == "schema");
        let head = Head { columns: Some(columns.clone()), schema: None };
        begin(form, &head)?;
        let mut record = csv::StringRecord::new();
        loop {
            length.begin();
            let more = reader.read_record(&mut record);
            let position = more.as_ref().map_or_else(|e| e.position(), |_| record.position());
            let place = format!("line {}", position.map_or(0, csv::Position::line));
            let text = reader.get_ref();
            if text.open_quote().is_some() && !text.ends_a_line() {
                return Err(self.cut_off().context(place));
            }
            if let Some((line, found)) = broken_quote(&reader) {
                return Err(self
                    .refused("a second quote for each quote", &found)
                    .context(format_args!("line {line}")));
            }
            match more {
                // What `score` writes ends with a line's end; what people write need not.
                Ok(false) if has_schema && !reader.get_ref().ends_a_line() => {
                    return Err(self.cut_off().context(place));
                }
                Ok(false) => break,
                Ok(true) => {}
                Err(error) if matches!(error.kind(), csv::ErrorKind::Io(_)) => {
                    return Err(unread(length, &error).context(place));
                }
                Err(error) => {
                    let last = !reader.read_record(&mut record).unwrap_or(true);
                    let cut = last && is_short(&error) && !reader.get_ref().ends_a_line();
                    let error = match cut {
                        true => self.cut_off(),
                        false => self.refused("as many fields as there are columns", &error),
                    };
                    return Err(error.context(place));
                }
            }
            let cells = columns.iter().zip(&record).filter(|(name, _)| (self.wanted)(name));
            // Where semicolons lie between the fields, commas lie inside numbers.
            let text = |name: &str, cell: &str| match cell {
                "" => Value::Null,
                text if commas && name.ends_with("_s") => Value::String(decimal(text)),
                text => Value::String(text.to_owned()),
            };
            let row =
                cells.map(|(name, cell)| self.typed(name.clone(), text(name, cell))).collect();
            take(&place, row)?;
        }
        Ok(())
    }

    fn audacity(
        &self,
        reader: impl BufRead,
        length: &RowLength,
        take: &mut Take<'_>,
    ) -> Result<()> {
        for (number, line) in (1_u64..).zip(reader.lines()) {
            let line =
                line.map_err(|e| unread(length, &e).context(format_args!("line {number}")))?;
            length.begin();
            // A line that begins so has the frequencies of the label before it.
            if line.trim().is_empty() || line.starts_with('\\') {
                continue;
            }
            let place = format!("line {number}");
            if !are_times(&line) {
                let expected = "start, end and text of a label, by tabs";
                return Err(self.refused(expected, &format!("{line:?}")).context(&place));
            }
            let fields = ["start_s", "end_s", "label"].into_iter().zip(line.splitn(3, '\t'));
            let value = |name: &str, text: &str| {
                Value::String(if name == "label" { text.trim().to_owned() } else { decimal(text) })
            };
            take(
                &place,
                fields.map(|(name, text)| (name.to_owned(), value(name, text))).collect(),
            )?;
        }
        Ok(())
    }

    fn parquet(
        &self,
        path: &Path,
        begin: &mut dyn FnMut(RowFormat, &Head) -> Result<()>,
        take: &mut Take<'_>,
    ) -> Result<()> {
        if !ends_whole(path)? {
            return Err(self.cut_off().context(path.display()));
        }
        let table = ParquetReader::open(path)?;
        let head = Head {
            columns: Some(table.names()),
            schema: table.metadata(wakegate_lab::table::SCHEMA_VERSION),
        };
        begin(RowFormat::Parquet, &head).map_err(|error| error.context(path.display()))?;
        let (mut number, mut problem) = (0_u64, None);
        table.rows(self.wanted, &mut |row| {
            number += 1;
            let row = row.iter().map(|(name, value)| self.typed(name.clone(), value.clone()));
            problem = take(&format!("row {number}"), row.collect()).err();
            problem.is_none()
        })?;
        problem.map_or(Ok(()), |error| Err(error.context(path.display())))
    }

    /// A cell, as a number where its column has numbers and it is one.
    fn typed(&self, name: String, value: Value) -> (String, Value) {
        let is_number = self.numbers.contains(&name.as_str());
        let number = match &value {
            Value::String(text) if is_number => text.trim().parse::<f64>().ok(),
            Value::Number(number) if is_number => number.as_f64(),
            _ => None,
        };
        let whole = |number: f64| number.fract() == 0.0 && (0.0..9e15).contains(&number);
        let value = match number {
            Some(number) if whole(number) => Value::from(number as u64),
            Some(number) => Number::from_f64(number).map_or(value, Value::Number),
            None => value,
        };
        (name, value)
    }

    fn cut_off(&self) -> Error {
        Error::new(ErrorKind::Settings, format!("{} are cut off", self.name))
            .expected(self.row)
            .found("the file's end in the middle of it")
            .hint(self.remedy)
    }

    fn refused(&self, expected: &str, found: &dyn std::fmt::Display) -> Error {
        Error::new(ErrorKind::Settings, format!("{} are refused", self.name))
            .expected(expected)
            .found(found.to_string())
    }
}

/// The error of a table that can't be read on, which may be that its row is too long.
fn unread(length: &RowLength, error: &dyn std::fmt::Display) -> Error {
    let other = || Error::new(ErrorKind::Io, "cannot be read").found(error.to_string());
    length.problem().unwrap_or_else(other)
}

/// Whether a record has fewer fields than there are columns.
fn is_short(error: &csv::Error) -> bool {
    matches!(error.kind(), csv::ErrorKind::UnequalLengths { expected_len, len, .. } if len < expected_len)
}

/// Whether a Parquet file has its end.
fn ends_whole(path: &Path) -> Result<bool> {
    let read = || -> io::Result<bool> {
        let mut file = File::open(path)?;
        // Its two marks, and the length of what lies between them.
        if file.metadata()?.len() < 12 {
            return Ok(false);
        }
        let mut end = [0; PARQUET.len()];
        file.seek(SeekFrom::End(-(PARQUET.len() as i64)))?;
        file.read_exact(&mut end)?;
        Ok(end == PARQUET)
    };
    read().map_err(|e| Error::io("read", path, &e))
}
