//! The head of a Matroska or WebM file: how long it means to be, and what its sound is.

use std::io;

use symphonia::core::io::MediaSource;

use super::view::read_at;

/// Bytes looked at.
const HEAD: usize = 1 << 16;
/// What begins the segment, in which everything lies.
const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];
/// What begins an entry of the table of contents: the kind of a part, four bytes long.
const ENTRY: [u8; 3] = [0x53, 0xab, 0x84];
/// What begins the name of a coding.
const CODING: u8 = 0x86;

/// What the first bytes say.
pub(super) struct Head {
    /// Where the segment's size stands, how many bytes it has, and where the segment would end.
    segment: Option<(u64, u64, u64)>,
    /// Where the table of contents names kinds of parts.
    entries: Vec<u64>,
    /// The name of the first coding of sound.
    pub(super) coding: Option<String>,
}

impl Head {
    pub(super) fn read(file: &mut dyn MediaSource) -> io::Result<Self> {
        let mut bytes = vec![0; HEAD];
        let count = read_at(file, 0, &mut bytes)?;
        let bytes = &bytes[..count];
        let segment = number(bytes, 4).and_then(|(size, width)| {
            let at = 4 + width + usize::try_from(size?).ok()?;
            let found = bytes.get(at..at + 4)? == SEGMENT;
            let (size, width) = number(bytes, at + 4).filter(|_| found)?;
            let start = (at + 4) as u64;
            Some((start, width as u64, (start + width as u64).saturating_add(size?)))
        });
        let name = bytes.windows(4).position(|b| b[0] == CODING && b[1] > 0x80 && &b[2..] == b"A_");
        let coding = name.and_then(|at| {
            let length = usize::from(bytes[at + 1] & 0x7f);
            bytes.get(at + 2..at + 2 + length)
        });
        let coding = coding.map(|name| String::from_utf8_lossy(name).into_owned());
        let entries = bytes.windows(ENTRY.len()).enumerate();
        let entries = entries.filter(|(_, window)| *window == ENTRY);
        let entries = entries.map(|(at, _)| (at + ENTRY.len()) as u64).collect();
        Ok(Self { segment, entries, coding })
    }

    /// Bytes that the segment promises and a file of this length lacks.
    pub(super) fn lacks(&self, length: u64) -> u64 {
        self.segment.map_or(0, |(_, _, end)| end.saturating_sub(length))
    }

    /// The bytes to be shown otherwise in a file that was cut off: a segment without a known size,
    /// which goes as far as the file does, and a table of contents of parts that nobody knows.
    pub(super) fn patches(&self, length: u64) -> Vec<(u64, u8)> {
        match self.segment {
            Some((start, width @ 1..=8, _)) if self.lacks(length) > 0 => {
                let first = (start, 0xff_u8 >> (width - 1));
                let others = (1..width).map(|place| (start + place, 0xff));
                let entries = self.entries.iter().flat_map(|at| [(*at, 0x1f), (*at + 1, 0xff)]);
                std::iter::once(first).chain(others).chain(entries).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The number at `at`, none where it is left open, and the bytes that it takes.
fn number(bytes: &[u8], at: usize) -> Option<(Option<u64>, usize)> {
    let first = *bytes.get(at)?;
    let width = first.leading_zeros() as usize + 1;
    let rest = bytes.get(at..at + width).filter(|_| width <= 8)?;
    let value = rest.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let most = (1_u64 << (7 * width)) - 1;
    let value = value & most;
    Some(((value < most).then_some(value), width))
}
