//! Headerless files: the user says what a header would.

use std::fmt;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::str::FromStr;

use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};
use symphonia::core::common::FourCc;
use symphonia::core::errors::{Error as SymphoniaError, SeekErrorKind};
use symphonia::core::formats::{
    FormatId, FormatInfo, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track,
};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions, ReadBytes};
use symphonia::core::meta::{Metadata, MetadataLog};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use wakegate::audio::downmix::check_channels;
use wakegate::audio::resample::check_rate;
use wakegate::error::{Error, ErrorKind, Result};

/// The endings, lower case, of headerless files.
pub const RAW_EXTENSIONS: [&str; 8] = ["al", "alaw", "mulaw", "pcm", "raw", "s16", "ul", "ulaw"];

/// Frames decoded at a time, as for WAV files.
const BLOCK_FRAMES: u64 = 1_152;

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

impl Encoding {
    /// 8-bit u-law of ITU-T G.711.
    pub(super) const ULAW: Self = Self(&ENCODINGS[0]);
    /// 8-bit A-law of ITU-T G.711.
    pub(super) const ALAW: Self = Self(&ENCODINGS[1]);
}

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

    fn frame_bytes(self) -> u64 {
        self.encoding.0.2 * u64::from(self.channels)
    }
}

/// Packets from a headerless file, for the decoder of its encoding.
pub(super) struct RawReader {
    stream: MediaSourceStream<'static>,
    tracks: [Track; 1],
    media: MediaInfo,
    metadata: MetadataLog,
    frame_bytes: u64,
    /// Frames given, and frames that the file holds.
    given: u64,
    frames: u64,
    /// Bytes of an incomplete frame at the end.
    rest: u64,
}

/// What marks a [`RawReader`] among the demuxers.
pub(super) const FORMAT_ID_RAW: FormatId = FormatId::new(FourCc::new(*b"raw "));

static INFO: FormatInfo =
    FormatInfo { format: FORMAT_ID_RAW, short_name: "raw", long_name: "headerless samples" };

impl RawReader {
    /// A reader over all of `source`.
    pub(super) fn new(mut source: Box<dyn MediaSource>, form: RawForm) -> io::Result<Self> {
        let length = source.seek(SeekFrom::End(0))?;
        Self::within(source, form, 0, length)
    }

    /// A reader over the bytes of `source` from `start` on; fewer than the `promised` ones where
    /// it ends before.
    pub(super) fn within(
        mut source: Box<dyn MediaSource>,
        form: RawForm,
        start: u64,
        promised: u64,
    ) -> io::Result<Self> {
        let length = source.seek(SeekFrom::End(0))?.saturating_sub(start).min(promised);
        source.seek(SeekFrom::Start(start))?;
        let frame_bytes = form.frame_bytes();
        let frames = length / frame_bytes;
        let mut params = AudioCodecParameters::new();
        params
            .for_codec(form.encoding.0.1)
            .with_sample_rate(form.rate)
            .with_channels(Channels::Discrete(form.channels))
            .with_max_frames_per_packet(BLOCK_FRAMES);
        let mut track = Track::new(0);
        track
            .with_codec_params(CodecParameters::Audio(params))
            .with_num_frames(promised / frame_bytes);
        Ok(Self {
            stream: MediaSourceStream::new(source, MediaSourceStreamOptions::default()),
            media: MediaInfo::from_track(&track),
            tracks: [track],
            metadata: MetadataLog::default(),
            frame_bytes,
            given: 0,
            frames,
            rest: length % frame_bytes,
        })
    }

    /// A warning where the file does not end with a whole frame.
    pub(super) fn warning(&self) -> Option<String> {
        (self.rest > 0).then(|| {
            format!(
                "the file ends in the middle of a sample: its last {} bytes are dropped",
                self.rest
            )
        })
    }
}

impl FormatReader for RawReader {
    fn format_info(&self) -> &FormatInfo {
        &INFO
    }

    fn media_info(&self) -> &MediaInfo {
        &self.media
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.metadata.metadata()
    }

    fn seek(&mut self, _: SeekMode, _: SeekTo) -> symphonia::core::errors::Result<SeekedTo> {
        Err(SymphoniaError::SeekError(SeekErrorKind::Unseekable))
    }

    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn next_packet(&mut self) -> symphonia::core::errors::Result<Option<Packet>> {
        let frames = BLOCK_FRAMES.min(self.frames - self.given);
        let Ok(at) = i64::try_from(self.given) else { return Ok(None) };
        if frames == 0 {
            return Ok(None);
        }
        let data = self.stream.read_boxed_slice_exact((frames * self.frame_bytes) as usize)?;
        self.given += frames;
        Ok(Some(Packet::new(0, Timestamp::new(at), Duration::from(frames), data)))
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        self.stream
    }
}
