//! Zip archives.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use ::zip::{CompressionMethod, ZipArchive};

use super::archive::{broken, open};
use super::grouping::{Grouping, Role, Visit};
use super::paths::{shown, shown_bytes};
use super::recording::ZipMember;
use super::{Item, Recording, Settings};
use crate::decode::FilePart;
use wakegate::{Error, ErrorKind, Result};

/// Visits the recordings of the archive at `path`, in the order of its directory; `false` where
/// the visitor wants no more.
pub(super) fn visit(path: &Path, settings: &Settings, visit: &mut Visit<'_>) -> bool {
    let archive = open(path)
        .and_then(|part| Ok((part.clone(), ZipArchive::new(part).map_err(|e| broken(path, &e))?)));
    let (part, mut archive) = match archive {
        Ok(opened) => opened,
        Err(error) => return visit(Item::problem(shown(path), error)),
    };
    let mut grouping = Grouping::new(path, settings);
    let mut at = 0;
    for index in 0..archive.len() {
        let entry = match archive.by_index_data(index) {
            Ok(entry) => entry,
            Err(error) => return grouping.end(at, Some(broken(path, &error)), visit),
        };
        let name = shown_bytes(entry.name_raw());
        let name = name.strip_prefix("./").unwrap_or(&name);
        let (size, packed, is_file) = (entry.size(), entry.compressed_size(), entry.is_file());
        let stored = entry.compression() == CompressionMethod::Stored && !entry.encrypted();
        let role = grouping.role(name);
        if is_file && role != Role::Other {
            if !grouping.begin(name, at, visit) {
                return false;
            }
            if role == Role::Beside {
                match archive.by_index(index) {
                    Ok(mut member) => grouping.beside(name, size, &mut member),
                    Err(error) => grouping.audio(name, Err(unread(&grouping.path(name), &error))),
                }
            } else {
                let whole = ZipMember { archive: archive.clone(), index, size };
                let recording = if size <= settings.member_limit {
                    Ok(Recording::Zipped(whole))
                } else if stored {
                    stretch(&mut archive, index, &part, &grouping.path(name))
                } else {
                    Err(super::archive::too_large(&grouping.path(name), settings.member_limit))
                };
                grouping.audio(name, recording);
            }
        }
        at += packed;
    }
    let listed = listed(part).unwrap_or_default();
    let missed = (listed > archive.len() as u64).then(|| {
        Error::new(ErrorKind::Io, format!("cannot read all of {}", shown(path)))
            .expected("a name of its own for each member")
            .found(format!("{listed} members, of which {} have one", archive.len()))
            .hint("of those with one name the last was read; pack them anew under other names")
    });
    grouping.end(at, missed, visit)
}

/// How many members the end of the archive says that there are. The reader keeps one of a name,
/// the last.
fn listed(mut part: FilePart) -> io::Result<u64> {
    // The record, and the longest comment behind it; a large archive has another record in front.
    const MOST: u64 = 22 + 0xffff + 20 + 56;
    let length = part.seek(SeekFrom::End(0))?;
    part.seek(SeekFrom::Start(length.saturating_sub(MOST)))?;
    let mut end = Vec::new();
    part.take(MOST).read_to_end(&mut end)?;
    let short = |start: usize, at: usize| {
        let bytes = end.get(start + at..)?.first_chunk()?;
        Some(u16::from_le_bytes(*bytes))
    };
    // What looks like a record in the comment has a length that does not lead to the end.
    let is_last = |start: &usize| {
        end[*start..].starts_with(b"PK\x05\x06")
            && short(*start, 20).is_some_and(|rest| start + 22 + usize::from(rest) == end.len())
    };
    let Some(start) = (0..end.len()).rev().find(is_last) else { return Ok(0) };
    let count = short(start, 10).unwrap_or_default();
    let long = end[..start].windows(4).rposition(|four| four == b"PK\x06\x06");
    let long = long.filter(|_| count == u16::MAX);
    let long = long.and_then(|start| end.get(start + 32..)?.first_chunk());
    Ok(long.map_or(count.into(), |count| u64::from_le_bytes(*count)))
}

/// Where a member lies that is too large for memory and not compressed; its checksum is not
/// looked at.
fn stretch(
    archive: &mut ZipArchive<FilePart>,
    index: usize,
    part: &FilePart,
    name: &str,
) -> Result<Recording> {
    let member = archive.by_index_raw(index).map_err(|error| unread(name, &error))?;
    let start = member.data_start().ok_or_else(|| unread(name, &"a member without a place"))?;
    Ok(Recording::Part(part.stretch(start, member.compressed_size())))
}

fn unread(name: &str, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("cannot read {name}")).found(error.to_string())
}
