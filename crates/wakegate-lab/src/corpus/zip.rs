//! Zip archives.

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
    grouping.end(at, None, visit)
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
