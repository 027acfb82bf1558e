//! Files, folders, patterns and lists.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::archive::{self, Archive};
use super::pattern;
use super::{Input, Item, Recording, Settings};
use crate::decode::{Found, find_files};
use crate::table::{LimitedRows, Utf8};
use wakegate::{Error, ErrorKind, Result};

/// Appends what `path` stands for to `inputs`.
pub(super) fn expand(path: &Path, settings: &Settings, inputs: &mut Vec<Input>) {
    match path.to_str().filter(|text| text.contains(['*', '?', '[']) && !path.exists()) {
        Some(pattern) => matches(pattern, settings, inputs),
        None => add(path, settings, inputs),
    }
}

/// Appends one path that is no pattern.
fn add(path: &Path, settings: &Settings, inputs: &mut Vec<Input>) {
    match archive::kind(path, settings) {
        Some(Archive::Tar) => inputs.push(Input::Tar(path.to_owned())),
        Some(Archive::Zip) => inputs.push(Input::Zip(path.to_owned())),
        None => {
            let found = find_files(&[path], &|path| settings.is_audio(path));
            inputs.extend(found.into_iter().map(Input::Found));
        }
    }
}

/// Appends what matches `pattern`, in the order of the names.
fn matches(pattern: &str, settings: &Settings, inputs: &mut Vec<Input>) {
    let problem = |error: Error| {
        Input::Found(Found { path: Path::new(pattern).to_owned(), problem: Some(error) })
    };
    let paths = match pattern::matches(pattern) {
        Ok(paths) => paths,
        Err(error) => {
            let error = Error::new(ErrorKind::Io, format!("cannot use the pattern {pattern}"))
                .expected("a path, or one with *, ?, [...] or **")
                .found(error.to_string());
            return inputs.push(problem(error));
        }
    };
    let before = inputs.len();
    for path in paths {
        match path {
            Ok(path) => add(&path, settings, inputs),
            Err((path, error)) => {
                let error = Error::io("read", &path, &error);
                inputs.push(Input::Found(Found { path, problem: Some(error) }));
            }
        }
    }
    if inputs.len() == before {
        let error = Error::new(ErrorKind::Io, format!("no such file or folder: {pattern}"))
            .expected("a path that exists, or a pattern that one matches")
            .found("no match");
        inputs.push(problem(error));
    }
}

/// The lines of a list that are not empty, as the paths that they are.
pub(super) fn read_list(list: &Path) -> Result<Vec<PathBuf>> {
    let unread = |e: io::Error| Error::io("read", list, &e);
    let inner: Box<dyn Read> = if list == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(list).map_err(unread)?)
    };
    let (rows, length) = LimitedRows::new(inner);
    let mut paths = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(Utf8::new(rows)).split(b'\n')) {
        let line = line.map_err(|e| match length.problem() {
            Some(problem) => problem.context(format_args!("{}:{number}", list.display())),
            None => unread(e),
        })?;
        length.begin();
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if !line.is_empty() {
            // A name need not be text.
            paths.push(PathBuf::from(OsString::from_vec(line.to_vec())));
        }
    }
    Ok(paths)
}

/// The item of a path.
pub(super) fn item(found: &Found) -> Item {
    let path = shown(&found.path);
    match &found.problem {
        Some(problem) => Item::problem(path, problem.clone()),
        None => Item::new(path, Ok(Recording::File(found.path.clone()))),
    }
}

/// A path as text. What is no text of a name is written as the escapes of its bytes, so that two
/// names never become one.
pub(super) fn shown(path: &Path) -> String {
    shown_bytes(path.as_os_str().as_bytes())
}

/// As [`shown`], for a name in an archive.
pub(super) fn shown_bytes(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// Length of a file in bytes; 0 where there is none.
pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}
