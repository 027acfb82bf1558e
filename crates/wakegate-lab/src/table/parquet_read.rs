//! Tables out of Parquet files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;
use serde_json::{Number, Value};

use super::row_limit::{MOST_ROW, too_long};
use super::zstd_pages::RowGroup;
use wakegate::error::caught;
use wakegate::{Error, ErrorKind, Result};

/// Reads a table row by row, whoever wrote it: not compressed, or with Snappy, gzip, LZ4 or
/// Zstandard.
///
/// At most one row group is held in memory, and of it only the columns that are asked for.
pub struct ParquetReader {
    path: PathBuf,
    bytes: Arc<File>,
    file: SerializedFileReader<File>,
}

/// A row: the columns that were asked for, by name.
pub type Row = [(String, Value)];

impl ParquetReader {
    /// Opens the table at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it can't be read, or is no Parquet file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io("read", path, &e))?;
        let bytes = file.try_clone().map_err(|e| Error::io("read", path, &e))?;
        let file =
            whole(|| SerializedFileReader::new(file)).map_err(|error| unread(path, &error))?;
        Ok(Self { path: path.to_owned(), bytes: Arc::new(bytes), file })
    }

    /// Names of the columns, in their order; of a nested one, its outermost name.
    pub fn names(&self) -> Vec<String> {
        let schema = self.file.metadata().file_metadata().schema();
        schema.get_fields().iter().map(|field| field.name().to_owned()).collect()
    }

    /// Whether the column `name` holds lists or objects instead of one value a row.
    pub fn is_nested(&self, name: &str) -> bool {
        let schema = self.file.metadata().file_metadata().schema();
        schema.get_fields().iter().any(|field| field.name() == name && field.is_group())
    }

    /// What the file says of itself under `key`, such as
    /// [`SCHEMA_VERSION`](super::SCHEMA_VERSION).
    pub fn metadata(&self, key: &str) -> Option<String> {
        let pairs = self.file.metadata().file_metadata().key_value_metadata()?;
        pairs.iter().find(|pair| pair.key == key)?.value.clone()
    }

    /// Hands the rows to `visit` in their order, with the columns for which `wanted` is true,
    /// until it returns `false`, which is then returned. Truths and numbers come as they are,
    /// everything else as text; what JSON has no form for is null.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where the table can't be read on; the rows before have been handed out.
    pub fn rows(
        &self,
        wanted: &dyn Fn(&str) -> bool,
        visit: &mut dyn FnMut(&Row) -> bool,
    ) -> Result<bool> {
        let unread = |error: ParquetError| unread(&self.path, &error);
        let schema = self.projection(wanted).map_err(unread)?;
        for group in 0..self.file.num_row_groups() {
            let inner = whole(|| self.file.get_row_group(group)).map_err(unread)?;
            let group = RowGroup { inner, file: Arc::clone(&self.bytes) };
            let mut rows = whole(|| group.get_row_iter(Some(schema.clone()))).map_err(unread)?;
            while let Some(row) = whole(|| rows.next().transpose()).map_err(unread)? {
                let cells = row.into_columns();
                // Before they are copied.
                if cells.iter().map(|(_, field)| bytes(field)).sum::<u64>() > MOST_ROW {
                    return Err(too_long().context(self.path.display()));
                }
                let cells: Vec<_> =
                    cells.into_iter().map(|(name, field)| (name, value(&field))).collect();
                if !visit(&cells) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn projection(&self, wanted: &dyn Fn(&str) -> bool) -> std::result::Result<Type, ParquetError> {
        let schema = self.file.metadata().file_metadata().schema();
        let fields = schema.get_fields().iter().filter(|field| wanted(field.name()));
        let fields = fields.map(Arc::clone).collect();
        Type::group_type_builder(schema.name()).with_fields(fields).build()
    }
}

/// Takes a step of the reader, which panics where pages are missing that the file promises.
fn whole<T>(
    step: impl FnOnce() -> std::result::Result<T, ParquetError>,
) -> std::result::Result<T, ParquetError> {
    let gave_up = || Err(ParquetError::General("it is damaged: the reader gave up".to_owned()));
    caught(step).unwrap_or_else(gave_up)
}

/// Bytes of a cell of any length.
fn bytes(field: &Field) -> u64 {
    match field {
        Field::Str(text) => text.len() as u64,
        Field::Bytes(bytes) => bytes.len() as u64,
        _ => 0,
    }
}

/// A cell as JSON: truths and numbers as they are, everything else as text.
fn value(field: &Field) -> Value {
    let float = |value: f64| Number::from_f64(value).map_or(Value::Null, Value::Number);
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => Value::Bool(*value),
        Field::Byte(value) => Value::from(*value),
        Field::Short(value) => Value::from(*value),
        Field::Int(value) => Value::from(*value),
        Field::Long(value) => Value::from(*value),
        Field::UByte(value) => Value::from(*value),
        Field::UShort(value) => Value::from(*value),
        Field::UInt(value) => Value::from(*value),
        Field::ULong(value) => Value::from(*value),
        // The shortest decimal, not the nearest number of 64 bits.
        Field::Float(value) => value.to_string().parse().map_or(Value::Null, float),
        Field::Double(value) => float(*value),
        Field::Str(text) => Value::String(text.clone()),
        Field::Bytes(bytes) => match bytes.as_utf8() {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => Value::Null,
        },
        other => Value::String(other.to_string()),
    }
}

fn unread(path: &Path, error: &ParquetError) -> Error {
    Error::new(ErrorKind::Io, format!("cannot read {}", path.display()))
        .expected("a Parquet file, not compressed or with Snappy, gzip, LZ4 or Zstandard")
        .found(error.to_string())
}
