//! Tar archives, compressed with gzip or not.
//!
//! What stands between two members, long names and other metadata, is held in memory by whoever
//! reads it, and a few bytes of an archive can ask for any amount of it: so it has a limit.

use std::cell::Cell;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use ::tar::{Archive, Entry, EntryType};
use flate2::bufread::MultiGzDecoder;

use super::archive::{broken, cut_short, open, read_member};
use super::grouping::{Grouping, Role, Visit};
use super::{Item, Recording, Settings};
use crate::decode::FilePart;
use wakegate::Result;

/// Bytes of the file that are decompressed at a time.
const BUFFER: usize = 1 << 16;
/// Most bytes from a member's end to the bytes of the next: headers, names, metadata.
const MOST_BETWEEN: u64 = 1 << 20;
/// Bytes of a header, and of what everything is filled up to.
const BLOCK: u64 = 512;

/// Visits the recordings of the archive at `path`; `false` where the visitor wants no more.
pub(super) fn visit(path: &Path, settings: &Settings, visit: &mut Visit<'_>) -> bool {
    let name = || path.to_string_lossy().into_owned();
    let part = match open(path) {
        Ok(part) => part,
        Err(error) => return visit(Item::problem(name(), error)),
    };
    match is_gzip(&part) {
        Err(error) => visit(Item::problem(name(), wakegate::Error::io("read", path, &error))),
        Ok(false) => {
            // The members stay where they are, and are read from there.
            let until = Cell::new(MOST_BETWEEN);
            let mut archive = Archive::new(Bounded { inner: part.clone(), at: 0, until: &until });
            let entries = archive.entries_with_seek();
            walk(path, settings, entries, &until, Some(&part), &|| None, visit)
        }
        Ok(true) => {
            let (read, until) = (Cell::new(0), Cell::new(MOST_BETWEEN));
            let counted = Counted { inner: part, read: &read };
            let inner = MultiGzDecoder::new(BufReader::with_capacity(BUFFER, counted));
            let mut archive = Archive::new(Bounded { inner, at: 0, until: &until });
            walk(path, settings, archive.entries(), &until, None, &|| Some(read.get()), visit)
        }
    }
}

fn is_gzip(part: &FilePart) -> io::Result<bool> {
    let mut head = Vec::new();
    part.clone().take(2).read_to_end(&mut head)?;
    Ok(head == [0x1f, 0x8b])
}

/// Counts the bytes that pass.
struct Counted<'c, R> {
    inner: R,
    read: &'c Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

/// Reads up to the byte `until`, and refuses to go further.
struct Bounded<'u, R> {
    inner: R,
    at: u64,
    until: &'u Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
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

impl<R: Seek> Seek for Bounded<'_, R> {
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

/// Visits the entries; with `part`, their bytes can be read from it at their place.
fn walk<'e, R: Read + 'e>(
    path: &Path,
    settings: &Settings,
    entries: io::Result<impl Iterator<Item = io::Result<Entry<'e, R>>>>,
    until: &Cell<u64>,
    part: Option<&FilePart>,
    compressed_at: &dyn Fn() -> Option<u64>,
    visit: &mut Visit<'_>,
) -> bool {
    let mut grouping = Grouping::new(path, settings);
    let mut at = 0;
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => return grouping.end(at, Some(broken(path, &error)), visit),
    };
    for entry in entries {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(error) => return grouping.end(at, Some(broken(path, &error)), visit),
        };
        at = compressed_at().unwrap_or(entry.raw_header_position());
        let kind = entry.header().entry_type();
        until.set(end_of(&entry, kind).saturating_add(MOST_BETWEEN));
        if !(kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse()) {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.strip_prefix("./").unwrap_or(&name);
        let role = grouping.role(name);
        if role == Role::Other {
            continue;
        }
        if !grouping.begin(name, at, visit) {
            return false;
        }
        if role == Role::Beside {
            let size = entry.size();
            grouping.beside(name, size, &mut entry);
        } else {
            let recording = recording(&mut entry, kind, part, &grouping.path(name), settings);
            grouping.audio(name, recording);
        }
        at = compressed_at().unwrap_or(entry.raw_file_position().saturating_add(entry.size()));
    }
    grouping.end(at, None, visit)
}

fn recording<R: Read>(
    entry: &mut Entry<'_, R>,
    kind: EntryType,
    part: Option<&FilePart>,
    name: &str,
    settings: &Settings,
) -> Result<Recording> {
    match part {
        // A sparse file's bytes don't lie in one stretch.
        Some(part) if !kind.is_gnu_sparse() => {
            let stretch = part.stretch(entry.raw_file_position(), entry.size());
            if stretch.length() < entry.size() {
                return Err(cut_short(name));
            }
            Ok(Recording::Part(stretch))
        }
        _ => {
            let size = entry.size();
            read_member(entry, size, name, settings.member_limit).map(Recording::Memory)
        }
    }
}
