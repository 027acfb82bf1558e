//! Parquet manifests.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;
use ::parquet::schema::types::Type;
use serde_json::{Number, Value};

use super::grouping::Visit;
use super::{Columns, Settings};
use crate::{Error, ErrorKind, Result};

/// Refuses a table that lacks a column that is needed.
pub(super) fn check(path: &Path, columns: &Columns) -> Result<()> {
    columns.check(&names(&open(path)?), &path.to_string_lossy())
}

/// Visits the rows, of which only the columns that mean something are read; `false` where the
/// visitor wants no more.
pub(super) fn visit(path: &Path, settings: &Settings, visit: &mut Visit<'_>) -> Result<bool> {
    let reader = open(path)?;
    let wanted = projection(&reader, &settings.columns).map_err(|e| unread(path, &e))?;
    let mut number = 0_u64;
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(|e| unread(path, &e))?;
        let rows = group.get_row_iter(Some(wanted.clone())).map_err(|e| unread(path, &e))?;
        for row in rows {
            number += 1;
            let row = row.map_err(|e| unread(path, &e))?;
            let get = |name: &str| {
                let cell = row.get_column_iter().find(|(column, _)| *column == name);
                cell.map_or(Value::Null, |(_, field)| value(field))
            };
            let place = format!("{}:{number}", path.display());
            if !visit(settings.columns.row(&get, settings, place)) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn open(path: &Path) -> Result<SerializedFileReader<File>> {
    let file = File::open(path).map_err(|e| Error::io("read", path, &e))?;
    SerializedFileReader::new(file).map_err(|error| unread(path, &error))
}

fn names(reader: &SerializedFileReader<File>) -> Vec<String> {
    let schema = reader.metadata().file_metadata().schema();
    schema.get_fields().iter().map(|field| field.name().to_owned()).collect()
}

/// The table's schema with the columns that mean something.
fn projection(
    reader: &SerializedFileReader<File>,
    columns: &Columns,
) -> std::result::Result<Type, ParquetError> {
    let schema = reader.metadata().file_metadata().schema();
    let fields = schema.get_fields().iter().filter(|field| columns.name(field.name()));
    let fields = fields.map(Arc::clone).collect();
    Type::group_type_builder(schema.name()).with_fields(fields).build()
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
        .expected("a Parquet file, not compressed or with Snappy")
        .found(error.to_string())
}
