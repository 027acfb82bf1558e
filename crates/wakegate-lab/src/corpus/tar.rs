//! Tar archives, compressed or not.
//!
//! What stands between two members, long names and other metadata, is held in memory by whoever
//! reads it, and a few bytes of an archive can ask for any amount of it: so it has a limit.

use std::cell::Cell;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;

use ::tar::{Archive, Entry, EntryType};
use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

use super::archive::{broken, cut_short, open, read_member};
use super::grouping::{Grouping, Role, Visit};
use super::paths::{shown, shown_bytes};
use super::{Item, Recording, Settings};
use crate::decode::FilePart;
use crate::table::Zstandard;
use wakegate::error::caught;
use wakegate::{Error, ErrorKind, Result};

/// Bytes of the file that are decompressed at a time.
const BUFFER: usize = 1 << 16;
/// Most bytes from a member's end to the bytes of the next: headers, names, metadata.
const MOST_BETWEEN: u64 = 1 << 20;
/// Memory that reading xz may take, in KiB: its strongest level needs half of that.
const MOST_XZ_KIB: u32 = 1 << 17;
/// Bytes of a header, and of what everything is filled up to.
const BLOCK: u64 = 512;
/// Links followed at most, one to the next.
const MOST_LINKS: usize = 8;
/// Bytes of an archive that are gone through again for all of its links together, and for each byte
/// of its file: a link of a few bytes has the archive searched from its start.
const MOST_SEARCHED: u64 = 1 << 31;
const MOST_SEARCHED_A_BYTE: u64 = 64;

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Bzip2,
    Zstandard,
    Xz,
}

/// An open archive, which can be read from its start again.
struct Tar<'a> {
    path: &'a Path,
    settings: &'a Settings,
    part: FilePart,
    packing: Packing,
    /// Bytes of a compressed file that have been read.
    read: Rc<Cell<u64>>,
    /// How far the headers of the next member may reach.
    until: Rc<Cell<u64>>,
    /// Bytes that may still be gone through for links.
    searchable: Cell<u64>,
}

/// Visits the recordings of the archive at `path`; `false` where the visitor wants no more.
pub(super) fn visit(path: &Path, settings: &Settings, visit: &mut Visit<'_>) -> bool {
    let opened = open(path).and_then(|part| {
        let packing = packing(&part).map_err(|e| Error::io("read", path, &e))?;
        let packing = packing.map_err(|name| {
            Error::new(ErrorKind::Io, format!("cannot read {}", path.display()))
                .expected("a tar archive, not compressed or with gzip, bzip2, Zstandard or xz")
                .found(format!("one compressed with {name}"))
                .hint("decompress it, or pack it again")
        })?;
        let until = Rc::new(Cell::new(MOST_BETWEEN));
        let most = MOST_SEARCHED.saturating_add(part.length().saturating_mul(MOST_SEARCHED_A_BYTE));
        let searchable = Cell::new(most);
        Ok(Tar { path, settings, part, packing, read: Rc::default(), until, searchable })
    });
    match opened {
        Ok(tar) => tar.walk(visit),
        Err(error) => visit(Item::problem(shown(path), error)),
    }
}

/// How `part` is compressed, by what it begins with; a name for what can't be read.
fn packing(part: &FilePart) -> io::Result<std::result::Result<Packing, &'static str>> {
    let mut head = Vec::new();
    part.clone().take(6).read_to_end(&mut head)?;
    Ok(match head.as_slice() {
        [0x1f, 0x8b, ..] => Ok(Packing::Gzip),
        // What is in front of the data may be something to pass over.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Ok(Packing::Zstandard)
        }
        [b'B', b'Z', b'h', ..] => Ok(Packing::Bzip2),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Ok(Packing::Xz),
        [0x04, 0x22, 0x4d, 0x18, ..] => Err("LZ4"),
        [0x5d, 0, 0, ..] => Err("LZMA"),
        [0x1f, 0x9d, ..] => Err("compress"),
        _ => Ok(Packing::None),
    })
}

/// A decompressor that panics on damaged data has found an error in it.
struct Guarded<R>(R);

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the data is damaged");
        caught(|| self.0.read(out)).unwrap_or_else(|| Err(damaged()))
    }
}

/// Counts the bytes that pass.
struct Counted {
    inner: FilePart,
    read: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

/// Reads up to the byte `until`, and refuses to go further.
struct Bounded<R> {
    inner: R,
    at: u64,
    until: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.until.get().saturating_sub(self.at)).unwrap_or(usize::MAX);
        if left == 0 && !out.is_empty() {
            let limit = MOST_BETWEEN >> 20;
            return Err(io::Error::other(format!("more than {limit} MiB of headers for a member")));
        }
        let most = out.len().min(left);
        let count = self.inner.read(&mut out[..most])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl<R: Seek> Seek for Bounded<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.inner.seek(to)?;
        Ok(self.at)
    }
}

