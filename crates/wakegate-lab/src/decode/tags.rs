//! Tags around the sound of a file: they are passed over, whatever they hold.

use std::io;

use symphonia::core::io::MediaSource;

use super::view::read_at;

/// Bytes by which a tag is told.
const HEAD: usize = 32;

/// Length of the tag that begins with `head`; none where there is none.
pub(super) fn length(head: &[u8]) -> Option<u64> {
    id3v2(head).or_else(|| {
        if head.starts_with(b"TAG") {
            Some(128)
        } else if head.starts_with(b"APETAGEX") {
            let size = head.get(12..16)?;
            let flags = head.get(20..24)?;
            let size = u64::from(u32::from_le_bytes([size[0], size[1], size[2], size[3]]));
            // The size leaves out a header, and counts a footer.
            Some(size + if flags[3] & 0x20 != 0 { 32 } else { 0 })
        } else {
            None
        }
    })
}

/// Length of an ID3v2 tag.
fn id3v2(head: &[u8]) -> Option<u64> {
    let head = head.first_chunk::<10>().filter(|head| head.starts_with(b"ID3"))?;
    let size = &head[6..];
    if head[3] == 0xff || head[4] == 0xff || size.iter().any(|byte| *byte > 0x7f) {
        return None;
    }
    let size = size.iter().fold(0, |sum, byte| sum << 7 | u64::from(*byte));
    let footer = if head[5] & 0x10 != 0 { 10 } else { 0 };
    Some(10 + size + footer)
}

/// Where the sound of `file`, which is `length` bytes long, begins and ends: behind the ID3v2 tags
/// in front, and before the ID3v1 and APE tags at its end.
pub(super) fn around(file: &mut dyn MediaSource, length: u64) -> io::Result<(u64, u64)> {
    let mut head = [0; HEAD];
    let mut start = 0;
    while start < length {
        let count = read_at(file, start, &mut head)?;
        match id3v2(&head[..count]) {
            Some(tag) => start = start.saturating_add(tag),
            None => break,
        }
    }
    let start = start.min(length);
    let mut end = length;
    if end - start >= 128 {
        let count = read_at(file, end - 128, &mut head)?;
        if head[..count].starts_with(b"TAG") {
            end -= 128;
        }
    }
    if end - start >= 32
        && read_at(file, end - 32, &mut head)? == 32
        && head.starts_with(b"APETAGEX")
    {
        // Its footer has the form of its header.
        end = end.saturating_sub(self::length(&head).unwrap_or(0)).max(start);
    }
    Ok((start, end))
}
