//! Headers of MPEG audio and AAC frames, and what the first MP3 frame may say of all.

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known as id;

/// Bytes by which a frame's header is told.
pub(super) const HEADER: usize = 7;

/// What stays the same from frame to frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamFormat {
    pub(super) codec: AudioCodecId,
    /// In Hz.
    pub(super) rate: u32,
    pub(super) channels: u16,
    /// Of AAC: its object type, the index of its rate and its channel configuration.
    aac: [u8; 3],
    /// Of MPEG audio: whether it is version 1.
    is_first_version: bool,
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) form: StreamFormat,
    /// Bytes, header included.
    pub(super) bytes: usize,
    /// Of them, those in front of what is decoded.
    pub(super) head: usize,
    /// Samples of each channel.
    pub(super) samples: u32,
}

const RATES: [u32; 3] = [44_100, 48_000, 32_000];
const AAC_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];
/// Kilobits a second by their index: version 1 layers 1 to 3, then version 2 layer 1, layers 2 and 3.
const KILOBITS: [[u32; 15]; 5] = [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

impl Frame {
    /// The header that `bytes` begin with, if they do.
    pub(super) fn at(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        if bytes[0] != 0xff || bytes[1] & 0xe0 != 0xe0 {
            return None;
        }
        if bytes[1] & 0xf6 == 0xf0 { Self::aac(bytes) } else { Self::mpeg(bytes) }
    }

    fn mpeg(bytes: &[u8; HEADER]) -> Option<Self> {
        let (version, layer) = ((bytes[1] >> 3) & 3, 4 - ((bytes[1] >> 1) & 3));
        let (rate, index) = (usize::from((bytes[2] >> 2) & 3), usize::from(bytes[2] >> 4));
        if version == 1 || layer == 4 || rate == 3 || index == 0 || index == 15 {
            return None;
        }
        let first = version == 3;
        let row = match (first, layer) {
            (true, layer) => usize::from(layer) - 1,
            (false, 1) => 3,
            (false, _) => 4,
        };
        let bit_rate = KILOBITS[row][index] * 1_000;
        let rate = RATES[rate] >> [2, 0, 1, 0][usize::from(version)];
        let (samples, codec) = match (layer, first) {
            (1, _) => (384, id::CODEC_ID_MP1),
            (2, _) => (1_152, id::CODEC_ID_MP2),
            (_, true) => (1_152, id::CODEC_ID_MP3),
            (_, false) => (576, id::CODEC_ID_MP3),
        };
        let slot = if layer == 1 { 4 } else { 1 };
        let slots = samples / 8 / slot * bit_rate / rate + u32::from((bytes[2] >> 1) & 1);
        let channels = if bytes[3] >> 6 == 3 { 1 } else { 2 };
        let form = StreamFormat { codec, rate, channels, aac: [0; 3], is_first_version: first };
        Some(Self { form, bytes: (slots * slot) as usize, head: 0, samples })
    }

    fn aac(bytes: &[u8; HEADER]) -> Option<Self> {
        let (object, index) = ((bytes[2] >> 6) + 1, (bytes[2] >> 2) & 15);
        let rate = *AAC_RATES.get(usize::from(index))?;
        let configuration = (bytes[2] & 1) << 2 | bytes[3] >> 6;
        let channels = match configuration {
            7 => 8,
            // The stream's first element says how many.
            0 => 2,
            few => u16::from(few),
        };
        let length = usize::from(bytes[3] & 3) << 11
            | usize::from(bytes[4]) << 3
            | usize::from(bytes[5] >> 5);
        let head = if bytes[1] & 1 == 1 { 7 } else { 9 };
        let samples = 1_024 * (u32::from(bytes[6] & 3) + 1);
        let form = StreamFormat {
            codec: id::CODEC_ID_AAC,
            rate,
            channels,
            aac: [object, index, configuration],
            is_first_version: false,
        };
        (length > head).then_some(Self { form, bytes: length, head, samples })
    }

    /// The same header but for a bit rate that it leaves open, which can't be decoded.
    pub(super) fn has_free_bit_rate(bytes: &[u8]) -> bool {
        let Some(bytes) = bytes.first_chunk::<HEADER>() else { return false };
        let mut other = *bytes;
        other[2] |= 0x10;
        bytes[2] >> 4 == 0 && bytes[1] & 0x06 != 0 && Self::at(&other).is_some()
    }
}

impl StreamFormat {
    /// What an AAC decoder is told in front of the packets.
    pub(super) fn configuration(&self) -> Option<Box<[u8]>> {
        let [object, index, channels] = self.aac;
        let bits = u16::from(object) << 11 | u16::from(index) << 7 | u16::from(channels) << 3;
        (object > 0).then(|| bits.to_be_bytes().into())
    }
}

/// What the first frame of an MP3 file says of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Info {
    /// Frames behind it.
    pub(super) frames: Option<u32>,
    /// Samples in front of the first of the recording, and behind its last.
    pub(super) delay: u32,
    pub(super) padding: u32,
}

/// Samples that every decoder adds in front.
const DECODER_DELAY: u32 = 529;

impl Info {
    /// What `frame` with these `bytes` says, if it is no sound but says something.
    pub(super) fn of(frame: &Frame, bytes: &[u8]) -> Option<Self> {
        if frame.form.codec != id::CODEC_ID_MP3 {
            return None;
        }
        let four =
            |at: usize| bytes.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        let side = match (frame.form.is_first_version, frame.form.channels) {
            (true, 1) | (false, 2) => 17,
            (true, _) => 32,
            (false, _) => 9,
        };
        let crc = usize::from(bytes.get(1)? & 1 == 0) * 2;
        // With a checksum, some writers count it in and some don't.
        let places = [4 + side, 4 + crc + side];
        let silent = |until: usize| {
            bytes.get(4 + crc..until).is_some_and(|side| side.iter().all(|b| *b == 0))
        };
        let tag = places
            .into_iter()
            .find(|at| matches!(bytes.get(*at..*at + 4), Some(b"Xing" | b"Info")) && silent(*at));
        if let Some(at) = tag {
            return Some(Self::xing(&four, at, bytes));
        }
        let is_vbri = bytes.get(36..40) == Some(b"VBRI") && silent(36);
        is_vbri.then(|| Self { frames: four(50).filter(|frames| *frames > 0), ..Self::default() })
    }

    fn xing(four: &dyn Fn(usize) -> Option<u32>, at: usize, bytes: &[u8]) -> Self {
        let flags = four(at + 4).unwrap_or(0);
        let frames = four(at + 8).filter(|frames| flags & 1 != 0 && *frames > 0);
        let fields = [(1, 4), (2, 4), (4, 100), (8, 4)];
        let lame = at + 8 + fields.iter().filter(|f| flags & f.0 != 0).map(|f| f.1).sum::<usize>();
        let named = bytes.get(lame..lame + 4).is_some_and(|n| {
            [b"LAME", b"Lavf", b"Lavc"].contains(&n.try_into().unwrap_or(b"    "))
        });
        let Some(gap) = bytes.get(lame + 21..lame + 24).filter(|_| named) else {
            return Self { frames, ..Self::default() };
        };
        let gap = u32::from_be_bytes([0, gap[0], gap[1], gap[2]]);
        Self {
            frames,
            delay: (gap >> 12) + DECODER_DELAY,
            padding: (gap & 0xfff).saturating_sub(DECODER_DELAY),
        }
    }
}
