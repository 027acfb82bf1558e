//! FLAC files whose header makes the demuxer lose every frame.
//!
//! The least block size in a FLAC header leaves out the last block, which may be shorter. Some
//! encoders count it in, so that a file of equal blocks claims blocks of varying size; the demuxer
//! then takes each frame's number for a contradiction and drops all of them.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// Where the header holds the least and the greatest block size, 16 bits each, big-endian.
const LEAST_BLOCK_AT: u64 = 8;
/// Metadata blocks walked over at most; no encoder writes as many.
const MAX_BLOCKS: usize = 1_024;

/// A file that may show another least block size than it holds.
pub(super) struct FixedFlac {
    file: Box<dyn MediaSource>,
    at: u64,
    least_block: Option<[u8; 2]>,
}

impl FixedFlac {
    /// Wraps `file`, which stands at its start, and looks whether it needs the correction.
    pub(super) fn new(mut file: Box<dyn MediaSource>) -> io::Result<Self> {
        let least_block = correction(file.as_mut())?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Self { file, at: 0, least_block })
    }
}

/// The greatest block size, where the header claims varying sizes and the first frame equal ones.
fn correction(file: &mut dyn MediaSource) -> io::Result<Option<[u8; 2]>> {
    let mut head = [0; 12];
    if !filled(file, &mut head)? || !head.starts_with(b"fLaC") || head[8..10] == head[10..12] {
        return Ok(None);
    }
    let mut at = 4;
    for _ in 0..MAX_BLOCKS {
        let mut block = [0; 4];
        file.seek(SeekFrom::Start(at))?;
        if !filled(file, &mut block)? {
            return Ok(None);
        }
        at += 4 + u64::from(u32::from_be_bytes([0, block[1], block[2], block[3]]));
        if block[0] & 0x80 != 0 {
            break;
        }
    }
    let mut sync = [0; 2];
    file.seek(SeekFrom::Start(at))?;
    let equal_blocks = filled(file, &mut sync)? && sync == [0xff, 0xf8];
    Ok(equal_blocks.then_some([head[10], head[11]]))
}

/// Whether `bytes` could be filled from the file before its end.
fn filled(file: &mut dyn MediaSource, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}

impl Read for FixedFlac {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(out)?;
        for (i, byte) in self.least_block.iter().flatten().enumerate() {
            let offset = (LEAST_BLOCK_AT + i as u64).checked_sub(self.at);
            if let Some(shown) = offset.and_then(|o| out[..n].get_mut(usize::try_from(o).ok()?)) {
                *shown = *byte;
            }
        }
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for FixedFlac {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

impl MediaSource for FixedFlac {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        self.file.byte_len()
    }
}
