//! Opus packets to samples.
//!
//! The decoder runs at 16 kHz itself, whatever rate the header names as the encoder's input: that
//! field is information only, and for speech at 24 kb/s the codec's own rate is 16 kHz or less, so
//! no second conversion is needed and none can blur the timing.
//!
//! The decoder is a port of libopus' fixed-point decoder to Rust: a build needs neither a C compiler
//! nor cmake, for any target. Its output has 16 bits and clips at full scale where a floating-point
//! libopus goes on above it.

use ropus::OpusMSDecoder;

use wakegate::audio::SAMPLE_RATE;

/// Granules (48 kHz samples, the unit of all Opus timing) in one output sample.
const GRANULES_PER_SAMPLE: u64 = 3;
/// Samples of the longest packet, 120 ms, per channel.
const MAX_FRAMES: usize = SAMPLE_RATE as usize / 1_000 * 120;

/// One Opus stream: the identification header's settings and the decoder's state.
pub(super) struct OpusStream {
    decoder: OpusMSDecoder,
    channels: usize,
    /// The header's output gain as a factor; every decoder must apply it.
    gain: f32,
    /// Output samples of the encoder's look-ahead still to drop.
    skip: usize,
    /// Output samples of the last packet that were dropped.
    skipped: usize,
    pcm: Vec<i16>,
}

impl OpusStream {
    /// A stream with the identification header `head` (`OpusHead`, at least 19 bytes).
    pub(super) fn new(head: &[u8]) -> Result<Self, String> {
        if head.len() < 19 || !head.starts_with(b"OpusHead") {
            return Err("the Opus identification header is cut short".to_owned());
        }
        let channels = head[9];
        let pre_skip = u64::from(u16::from_le_bytes([head[10], head[11]]));
        let gain_q8_db = i16::from_le_bytes([head[16], head[17]]);
        let family = head[18];
        let stereo = [0, 1];
        let (streams, coupled, mapping) = match family {
            0 if matches!(channels, 1 | 2) => (1, channels - 1, &stereo[..usize::from(channels)]),
            1 | 255 if head.len() >= 21 + usize::from(channels) => {
                (head[19], head[20], &head[21..21 + usize::from(channels)])
            }
            _ => {
                return Err(format!(
                    "Opus channel mapping family {family} with {channels} channels is not supported"
                ));
            }
        };
        let decoder = OpusMSDecoder::new(
            SAMPLE_RATE as i32,
            i32::from(channels),
            i32::from(streams),
            i32::from(coupled),
            mapping,
        )
        .map_err(|code| format!("the Opus header is not valid (code {code})"))?;
        let channels = usize::from(channels);
        Ok(Self {
            decoder,
            channels,
            gain: 10f32.powf(f32::from(gain_q8_db) / (20.0 * 256.0)),
            skip: ((pre_skip + GRANULES_PER_SAMPLE / 2) / GRANULES_PER_SAMPLE) as usize,
            skipped: 0,
            pcm: vec![0; MAX_FRAMES * channels],
        })
    }

    /// Channels that [`decode`](OpusStream::decode) interleaves.
    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// Samples of each channel that the last packet held and that are not heard.
    pub(super) fn skipped(&self) -> usize {
        self.skipped
    }

    /// Replaces `out` with the packet's samples, interleaved, shape `[frames, channels]`, without
    /// the stream's pre-skip and without the last `trim_end` granules.
    pub(super) fn decode(
        &mut self,
        packet: &[u8],
        trim_end: u64,
        out: &mut Vec<f32>,
    ) -> Result<(), String> {
        out.clear();
        if packet.is_empty() {
            return Err("the packet is empty".to_owned());
        }
        let length =
            i32::try_from(packet.len()).map_err(|_| "the packet is too long".to_owned())?;
        let frames = self
            .decoder
            .decode(Some(packet), length, &mut self.pcm, MAX_FRAMES as i32, false)
            .map_err(|code| format!("not a valid Opus packet (code {code})"))?;
        let frames = usize::try_from(frames).unwrap_or(0).min(MAX_FRAMES);
        let trimmed = usize::try_from(trim_end / GRANULES_PER_SAMPLE).unwrap_or(usize::MAX);
        let end = frames.saturating_sub(trimmed);
        let start = self.skip.min(frames);
        self.skip -= start;
        self.skipped = start;
        if start < end {
            let samples = &self.pcm[start * self.channels..end * self.channels];
            out.extend(samples.iter().map(|&s| f32::from(s) / 32_768.0 * self.gain));
        }
        Ok(())
    }
}
