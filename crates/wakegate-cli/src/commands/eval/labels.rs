//! The labels: what was said where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wakegate::{Error, ErrorKind, Result};

use super::rows::{Reading, RowFormat};

/// Columns with a meaning of their own; any other can be grouped by.
const KNOWN: [&str; 7] = ["path", "id", "start_s", "end_s", "label", "speaker", "audio_s"];

/// The labels of one or more files.
pub struct Labels {
    /// Whether recordings are named by `id` and not by `path`.
    pub by_id: bool,
    /// Every column, in the file's order.
    pub columns: Vec<String>,
    /// The labels.
    pub rows: Vec<Row>,
    /// The files that they are from.
    pub files: Vec<PathBuf>,
}

/// One label.
pub struct Row {
    /// The number of its file.
    file: usize,
    /// The recording.
    pub key: String,
    /// Whether that is its name without an ending: Audacity's labels say no more.
    pub is_stem: bool,
    /// Where, in seconds; none for the whole recording.
    pub span_s: Option<(f64, f64)>,
    /// The word, or nothing.
    pub label: String,
    /// Who speaks, if anybody.
    pub speaker: Option<String>,
    /// How long the recording is.
    pub audio_s: Option<f64>,
    values: BTreeMap<String, String>,
}

impl Row {
    /// What stands in `column`; empty where nothing does.
    pub fn value(&self, column: &str) -> &str {
        self.values.get(column).map_or("", String::as_str)
    }

    /// The folder of its file, from which its path may start.
    pub fn folder(&self, files: &[PathBuf]) -> PathBuf {
        files[self.file].parent().unwrap_or(Path::new("")).to_owned()
    }
}

impl Labels {
    /// Whether one can group by `column`.
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }

    /// The columns beyond those with a meaning of their own.
    pub fn extra(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str).filter(|name| !KNOWN.contains(name))
    }
}

/// Reads all of `files`: CSV, TSV, JSON lines, Parquet, or what Audacity exports.
///
/// # Errors
/// [`ErrorKind::Io`] where one can't be read, [`ErrorKind::Settings`] for what is no label, with
/// the file and the line.
pub fn read(files: &[PathBuf]) -> Result<Labels> {
    let mut labels =
        Labels { by_id: false, columns: Vec::new(), rows: Vec::new(), files: files.to_vec() };
    let mut seen = BTreeMap::new();
    for (number, file) in files.iter().enumerate() {
        let table = Table::read(file)?;
        if number > 0 && table.by_id != labels.by_id {
            return Err(refused()
                .context(file.display())
                .expected("recordings named by path in all files, or by id in all")
                .found("both"));
        }
        labels.by_id = table.by_id;
        for name in table.columns {
            if !labels.has(&name) {
                labels.columns.push(name);
            }
        }
        for (place, row) in table.rows {
            let row = Row { file: number, ..row };
            let [start, end] = ["start_s", "end_s"].map(|name| row.value(name).to_owned());
            let same = (row.folder(files), row.key.clone(), row.label.clone(), start, end);
            if let Some(before) = seen.insert(same, format!("{} {place}", file.display())) {
                return Err(refused()
                    .context(format_args!("{}: {place}", file.display()))
                    .expected("each label once")
                    .found(format!("that of {before} again")));
            }
            labels.rows.push(row);
        }
    }
    if labels.rows.is_empty() {
        return Err(refused().expected("at least one label").found("none"));
    }
    Ok(labels)
}

/// The labels of one file.
#[derive(Default)]
struct Table {
    by_id: bool,
    columns: Vec<String>,
    /// Each with its place.
    rows: Vec<(String, Row)>,
}

impl Table {
    fn read(file: &Path) -> Result<Self> {
        let reading = Reading {
            wanted: &|_| true,
            numbers: &[],
            // Quotes in a TSV are quotes: that is how such files are written.
            quoted_tabs: false,
            name: "the labels",
            row: "an object of texts, numbers and nulls on a line",
            remedy: "take the file from where it was made",
        };
        let (mut form, mut header) = (RowFormat::JsonLines, None);
        let (mut seen, mut rows): (Vec<String>, Vec<Raw>) = (Vec::new(), Vec::new());
        reading.read(
            file,
            &mut |found, head| {
                (form, header) = (found, head.columns.clone());
                Ok(())
            },
            &mut |place, row| {
                let mut values = BTreeMap::new();
                for (name, value) in row {
                    if !seen.contains(&name) {
                        seen.push(name.clone());
                    }
                    let text = text(&name, value).map_err(|error| error.context(place))?;
                    values.insert(name, text);
                }
                rows.push((place.to_owned(), values));
                Ok(())
            },
        )?;
        let table = if form == RowFormat::Audacity || (rows.is_empty() && is_text(file)) {
            Self::of_audacity(file, rows)
        } else {
            Self::of_table(header.unwrap_or(seen), rows)
        };
        table.map_err(|error| error.context(file.display()))
    }

