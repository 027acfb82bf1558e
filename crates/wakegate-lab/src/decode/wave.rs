//! WAV files of every kind: RIFF, RIFX, RF64, BW64 and Sony Wave64.
//!
//! The samples go as far as the file does where its header leaves their number open, as headers of
//! streams and of recorders that were killed do. Where a header promises another number than there
//! is, that is a warning.

use std::io;

use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::io::MediaSource;

use super::known::{TAGGED, WAVE64};
use super::layout::{Coding, Header, Layout, Number, Rest, in_four_bytes, pcm, rest, unread_bytes};
use super::view::read_at;
use wakegate::audio::Warning;
use wakegate::error::{Error, ErrorKind, Result};

/// From here on the size of a chunk means that its writer did not know it: what writers to pipes
/// put there is the largest number of 31 or 32 bits, or a little less.
const OPEN: u64 = 0x7fff_0000;
/// Chunks walked over at most.
const MOST_CHUNKS: usize = 10_000;
/// Chunks by which a size that leads nowhere is told from samples.
const CHUNKS: [&[u8; 4]; 23] = [
    b"data", b"fmt ", b"LIST", b"id3 ", b"ID3 ", b"bext", b"cue ", b"smpl", b"fact", b"PEAK",
    b"JUNK", b"junk", b"PAD ", b"FLLR", b"iXML", b"axml", b"_PMX", b"inst", b"DISP", b"minf",
    b"umid", b"LGWV", b"RIFF",
];

/// How a kind of WAV file is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Riff,
    Rifx,
    Rf64,
    Wave64,
}

/// A chunk's header.
struct Chunk {
    name: [u8; 4],
    /// Where its content begins, and its length by its own account.
    start: u64,
    size: u64,
}

/// Walks the chunks of a file.
struct Walk<'f> {
    file: &'f mut dyn MediaSource,
    kind: Kind,
    length: u64,
    /// The size of the samples by an RF64 file's own table.
    long_data: Option<u64>,
}

/// Reads the header of a WAV file of `length` bytes; none where it is another RIFF file. With the
/// reason in words where its coding is known and can't be read.
pub(super) fn read(file: &mut dyn MediaSource, length: u64) -> Header {
    let mut head = [0; 40];
    let count = read_at(file, 0, &mut head)?;
    if count < 12 {
        return Ok(Err(cut_short(length, "its first 12 bytes")));
    }
    let kind = match &head[..4] {
        b"RIFX" => Kind::Rifx,
        b"RF64" | b"BW64" => Kind::Rf64,
        _ if head.starts_with(&WAVE64) => Kind::Wave64,
        _ => Kind::Riff,
    };
    Walk { file, kind, length, long_data: None }.read()
}

