//! The labels: what was said where.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use wakegate::{Error, ErrorKind, Result};

/// Columns with a meaning of their own; any other can be grouped by.
const KNOWN: [&str; 7] = ["path", "id", "start_s", "end_s", "label", "speaker", "audio_s"];

/// A label file.
pub struct Labels {
    /// Whether recordings are named by `id` and not by `path`.
    pub by_id: bool,
    /// Every column, in the file's order.
    pub columns: Vec<String>,
    /// The labels.
    pub rows: Vec<Row>,
}

/// One label.
pub struct Row {
    /// The recording.
    pub key: String,
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

/// One row as text by column, with its line.
type Raw = (u64, BTreeMap<String, String>);

/// Reads CSV, TSV or JSON lines, told apart by the first line.
pub fn read(path: &Path) -> Result<Labels> {
    let text = fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
    parse(&text).map_err(|error| error.context(path.display()))
}

fn parse(text: &str) -> Result<Labels> {
    let text = text.trim_start_matches('\u{feff}');
    let (columns, raw) =
        if text.trim_start().starts_with('{') { json(text)? } else { table(text)? };
    let has = |name: &str| columns.iter().any(|column| column == name);
    let by_id = !has("path");
    if !has("label") || (by_id && !has("id")) {
        return Err(refused()
            .expected(
                "the columns path (or id) and label; start_s, end_s, speaker and others may follow",
            )
            .found(format!("the columns {}", columns.join(", ")))
            .hint("src/eval/README.md describes the format"));
    }
    if raw.is_empty() {
        return Err(refused().expected("at least one label").found("none"));
    }
    let mut rows = Vec::new();
    let mut seen = BTreeMap::new();
    for (line, values) in raw {
        let row = row(values, by_id).map_err(|e| e.context(format_args!("line {line}")))?;
        let same = (
            row.key.clone(),
            row.label.clone(),
            row.value("start_s").to_owned(),
            row.value("end_s").to_owned(),
        );
        if let Some(before) = seen.insert(same, line) {
            return Err(refused()
                .context(format_args!("line {line}"))
                .expected("each label once")
                .found(format!("that of line {before} again")));
        }
        rows.push(row);
    }
    Ok(Labels { by_id, columns, rows })
}

fn refused() -> Error {
    Error::new(ErrorKind::Settings, "the labels are refused")
}

fn row(values: BTreeMap<String, String>, by_id: bool) -> Result<Row> {
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
    Ok(Row { key, span_s, label: text("label").to_owned(), speaker, audio_s, values })
}

fn json(text: &str) -> Result<(Vec<String>, Vec<Raw>)> {
    let mut columns: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let unread = |found: String| {
            refused()
                .context(format_args!("line {line}"))
                .expected("an object of texts, numbers and nulls")
                .found(found)
        };
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|error| unread(error.to_string()))?;
        let mut values = BTreeMap::new();
        for (name, value) in object {
            let value = match value {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text,
                serde_json::Value::Number(number) => number.to_string(),
                serde_json::Value::Bool(is) => is.to_string(),
                _ => return Err(unread(format!("a list or object in {name}"))),
            };
            if !columns.contains(&name) {
                columns.push(name.clone());
            }
            values.insert(name, value);
        }
        rows.push((line, values));
    }
    Ok((columns, rows))
}

fn table(text: &str) -> Result<(Vec<String>, Vec<Raw>)> {
    let tabs = text.lines().next().is_some_and(|line| line.contains('\t'));
    // Quotes in a TSV are quotes: that is how such files are written.
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(if tabs { b'\t' } else { b',' })
        .quoting(!tabs)
        .from_reader(text.as_bytes());
    let unread = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        refused()
            .context(format_args!("line {line}"))
            .expected("as many fields as there are columns")
            .found(error.to_string())
    };
    let columns: Vec<String> =
        reader.headers().map_err(unread)?.iter().map(|name| name.trim().to_owned()).collect();
    if let Some(twice) = columns.iter().find(|&a| columns.iter().filter(|&b| a == b).count() > 1) {
        return Err(refused().expected("each column once").found(format!("{twice} twice")));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(unread)?;
        let line = record.position().map_or(0, csv::Position::line);
        let values = columns.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
        rows.push((line, values));
    }
    Ok((columns, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }

    #[test]
    fn what_is_no_label_is_refused_with_its_line() {
        let columns = refusal("file,word\na,b\n");
        assert!(columns.contains("found the columns file, word"), "{columns}");
        assert!(refusal("path,label\n").contains("at least one label"));
        assert!(refusal("path,label\na,b,c\n").starts_with("line 2"));
        assert!(refusal("path,label,label\na,b,c\n").contains("label twice"));
        let at = |text: &str| refusal(&format!("path,start_s,end_s,label\n{text}\n"));
        assert!(at("a,2,1,alexa").contains("found 2 and 1"));
        assert!(at("a,2,,alexa").contains("found 2 and nothing"));
        assert!(at("a,x,3,alexa").contains("found \"x\""));
        assert!(at("a,-1,3,alexa").contains("found \"-1\""));
        assert!(at(",1,3,alexa").contains("path or id"));
        assert!(at("a,1,3,alexa\na,1,3,alexa").contains(
            "line 3: the labels are refused: expected each label once, found that of line 2"
        ));
        assert!(refusal("{\"path\":\"a\",\"label\":[1]}").contains("list or object in label"));
    }
}