    fn of_table(columns: Vec<String>, rows: Vec<Raw>) -> Result<Self> {
        let has = |name: &str| columns.iter().any(|column| column == name);
        let by_id = !has("path");
        // An empty file has no columns either, and is refused for its lack of labels.
        let any = !columns.is_empty();
        if any && (!has("label") || (by_id && !has("id"))) {
            return Err(refused()
                .expected(
                    "the columns path (or id) and label; start_s, end_s, speaker and others may \
                     follow",
                )
                .found(format!("the columns {}", columns.join(", ")))
                .hint("docs/evaluation.md describes the format"));
        }
        let row = |(place, values): Raw| {
            let row = row(values, by_id, false).map_err(|error| error.context(&place))?;
            Ok((place, row))
        };
        Ok(Self { by_id, columns, rows: rows.into_iter().map(row).collect::<Result<_>>()? })
    }

    /// Labels of the recording that is called as the file is. Without any, nothing is said in it.
    fn of_audacity(file: &Path, rows: Vec<Raw>) -> Result<Self> {
        let stem = file.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        let nothing = || vec![("line 1".to_owned(), BTreeMap::new())];
        let rows = if rows.is_empty() { nothing() } else { rows };
        let row = |(place, mut values): Raw| {
            values.insert("path".to_owned(), stem.clone());
            let row = row(values, false, true).map_err(|error| error.context(&place))?;
            Ok((place, row))
        };
        let columns = ["path", "start_s", "end_s", "label"].map(str::to_owned).to_vec();
        Ok(Self { by_id: false, columns, rows: rows.into_iter().map(row).collect::<Result<_>>()? })
    }
}

/// One row as text by column, with its place.
type Raw = (String, BTreeMap<String, String>);

/// Whether a file's name is one that Audacity gives to labels.
fn is_text(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("txt"))
}

fn text(name: &str, value: Value) -> Result<String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(is) => Ok(is.to_string()),
        Value::Array(_) | Value::Object(_) => Err(refused()
            .expected("an object of texts, numbers and nulls")
            .found(format!("a list or object in {name}"))),
    }
}

fn refused() -> Error {
    Error::new(ErrorKind::Settings, "the labels are refused")
}

