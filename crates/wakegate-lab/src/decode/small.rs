//! Files whose header is a few fields in front of the samples: AU, and NIST SPHERE as speech
//! corpora have it.

use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::io::MediaSource;

use super::layout::{Coding, Header, Layout, Number, pcm};
use super::view::read_at;
use wakegate::error::Result;

/// Reads the header of an AU file of `length` bytes.
pub(super) fn au(file: &mut dyn MediaSource, length: u64) -> Header {
    let mut head = [0; 24];
    if read_at(file, 0, &mut head)? < head.len() {
        return Ok(Ok(Err("AU with a header that is cut short".to_owned())));
    }
    let big_endian = head.starts_with(b".snd");
    let field = |place: usize| {
        let four = [head[place], head[place + 1], head[place + 2], head[place + 3]];
        if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    };
    let (start, size) = (u64::from(field(4)), field(8));
    let (codec, bytes) = match field(12) {
        1 => (Some(id::CODEC_ID_PCM_MULAW), 1),
        27 => (Some(id::CODEC_ID_PCM_ALAW), 1),
        coding @ 2..=5 => {
            let bytes = u64::from(coding) - 1;
            (pcm(Number::Signed, bytes, big_endian), bytes)
        }
        6 => (pcm(Number::Float, 4, big_endian), 4),
        7 => (pcm(Number::Float, 8, big_endian), 8),
        23..=26 => return Ok(Ok(Err("AU with G.72x ADPCM".to_owned()))),
        other => return Ok(Ok(Err(format!("AU with the coding {other}")))),
    };
    let channels = u16::try_from(field(20)).unwrap_or(u16::MAX);
    let left = length.saturating_sub(start);
    let promised = Some(u64::from(size)).filter(|_| !matches!(size, 0 | u32::MAX));
    Ok(blocks("AU", codec, bytes, (field(16), channels), (start, left), promised))
}

/// Reads the header of a SPHERE file of `length` bytes.
pub(super) fn sphere(file: &mut dyn MediaSource, length: u64) -> Header {
    let mut head = vec![0; 4_096];
    let count = read_at(file, 0, &mut head)?;
    let text = String::from_utf8_lossy(&head[..count]);
    let start =
        text.lines().nth(1).and_then(|line| line.trim().parse::<u64>().ok()).unwrap_or(1_024);
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|rest| rest.split_once(' ')).map(|(_, value)| value.trim().to_owned())
    };
    let number = |name: &str| field(name).and_then(|value| value.parse::<u64>().ok());
    let coding = field("sample_coding").unwrap_or_else(|| "pcm".to_owned());
    let bytes = number("sample_n_bytes").unwrap_or(2);
    let big_endian = field("sample_byte_format").is_some_and(|order| order == "10");
    let codec = match coding.as_str() {
        "pcm" => pcm(Number::Signed, bytes, big_endian),
        "ulaw" | "mu-law" => Some(id::CODEC_ID_PCM_MULAW),
        "alaw" => Some(id::CODEC_ID_PCM_ALAW),
        other => return Ok(Ok(Err(format!("SPHERE with the coding {other:?}")))),
    };
    let rate = number("sample_rate").and_then(|rate| u32::try_from(rate).ok()).unwrap_or(0);
    let channels = number("channel_count").and_then(|n| u16::try_from(n).ok()).unwrap_or(1);
    let promised = number("sample_count").and_then(|n| n.checked_mul(bytes * u64::from(channels)));
    let left = length.saturating_sub(start);
    Ok(blocks("SPHERE", codec, bytes, (rate, channels), (start, left), promised))
}

/// Samples from a place on: of the `left` bytes there, those that are `promised`.
fn blocks(
    name: &str,
    codec: Option<symphonia::core::codecs::audio::AudioCodecId>,
    sample_bytes: u64,
    (rate, channels): (u32, u16),
    (start, left): (u64, u64),
    promised: Option<u64>,
) -> Result<std::result::Result<Layout, String>> {
    let Some(codec) = codec else {
        return Ok(Err(format!("{name} with samples of {sample_bytes} bytes")));
    };
    let bytes = sample_bytes.saturating_mul(u64::from(channels.max(1)));
    let layout = Layout {
        coding: Coding::Blocks { codec, bytes, frames: 1, narrow: None },
        rate,
        channels,
        spans: vec![(start, promised.unwrap_or(left).min(left))],
        promised: promised.map(|size| size / bytes.max(1)),
        notes: Vec::new(),
    };
    layout.checked().map(Ok)
}
