//! AIFF and AIFF-C files.

use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::io::MediaSource;

use super::layout::{Coding, Header, Layout, Number, pcm};
use super::view::read_at;

/// Sizes from here on were not known to the writer.
const OPEN: u64 = 0x7fff_0000;
/// Chunks walked over at most.
const MOST_CHUNKS: usize = 10_000;

/// What the common chunk says.
struct Common {
    channels: u16,
    frames: u64,
    bits: u16,
    rate: f64,
    compression: [u8; 4],
}

/// Reads the header of an AIFF file of `length` bytes; or in words why it can't be decoded.
pub(super) fn read(file: &mut dyn MediaSource, length: u64) -> Header {
    let (mut common, mut sound) = (None, None);
    let mut at = 12;
    for _ in 0..MOST_CHUNKS {
        let mut header = [0; 8];
        if read_at(file, at, &mut header)? < 8 {
            break;
        }
        let start = at + 8;
        let size = u64::from(u32::from_be_bytes([header[4], header[5], header[6], header[7]]));
        match &header[..4] {
            b"COMM" if common.is_none() => {
                let mut bytes = [0; 22];
                let count = read_at(file, start, &mut bytes)?;
                common = Common::of(&bytes[..count.min(size as usize)]);
            }
            b"SSND" if sound.is_none() => {
                let mut offset = [0; 4];
                if read_at(file, start, &mut offset)? < 4 {
                    break;
                }
                let samples = start.saturating_add(8 + u64::from(u32::from_be_bytes(offset)));
                let left = length.saturating_sub(samples);
                let held = size.saturating_sub(samples - start);
                let open = size == 0 || size >= OPEN;
                sound = Some((samples, if open { left } else { held.min(left) }, open));
                if open {
                    break;
                }
            }
            _ => {}
        }
        at = start.saturating_add(size).next_multiple_of(2);
        if at >= length {
            break;
        }
    }
    let Some(common) = common else {
        return Ok(Ok(Err("AIFF without its common chunk".to_owned())));
    };
    let Some((start, bytes, open)) = sound else {
        return Ok(Ok(Err("AIFF that ends before its samples".to_owned())));
    };
    let coding = match common.coding() {
        Ok(coding) => coding,
        Err(found) => return Ok(Ok(Err(found))),
    };
    let layout = Layout {
        coding,
        rate: common.rate.clamp(0.0, f64::from(u32::MAX)).round() as u32,
        channels: common.channels,
        spans: vec![(start, bytes)],
        promised: (!open && common.frames > 0).then_some(common.frames),
        notes: Vec::new(),
    };
    Ok(layout.checked().map(Ok))
}

impl Common {
    fn of(bytes: &[u8]) -> Option<Self> {
        let two = |at: usize| bytes.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
        let frames = u64::from(two(2)?) << 16 | u64::from(two(4)?);
        // An extended floating-point number: sign and exponent, then 64 bits from the first one on.
        let sign = if two(8)? & 0x8000 == 0 { 1.0 } else { -1.0 };
        let exponent = i32::from(two(8)? & 0x7fff) - 16_383 - 63;
        let mantissa =
            (0..4).try_fold(0_u64, |sum, part| Some(sum << 16 | u64::from(two(10 + 2 * part)?)))?;
        let compression = bytes.get(18..22).map_or(*b"NONE", |b| [b[0], b[1], b[2], b[3]]);
        Some(Self {
            channels: two(0)?,
            frames,
            bits: two(6)?,
            rate: sign * mantissa as f64 * f64::from(exponent).exp2(),
            compression,
        })
    }

    fn coding(&self) -> std::result::Result<Coding, String> {
        let bytes = u64::from(self.bits.div_ceil(8));
        let (codec, bytes) = match &self.compression {
            b"NONE" | b"twos" => (pcm(Number::Signed, bytes, true), bytes),
            b"sowt" => (pcm(Number::Signed, bytes, false), bytes),
            b"raw " => (pcm(Number::Unsigned, bytes, true), bytes),
            b"in24" => (pcm(Number::Signed, 3, true), 3),
            b"in32" => (pcm(Number::Signed, 4, true), 4),
            b"42ni" => (pcm(Number::Signed, 3, false), 3),
            b"23ni" => (pcm(Number::Signed, 4, false), 4),
            b"fl32" | b"FL32" => (pcm(Number::Float, 4, true), 4),
            b"fl64" | b"FL64" => (pcm(Number::Float, 8, true), 8),
            b"alaw" | b"ALAW" => (Some(id::CODEC_ID_PCM_ALAW), 1),
            b"ulaw" | b"ULAW" => (Some(id::CODEC_ID_PCM_MULAW), 1),
            b"ima4" => return Err("AIFF-C with IMA ADPCM".to_owned()),
            b"GSM " | b"agsm" => return Err("AIFF-C with GSM 6.10".to_owned()),
            b"MAC3" | b"MAC6" => return Err("AIFF-C with MACE".to_owned()),
            b"QDMC" | b"QDM2" => return Err("AIFF-C with QDesign Music".to_owned()),
            b"Qclp" => return Err("AIFF-C with Qualcomm PureVoice".to_owned()),
            other => {
                return Err(format!("AIFF-C with the coding {:?}", String::from_utf8_lossy(other)));
            }
        };
        let bytes = bytes * u64::from(self.channels.max(1));
        match codec {
            Some(codec) => Ok(Coding::Blocks { codec, bytes, frames: 1, narrow: None }),
            None => Err(format!("AIFF with {} bits", self.bits)),
        }
    }
}
