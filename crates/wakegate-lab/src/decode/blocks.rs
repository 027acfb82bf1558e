//! Packets of samples that lie in a file as blocks of equal length: PCM, and ADPCM in WAV.

use std::io;

use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};
use symphonia::core::formats::Track;
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions, ReadBytes};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, TimeBase, Timestamp};

use super::demux::Demuxer;
use super::layout::{Coding, Layout, Narrow};
use super::view::View;
use wakegate::audio::Warning;

/// Frames decoded at a time, at least one block.
const PACKET_FRAMES: u64 = 1_152;

/// The demuxer of samples in blocks.
pub(super) struct BlockReader {
    stream: MediaSourceStream<'static>,
    track: Track,
    block_bytes: u64,
    block_frames: u64,
    narrow: Option<Narrow>,
    /// Blocks given, and those that there are; the last may be filled up.
    given: u64,
    blocks: u64,
    /// Bytes of the last block, if it is not whole.
    partial: u64,
    /// Frames that the header promises.
    promised: Option<u64>,
}

impl BlockReader {
    /// A reader of the samples of `file` that `layout` describes, and what is odd about their end.
    pub(super) fn new(
        file: Box<dyn MediaSource>,
        layout: &Layout,
    ) -> io::Result<(Self, Option<Warning>)> {
        let Coding::Blocks { codec, bytes, frames, narrow } = layout.coding else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let length = layout.bytes();
        let is_pcm = frames == 1;
        let (whole, rest) = (length / bytes, length % bytes);
        let partial = if is_pcm { 0 } else { rest };
        let warning =
            (is_pcm && rest > 0 && layout.promised.is_none_or(|p| p <= whole)).then(|| {
                Warning::new(
                    "partial_sample",
                    format!(
                        "the file ends in the middle of a sample: its last {rest} bytes are dropped"
                    ),
                )
            });
        let mut params = AudioCodecParameters::new();
        params
            .for_codec(codec)
            .with_sample_rate(layout.rate)
            .with_channels(Channels::Discrete(layout.channels))
            .with_frames_per_block(frames)
            .with_max_frames_per_packet(PACKET_FRAMES.max(frames));
        let mut track = Track::new(0);
        track.with_codec_params(CodecParameters::Audio(params));
        if let Some(rate) = std::num::NonZero::new(layout.rate) {
            track.with_time_base(TimeBase::from_recip(rate));
        }
        let reader = Self {
            stream: MediaSourceStream::new(
                Box::new(View::new(file, &layout.spans)),
                MediaSourceStreamOptions::default(),
            ),
            track,
            block_bytes: bytes,
            block_frames: frames,
            narrow,
            given: 0,
            blocks: whole + u64::from(partial > 0),
            partial,
            promised: layout.promised,
        };
        Ok((reader, warning))
    }

    /// Frames at the end of the last block that fill it up only.
    fn filled_up(&self) -> u64 {
        if self.block_frames == 1 {
            return 0;
        }
        let coded = self.blocks * self.block_frames;
        let held = match self.partial {
            0 => coded,
            partial => coded - self.block_frames + self.block_frames * partial / self.block_bytes,
        };
        let held = self.promised.map_or(held, |promised| promised.min(held));
        (coded - held).min(self.block_frames - 1)
    }
}

/// Whether packets of `codec` have a trim that its decoder leaves to others.
pub(super) fn is_trimmed_here(codec: AudioCodecId) -> bool {
    use symphonia::core::codecs::audio::well_known::{CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS};
    [CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS].contains(&codec)
}

impl Demuxer for BlockReader {
    fn track(&self) -> Option<&Track> {
        Some(&self.track)
    }

    fn next_packet(&mut self) -> symphonia::core::errors::Result<Option<Packet>> {
        let left = self.blocks - self.given;
        let blocks = (PACKET_FRAMES / self.block_frames).max(1).min(left);
        let Ok(at) = i64::try_from(self.given * self.block_frames) else { return Ok(None) };
        if blocks == 0 {
            return Ok(None);
        }
        let is_last = blocks == left;
        let size = (blocks * self.block_bytes) as usize;
        let missing = if is_last && self.partial > 0 { self.block_bytes - self.partial } else { 0 };
        let mut data = vec![0; size];
        self.stream.read_buf_exact(&mut data[..size - missing as usize])?;
        if let Some(narrow) = self.narrow {
            let from = usize::from(narrow == Narrow::First);
            data = data
                .as_chunks::<4>()
                .0
                .iter()
                .flat_map(|four| four[from..from + 3].to_vec())
                .collect();
        }
        self.given += blocks;
        let frames = blocks * self.block_frames;
        let mut packet = Packet::new(0, Timestamp::new(at), Duration::from(frames), data);
        if is_last {
            let trim = self.filled_up();
            packet.dur = Duration::from(frames - trim);
            packet.trim_end = Duration::from(trim);
        }
        Ok(Some(packet))
    }
}
