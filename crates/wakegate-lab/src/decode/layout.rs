//! What the header of a file says of its samples: how they are written, and where they lie.

use std::io;

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::io::MediaSource;

use super::raw::RawForm;
use super::view::read_at;
use wakegate::audio::Warning;
use wakegate::audio::downmix::check_channels;
use wakegate::audio::resample::check_rate;
use wakegate::error::Result;

/// How the bytes of a file become samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Blocks of equal length, each decoded by itself.
    Blocks {
        /// The decoder.
        codec: AudioCodecId,
        /// Bytes of a block; for PCM that of a frame.
        bytes: u64,
        /// Frames in it.
        frames: u64,
        /// Of the four bytes of a sample, three hold it: those in front, or those behind.
        narrow: Option<Narrow>,
    },
    /// Frames of MPEG audio or AAC, each with a header of its own.
    Stream,
}

/// Which byte of four is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Narrow {
    /// The first, of big-endian samples.
    First,
    /// The last, of little-endian ones.
    Last,
}

/// A file's samples.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) coding: Coding,
    /// In Hz.
    pub(super) rate: u32,
    pub(super) channels: u16,
    /// Start and length in bytes of each part of the file that holds samples, in their order.
    pub(super) spans: Vec<(u64, u64)>,
    /// Frames that the header promises; none where it leaves that open.
    pub(super) promised: Option<u64>,
    /// What is odd about the header.
    pub(super) notes: Vec<Warning>,
}

impl Layout {
    /// The whole of a headerless file of `length` bytes.
    pub(super) fn of_raw(form: RawForm, length: u64) -> Self {
        let bytes = form.frame_bytes();
        Self {
            coding: Coding::Blocks { codec: form.codec(), bytes, frames: 1, narrow: None },
            rate: form.rate(),
            channels: form.channels(),
            spans: vec![(0, length)],
            promised: Some(length / bytes),
            notes: Vec::new(),
        }
    }

    /// Refuses a rate or a number of channels that no recording has.
    pub(super) fn checked(self) -> Result<Self> {
        check_channels(usize::from(self.channels))?;
        check_rate(self.rate)?;
        Ok(self)
    }

    /// Bytes of all spans.
    pub(super) fn bytes(&self) -> u64 {
        self.spans.iter().fold(0, |sum, span| sum.saturating_add(span.1))
    }

    /// Blocks of a number of frames each, in bytes.
    pub(super) fn block(&self) -> Option<(u64, u64)> {
        match self.coding {
            Coding::Blocks { bytes, frames, .. } => Some((bytes, frames)),
            Coding::Stream => None,
        }
    }
}

/// What the reader of a header gives: a layout, an error about its numbers, or in words what the
/// coding is called that can't be decoded.
pub(super) type Header = io::Result<Result<std::result::Result<Layout, String>>>;

/// A warning of another recording in the file, which is not read.
pub(super) fn unread_bytes(what: &str, bytes: u64) -> Warning {
    Warning::new(
        "unread_bytes",
        format!("another {what} follows, of {bytes} bytes: it is not read"),
    )
}

/// What a PCM sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    /// A signed integer.
    Signed,
    /// An unsigned integer.
    Unsigned,
    /// A floating-point number.
    Float,
}

