//! Tables by columns, and the files that hold them: what a batch of scores is exported as, and what
//! a corpus may be named in.
//!
//! ```
//! use wakegate_lab::table::{Column, Field, Kind, ParquetWriter, Values};
//!
//! let schema = [Field::new("path", Kind::Text), Field::new("p_intended", Kind::Float)];
//! let mut writer = ParquetWriter::new(Vec::new(), &schema, &[("wakegate.schema_version", "1")])?;
//! writer.write_rows(&[
//!     Column::new("path", Values::Text(vec![Some("a.wav".into()), Some("b.wav".into())])),
//!     Column::new("p_intended", Values::Float(vec![Some(0.97), None])),
//! ])?;
//! let bytes: Vec<u8> = writer.finish()?;
//! assert_eq!(&bytes[..4], b"PAR1");
//! # Ok::<(), wakegate::Error>(())
//! ```

mod csv_text;
mod npz;
mod parquet_read;
mod parquet_write;
mod row_limit;
mod text;
mod unique_keys;
mod whole_file;
mod zstandard;
mod zstd_pages;

use std::fmt;

pub use csv_text::{CsvText, broken_quote};
pub use npz::NpzWriter;
pub use parquet_read::{ParquetReader, Row};
pub use parquet_write::ParquetWriter;
pub use row_limit::{LimitedRows, RowLength};
pub use text::{Utf8, to_utf8};
pub use unique_keys::{Object, UniqueKeys};
pub use whole_file::{WholeFile, write_whole};
pub(crate) use zstandard::Zstandard;

/// The key of a file's metadata that says by which version of its schema it was written.
pub const SCHEMA_VERSION: &str = "wakegate.schema_version";
/// The key of a file's metadata that says what its rows are.
pub const ROWS: &str = "wakegate.rows";

/// What the values of a column are. Any of them may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// 64-bit floating point.
    Float,
    /// 64-bit signed integers.
    Int,
    /// True or false.
    Bool,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Text => "text",
            Self::Float => "float",
            Self::Int => "int",
            Self::Bool => "bool",
        })
    }
}

/// A column of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name, which no other column of the table has.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
}

impl Field {
    /// The column `name` of values of `kind`.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind)
    }
}

/// The values of a column, one a row; none where a row has none.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// See [`Kind::Text`].
    Text(Vec<Option<String>>),
    /// See [`Kind::Float`].
    Float(Vec<Option<f64>>),
    /// See [`Kind::Int`].
    Int(Vec<Option<i64>>),
    /// See [`Kind::Bool`].
    Bool(Vec<Option<bool>>),
}

impl Values {
    /// What they are.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Float(_) => Kind::Float,
            Self::Int(_) => Kind::Int,
            Self::Bool(_) => Kind::Bool,
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Bool(values) => values.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A stretch of rows of one column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The column's name, as in the schema.
    pub name: String,
    /// Its values.
    pub values: Values,
}

impl Column {
    /// `values` of the column `name`.
    pub fn new(name: impl Into<String>, values: Values) -> Self {
        Self { name: name.into(), values }
    }

    /// The column of a schema that this one is of.
    pub fn field(&self) -> Field {
        Field::new(self.name.clone(), self.values.kind())
    }
}