impl Walk<'_> {
    fn read(&mut self) -> Header {
        let mut format = None;
        let mut data: Vec<(u64, u64)> = Vec::new();
        let mut fact = None;
        let mut notes = Vec::new();
        let mut promised = None;
        let mut at = if self.kind == Kind::Wave64 { 40 } else { 12 };
        for _ in 0..MOST_CHUNKS {
            let Some(chunk) = self.chunk(at)? else { break };
            let left = self.length.saturating_sub(chunk.start);
            let is_first = data.is_empty();
            match &chunk.name {
                // Another file was appended to this one.
                b"RIFF" | b"RIFX" | b"RF64" | b"BW64" if !is_first => {
                    notes.push(unread_bytes("WAV file", self.length - at));
                    break;
                }
                b"ds64" if self.kind == Kind::Rf64 => {
                    let mut sizes = [0; 16];
                    if read_at(self.file, chunk.start, &mut sizes)? == 16 {
                        self.long_data = sizes.last_chunk::<8>().map(|b| u64::from_le_bytes(*b));
                    }
                }
                b"fmt " if format.is_none() => {
                    let mut bytes = vec![0; chunk.size.min(64) as usize];
                    let count = read_at(self.file, chunk.start, &mut bytes)?;
                    if count < 16 {
                        return Ok(Err(cut_short(self.length, "the end of the format chunk")));
                    }
                    format = Some(Format::of(&bytes[..count], self.kind == Kind::Rifx));
                }
                b"fact" => {
                    let mut frames = [0; 4];
                    if read_at(self.file, chunk.start, &mut frames)? == 4 {
                        fact = Some(self.number(frames)).filter(|f| !matches!(f, 0 | 0xffff_ffff));
                    }
                }
                b"data" => {
                    let size = match (self.kind, self.long_data) {
                        (Kind::Rf64, Some(size)) if chunk.size == 0xffff_ffff => size,
                        _ => chunk.size,
                    };
                    let empty = size == 0 && (left == 0 || self.is_chunk(chunk.start)?);
                    let open = (size == 0 && !empty) || (size >= OPEN && size > left);
                    if open || size > left {
                        data.push((chunk.start, left));
                        promised = if open {
                            None
                        } else {
                            promised.map_or(Some(size), |p| Some(p + size))
                        };
                        break;
                    }
                    data.push((chunk.start, size));
                    promised = Some(promised.unwrap_or(0) + size);
                    if !is_first {
                        notes.push(Warning::new(
                            "more_than_promised",
                            format!("a second data chunk follows, of {size} bytes: it is read too"),
                        ));
                    }
                    let next = self.after(&chunk, size)?;
                    if !self.is_chunk(next)? {
                        let end = chunk.start + size;
                        if rest(self.file, end, self.length)? == Rest::Bytes {
                            notes.push(Warning::new(
                                "more_than_promised",
                                format!(
                                    "the header promises {size} bytes of samples, {} more follow: \
                                     they are read too",
                                    self.length - end
                                ),
                            ));
                            if let Some(last) = data.last_mut() {
                                last.1 = self.length - chunk.start;
                            }
                        }
                        break;
                    }
                    at = next;
                    continue;
                }
                _ => {}
            }
            if chunk.size > left {
                break;
            }
            at = self.after(&chunk, chunk.size)?;
        }
        let Some(format) = format else {
            let missing = if data.is_empty() { "the data chunk" } else { "a format chunk" };
            return Ok(Err(cut_short(self.length, missing)));
        };
        if let Err(error) = format.check() {
            return Ok(Err(error));
        }
        let Some(&(start, _)) = data.first() else {
            return Ok(Err(cut_short(self.length, "the data chunk")));
        };
        let coding = match format.coding(self.file, start, self.kind == Kind::Rifx)? {
            Ok(coding) => coding,
            Err(found) => return Ok(Ok(Err(found))),
        };
        let layout = Layout {
            coding,
            rate: format.rate,
            channels: format.channels,
            spans: data,
            promised: None,
            notes,
        };
        let frames = match layout.block() {
            // The last block of a compressed file is filled up; its header tells of it.
            Some((bytes, frames)) if frames > 1 => {
                let all = promised.map(|size| size / bytes * frames);
                fact.filter(|fact| {
                    all.is_some_and(|all| (1..frames).contains(&all.saturating_sub(*fact)))
                })
                .or(all)
            }
            Some((bytes, _)) => promised.map(|size| size / bytes),
            None => None,
        };
        Ok(Layout { promised: frames, ..layout }.checked().map(Ok))
    }

    /// The chunk at `at`, if its header is there.
    fn chunk(&mut self, at: u64) -> io::Result<Option<Chunk>> {
        let mut header = [0; 24];
        let length = if self.kind == Kind::Wave64 { 24 } else { 8 };
        if read_at(self.file, at, &mut header[..length])? < length {
            return Ok(None);
        }
        let name = [header[0], header[1], header[2], header[3]];
        let size = if self.kind == Kind::Wave64 {
            header.last_chunk::<8>().map_or(0, |size| u64::from_le_bytes(*size)).saturating_sub(24)
        } else {
            self.number([header[4], header[5], header[6], header[7]])
        };
        Ok(Some(Chunk { name, start: at + length as u64, size }))
    }

    fn number(&self, bytes: [u8; 4]) -> u64 {
        u64::from(match self.kind {
            Kind::Rifx => u32::from_be_bytes(bytes),
            _ => u32::from_le_bytes(bytes),
        })
    }

    /// Where the chunk behind `chunk` begins: it is padded to an even length, or to one of eight in
    /// Wave64; some writers forget to.
    fn after(&mut self, chunk: &Chunk, size: u64) -> io::Result<u64> {
        let end = chunk.start.saturating_add(size);
        if self.kind == Kind::Wave64 {
            return Ok(end.next_multiple_of(8));
        }
        let padded = end.next_multiple_of(2);
        let unpadded = padded != end && !self.is_chunk(padded)? && self.is_chunk(end)?;
        Ok(if unpadded { end } else { padded })
    }

    /// Whether a chunk begins at `at`, and no samples; so does the file's end.
    fn is_chunk(&mut self, at: u64) -> io::Result<bool> {
        if at >= self.length {
            return Ok(true);
        }
        let Some(chunk) = self.chunk(at)? else { return Ok(false) };
        let printable = chunk.name.iter().all(|byte| (0x20..0x7f).contains(byte));
        Ok(CHUNKS.contains(&&chunk.name)
            || (printable && chunk.size <= self.length.saturating_sub(chunk.start)))
    }
}

