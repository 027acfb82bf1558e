//! A look at a file's first bytes, for errors that say more than a demuxer's.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::raw::{Encoding, RawForm};
use wakegate::audio::resample::check_rate;
use wakegate::error::{Error, ErrorKind, Result};

/// Bytes looked at: WAV headers with metadata in front of the data fit, and a text file shows.
const WINDOW: usize = 4_096;

/// Where the samples of a WAV file lie that the demuxer refuses: 8-bit u-law or A-law with the short
/// format chunk that many telephone systems write.
pub(super) struct Telephone {
    pub(super) form: RawForm,
    pub(super) start: u64,
    /// Bytes that the header promises; to the file's end where it leaves that open.
    pub(super) length: u64,
}

/// Refuses what is certainly no usable audio: an empty file, text, a WAV header that is cut short
/// or promises no channel or no rate. Leaves `file` at its start.
pub(super) fn check(file: &mut (impl Read + Seek), path: &Path) -> Result<Option<Telephone>> {
    let io = |e: std::io::Error| Error::io("read", path, &e);
    let mut head = Vec::with_capacity(WINDOW);
    Read::by_ref(file).take(WINDOW as u64).read_to_end(&mut head).map_err(io)?;
    let length = file.seek(SeekFrom::End(0)).map_err(io)?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;

    if head.is_empty() {
        return Err(cannot_decode(path)
            .expected("audio data")
            .found("an empty file")
            .hint("the recording may never have been written"));
    }
    if head.starts_with(b"RIFF") {
        return check_wav(&head, length).map_err(|e| e.context(cannot_decode_text(path)));
    }
    if is_text(&head) {
        return Err(cannot_decode(path)
            .expected("audio data")
            .found("text")
            .hint("the name may be wrong, or a download saved an error page"));
    }
    Ok(None)
}

/// An error about `path`'s content.
pub(super) fn cannot_decode(path: &Path) -> Error {
    Error::new(ErrorKind::Audio, cannot_decode_text(path))
}

fn cannot_decode_text(path: &Path) -> String {
    format!("cannot decode {}", path.display())
}

/// Walks the chunks up to the data as far as `head` reaches; the demuxer judges the rest.
fn check_wav(head: &[u8], length: u64) -> Result<Option<Telephone>> {
    if length < 12 {
        return Err(cut_short(length, "its first 12 bytes"));
    }
    if &head[8..12] != b"WAVE" {
        return Ok(None);
    }
    let mut telephone = None;
    let mut at = 12;
    loop {
        let Some(chunk) = head.get(at..at + 8) else {
            let end_inside_window = length < WINDOW as u64;
            return if end_inside_window {
                Err(cut_short(length, "the data chunk"))
            } else {
                Ok(None)
            };
        };
        let size = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        match &chunk[..4] {
            b"data" => {
                let start = at as u64 + 8;
                let to_end = length.saturating_sub(start);
                let length = if matches!(size, 0 | u32::MAX) { to_end } else { u64::from(size) };
                return Ok(telephone.map(|form| Telephone { form, start, length }));
            }
            b"fmt " => {
                let Some(format) = head.get(at + 8..at + 24) else {
                    return Err(cut_short(length, "the end of the format chunk"));
                };
                let channels = u16::from_le_bytes([format[2], format[3]]);
                if channels == 0 {
                    return Err(Error::new(ErrorKind::Audio, "unusable channel count")
                        .expected("at least 1 channel")
                        .found("0 channels"));
                }
                let rate = u32::from_le_bytes([format[4], format[5], format[6], format[7]]);
                check_rate(rate)?;
                telephone = match (u16::from_le_bytes([format[0], format[1]]), size) {
                    (6, 16) => Some(RawForm::new(Encoding::ALAW, rate, channels)?),
                    (7, 16) => Some(RawForm::new(Encoding::ULAW, rate, channels)?),
                    _ => None,
                };
            }
            _ => {}
        }
        // A chunk of odd length is padded to an even one.
        at = at.saturating_add(8).saturating_add(size as usize).saturating_add(size as usize % 2);
    }
}

fn cut_short(length: u64, before: &str) -> Error {
    Error::new(ErrorKind::Audio, "the WAV header is cut short")
        .expected("at least 44 bytes and a data chunk")
        .found(format!("an end after {length} bytes, before {before}"))
        .hint("record or copy the file again")
}

/// Printable UTF-8 (a character cut by the window's end is fine) with no control characters but
/// white space.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or("")
        }
        Err(_) => return false,
    };
    !valid.is_empty()
        && valid.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\x0c'))
}
