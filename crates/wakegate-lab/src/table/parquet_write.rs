//! Tables as Parquet files.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::{Column, Field, Kind, Values, WholeFile};
use wakegate::{Error, ErrorKind, Result};

/// Writes a table, a row group at a time. Every column is optional, compressed with Snappy.
///
/// At most one row group is held in memory; some ten thousand rows make a good one.
pub struct ParquetWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    schema: Vec<Field>,
}

impl ParquetWriter<WholeFile> {
    /// Starts the file that is to lie at `path`: it appears there once it is
    /// [closed](Self::close), and not at all after an error.
    ///
    /// # Errors
    /// As [`ParquetWriter::new`] and [`WholeFile::create`].
    pub fn create(path: &Path, schema: &[Field], metadata: &[(&str, &str)]) -> Result<Self> {
        Self::new(WholeFile::create(path)?, schema, metadata)
    }

    /// Ends the file and moves it to its place.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it can't be written; its place is then as it was.
    pub fn close(self) -> Result<()> {
        self.finish()?.commit()
    }
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Starts a table of `schema` in `sink`. `metadata` goes to the file's own keys and values;
    /// put the [`SCHEMA_VERSION`](super::SCHEMA_VERSION) there.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for a schema without columns or with two of one name,
    /// [`ErrorKind::Io`] where the sink can't be written.
    pub fn new(sink: W, schema: &[Field], metadata: &[(&str, &str)]) -> Result<Self> {
        for (index, field) in schema.iter().enumerate() {
            if schema[..index].iter().any(|other| other.name == field.name) {
                return Err(misfit("columns of different names", format!("two {}", field.name)));
            }
        }
        if schema.is_empty() {
            return Err(misfit("at least one column", "none".to_owned()));
        }
        let pairs = metadata
            .iter()
            .map(|(key, value)| KeyValue::new((*key).to_owned(), Some((*value).to_owned())));
        let properties = WriterProperties::builder()
            .set_created_by(concat!("wakegate ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(pairs.collect()))
            .build();
        let message = message(schema).map_err(unwritten)?;
        let file = SerializedFileWriter::new(sink, Arc::new(message), Arc::new(properties));
        Ok(Self { file: file.map_err(unwritten)?, schema: schema.to_vec() })
    }

    /// Writes a row group: the columns of the schema, in its order, all of one length. No rows
    /// are no row group.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for columns that are not the schema's, before anything of them is
    /// written; [`ErrorKind::Io`] where the sink can't be written.
    pub fn write_rows(&mut self, columns: &[Column]) -> Result<()> {
        self.check(columns)?;
        if columns.iter().all(|column| column.values.is_empty()) {
            return Ok(());
        }
        self.write_group(columns).map_err(unwritten)
    }

    /// Ends the table, and gives the sink back.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where the sink can't be written.
    pub fn finish(self) -> Result<W> {
        self.file.into_inner().map_err(unwritten)
    }

    fn check(&self, columns: &[Column]) -> Result<()> {
        if columns.len() != self.schema.len() {
            let expected = format!("{} columns", self.schema.len());
            return Err(misfit(&expected, columns.len().to_string()));
        }
        let rows = columns.first().map_or(0, |column| column.values.len());
        for (field, column) in self.schema.iter().zip(columns) {
            if column.name != field.name || column.values.kind() != field.kind {
                let expected = format!("the column {field}");
                return Err(misfit(&expected, column.field().to_string()));
            }
            if column.values.len() != rows {
                let found = format!("{} in {}", column.values.len(), column.name);
                return Err(misfit(&format!("{rows} rows in every column"), found));
            }
        }
        Ok(())
    }

    fn write_group(&mut self, columns: &[Column]) -> std::result::Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        for column in columns {
            let Some(mut writer) = group.next_column()? else {
                return Err(ParquetError::General("a column more than the schema has".to_owned()));
            };
            match &column.values {
                Values::Text(values) => {
                    write::<ByteArrayType, _>(&mut writer, values, |text| {
                        ByteArray::from(text.as_str())
                    })?;
                }
                Values::Float(values) => write::<DoubleType, _>(&mut writer, values, |v| *v)?,
                Values::Int(values) => write::<Int64Type, _>(&mut writer, values, |v| *v)?,
                Values::Bool(values) => write::<BoolType, _>(&mut writer, values, |v| *v)?,
            }
            writer.close()?;
        }
        group.close().map(|_| ())
    }
}

/// Writes the values that are there, and for every row whether one is.
fn write<T: DataType, V>(
    writer: &mut SerializedColumnWriter<'_>,
    values: &[Option<V>],
    stored: impl Fn(&V) -> T::T,
) -> std::result::Result<(), ParquetError> {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let present: Vec<T::T> = values.iter().flatten().map(stored).collect();
    writer.typed::<T>().write_batch(&present, Some(&levels), None).map(|_| ())
}

fn message(schema: &[Field]) -> std::result::Result<Type, ParquetError> {
    let field = |field: &Field| {
        let (physical, logical) = match field.kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Float => (Physical::DOUBLE, None),
            Kind::Int => (Physical::INT64, None),
            Kind::Bool => (Physical::BOOLEAN, None),
        };
        Type::primitive_type_builder(&field.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()
            .map(Arc::new)
    };
    let fields: std::result::Result<Vec<_>, _> = schema.iter().map(field).collect();
    Type::group_type_builder("wakegate").with_fields(fields?).build()
}

fn misfit(expected: &str, found: String) -> Error {
    Error::new(ErrorKind::Settings, "the table does not fit").expected(expected).found(found)
}

fn unwritten(error: ParquetError) -> Error {
    Error::new(ErrorKind::Io, "cannot write the table").found(error.to_string())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field as Cell;

    use super::*;
    use crate::table::SCHEMA_VERSION;

    fn schema() -> Vec<Field> {
        [("text", Kind::Text), ("float", Kind::Float), ("int", Kind::Int), ("bool", Kind::Bool)]
            .map(|(name, kind)| Field::new(name, kind))
            .into()
    }

    fn rows(first: i64, count: i64) -> Vec<Column> {
        let numbers = || (first..first + count).map(|n| (n % 3 != 0).then_some(n));
        let text = |n: i64| format!("row {n}, \"quoted\", ü\0");
        let columns = [
            Values::Text(numbers().map(|n| n.map(text)).collect()),
            Values::Float(numbers().map(|n| n.map(|n| n as f64 / 7.0)).collect()),
            Values::Int(numbers().map(|n| n.map(|n| n << 40)).collect()),
            Values::Bool(numbers().map(|n| n.map(|n| n % 2 == 0)).collect()),
        ];
        schema().into_iter().zip(columns).map(|(field, v)| Column::new(field.name, v)).collect()
    }

    fn read(bytes: Vec<u8>) -> (SerializedFileReader<Bytes>, Vec<Vec<Cell>>) {
        let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
        let rows = reader.get_row_iter(None).unwrap();
        let rows = rows.map(|row| row.unwrap().into_columns().into_iter().map(|c| c.1).collect());
        let rows = rows.collect();
        (reader, rows)
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let mut writer =
            ParquetWriter::new(Vec::new(), &schema(), &[(SCHEMA_VERSION, "1"), ("k", "v")])
                .unwrap();
        for (first, count) in [(0, 5), (5, 0), (5, 1200)] {
            writer.write_rows(&rows(first, count)).unwrap();
        }
        let (reader, found) = read(writer.finish().unwrap());
        assert_eq!(found.len(), 1205);
        for (n, cells) in (0..).zip(&found) {
            let expected = match n % 3 {
                0 => vec![Cell::Null; 4],
                _ => vec![
                    Cell::Str(format!("row {n}, \"quoted\", ü\0")),
                    Cell::Double(n as f64 / 7.0),
                    Cell::Long(n << 40),
                    Cell::Bool(n % 2 == 0),
                ],
            };
            assert_eq!(*cells, expected, "row {n}");
        }
        let about = reader.metadata();
        assert_eq!(about.num_row_groups(), 2, "no rows are no row group");
        let pairs = about.file_metadata().key_value_metadata().unwrap();
        let value = |key: &str| pairs.iter().find(|p| p.key == key).unwrap().value.clone();
        assert_eq!(value(SCHEMA_VERSION).as_deref(), Some("1"));
        assert_eq!(value("k").as_deref(), Some("v"));
        assert!(about.file_metadata().created_by().unwrap().starts_with("wakegate "));
    }

    #[test]
    fn a_table_without_rows_still_has_its_columns() {
        let writer = ParquetWriter::new(Vec::new(), &schema(), &[]).unwrap();
        let (reader, rows) = read(writer.finish().unwrap());
        assert!(rows.is_empty());
        let names: Vec<_> = reader
            .metadata()
            .file_metadata()
            .schema_descr()
            .columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        assert_eq!(names, ["text", "float", "int", "bool"]);
    }

    #[test]
    fn columns_that_are_not_the_schemas_are_refused() {
        let mut writer = ParquetWriter::new(Vec::new(), &schema(), &[]).unwrap();
        let mut short = rows(0, 4);
        short[2].values = Values::Int(vec![Some(1); 3]);
        let mut swapped = rows(0, 4);
        swapped.swap(0, 1);
        let mut other = rows(0, 4);
        other[3].values = Values::Int(vec![None; 4]);
        for (columns, part) in [
            (&short, "expected 4 rows in every column, found 3 in int"),
            (&swapped, "expected the column text text, found float float"),
            (&other, "expected the column bool bool, found bool int"),
            (&rows(0, 4)[..3].to_vec(), "expected 4 columns, found 3"),
        ] {
            let error = writer.write_rows(columns).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        // Nothing of them is in the file.
        writer.write_rows(&rows(0, 2)).unwrap();
        assert_eq!(read(writer.finish().unwrap()).1.len(), 2);
        let twice = [Field::new("a", Kind::Int), Field::new("a", Kind::Bool)];
        for (schema, part) in [(&twice[..], "two a"), (&[][..], "at least one column")] {
            let error = ParquetWriter::new(Vec::new(), schema, &[]).err().unwrap();
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    /// A medium that is full after so many bytes.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let count = bytes.len().min(self.0);
            self.0 -= count;
            match count {
                0 => Err(std::io::ErrorKind::StorageFull.into()),
                _ => Ok(count),
            }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_medium_is_an_error_and_a_file_appears_once_it_is_whole() {
        for room in [0, 2, 100, 5_000] {
            let result = ParquetWriter::new(Full(room), &schema(), &[]).and_then(|mut writer| {
                writer.write_rows(&rows(0, 1000))?;
                writer.finish()
            });
            let error = result.err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let mut writer = ParquetWriter::create(&path, &schema(), &[]).unwrap();
        writer.write_rows(&rows(0, 10)).unwrap();
        assert!(!path.exists());
        writer.close().unwrap();
        assert_eq!(read(std::fs::read(&path).unwrap()).1.len(), 10);
        let given_up = ParquetWriter::create(&path, &schema(), &[]).unwrap();
        drop(given_up);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