/// The content of a format chunk.
struct Format {
    tag: u16,
    channels: u16,
    rate: u32,
    /// Bytes a second and bytes of a block, by its own account.
    byte_rate: u32,
    block: u16,
    bits: u16,
    /// Frames of a block of compressed samples, by its own account.
    block_frames: u16,
}

impl Format {
    fn of(bytes: &[u8], big_endian: bool) -> Self {
        let two = |at: usize| {
            let pair = bytes.get(at..at + 2).map_or([0; 2], |b| [b[0], b[1]]);
            if big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
        };
        let four = |at: usize| {
            let (first, second) = (u32::from(two(at)), u32::from(two(at + 2)));
            if big_endian { first << 16 | second } else { second << 16 | first }
        };
        // The extensible form has the tag in the first bytes of a GUID, if the others are those
        // that say so.
        let is_known = bytes.get(26..40).is_none_or(|rest| TAGGED.contains(&rest));
        let tag = match two(0) {
            0xfffe if bytes.len() >= 26 && is_known => two(24),
            tag => tag,
        };
        Self {
            tag,
            channels: two(2),
            rate: four(4),
            byte_rate: four(8),
            block: two(12),
            bits: two(14),
            block_frames: two(18),
        }
    }

    fn check(&self) -> Result<()> {
        if self.channels == 0 {
            return Err(Error::new(ErrorKind::Audio, "unusable channel count")
                .expected("at least 1 channel")
                .found("0 channels"));
        }
        wakegate::audio::resample::check_rate(self.rate)
    }

    /// Bytes of a sample. Where the header contradicts itself, the bytes a second decide.
    fn sample_bytes(&self) -> u64 {
        let channels = u64::from(self.channels);
        let by_bits = u64::from(self.bits.div_ceil(8));
        let by_block = u64::from(self.block) / channels;
        let fits = u64::from(self.block).is_multiple_of(channels) && by_block > 0;
        let a_second = u64::from(self.rate) * channels;
        let by_rate = |bytes: u64| u64::from(self.byte_rate) == a_second * bytes;
        // A block of more than two samples is one that was counted in bits.
        let holds = (by_bits..=2 * by_bits).contains(&by_block);
        if fits && (by_bits == 0 || (holds && by_rate(by_block))) { by_block } else { by_bits }
    }