/// Where the bytes of `entry` end in the archive, filled up to a block.
fn end_of<R: Read>(entry: &Entry<'_, R>, kind: EntryType) -> u64 {
    // A sparse file is longer than what is there of it.
    let stored = entry.header().entry_size().unwrap_or(0);
    let size = if kind.is_gnu_sparse() { stored } else { entry.size() };
    entry.raw_file_position().saturating_add(size).div_ceil(BLOCK).saturating_mul(BLOCK)
}

impl Tar<'_> {
    /// The decompressed bytes from the start on, of which those that pass are counted.
    fn unpacked(&self, read: Rc<Cell<u64>>) -> io::Result<Box<dyn Read>> {
        let counted = Counted { inner: self.part.clone(), read };
        let buffered = BufReader::with_capacity(BUFFER, counted);
        Ok(match self.packing {
            Packing::None => Box::new(self.part.clone()),
            Packing::Gzip => Box::new(MultiGzDecoder::new(buffered)),
            Packing::Bzip2 => Box::new(MultiBzDecoder::new(buffered)),
            Packing::Zstandard => Box::new(Guarded(Zstandard::new(buffered))),
            Packing::Xz => Box::new(Guarded(XzReader::new_mem_limit(buffered, true, MOST_XZ_KIB))),
        })
    }

    fn bounded<R>(&self, inner: R) -> Bounded<R> {
        self.until.set(MOST_BETWEEN);
        Bounded { inner, at: 0, until: Rc::clone(&self.until) }
    }

    /// Visits the members.
    fn walk(&self, visit: &mut Visit<'_>) -> bool {
        let mut grouping = Grouping::new(self.path, self.settings);
        if self.packing == Packing::None {
            // The members stay where they are, and are read from there.
            let mut archive = Archive::new(self.bounded(self.part.clone()));
            return match archive.entries_with_seek() {
                Ok(entries) => self.members(entries, grouping, visit),
                Err(error) => grouping.end(0, Some(broken(self.path, &error)), visit),
            };
        }
        let unpacked = self.unpacked(Rc::clone(&self.read));
        let mut archive = match unpacked {
            Ok(unpacked) => Archive::new(self.bounded(unpacked)),
            Err(error) => return grouping.end(0, Some(broken(self.path, &error)), visit),
        };
        match archive.entries() {
            Ok(entries) => self.members(entries, grouping, visit),
            Err(error) => {
                grouping = Grouping::new(self.path, self.settings);
                grouping.end(0, Some(broken(self.path, &error)), visit)
            }
        }
    }

    fn members<'e, R: Read + 'e>(
        &self,
        entries: impl Iterator<Item = io::Result<Entry<'e, R>>>,
        mut grouping: Grouping<'_>,
        visit: &mut Visit<'_>,
    ) -> bool {
        let is_packed = self.packing != Packing::None;
        let place = |at: u64| if is_packed { self.read.get() } else { at };
        let mut at = 0;
        for entry in entries {
            let mut entry = match entry {
                Ok(entry) => entry,
                Err(error) => return grouping.end(at, Some(broken(self.path, &error)), visit),
            };
            at = place(entry.raw_header_position());
            let kind = entry.header().entry_type();
            self.until.set(end_of(&entry, kind).saturating_add(MOST_BETWEEN));
            let is_link = kind.is_hard_link() || kind.is_symlink();
            if !(is_bytes(kind) || is_link) {
                continue;
            }
            let name = shown_bytes(&entry.path_bytes());
            let name = name.strip_prefix("./").unwrap_or(&name);
            let role = grouping.role(name);
            if role == Role::Other {
                continue;
            }
            if !grouping.begin(name, at, visit) {
                return false;
            }
            if is_link {
                let linked = self.linked(name, &entry);
                grouping.link(name, role, linked);
            } else if role == Role::Beside {
                let size = entry.size();
                grouping.beside(name, size, &mut entry);
            } else {
                let recording = self.recording(&mut entry, kind, &grouping.path(name));
                grouping.audio(name, recording);
            }
            at = place(entry.raw_file_position().saturating_add(entry.size()));
        }
        grouping.end(at, None, visit)
    }

    fn recording<R: Read>(
        &self,
        entry: &mut Entry<'_, R>,
        kind: EntryType,
        name: &str,
    ) -> Result<Recording> {
        // A sparse file's bytes don't lie in one stretch.
        if self.packing == Packing::None && !kind.is_gnu_sparse() {
            let stretch = self.part.stretch(entry.raw_file_position(), entry.size());
            if stretch.length() < entry.size() {
                return Err(cut_short(name));
            }
            return Ok(Recording::Part(stretch));
        }
        let size = entry.size();
        read_member(entry, size, name, self.settings.member_limit).map(Recording::Memory)
    }

    /// Counts `bytes` that the link `name` has the archive gone through again.
    fn search(&self, bytes: u64, name: &str) -> Result<()> {
        let left = self.searchable.get().checked_sub(bytes).ok_or_else(|| {
            Error::new(ErrorKind::Limit, format!("cannot read {}/{name}", shown(self.path)))
                .expected(format!(
                    "links for which {} GiB of the archive are searched at most, or {} times its size",
                    MOST_SEARCHED >> 30,
                    MOST_SEARCHED_A_BYTE
                ))
                .found("more")
                .hint("unpack the archive, or pack it again without links")
        })?;
        self.searchable.set(left);
        Ok(())
    }

    /// What a link leads to in the archive: it is looked for from the start.
    fn linked<R: Read>(&self, name: &str, link: &Entry<'_, R>) -> Result<Recording> {
        let mut target = target(name.as_bytes(), link);
        for _ in 0..MOST_LINKS {
            let Some(wanted) = &target else { break };
            let unread = |e: io::Error| Error::io("read", Path::new(name), &e);
            let until = Rc::new(Cell::new(MOST_BETWEEN));
            let found = if self.packing == Packing::None {
                let inner = Bounded { inner: self.part.clone(), at: 0, until: Rc::clone(&until) };
                let mut archive = Archive::new(inner);
                let entries = archive.entries_with_seek().map_err(unread)?;
                self.find(entries, wanted, name, &until)?
            } else {
                let inner = self.unpacked(Rc::default()).map_err(unread)?;
                let inner = Bounded { inner, at: 0, until: Rc::clone(&until) };
                let mut archive = Archive::new(inner);
                let entries = archive.entries().map_err(unread)?;
                self.find(entries, wanted, name, &until)?
            };
            match found {
                Some(Linked::Recording(recording)) => return Ok(recording),
                Some(Linked::To(next)) => target = Some(next),
                None => break,
            }
        }
        Err(Error::new(ErrorKind::Io, format!("cannot read {}/{name}", shown(self.path)))
            .expected("a recording")
            .found(format!(
                "a link to {}, which is not in the archive",
                shown_bytes(&target.unwrap_or_default())
            )))
    }

    /// The first of `entries` that is called `wanted`, for the link `name`.
    fn find<'e, R: Read + 'e>(
        &self,
        entries: impl Iterator<Item = io::Result<Entry<'e, R>>>,
        wanted: &[u8],
        name: &str,
        until: &Cell<u64>,
    ) -> Result<Option<Linked>> {
        let mut searched = 0;
        for entry in entries {
            let mut entry = entry.map_err(|e| Error::io("read", Path::new(name), &e))?;
            let here = entry.raw_file_position();
            // Where it can be, what lies between two headers is not read.
            let read = if self.packing == Packing::None { 2 * BLOCK } else { here - searched };
            self.search(read, name)?;
            searched = here;
            let found = normal(b"", &entry.path_bytes());
            let kind = entry.header().entry_type();
            until.set(end_of(&entry, kind).saturating_add(MOST_BETWEEN));
            if found != wanted {
                continue;
            }
            if is_bytes(kind) {
                return self.recording(&mut entry, kind, name).map(|r| Some(Linked::Recording(r)));
            }
            return Ok(target(&found, &entry).map(Linked::To));
        }
        Ok(None)
    }
}

/// What a link leads to.
enum Linked {
    Recording(Recording),
    /// Another link, to this name.
    To(Vec<u8>),
}

/// Whether an entry has bytes of its own.
fn is_bytes(kind: EntryType) -> bool {
    kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse()
}

/// The name that the link `name` leads to: a hard link names a member, a symbolic one a path from
/// its own folder.
fn target<R: Read>(name: &[u8], link: &Entry<'_, R>) -> Option<Vec<u8>> {
    let target = link.link_name_bytes()?;
    let kind = link.header().entry_type();
    match name.iter().rposition(|byte| *byte == b'/') {
        Some(slash) if kind.is_symlink() => Some(normal(&name[..slash], &target)),
        _ if kind.is_symlink() || kind.is_hard_link() => Some(normal(b"", &target)),
        _ => None,
    }
}

/// `path` from `folder` on, without `.` and `..`.
fn normal(folder: &[u8], path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in folder.split(|byte| *byte == b'/').chain(path.split(|byte| *byte == b'/')) {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}