/// The decoder of PCM samples of so many `bytes`; none where there is none.
pub(super) fn pcm(number: Number, bytes: u64, big_endian: bool) -> Option<AudioCodecId> {
    let (little, big) = match (number, bytes) {
        (Number::Signed, 1) => (id::CODEC_ID_PCM_S8, id::CODEC_ID_PCM_S8),
        (Number::Signed, 2) => (id::CODEC_ID_PCM_S16LE, id::CODEC_ID_PCM_S16BE),
        (Number::Signed, 3) => (id::CODEC_ID_PCM_S24LE, id::CODEC_ID_PCM_S24BE),
        (Number::Signed, 4) => (id::CODEC_ID_PCM_S32LE, id::CODEC_ID_PCM_S32BE),
        (Number::Unsigned, 1) => (id::CODEC_ID_PCM_U8, id::CODEC_ID_PCM_U8),
        (Number::Unsigned, 2) => (id::CODEC_ID_PCM_U16LE, id::CODEC_ID_PCM_U16BE),
        (Number::Unsigned, 3) => (id::CODEC_ID_PCM_U24LE, id::CODEC_ID_PCM_U24BE),
        (Number::Unsigned, 4) => (id::CODEC_ID_PCM_U32LE, id::CODEC_ID_PCM_U32BE),
        (Number::Float, 4) => (id::CODEC_ID_PCM_F32LE, id::CODEC_ID_PCM_F32BE),
        (Number::Float, 8) => (id::CODEC_ID_PCM_F64LE, id::CODEC_ID_PCM_F64BE),
        _ => return None,
    };
    Some(if big_endian { big } else { little })
}

/// Bytes read at a time.
const LOOK: usize = 1 << 16;
/// Bytes looked at most to see on which side of four bytes 24 bits lie.
const MOST_LOOKED_AT: u64 = 1 << 26;

/// How samples of 24 bits in four bytes are written, by those at `start`: in the upper three
/// bytes, as integers of 32 bits are, or in the lower three.
pub(super) fn in_four_bytes(
    file: &mut dyn MediaSource,
    start: u64,
    big_endian: bool,
) -> io::Result<(AudioCodecId, Option<Narrow>)> {
    let mut bytes = vec![0; LOOK];
    // In the lower three, no value needs more than 24 bits; in the upper three, the lowest byte is
    // 0, and the one above it too for what was recorded with 16 bits.
    let (mut low, mut at) = (false, start);
    while at < start.saturating_add(MOST_LOOKED_AT) {
        let count = read_at(file, at, &mut bytes)?;
        let values = bytes[..count].as_chunks::<4>().0.iter().map(|four| {
            if big_endian { i32::from_be_bytes(*four) } else { i32::from_le_bytes(*four) }
        });
        for value in values {
            if !(-(1 << 23)..1 << 23).contains(&value) {
                low = false;
                at = u64::MAX;
                break;
            }
            low |= value & 0xffff != 0;
        }
        if count < LOOK {
            break;
        }
        at = at.saturating_add(count as u64);
    }
    let codec = |wide: bool| match (wide, big_endian) {
        (true, false) => id::CODEC_ID_PCM_S32LE,
        (true, true) => id::CODEC_ID_PCM_S32BE,
        (false, false) => id::CODEC_ID_PCM_S24LE,
        (false, true) => id::CODEC_ID_PCM_S24BE,
    };
    let narrow = if big_endian { Narrow::First } else { Narrow::Last };
    Ok(if low { (codec(false), Some(narrow)) } else { (codec(true), None) })
}

/// What `bytes` that follow the samples of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing to speak of: no bytes, nothing but zeros, or a tag that is no sound.
    Nothing,
    /// Something else, perhaps samples.
    Bytes,
}

/// Looks at what lies in `file` from `start` to `end`.
pub(super) fn rest(file: &mut dyn MediaSource, start: u64, end: u64) -> io::Result<Rest> {
    const TAGS: [&[u8]; 5] = [b"TAG", b"ID3", b"APETAGEX", b"LYRICSBEGIN", b"<?xpacket"];
    let mut block = vec![0; LOOK];
    let mut at = start;
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(LOOK).min(LOOK);
        let count = read_at(file, at, &mut block[..wanted])?;
        if count == 0 {
            break;
        }
        if at == start && TAGS.iter().any(|tag| block[..count].starts_with(tag)) {
            return Ok(Rest::Nothing);
        }
        if block[..count].iter().any(|byte| *byte != 0) {
            return Ok(if end - start < 16 { Rest::Nothing } else { Rest::Bytes });
        }
        at += count as u64;
    }
    Ok(Rest::Nothing)
}
