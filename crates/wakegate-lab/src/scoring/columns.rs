//! Records as rows of a table.

use serde_json::Value;

use super::record::{Named, Record};
use crate::table::{Kind, Values};
use wakegate::{Error, ErrorKind, Result};

/// Which columns a table of records has beside those that all have.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// Ids, labels and groups.
    pub names: bool,
    /// Numbers of activations.
    pub activations: bool,
    /// Channels that were judged.
    pub channels: bool,
    /// What decoded the recordings.
    pub decoders: bool,
    /// Names of the columns that are carried through.
    pub carried: Vec<String>,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// UTF-8 text.
    Text(Option<String>),
    /// A number of 32 bits; its shortest decimal is that of 32 bits.
    Single(Option<f32>),
    /// A number of 64 bits.
    Float(Option<f64>),
    /// A whole number.
    Int(Option<i64>),
}

impl Shape {
    /// Refuses carried columns that the table has anyway.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for the first of them.
    pub fn check(&self) -> Result<()> {
        let all = Self {
            names: true,
            activations: true,
            channels: true,
            decoders: true,
            carried: Vec::new(),
        };
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
    pub fn row(&self, record: &Record) -> Vec<(String, Cell)> {
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
        if self.channels {
            row.push(("channel", Cell::Int(record.channel.and_then(|n| i64::try_from(n).ok()))));
        }
        if self.decoders {
            row.push(("decoder", Cell::Text(record.decoder.as_deref().map(str::to_owned))));
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
            ("word_decided_s", Cell::Float(record.word_decided_s)),
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

impl Cell {
    /// What a column of such cells holds.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Single(_) | Self::Float(_) => Kind::Float,
            Self::Int(_) => Kind::Int,
        }
    }

    /// A column of this kind without values, with room for so many.
    pub fn none(&self, room: usize) -> Values {
        match self.kind() {
            Kind::Float => Values::Float(Vec::with_capacity(room)),
            Kind::Int => Values::Int(Vec::with_capacity(room)),
            Kind::Text | Kind::Bool => Values::Text(Vec::with_capacity(room)),
        }
    }

    /// Adds the cell to a column of its kind.
    pub fn push(self, column: &mut Values) {
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
    pub fn text(&self) -> String {
        match self {
            Self::Text(value) => value.clone(),
            Self::Single(value) => value.map(|value| value.to_string()),
            Self::Float(value) => value.map(|value| value.to_string()),
            Self::Int(value) => value.map(|value| value.to_string()),
        }
        .unwrap_or_default()
    }
}