fn row(values: BTreeMap<String, String>, by_id: bool, is_stem: bool) -> Result<Row> {
    let text = |name: &str| values.get(name).map_or("", |value| value.trim());
    let number = |name: &str| -> Result<Option<f64>> {
        let text = text(name);
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<f64>() {
            Ok(number) if (0.0..=1e7).contains(&number) => Ok(Some(number)),
            _ => Err(refused()
                .expected(format!("seconds from the recording's start in {name}, or nothing"))
                .found(format!("{text:?}"))),
        }
    };
    let span_s = match (number("start_s")?, number("end_s")?) {
        (None, None) => None,
        (Some(start), Some(end)) if start < end => Some((start, end)),
        (start, end) => {
            let shown = |at: Option<f64>| at.map_or("nothing".to_owned(), |at| at.to_string());
            return Err(refused()
                .expected("start_s before end_s, or neither of them")
                .found(format!("{} and {}", shown(start), shown(end))));
        }
    };
    let key = values.get(if by_id { "id" } else { "path" }).cloned().unwrap_or_default();
    if key.is_empty() {
        return Err(refused().expected("the recording's path or id").found("nothing"));
    }
    let speaker = Some(text("speaker").to_owned()).filter(|speaker| !speaker.is_empty());
    let audio_s = number("audio_s")?;
    let label = text("label").to_owned();
    Ok(Row { file: 0, key, is_stem, span_s, label, speaker, audio_s, values })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn parse(text: &str) -> Result<Labels> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("labels");
        fs::write(&file, text).unwrap();
        read(&[file])
    }

    fn refusal(text: &str) -> String {
        parse(text).err().unwrap().to_string()
    }

    #[test]
    fn the_three_formats_say_the_same() {
        let csv = "path,start_s,end_s,label,speaker,noise\na.wav,1.5,2,alexa,ann,\"pink, 5 dB\"\nb.wav,,,,,\n";
        let tsv = csv.replace("\"pink, 5 dB\"", "pink; 5 dB").replace(',', "\t").replace(';', ",");
        let json = "\n{\"path\":\"a.wav\",\"start_s\":1.5,\"end_s\":2,\"label\":\"alexa\",\"speaker\":\"ann\",\
                    \"noise\":\"pink, 5 dB\"}\n{\"path\":\"b.wav\",\"label\":null}\n";
        for text in [csv, &tsv, json] {
            let labels = parse(text).unwrap();
            assert!(!labels.by_id && labels.has("noise"));
            assert_eq!(labels.extra().collect::<Vec<_>>(), ["noise"]);
            let [a, b] = labels.rows.as_slice() else { panic!() };
            assert_eq!(
                (a.key.as_str(), a.span_s, a.label.as_str()),
                ("a.wav", Some((1.5, 2.0)), "alexa")
            );
            assert_eq!((a.speaker.as_deref(), a.value("noise")), (Some("ann"), "pink, 5 dB"));
            assert_eq!((b.span_s, b.label.as_str(), b.speaker.as_deref()), (None, "", None));
        }
        assert!(parse("id,label\n7,alexa\n").unwrap().by_id);
        // A spreadsheet where people write a comma before the fraction.
        let labels = parse("path;start_s;end_s;label\na.wav;1,5;2;alexa\n").unwrap();
        assert_eq!(labels.rows[0].span_s, Some((1.5, 2.0)));
        // What people write needs no end of a line at its end.
        assert_eq!(parse("id,label\n7,alexa").unwrap().rows.len(), 1);
    }

    #[test]
    fn what_audacity_exports_is_about_the_recording_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["kitchen.txt", "quiet.txt", "more.csv"].map(|name| folder.path().join(name));
        fs::write(&files[0], "1.500000\t2.000000\talexa\n\\\t100.0\t300.0\n8.0\t9.0\t\n").unwrap();
        fs::write(&files[1], "").unwrap();
        fs::write(&files[2], "path,label,room\nc.wav,alexa,hall\n").unwrap();
        let labels = read(&files).unwrap();
        assert_eq!(labels.columns, ["path", "start_s", "end_s", "label", "room"]);
        let told: Vec<_> = labels
            .rows
            .iter()
            .map(|row| (row.key.as_str(), row.is_stem, row.span_s, row.label.as_str()))
            .collect();
        let expected = [
            ("kitchen", true, Some((1.5, 2.0)), "alexa"),
            ("kitchen", true, Some((8.0, 9.0)), ""),
            ("quiet", true, None, ""),
            ("c.wav", false, None, "alexa"),
        ];
        assert_eq!(told, expected);
        // Where people write a comma before the fraction, so does Audacity.
        fs::write(&files[0], "1,500000\t2,000000\talexa\n").unwrap();
        let labels = read(&files[..1]).unwrap();
        assert_eq!(
            (labels.rows[0].key.as_str(), labels.rows[0].span_s),
            ("kitchen", Some((1.5, 2.0)))
        );
        fs::write(&files[0], "1.5\t2.0\talexa\n3.0\talexa\n").unwrap();
        let said = read(&files[..1]).err().unwrap().to_string();
        assert!(said.contains("line 2: the labels are refused: expected start, end"), "{said}");
        fs::write(&files[0], "1.5\t1.5\talexa\n").unwrap();
        let said = read(&files[..1]).err().unwrap().to_string();
        assert!(said.contains("start_s before end_s"), "{said}");
    }

    #[test]
    fn what_is_no_label_is_refused_with_its_line() {
        let columns = refusal("file,word\na,b\n");
        assert!(columns.contains("found the columns file, word"), "{columns}");
        assert!(refusal("path,label\n").contains("at least one label"));
        let open = refusal("path,label\na.wav,\"alexa\nb.wav,alexa\n");
        assert!(open.contains("line 2") && open.contains("a quote that is never closed"), "{open}");
        assert!(refusal("").contains("at least one label"));
        assert!(refusal("path,label\na,b,c\n").contains("labels: line 2: the labels are refused"));
        assert!(refusal("path,label\na,b\nc").contains("line 3: the labels are cut off"));
        assert!(refusal("path,label,label\na,b,c\n").contains("label twice"));
        let at = |text: &str| refusal(&format!("path,start_s,end_s,label\n{text}\n"));
        assert!(at("a,2,1,alexa").contains("found 2 and 1"));
        assert!(at("a,2,,alexa").contains("found 2 and nothing"));
        assert!(at("a,x,3,alexa").contains("found \"x\""));
        assert!(at("a,-1,3,alexa").contains("found \"-1\""));
        assert!(at(",1,3,alexa").contains("path or id"));
        let twice = at("a,1,3,alexa\na,1,3,alexa");
        assert!(twice.contains("line 3: the labels are refused: expected each label once"));
        assert!(twice.contains("labels line 2 again"), "{twice}");
        assert!(refusal("{\"path\":\"a\",\"label\":[1]}").contains("list or object in label"));
    }
}