    /// How the samples are written, of which the first lie at `start`; or what the coding is
    /// called that can't be read.
    fn coding(
        &self,
        file: &mut dyn MediaSource,
        start: u64,
        big_endian: bool,
    ) -> io::Result<std::result::Result<Coding, String>> {
        let (bytes, channels) = (self.sample_bytes(), u64::from(self.channels));
        let mut narrow = None;
        let codec = match self.tag {
            1 if bytes == 4 && (17..=24).contains(&self.bits) => {
                let codec;
                (codec, narrow) = in_four_bytes(file, start, big_endian)?;
                Some(codec)
            }
            // Some readers take the bits' own bytes then, others all of them: one of them hears noise.
            1 if self.bits > 0 && bytes > u64::from(self.bits.div_ceil(8)) => None,
            1 if bytes == 1 => pcm(Number::Unsigned, 1, big_endian),
            1 => pcm(Number::Signed, bytes, big_endian),
            3 => pcm(Number::Float, bytes, big_endian),
            6 => Some(id::CODEC_ID_PCM_ALAW),
            7 => Some(id::CODEC_ID_PCM_MULAW),
            0x02 | 0x11 if channels <= 2 && self.block > 0 => return Ok(self.adpcm()),
            0x50 | 0x55 | 0xff | 0x1600 => return Ok(Ok(Coding::Stream)),
            _ => None,
        };
        let bytes = if matches!(self.tag, 6 | 7) { channels } else { bytes * channels };
        Ok(match codec {
            Some(codec) => Ok(Coding::Blocks { codec, bytes, frames: 1, narrow }),
            None => Err(self.name()),
        })
    }

    fn adpcm(&self) -> std::result::Result<Coding, String> {
        let (bytes, channels) = (u64::from(self.block), u64::from(self.channels));
        // What heads each channel's part of a block, and the frames that it holds itself.
        let (codec, head, first) = match self.tag {
            0x02 => (id::CODEC_ID_ADPCM_MS, 7, 2),
            _ => (id::CODEC_ID_ADPCM_IMA_WAV, 4, 1),
        };
        let Some(coded) = bytes.checked_sub(head * channels).filter(|_| self.bits == 4) else {
            return Err(self.name());
        };
        let frames = match u64::from(self.block_frames) {
            0 => coded * 2 / channels + first,
            own => own.min(coded * 2 / channels + first),
        };
        Ok(Coding::Blocks { codec, bytes, frames, narrow: None })
    }

    /// What people call the coding.
    fn name(&self) -> String {
        let name = match self.tag {
            0x01 | 0x03 => {
                return format!("WAV with {} bits in {} bytes", self.bits, self.sample_bytes());
            }
            0x02 | 0x11 => {
                return format!("WAV with ADPCM of {} bits, {} channels", self.bits, self.channels);
            }
            0x08 | 0x2001 => "DTS",
            0x0a | 0x160..=0x163 => "Windows Media Audio",
            0x14 | 0x40 | 0x64 | 0x65 | 0x45 => "G.72x ADPCM",
            0x16 => "DSP Group ADPCM",
            0x20 => "Yamaha ADPCM",
            0x22 => "DSP Group TrueSpeech",
            0x28 => "Antex G.726",
            0x31 | 0x32 => "GSM 6.10",
            0x42 => "G.723.1",
            0x57 | 0x58 => "AMR",
            0x92 | 0x2000 => "AC-3",
            0x674f..=0x6771 => "Ogg Vorbis in WAV",
            0x704f => "Opus in WAV",
            0xa109 => "Speex",
            0xf1ac => "FLAC in WAV",
            tag => return format!("WAV with the unknown coding {tag:#06x}"),
        };
        format!("WAV with {name}")
    }
}

fn cut_short(length: u64, before: &str) -> Error {
    Error::new(ErrorKind::Audio, "the WAV header is cut short")
        .expected("at least 44 bytes and a data chunk")
        .found(format!("an end after {length} bytes, before {before}"))
        .hint("record or copy the file again")
}
