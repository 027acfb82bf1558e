//! Opening a container: the checks in front of it, and its errors.

use std::fs::File;
use std::io::{self, ErrorKind as IoKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::LazyLock;

use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::{Hint, Probe, ProbeOptions};
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use super::codec::guarded;
use super::find_audio::missing;
use super::flac::FixedFlac;
use super::raw::RawReader;
use super::sniff;
use super::sniff::{Telephone, cannot_decode};
use wakegate::error::{Error, ErrorKind, Result};

/// What can be read, for errors.
pub(super) const FORMATS: &str = "WAV, AIFF, FLAC, MP3, AAC, M4A, Ogg Vorbis or Ogg Opus";

/// Little junk in front of the first header is skipped, but a file of anything else is not
/// searched for bytes that happen to look like MP3.
static PROBE: LazyLock<Probe> = LazyLock::new(|| {
    let options = ProbeOptions { max_probe_depth: 16 * 1024, ..ProbeOptions::default() };
    let mut probe = Probe::new_with_options(&options);
    symphonia::default::register_enabled_formats(&mut probe);
    probe
});

/// Opens the file at `path`.
pub(super) fn open(path: &Path) -> Result<Box<dyn MediaSource>> {
    let file = File::open(path).map_err(|e| match e.kind() {
        IoKind::NotFound => missing(path),
        _ => Error::io("open", path, &e),
    })?;
    let meta = file.metadata().map_err(|e| Error::io("read", path, &e))?;
    if !meta.is_file() {
        return Err(Error::new(ErrorKind::Io, format!("cannot read {}", path.display()))
            .expected("an audio file")
            .found(if meta.is_dir() { "a folder" } else { "a device or pipe" }));
    }
    Ok(Box::new(file))
}

/// `bytes` as what the demuxers read.
pub(super) fn seekable(
    mut bytes: impl Read + Seek + Send + Sync + 'static,
    name: &Path,
) -> Result<Box<dyn MediaSource>> {
    let length = bytes
        .seek(SeekFrom::End(0))
        .and_then(|length| bytes.seek(SeekFrom::Start(0)).map(|_| length))
        .map_err(|e| Error::io("read", name, &e))?;
    Ok(Box::new(Bytes { bytes, length }))
}

struct Bytes<B> {
    bytes: B,
    length: u64,
}

impl<B: Read> Read for Bytes<B> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(out)
    }
}

impl<B: Seek> Seek for Bytes<B> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl<B: Read + Seek + Send + Sync> MediaSource for Bytes<B> {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}

/// Reads the container's header from `bytes`, which stand at their start; `path` is their name
/// in errors.
pub(super) fn probe(mut bytes: Box<dyn MediaSource>, path: &Path) -> Result<Box<dyn FormatReader>> {
    if let Some(Telephone { form, start, length }) = sniff::check(&mut bytes, path)? {
        let reader = RawReader::within(bytes, form, start, length);
        return Ok(Box::new(reader.map_err(|e| Error::io("read", path, &e))?));
    }
    let bytes = FixedFlac::new(bytes).map_err(|e| Error::io("read", path, &e))?;
    let stream = MediaSourceStream::new(Box::new(bytes), MediaSourceStreamOptions::default());
    let (format, meta) = (FormatOptions::default(), MetadataOptions::default());
    guarded(|| PROBE.probe(&Hint::new(), stream, format, meta))
        .map_err(|e| cannot_decode(path).expected(FORMATS).found(e))?
        .map_err(|e| header_error(path, &e))
}

fn header_error(path: &Path, error: &SymphoniaError) -> Error {
    let found = match error {
        SymphoniaError::Unsupported(what) if what.starts_with("core (probe)") => {
            "no known audio format".to_owned()
        }
        SymphoniaError::IoError(e) if e.kind() == IoKind::UnexpectedEof => {
            "an end in the middle of the header".to_owned()
        }
        SymphoniaError::IoError(e) => return Error::io("read", path, e),
        other => other.to_string(),
    };
    cannot_decode(path).expected(FORMATS).found(found)
}
