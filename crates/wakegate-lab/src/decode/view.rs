//! A part of a file shown as a whole one: without the tags around it, with spans left out, or with
//! single bytes that read otherwise.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

use super::file_part::sought;

/// Spans of a file one behind the other, as if nothing lay between them.
pub(super) struct View {
    file: Box<dyn MediaSource>,
    /// Where each span begins in the file, and how many bytes it has; none is empty.
    spans: Vec<(u64, u64)>,
    /// Where each span begins in the view.
    starts: Vec<u64>,
    length: u64,
    at: u64,
    /// Where the file stands; none where that is not known.
    file_at: Option<u64>,
    /// Bytes of the view that read otherwise, by their place.
    patches: Vec<(u64, u8)>,
}

impl View {
    /// A view of `spans` of `file`, each as its start and its length in bytes.
    pub(super) fn new(file: Box<dyn MediaSource>, spans: &[(u64, u64)]) -> Self {
        let spans: Vec<(u64, u64)> = spans.iter().copied().filter(|span| span.1 > 0).collect();
        let mut length = 0_u64;
        let starts = spans
            .iter()
            .map(|span| {
                let start = length;
                length = length.saturating_add(span.1);
                start
            })
            .collect();
        Self { file, spans, starts, length, at: 0, file_at: None, patches: Vec::new() }
    }

    /// The same view, in which each of `patches`, a place and a byte, is read in its place.
    pub(super) fn patched(mut self, patches: Vec<(u64, u8)>) -> Self {
        self.patches = patches;
        self
    }

    /// Bytes in all.
    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

impl Read for View {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(place) = self.starts.partition_point(|start| *start <= self.at).checked_sub(1)
        else {
            return Ok(0);
        };
        let (start, length) = self.spans[place];
        let inside = self.at - self.starts[place];
        let left = usize::try_from(length.saturating_sub(inside)).unwrap_or(usize::MAX);
        let count = left.min(out.len());
        if count == 0 {
            return Ok(0);
        }
        let from = start.saturating_add(inside);
        if self.file_at != Some(from) {
            self.file.seek(SeekFrom::Start(from))?;
        }
        self.file_at = None;
        let count = self.file.read(&mut out[..count])?;
        self.file_at = Some(from + count as u64);
        for (place, byte) in &self.patches {
            let offset = place.checked_sub(self.at).and_then(|o| usize::try_from(o).ok());
            if let Some(shown) = offset.and_then(|o| out[..count].get_mut(o)) {
                *shown = *byte;
            }
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for View {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = sought(to, self.at, self.length)?;
        Ok(self.at)
    }
}

impl MediaSource for View {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}

/// Fills `bytes` from `file` at the place `at`; fewer where the file ends before.
pub(super) fn read_at(file: &mut dyn MediaSource, at: u64, bytes: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(at))?;
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Length of `file` in bytes.
pub(super) fn length(file: &mut dyn MediaSource) -> io::Result<u64> {
    file.seek(SeekFrom::End(0))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn spans_are_read_as_one_with_other_bytes_in_places() {
        let file = Cursor::new(b"0123456789".to_vec());
        let mut view = View::new(Box::new(file), &[(1, 3), (5, 0), (7, 2)])
            .patched(vec![(0, b'x'), (3, b'y')]);
        let mut text = String::new();
        view.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), view.length()), ("x23y8", 5));
        view.seek(SeekFrom::End(-3)).unwrap();
        let mut rest = [0; 3];
        view.read_exact(&mut rest).unwrap();
        assert_eq!(&rest, b"3y8");
        assert_eq!(view.read(&mut rest).unwrap(), 0);
        assert_eq!(read_at(&mut view, 2, &mut [0; 9]).unwrap(), 3);
        assert_eq!(View::new(Box::new(Cursor::new(vec![1])), &[]).read(&mut rest).unwrap(), 0);
    }
}
