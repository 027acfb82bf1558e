//! The boxes of an MP4 file, and the numbers in them.

/// The boxes in a stretch of memory, one after the other.
pub(super) struct Boxes<'b> {
    bytes: &'b [u8],
}

impl<'b> Iterator for Boxes<'b> {
    type Item = ([u8; 4], &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let size = be32(self.bytes, 0)? as usize;
        let name = *self.bytes.get(4..)?.first_chunk()?;
        let (head, size) = match size {
            0 => (8, self.bytes.len()),
            1 => (16, usize::try_from(be64(self.bytes, 8)?).ok()?),
            size => (8, size),
        };
        if size < head {
            return None;
        }
        let body = self.bytes.get(head..size.min(self.bytes.len()))?;
        self.bytes = self.bytes.get(size..).unwrap_or_default();
        Some((name, body))
    }
}

pub(super) fn boxes(bytes: &[u8]) -> Boxes<'_> {
    Boxes { bytes }
}

/// The first box of a path of names.
pub(super) fn inner<'b>(bytes: &'b [u8], path: &[&[u8; 4]]) -> Option<&'b [u8]> {
    path.iter().try_fold(bytes, |bytes, name| {
        boxes(bytes).find(|(found, _)| found == *name).map(|(_, body)| body)
    })
}

pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
}

pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_be_bytes(*b))
}

pub(super) fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|b| u64::from_be_bytes(*b))
}
