//! Archives and tables for the tests.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use wakegate_lab::table::{Column, Field, Kind, ParquetWriter, Values};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// A member of an archive: its name and bytes.
pub type Member<'m> = (&'m str, Vec<u8>);

/// The bytes of a tar archive.
pub fn tar(members: &[Member]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// `bytes` compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The bytes of a zip archive.
pub fn zip(members: &[Member], method: CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Writes a Parquet table of text columns, of which empty ones are nothing, in row groups of two.
pub fn parquet(path: &Path, names: &[&str], rows: &[Vec<String>]) {
    let schema: Vec<Field> = names.iter().map(|name| Field::new(*name, Kind::Text)).collect();
    let mut writer = ParquetWriter::new(File::create(path).unwrap(), &schema, &[]).unwrap();
    for group in rows.chunks(2) {
        let column = |place: usize| -> Vec<Option<String>> {
            group.iter().map(|row| Some(row[place].clone()).filter(|v| !v.is_empty())).collect()
        };
        let columns: Vec<Column> = names
            .iter()
            .enumerate()
            .map(|(place, name)| Column::new(*name, Values::Text(column(place))))
            .collect();
        writer.write_rows(&columns).unwrap();
    }
    writer.finish().unwrap();
}

/// Reads a Parquet table: the names of its columns, and its rows as text.
pub fn read_parquet(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr();
    let names = schema.columns().iter().map(|column| column.name().to_owned()).collect();
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let cells = row.unwrap().into_columns();
        cells.into_iter().map(|(_, cell)| cell.to_string().trim_matches('"').to_owned()).collect()
    });
    (names, rows.collect())
}

/// The bytes of a file.
pub fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}
