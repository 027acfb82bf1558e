//! What tar and zip archives have in common.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::Settings;
use crate::decode::FilePart;
use wakegate::{Error, ErrorKind, Result};

/// What kind of archive a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Archive {
    /// A tar archive, compressed or not.
    Tar,
    /// A zip archive.
    Zip,
}

/// The endings of tar archives.
const TARS: [&str; 10] = [
    ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz",
];

/// What kind of archive the file at `path` is, if it is one: by its name, and by what it begins
/// with where its name is not that of a recording.
pub(super) fn kind(path: &Path, settings: &Settings) -> Option<Archive> {
    if !path.is_file() {
        return None;
    }
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    if TARS.iter().any(|ending| name.ends_with(ending)) {
        return Some(Archive::Tar);
    }
    if name.ends_with(".zip") {
        return Some(Archive::Zip);
    }
    if settings.is_audio(path) {
        return None;
    }
    let mut head = Vec::with_capacity(512);
    File::open(path).ok()?.take(512).read_to_end(&mut head).ok()?;
    if head.get(257..262) == Some(b"ustar") {
        return Some(Archive::Tar);
    }
    head.starts_with(b"PK\x03\x04").then_some(Archive::Zip)
}

/// Opens an archive for reading at several places.
pub(super) fn open(path: &Path) -> Result<FilePart> {
    let file = File::open(path).map_err(|e| Error::io("open", path, &e))?;
    FilePart::whole(Arc::new(file)).map_err(|e| Error::io("read", path, &e))
}

/// All that `member` gives, unless it is more than `limit` bytes.
pub(super) fn read_member(
    member: &mut dyn Read,
    size: u64,
    name: &str,
    limit: u64,
) -> Result<Vec<u8>> {
    if size > limit {
        return Err(too_large(name, limit));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    let result = member.take(limit).read_to_end(&mut bytes);
    result.map_err(|e| Error::io("read", Path::new(name), &e))?;
    if (bytes.len() as u64) < size {
        return Err(cut_short(name));
    }
    Ok(bytes)
}

/// A member that goes beyond the archive's end.
pub(super) fn cut_short(name: &str) -> Error {
    let error: io::Error = io::ErrorKind::UnexpectedEof.into();
    Error::io("read", Path::new(name), &error)
        .hint("the archive is cut short: copy or make it again")
}

/// A compressed member that does not fit.
pub(super) fn too_large(name: &str, limit: u64) -> Error {
    Error::new(ErrorKind::Limit, format!("{name} is too large"))
        .expected(format!("at most {} MiB in a compressed archive", limit >> 20))
        .hint("raise --member-mib, or use a plain tar, whose members are streamed")
}

/// An archive that can't be read on.
pub(super) fn broken(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("cannot read {}", path.display()))
        .expected("a tar or zip archive, as its name says")
        .found(error.to_string())
        .hint("what came before in it is scored; copy or make it again for the rest")
}

/// An archive without a recording.
pub(super) fn no_audio(path: &Path) -> Error {
    Error::new(ErrorKind::Io, format!("no audio files in {}", path.display()))
        .expected(format!("members ending in {}", crate::decode::AUDIO_EXTENSIONS.join(", ")))
        .found("none")
}
