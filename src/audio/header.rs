//! A look at the start of raw samples, which have no header: where there is one, or where the bytes
//! can't be samples, something else came than was meant, and would be judged as noise.

use zeroize::Zeroizing;

use super::foreign;
use crate::error::{Error, ErrorKind, Result};

/// Bytes by which a header is told.
pub const HEAD: usize = 12;
/// Bytes by which what has no header is told from samples.
const LOOK: usize = 4_096;
/// Silence in front is passed over in pieces of this length, so that numbers of up to 64 bits are
/// still found where they begin.
const PIECE: usize = 8;
/// What helps.
const HINT: &str = "name the file instead, or have its samples alone written: `arecord -t raw ...`, or \
                    `ffmpeg -i FILE -f s16le -ac 1 -ar 16000 -`";

/// Looks at raw signed 16-bit little-endian samples as they come, until there were enough.
///
/// What it has seen is overwritten when it is done.
#[derive(Default)]
pub struct Look {
    seen: Option<Zeroizing<Vec<u8>>>,
    /// Whether a header can't come any more.
    is_past_header: bool,
    is_done: bool,
}

impl Look {
    /// Looks at the next `bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::Audio`] with what they are where they are no samples.
    pub fn take(&mut self, bytes: &[u8]) -> Result<()> {
        if self.is_done {
            return Ok(());
        }
        let seen = self.seen.get_or_insert_with(|| Zeroizing::new(Vec::with_capacity(LOOK)));
        for &byte in bytes.iter() {
            seen.push(byte);
            if seen.len() == PIECE && seen.iter().all(|&byte| byte == 0) {
                seen.clear();
                self.is_past_header = true;
            }
            if seen.len() == LOOK {
                return self.end();
            }
        }
        if !self.is_past_header {
            check_raw(seen)?;
            self.is_past_header = seen.len() >= HEAD;
        }
        Ok(())
    }

    /// Looks at what there was, where no more comes.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn end(&mut self) -> Result<()> {
        self.is_done = true;
        let Some(seen) = self.seen.take() else { return Ok(()) };
        if !self.is_past_header {
            check_raw(&seen)?;
        }
        let Some(form) = foreign::form(&seen) else { return Ok(()) };
        Err(Error::new(ErrorKind::Audio, "what comes is no raw audio")
            .expected("signed 16-bit little-endian samples")
            .found(format!("{form} data"))
            .hint(HINT))
    }
}

/// Refuses raw samples that begin with the header of a file.
///
/// # Errors
/// [`ErrorKind::Audio`] with the format that the header is of.
pub fn check_raw(head: &[u8]) -> Result<()> {
    let form = head.get(8..12);
    let name = match head.get(..4) {
        Some(b"RIFF" | b"RIFX" | b"RF64" | b"BW64") if form == Some(b"WAVE") => "WAV",
        Some(b"FORM") if matches!(form, Some(b"AIFF" | b"AIFC")) => "AIFF",
        Some(b"fLaC") => "FLAC",
        Some(b"OggS") => "Ogg",
        Some(b"caff") => "CAF",
        Some(b".snd") => "AU",
        Some(b"\x1a\x45\xdf\xa3") => "Matroska",
        Some([b'I', b'D', b'3', version]) if *version < 5 => "ID3",
        Some(b"riff") if form == Some(b"\xa5\xd6\x28\xdb") => "Wave64",
        Some(b"NIST") if head.get(4..8) == Some(b"_1A\n") => "SPHERE",
        Some(b"wvpk") => "WavPack",
        Some(b"MAC ") => "Monkey's Audio",
        Some(b"#!AM") => "AMR",
        Some(b"\x30\x26\xb2\x75") => "Windows Media",
        Some(b"PK\x03\x04") => "zip",
        Some([0x1f, 0x8b, 8, flags]) if *flags < 0x20 => "gzip",
        Some(b"\x28\xb5\x2f\xfd") => "Zstandard",
        Some(b"\xfd7zX") => "xz",
        Some(_) if head.get(4..8) == Some(b"ftyp") => "MP4",
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::Audio, "raw samples begin with the header of a file")
        .expected("samples without a header")
        .found(format!("{name} data"))
        .hint(HINT))
}
