//! The lines of `wakegate score` in each of its forms.

use std::path::Path;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use wakegate::pipeline::SCHEMA;
use wakegate::{Error, ErrorKind, Result};

use super::rows::{Head, Reading, RowFormat};
use crate::commands::resume_journal::Journal;

/// The keys that are read.
const KEYS: [&str; 15] = [
    "path",
    "id",
    "activation",
    "audio_s",
    "verdict",
    "reason",
    "p_intended",
    "p_wake_word",
    "wake_word",
    "end_s",
    "decided_s",
    "word_decided_s",
    "model",
    "schema",
    "error",
];
/// Those of them that are numbers.
const NUMBERS: [&str; 8] = [
    "activation",
    "audio_s",
    "p_intended",
    "p_wake_word",
    "end_s",
    "decided_s",
    "word_decided_s",
    "schema",
];
/// The first key of a run's journal.
const JOURNAL: &str = "journal";
/// What helps where a file is not whole.
const REMEDY: &str = "score again with `wakegate score --output FILE`, whose file is whole or not \
                      there; with --resume it goes on after a kill";

/// A line of scores. There may be more keys.
#[derive(Deserialize)]
pub struct Line {
    pub path: Option<String>,
    pub id: Option<Value>,
    /// There with a number or null in the lines of single activations, not there otherwise.
    #[serde(default, deserialize_with = "present")]
    pub activation: Option<Option<u64>>,
    pub audio_s: Option<f64>,
    pub verdict: Option<String>,
    pub reason: Option<String>,
    pub p_intended: Option<f32>,
    pub p_wake_word: Option<f32>,
    pub wake_word: Option<String>,
    pub end_s: Option<f64>,
    pub decided_s: Option<f64>,
    /// There with a number or null where the system decides the word by itself.
    #[serde(default, deserialize_with = "present")]
    pub word_decided_s: Option<Option<f64>>,
    pub model: Option<String>,
    schema: Option<u64>,
    pub error: Option<String>,
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    input: D,
) -> std::result::Result<Option<Option<T>>, D::Error> {
    Option::deserialize(input).map(Some)
}

/// What lies beside a file of scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Latest,
    /// The journal of a run that has not finished: the file is of the run before it.
    Older,
}

/// Hands the lines of `file` to `take`.
///
/// # Errors
/// [`ErrorKind::Io`] where it can't be read or a run has still to make it,
/// [`ErrorKind::Settings`] where it holds no whole scores of this schema.
pub fn read(
    file: &Path,
    by_id: bool,
    take: &mut dyn FnMut(Line) -> Result<()>,
) -> Result<Standing> {
    let journal = Journal::path_of(file);
    let unfinished = journal.exists();
    if unfinished && !file.exists() {
        return Err(Error::new(ErrorKind::Io, format!("cannot read {}", file.display()))
            .expected("the scores of a run that has finished")
            .found(format!("{} of one that has not", journal.display()))
            .hint("the same command with --resume finishes it"));
    }
    let reading = Reading {
        wanted: &|name| KEYS.contains(&name) || name == JOURNAL,
        numbers: &NUMBERS,
        quoted_tabs: true,
        name: "the scores",
        row: "a line of `wakegate score`",
        remedy: REMEDY,
    };
    reading.read(file, &mut |form, head| begin(form, head, by_id), &mut |place, row| {
        line(row).and_then(&mut *take).map_err(|error| error.context(place))
    })?;
    Ok(if unfinished { Standing::Older } else { Standing::Latest })
}

fn line(row: Map<String, Value>) -> Result<Line> {
    if row.contains_key(JOURNAL) {
        return Err(refused()
            .expected("a line of `wakegate score`")
            .found("the journal of a run that has not finished")
            .hint("the same command with --resume finishes it and makes the scores of it"));
    }
    let line: Line = serde_json::from_value(Value::Object(row)).map_err(|error| {
        refused().expected("a line of `wakegate score`").found(error.to_string())
    })?;
    line.schema.map_or(Ok(()), |schema| check_schema(&schema.to_string()))?;
    Ok(line)
}

pub fn refused() -> Error {
    Error::new(ErrorKind::Settings, "the scores are refused")
}

/// Refuses a table that can't hold scores, before its rows.
fn begin(form: RowFormat, head: &Head, by_id: bool) -> Result<()> {
    head.schema.as_deref().map_or(Ok(()), check_schema)?;
    if form == RowFormat::Audacity {
        return Err(refused()
            .expected("the output of `wakegate score`")
            .found("labels as Audacity exports them"));
    }
    let Some(columns) = &head.columns else { return Ok(()) };
    let key = if by_id { "id" } else { "path" };
    let needed = [key, "p_intended", "end_s"];
    if needed.iter().all(|name| columns.iter().any(|column| column == name)) {
        return Ok(());
    }
    Err(refused()
        .expected(format!("the columns {}", needed.join(", ")))
        .found(format!("the columns {}", columns.join(", ")))
        .hint("docs/evaluation.md describes what scores may look like"))
}

/// Refuses scores whose columns may mean something else.
fn check_schema(found: &str) -> Result<()> {
    if found == SCHEMA.to_string() {
        return Ok(());
    }
    Err(refused()
        .expected(format!("schema {SCHEMA}, as this version of wakegate writes and reads"))
        .found(format!("schema {found}"))
        .hint("score again with this version, or evaluate with the one that wrote them"))
}
