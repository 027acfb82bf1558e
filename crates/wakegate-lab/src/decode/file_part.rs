//! A stretch of a file that is read as if it were a file of its own.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A stretch of an open file, with a place of its own in it: clones and other stretches of the
/// same file are read beside it, by other threads too, and the file is opened once.
#[derive(Debug, Clone)]
pub struct FilePart {
    file: Arc<File>,
    start: u64,
    length: u64,
    at: u64,
}

impl FilePart {
    /// The `length` bytes of `file` from byte `start` on.
    pub fn new(file: Arc<File>, start: u64, length: u64) -> Self {
        Self { file, start, length, at: 0 }
    }

    /// All of `file`.
    ///
    /// # Errors
    /// Where its length can't be found out.
    pub fn whole(file: Arc<File>) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self::new(file, 0, length))
    }

    /// The `length` bytes of the same file from byte `start` of this part on, no further than it
    /// goes.
    #[must_use]
    pub fn stretch(&self, start: u64, length: u64) -> Self {
        let start = start.min(self.length);
        let length = length.min(self.length - start);
        Self { file: Arc::clone(&self.file), start: self.start + start, length, at: 0 }
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }
}

impl Read for FilePart {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.at);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(out.len());
        let count = self.file.read_at(&mut out[..count], self.start.saturating_add(self.at))?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for FilePart {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = sought(to, self.at, self.length)?;
        Ok(self.at)
    }
}

/// Where `to` leads in something of `length` bytes that stands at `at`.
pub(super) fn sought(to: SeekFrom, at: u64, length: u64) -> io::Result<u64> {
    let place = match to {
        SeekFrom::Start(place) => Some(place),
        SeekFrom::End(offset) => length.checked_add_signed(offset),
        SeekFrom::Current(offset) => at.checked_add_signed(offset),
    };
    place.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_where_it_ends_and_knows_its_own_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        let mut part = FilePart::new(Arc::clone(&file), 2, 5);
        let mut other = part.clone();
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        assert_eq!(text, "23456");
        assert_eq!(other.seek(SeekFrom::End(-2)).unwrap(), 3);
        other.read_to_string(&mut text).unwrap();
        assert_eq!(text, "2345656");
        assert_eq!(other.seek(SeekFrom::Start(9)).unwrap(), 9);
        assert_eq!(other.read(&mut [0; 4]).unwrap(), 0);
        assert!(other.seek(SeekFrom::Current(-10)).is_err());
        other.stretch(1, 3).read_to_string(&mut text).unwrap();
        other.stretch(4, 9).read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), other.stretch(7, 2).length()), ("23456563456", 0));
        // A part that promises more than the file holds ends with the file.
        let mut long = FilePart::new(file, 8, 100);
        assert_eq!((long.length(), long.read_to_string(&mut text).unwrap()), (100, 2));
    }
}
