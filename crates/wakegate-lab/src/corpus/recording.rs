//! Where a recording's bytes are.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use ::zip::ZipArchive;

use super::Settings;
use super::archive::too_large;
use crate::decode::{FilePart, FileSource};
use wakegate::{Error, ErrorKind, Result};

/// A recording's bytes, or the way to them.
#[derive(Debug)]
pub enum Recording {
    /// A file of its own.
    File(PathBuf),
    /// A stretch of an archive that is not compressed.
    Part(FilePart),
    /// A member of a zip archive that is.
    Zipped(ZipMember),
    /// Bytes that have been read.
    Memory(Vec<u8>),
}

/// A member of an open zip archive.
#[derive(Debug)]
pub struct ZipMember {
    pub(super) archive: ZipArchive<FilePart>,
    pub(super) index: usize,
    /// Length in bytes, by the archive's own account.
    pub(super) size: u64,
}

impl Recording {
    /// Bytes that it holds in memory, or will hold as soon as it is opened.
    pub fn held(&self) -> u64 {
        match self {
            Self::File(_) | Self::Part(_) => 0,
            Self::Zipped(member) => member.size,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// The same recording as one that can be opened again and again: what is compressed is
    /// decompressed once.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn repeated(self, name: &str, settings: &Settings) -> Result<Self> {
        match self {
            Self::Zipped(member) => member.read(name, settings.member_limit).map(Self::Memory),
            other => Ok(other),
        }
    }

    /// One more of the same; of a member of a zip archive only once it is
    /// [`repeated`](Self::repeated).
    ///
    /// # Errors
    /// [`ErrorKind::Io`] for a member of a zip archive.
    pub fn again(&self) -> Result<Self> {
        match self {
            Self::File(path) => Ok(Self::File(path.clone())),
            Self::Part(part) => Ok(Self::Part(part.clone())),
            Self::Memory(bytes) => Ok(Self::Memory(bytes.clone())),
            Self::Zipped(_) => Err(Error::new(ErrorKind::Io, "the member is read once")),
        }
    }

    /// The bytes themselves of a part of an archive, at most `limit` of them.
    pub(super) fn bytes(self, name: &str, limit: u64) -> Result<Vec<u8>> {
        match self {
            Self::Part(mut part) => {
                let size = part.length();
                super::archive::read_member(&mut part, size, name, limit)
            }
            Self::Zipped(member) => member.read(name, limit),
            Self::Memory(bytes) => Ok(bytes),
            Self::File(path) => std::fs::read(&path).map_err(|e| Error::io("read", &path, &e)),
        }
    }

    /// The audio in it; `name` is what it is called in errors, and its ending says whether it has
    /// a header.
    ///
    /// # Errors
    /// Those of [`FileSource::open`]; [`ErrorKind::Limit`] for a member that is larger than
    /// [`Settings::member_limit`].
    pub fn open(self, name: &str, settings: &Settings) -> Result<FileSource> {
        let raw = settings.raw.filter(|_| settings.is_raw(Path::new(name)));
        match self {
            Self::File(path) => match raw {
                Some(form) => FileSource::open_raw(path, form),
                None => FileSource::open(path),
            },
            Self::Part(part) => FileSource::of_bytes(part, name, raw),
            Self::Zipped(member) => {
                let bytes = member.read(name, settings.member_limit)?;
                FileSource::of_bytes(Cursor::new(bytes), name, raw)
            }
            Self::Memory(bytes) => FileSource::of_bytes(Cursor::new(bytes), name, raw),
        }
    }
}

impl ZipMember {
    /// The member's bytes, at most `limit` of them.
    pub(super) fn read(mut self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let mut member = self.archive.by_index(self.index).map_err(|error| {
            Error::new(ErrorKind::Io, format!("cannot read {name}")).found(error.to_string())
        })?;
        // The size in the archive may be a lie.
        let mut bytes = Vec::with_capacity(usize::try_from(self.size.min(limit)).unwrap_or(0));
        let result = Read::by_ref(&mut member).take(limit + 1).read_to_end(&mut bytes);
        result.map_err(|e| Error::io("read", Path::new(name), &e))?;
        if bytes.len() as u64 > limit {
            return Err(too_large(name, limit));
        }
        Ok(bytes)
    }
}
