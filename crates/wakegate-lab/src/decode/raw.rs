//! Headerless files: the user says what a header would.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known as id;

use wakegate::audio::downmix::check_channels;
use wakegate::audio::resample::check_rate;
use wakegate::error::{Error, ErrorKind, Result};

/// The endings, lower case, of headerless files.
pub const RAW_EXTENSIONS: [&str; 8] = ["al", "alaw", "mulaw", "pcm", "raw", "s16", "ul", "ulaw"];

/// How the samples of a headerless file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding(&'static (&'static str, AudioCodecId, u64));

/// Names as other audio tools have them, codecs, bytes of a sample.
static ENCODINGS: [(&str, AudioCodecId, u64); 14] = [
    ("ulaw", id::CODEC_ID_PCM_MULAW, 1),
    ("alaw", id::CODEC_ID_PCM_ALAW, 1),
    ("s16le", id::CODEC_ID_PCM_S16LE, 2),
    ("u8", id::CODEC_ID_PCM_U8, 1),
    ("s8", id::CODEC_ID_PCM_S8, 1),
    ("s16be", id::CODEC_ID_PCM_S16BE, 2),
    ("s24le", id::CODEC_ID_PCM_S24LE, 3),
    ("s24be", id::CODEC_ID_PCM_S24BE, 3),
    ("s32le", id::CODEC_ID_PCM_S32LE, 4),
    ("s32be", id::CODEC_ID_PCM_S32BE, 4),
    ("f32le", id::CODEC_ID_PCM_F32LE, 4),
    ("f32be", id::CODEC_ID_PCM_F32BE, 4),
    ("f64le", id::CODEC_ID_PCM_F64LE, 8),
    ("f64be", id::CODEC_ID_PCM_F64BE, 8),
];

impl FromStr for Encoding {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        ENCODINGS.iter().find(|encoding| encoding.0 == name).map(Encoding).ok_or_else(|| {
            let names: Vec<_> = ENCODINGS.iter().map(|encoding| encoding.0).collect();
            Error::new(ErrorKind::Settings, "no such sample encoding")
                .expected(names.join(", "))
                .found(name)
        })
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.0)
    }
}

/// The form of headerless files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawForm {
    encoding: Encoding,
    rate: u32,
    channels: u16,
}

impl RawForm {
    /// Samples in `encoding` at `rate` Hz, `channels` of them interleaved.
    ///
    /// # Errors
    /// [`ErrorKind::Audio`] for a rate or number of channels that can't be used.
    pub fn new(encoding: Encoding, rate: u32, channels: u16) -> Result<Self> {
        check_rate(rate)?;
        check_channels(usize::from(channels))?;
        Ok(Self { encoding, rate, channels })
    }

    /// Whether a file of this name is headerless, by its ending (one of [`RAW_EXTENSIONS`]).
    pub fn is_for(path: &Path) -> bool {
        super::find_audio::ends_in(path, &RAW_EXTENSIONS)
    }

    pub(super) fn frame_bytes(self) -> u64 {
        self.encoding.0.2 * u64::from(self.channels)
    }

    pub(super) fn codec(self) -> AudioCodecId {
        self.encoding.0.1
    }

    pub(super) fn is_s16le(self) -> bool {
        self.codec() == id::CODEC_ID_PCM_S16LE
    }

    pub(super) fn rate(self) -> u32 {
        self.rate
    }

    pub(super) fn channels(self) -> u16 {
        self.channels
    }
}
