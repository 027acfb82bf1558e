//! Files, folders, patterns and lists.

use std::fs;
use std::io;
use std::path::Path;

use super::{Input, Item, Recording, Settings};
use crate::decode::{Found, find_files};
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
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    let name = name.unwrap_or_default();
    if path.is_file() && [".tar", ".tar.gz", ".tgz"].iter().any(|ending| name.ends_with(ending)) {
        inputs.push(Input::Tar(path.to_owned()));
    } else if path.is_file() && name.ends_with(".zip") {
        inputs.push(Input::Zip(path.to_owned()));
    } else {
        let found = find_files(&[path], &|path| settings.is_audio(path));
        inputs.extend(found.into_iter().map(Input::Found));
    }
}

/// Appends what matches `pattern`, in the order of the names.
fn matches(pattern: &str, settings: &Settings, inputs: &mut Vec<Input>) {
    let problem = |error: Error| {
        Input::Found(Found { path: Path::new(pattern).to_owned(), problem: Some(error) })
    };
    let paths = match glob::glob(pattern) {
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
            Err(error) => {
                let path = error.path().to_owned();
                let error = Error::io("read", &path, error.error());
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

/// The lines of a list that are not empty.
pub(super) fn read_list(list: &Path) -> Result<Vec<String>> {
    let text = if list == Path::new("-") {
        io::read_to_string(io::stdin())
    } else {
        fs::read_to_string(list)
    };
    let text = text.map_err(|e| Error::io("read", list, &e))?;
    Ok(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// The item of a path.
pub(super) fn item(found: &Found) -> Item {
    let path = found.path.to_string_lossy().into_owned();
    match &found.problem {
        Some(problem) => Item::problem(path, problem.clone()),
        None => Item::new(path, Ok(Recording::File(found.path.clone()))),
    }
}

/// Length of a file in bytes; 0 where there is none.
pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}
