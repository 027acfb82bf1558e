//! What an Ogg file holds, by its first pages, and whether all of them are there.

use std::collections::HashMap;
use std::io;

use symphonia::core::io::MediaSource;

use super::view::read_at;

/// Pages looked at: each stream begins with one, in front of all others.
const MOST_PAGES: usize = 32;

/// What the first packets of streams begin with, and the name of what then follows.
const STREAMS: [(&[u8], &str); 10] = [
    (b"\x7fFLAC", "FLAC"),
    (b"fLaC", "FLAC of an early form"),
    (b"OpusHead", "Opus"),
    (b"\x01vorbis", "Vorbis"),
    (b"Speex   ", "Speex"),
    (b"CELT    ", "CELT"),
    (b"PCM     ", "PCM"),
    (b"\x80theora", "Theora video"),
    (b"BBCD", "Dirac video"),
    (b"fishead", "Skeleton"),
];

/// Names of the streams of `file`.
pub(super) fn streams(file: &mut dyn MediaSource) -> io::Result<Vec<&'static str>> {
    let mut names = Vec::new();
    let mut at = 0;
    for _ in 0..MOST_PAGES {
        let mut page = [0; 27 + 255 + 16];
        let count = read_at(file, at, &mut page)?;
        let first = count > 27 && page.starts_with(b"OggS") && page[5] & 2 != 0;
        if !first {
            break;
        }
        let segments = usize::from(page[26]);
        let body: u64 = page[27..27 + segments].iter().map(|length| u64::from(*length)).sum();
        let packet = &page[(27 + segments).min(count)..count];
        let known = STREAMS.iter().find(|(magic, _)| packet.starts_with(magic));
        names.push(known.map_or("something unknown", |(_, name)| *name));
        at += (27 + segments) as u64 + body;
    }
    Ok(names)
}

/// Bytes of a page's header in front of the lengths of its segments.
const HEADER: usize = 27;
/// Bytes looked through at a time.
const BLOCK: usize = 1 << 16;

/// How many pages of `file` are damaged or missing: the demuxer drops such pages without a word, and
/// where the last one follows, no time stamp tells of it. What is cut off at the end is none.
///
/// Where what look like pages overlap, all over the file, the count ends: each byte of the file
/// is looked at a few times at most.
pub(super) fn lost_pages(file: &mut dyn MediaSource, length: u64) -> io::Result<u64> {
    let mut numbers: HashMap<[u8; 4], u32> = HashMap::new();
    let (mut lost, mut at, mut left) = (0, 0, length.saturating_mul(2));
    let mut page = vec![0; HEADER + 255 + 255 * 255];
    while let Some(found) = find(file, at, length)? {
        // Bytes between two pages are what is left of one.
        lost += u64::from(found > at && at > 0);
        let head = read_at(file, found, &mut page[..HEADER + 255])?;
        let segments = usize::from(page[HEADER - 1]);
        let lengths = &page[HEADER..HEADER + segments];
        let size = HEADER + segments + lengths.iter().map(|l| usize::from(*l)).sum::<usize>();
        let rest = match page.get_mut(head..size) {
            Some(rest) => read_at(file, found + head as u64, rest)?,
            None => 0,
        };
        if size > head + rest {
            break;
        }
        let Some(after) = left.checked_sub(size as u64) else { break };
        left = after;
        let (serial, number, sum) = (four(&page, 14), four(&page, 18), four(&page, 22));
        page[22..26].fill(0);
        if checksum(&page[..size]) != u32::from_le_bytes(sum) {
            // Its length may be wrong as well.
            lost += 1;
            at = find(file, found + 4, length)?.unwrap_or(length);
            numbers.remove(&serial);
            continue;
        }
        let number = u32::from_le_bytes(number);
        if let Some(last) = numbers.insert(serial, number) {
            lost += u64::from(number.saturating_sub(last).saturating_sub(1));
        }
        at = found + size as u64;
    }
    Ok(lost)
}

fn four(page: &[u8], at: usize) -> [u8; 4] {
    page.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
}

/// Where the next page begins, from `at` on.
fn find(file: &mut dyn MediaSource, mut at: u64, length: u64) -> io::Result<Option<u64>> {
    let mut block = vec![0; 4];
    while at < length {
        let count = read_at(file, at, &mut block)?;
        if let Some(place) = block[..count].windows(4).position(|four| four == b"OggS") {
            return Ok(Some(at + place as u64));
        }
        if count < 4 {
            break;
        }
        at += count as u64 - 3;
        // Most often the next page is near.
        block.resize((8 * block.len()).min(BLOCK), 0);
    }
    Ok(None)
}

fn checksum(page: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    page.iter().fold(0, |sum, byte| sum << 8 ^ TABLE[usize::from((sum >> 24) as u8 ^ byte)])
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let (mut sum, mut bit) = ((index as u32) << 24, 0);
        while bit < 8 {
            sum = sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
}
