//! Arrays as numpy reads them: an `.npz` is a zip of `.npy` files, and an `.npy` is one line of
//! text before the values (numpy's "NPY format", version 1.0).

use std::io::{self, Seek, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Bytes that a header is filled up to a multiple of, so that values are aligned.
const ALIGNMENT: usize = 64;
/// Magic, version and the length of the text.
const PREFIX: usize = 10;

/// Writes two-dimensional arrays of `f32`, one after the other, without compression.
pub struct NpzWriter<W: Write + Seek>(ZipWriter<W>);

impl<W: Write + Seek> NpzWriter<W> {
    /// Begins an archive in `out`.
    pub fn new(out: W) -> Self {
        Self(ZipWriter::new(out))
    }

    /// Adds `values`, row-major of shape `[rows, columns]`, under `key`.
    ///
    /// # Errors
    /// Where the archive can't be written, or has the key already.
    pub fn add(&mut self, key: &str, columns: usize, values: &[f32]) -> io::Result<()> {
        let rows = values.len() / columns.max(1);
        let mut text =
            format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
        let length = (PREFIX + text.len() + 1).next_multiple_of(ALIGNMENT) - PREFIX;
        text.extend(std::iter::repeat_n(' ', length - text.len() - 1));
        text.push('\n');
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(4 * values.len() >= u32::MAX as usize);
        self.0.start_file(format!("{key}.npy"), options)?;
        self.0.write_all(b"\x93NUMPY\x01\x00")?;
        // Two numbers of at most 20 digits leave the text far below 64 KiB.
        self.0.write_all(&(length as u16).to_le_bytes())?;
        self.0.write_all(text.as_bytes())?;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.0.write_all(&bytes)
    }

    /// Ends the archive and gives back what it was written to.
    ///
    /// # Errors
    /// Where its directory can't be written.
    pub fn finish(self) -> io::Result<W> {
        Ok(self.0.finish()?)
    }
}
