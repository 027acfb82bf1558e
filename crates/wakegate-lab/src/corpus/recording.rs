//! Where a recording's bytes are.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use ::zip::ZipArchive;

use super::Settings;
use super::archive::too_large;
use crate::decode::{FilePart, FileSource, RawForm, in_memory};
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
    /// a header. What no reader here knows goes to [`Settings::ffmpeg`].
    ///
    /// # Errors
    /// Those of [`FileSource::open`]; [`ErrorKind::Limit`] for a member that is larger than
    /// [`Settings::member_limit`].
    pub fn open(self, name: &str, settings: &Settings) -> Result<FileSource> {
        let raw = settings.raw.filter(|_| settings.is_raw(Path::new(name)));
        let Some(ffmpeg) = settings.ffmpeg.as_ref().filter(|_| raw.is_none()) else {
            return self.open_known(name, raw, settings);
        };
        let recording = self.repeated(name, settings)?;
        let same = recording.again()?;
        let error = match recording.open_known(name, raw, settings) {
            Err(error) if error.kind() == ErrorKind::Audio => error,
            other => return other,
        };
        let file = same.into_file(settings).map_err(|e| Error::io("read", Path::new(name), &e))?;
        FileSource::of_ffmpeg(ffmpeg, file, name).map_err(|second| {
            let found = error.found_text().unwrap_or("something else");
            let found = format!("{found}; {second}");
            Error::new(ErrorKind::Audio, error.message())
                .expected(error.expected_text().unwrap_or("audio"))
                .found(found)
        })
    }

    fn open_known(
        self,
        name: &str,
        raw: Option<RawForm>,
        settings: &Settings,
    ) -> Result<FileSource> {
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

    /// A file for another program to read: of a part of an archive, one in memory.
    fn into_file(self, settings: &Settings) -> io::Result<File> {
        match self {
            Self::File(path) => File::open(path),
            Self::Part(part) if part.length() > settings.member_limit => {
                Err(io::Error::other("it is too large to hand to ffmpeg (hint: --member-mib)"))
            }
            Self::Part(part) => in_memory(part),
            Self::Memory(bytes) => in_memory(bytes.as_slice()),
            Self::Zipped(_) => Err(io::Error::other("the member is read once")),
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
