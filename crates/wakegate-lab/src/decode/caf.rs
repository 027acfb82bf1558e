//! Core Audio Format: samples, and packets whose sizes are those of the file.

use std::io;

use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::io::MediaSource;

use super::layout::{Coding, Layout, Number, in_four_bytes, pcm};
use super::view::read_at;
use wakegate::audio::Warning;
use wakegate::error::Result;

/// Chunks walked over at most.
const MOST_CHUNKS: usize = 10_000;
/// Bytes of a packet table that are looked at.
const MOST_TABLE: u64 = 1 << 24;
/// Frames of a packet, and bytes of one, that any codec has at most.
const MOST_FRAMES: u32 = 1 << 16;
const MOST_BYTES: u64 = 1 << 20;

/// What a file holds.
pub(super) enum Caf {
    /// Samples that lie as the layout says.
    Samples(Layout),
    /// Packets of a codec.
    Packets,
}

/// The description of the samples.
struct Description {
    rate: f64,
    format: [u8; 4],
    flags: u32,
    packet_bytes: u32,
    packet_frames: u32,
    channels: u32,
    bits: u32,
}

impl Description {
    fn of(bytes: &[u8; 32]) -> Self {
        let four = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let high = u64::from(four(0)) << 32;
        Self {
            rate: f64::from_bits(high | u64::from(four(4))),
            format: [bytes[8], bytes[9], bytes[10], bytes[11]],
            flags: four(12),
            packet_bytes: four(16),
            packet_frames: four(20),
            channels: four(24),
            bits: four(28),
        }
    }
}

/// Reads the chunks of a file of `length` bytes; in words what can't be read.
pub(super) fn read(
    file: &mut dyn MediaSource,
    length: u64,
) -> io::Result<Result<std::result::Result<Caf, String>>> {
    let (mut description, mut data, mut table, mut junk, mut at) = (None, None, None, None, 8);
    for _ in 0..MOST_CHUNKS {
        let mut header = [0; 12];
        if read_at(file, at, &mut header)? < header.len() {
            break;
        }
        let (start, left) = (at + 12, length.saturating_sub(at + 12));
        let size = header.last_chunk::<8>().map_or(0, |size| i64::from_be_bytes(*size));
        let is_data = header.starts_with(b"data");
        // Only samples may go to the end, wherever that is.
        let size = match u64::try_from(size) {
            Ok(size) if size <= left || is_data => Some(size),
            Err(_) if is_data && size == -1 => None,
            _ if data.is_some() => {
                junk = Some(length - at);
                break;
            }
            _ => return Ok(Ok(Err("CAF with a chunk that is longer than the file".to_owned()))),
        };
        let size_here = size.unwrap_or(left);
        match &header[..4] {
            b"desc" => {
                let mut bytes = [0; 32];
                if read_at(file, start, &mut bytes)? < bytes.len() {
                    break;
                }
                description = Some(Description::of(&bytes));
            }
            b"pakt" => table = Some((start, size_here)),
            b"data" => data = Some((start, size)),
            _ => {}
        }
        at = start.saturating_add(size_here);
    }
    let Some(description) = description else {
        return Ok(Ok(Err("CAF without a description of its samples".to_owned())));
    };
    let samples = samples(file, &description, data, length)?;
    if let Some(layout) = samples {
        let noted = |mut layout: Layout| {
            layout.notes.extend(junk.map(|bytes| {
                let text = format!("the last {bytes} bytes are no chunks: they are not read");
                Warning::new("unread_bytes", text)
            }));
            Caf::Samples(layout)
        };
        return Ok(layout.map(|layout| layout.map(noted)));
    }
    let huge = junk.is_some()
        || u64::from(description.packet_bytes) > MOST_BYTES
        || description.packet_frames > MOST_FRAMES
        || has_huge_packets(file, &description, table)?;
    Ok(Ok(if huge {
        Err("CAF with sizes that no packet or chunk has".to_owned())
    } else {
        Ok(Caf::Packets)
    }))
}

/// Where the samples lie, if they are no packets.
fn samples(
    file: &mut dyn MediaSource,
    description: &Description,
    data: Option<(u64, Option<u64>)>,
    length: u64,
) -> io::Result<Option<Result<std::result::Result<Layout, String>>>> {
    let big_endian = description.flags & 2 == 0;
    let channels = u64::from(description.channels.max(1));
    let sample = u64::from(description.packet_bytes) / channels;
    // The samples begin behind a number that counts edits.
    let start = data.map_or(length, |(start, _)| start + 4);
    let mut narrow = None;
    let codec = match &description.format {
        b"lpcm" if description.flags & 1 != 0 => pcm(Number::Float, sample, big_endian),
        b"lpcm" if sample == 4 && (17..=24).contains(&description.bits) => {
            let codec;
            (codec, narrow) = in_four_bytes(file, start, big_endian)?;
            Some(codec)
        }
        b"lpcm" => pcm(Number::Signed, sample, big_endian),
        b"alaw" => Some(id::CODEC_ID_PCM_ALAW),
        b"ulaw" => Some(id::CODEC_ID_PCM_MULAW),
        _ => return Ok(None),
    };
    let Some(codec) = codec else {
        let text = format!("CAF with {} bits in {sample} bytes", description.bits);
        return Ok(Some(Ok(Err(text))));
    };
    let bytes = if matches!(&description.format, b"lpcm") { sample * channels } else { channels };
    let left = length.saturating_sub(start);
    let size = data.and_then(|(_, size)| size).map(|size| size.saturating_sub(4));
    let layout = Layout {
        coding: Coding::Blocks { codec, bytes, frames: 1, narrow },
        rate: description.rate.round() as u32,
        channels: u16::try_from(description.channels).unwrap_or(u16::MAX),
        spans: vec![(start, size.unwrap_or(left).min(left))],
        promised: size.map(|size| size / bytes),
        notes: Vec::new(),
    };
    Ok(Some(layout.checked().map(Ok)))
}

/// Whether the table has a packet that no codec makes.
fn has_huge_packets(
    file: &mut dyn MediaSource,
    description: &Description,
    table: Option<(u64, u64)>,
) -> io::Result<bool> {
    let Some((start, size)) = table.filter(|_| description.packet_bytes == 0) else {
        return Ok(false);
    };
    // Numbers of seven bits a byte, behind 24 bytes about all of them.
    let length = usize::try_from(size.saturating_sub(24).min(MOST_TABLE)).unwrap_or(0);
    let mut bytes = vec![0; length];
    let count = read_at(file, start + 24, &mut bytes)?;
    let mut number = 0_u64;
    for byte in &bytes[..count] {
        number = number << 7 | u64::from(byte & 0x7f);
        if number > MOST_BYTES {
            return Ok(true);
        }
        if byte & 0x80 == 0 {
            number = 0;
        }
    }
    Ok(false)
}
