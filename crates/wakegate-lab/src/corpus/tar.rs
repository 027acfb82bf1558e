//! Tar archives, compressed with gzip or not.

use std::cell::Cell;
use std::io::{self, BufReader, Read};
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
            let mut archive = Archive::new(part.clone());
            let entries = archive.entries_with_seek();
            walk(path, settings, entries, Some(&part), &|| None, visit)
        }
        Ok(true) => {
            let read = Cell::new(0);
            let counted = Counted { inner: part, read: &read };
            let mut archive =
                Archive::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, counted)));
            walk(path, settings, archive.entries(), None, &|| Some(read.get()), visit)
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

/// Visits the entries; with `part`, their bytes can be read from it at their place.
fn walk<'e, R: Read + 'e>(
    path: &Path,
    settings: &Settings,
    entries: io::Result<impl Iterator<Item = io::Result<Entry<'e, R>>>>,
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
