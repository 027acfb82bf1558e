//! What keeps the demuxer from reading FLAC files that other programs read.
//!
//! The least block size in a FLAC header leaves out the last block, which may be shorter. Some
//! encoders count it in, so that a file of equal blocks claims blocks of varying size; the demuxer
//! then takes each frame's number for a contradiction and drops all of them. And metadata that it
//! does not take, such as the cue sheet of something else than a CD, makes it refuse the file:
//! nothing of it is needed here, so that all of it is shown as padding.

use std::io;

use symphonia::core::io::MediaSource;

use super::view::read_at;

/// Where the header holds the least block size, 16 bits, big-endian; the greatest follows it.
const LEAST_BLOCK_AT: u64 = 8;
/// Metadata blocks walked over at most; no encoder writes as many.
const MOST_BLOCKS: usize = 1_024;
/// Kinds of metadata blocks: what every file needs, and what nobody reads.
const STREAM_INFO: u8 = 0;
const PADDING: u8 = 1;

/// The bytes of `file` to be shown otherwise, by their places.
pub(super) fn patches(file: &mut dyn MediaSource) -> io::Result<Vec<(u64, u8)>> {
    let mut patches = Vec::new();
    let mut head = [0; 12];
    if read_at(file, 0, &mut head)? < head.len() {
        return Ok(patches);
    }
    let mut at = 4;
    for _ in 0..MOST_BLOCKS {
        let mut block = [0; 4];
        if read_at(file, at, &mut block)? < block.len() {
            return Ok(patches);
        }
        if !matches!(block[0] & 0x7f, STREAM_INFO | PADDING) {
            patches.push((at, block[0] & 0x80 | PADDING));
        }
        at += 4 + u64::from(u32::from_be_bytes([0, block[1], block[2], block[3]]));
        if block[0] & 0x80 != 0 {
            break;
        }
    }
    let mut sync = [0; 2];
    let equal_blocks = read_at(file, at, &mut sync)? == 2 && sync == [0xff, 0xf8];
    if equal_blocks && head[8..10] != head[10..12] {
        patches.extend([(LEAST_BLOCK_AT, head[10]), (LEAST_BLOCK_AT + 1, head[11])]);
    }
    Ok(patches)
}

/// Bytes looked through at a time.
const BLOCK: usize = 1 << 16;
/// What a stream begins with, up to the length of its first block of metadata.
const BEGINNING: usize = 8;

/// Where another stream begins in `file`, behind the first: one recording was appended to another.
pub(super) fn second(file: &mut dyn MediaSource, length: u64) -> io::Result<Option<u64>> {
    let is_one = |bytes: &[u8]| {
        bytes.starts_with(b"fLaC") && bytes[4] & 0x7f == STREAM_INFO && bytes[5..] == [0, 0, 34]
    };
    let mut block = vec![0; BLOCK];
    let mut at = BEGINNING as u64;
    while at < length {
        let count = read_at(file, at, &mut block)?;
        if let Some(place) = block[..count].windows(BEGINNING).position(is_one) {
            return Ok(Some(at + place as u64));
        }
        if count < BEGINNING {
            break;
        }
        at += (count - BEGINNING + 1) as u64;
    }
    Ok(None)
}
