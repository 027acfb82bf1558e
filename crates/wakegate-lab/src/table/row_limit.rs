//! A limit on rows: whoever reads a table of text holds each of its rows whole, and a file that
//! lacks line ends, or is no table at all, is one row.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use wakegate::{Error, ErrorKind};

/// Most bytes of a row. What a row becomes in memory, with its fields or its JSON values, takes up
/// to fifty times as much.
pub(super) const MOST_ROW: u64 = 1 << 20;

/// A table whose rows are no longer than 1 MiB: reading goes no further into a longer one.
pub struct LimitedRows<R> {
    inner: R,
    length: RowLength,
}

/// How much has been read since the last row began.
#[derive(Debug, Clone, Default)]
pub struct RowLength(Rc<Cell<u64>>);

impl<R: Read> LimitedRows<R> {
    /// The bytes that `inner` gives, whose rows are counted by what is returned beside it.
    pub fn new(inner: R) -> (Self, RowLength) {
        let length = RowLength::default();
        (Self { inner, length: length.clone() }, length)
    }
}

impl RowLength {
    /// A row begins. What has been read ahead of it is not counted.
    pub fn begin(&self) {
        self.0.set(0);
    }

    /// The error of a row that is too long; none where the row that began last is not.
    pub fn problem(&self) -> Option<Error> {
        let hint = "the file may lack line ends, or be no table at all";
        (self.0.get() > MOST_ROW).then(|| too_long().hint(hint))
    }
}

/// The error of a row that is too long.
pub(super) fn too_long() -> Error {
    Error::new(ErrorKind::Limit, "the row is too long")
        .expected(format!("at most {} MiB", MOST_ROW >> 20))
        .found("more")
}

impl<R: Read> Read for LimitedRows<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.length.problem() {
            return Err(io::Error::other(error));
        }
        let count = self.inner.read(out)?;
        self.length.0.set(self.length.0.get() + count as u64);
        Ok(count)
    }
}
