//! Finding the audio files that a list of paths names.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use wakegate::error::{Error, ErrorKind};

/// The extensions, lower case, that make a file in a folder an audio file.
pub const AUDIO_EXTENSIONS: [&str; 32] = [
    "3gp", "aac", "aif", "aifc", "aiff", "amr", "ape", "au", "bwf", "caf", "flac", "m4a", "m4b",
    "mka", "mov", "mp2", "mp3", "mp4", "oga", "ogg", "opus", "rf64", "snd", "sph", "spx", "w64",
    "wav", "wave", "weba", "webm", "wma", "wv",
];

/// One path to score, or one that can't be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file, or the path that the problem is about.
    pub path: PathBuf,
    /// Why there is nothing to score at `path`; `None` for a file.
    pub problem: Option<Error>,
}

/// Expands `paths` in their order: a file stands for itself whatever its name, a folder for the
/// files below it with an extension of [`AUDIO_EXTENSIONS`] (in any case), sorted by name within
/// each folder.
///
/// What is missing or can't be read is no reason to stop: it stands in the list with its problem.
pub fn find_audio<P: AsRef<Path>>(paths: &[P]) -> Vec<Found> {
    find_files(paths, &is_audio)
}

/// As [`find_audio`], with the files of a folder for whose paths `wanted` is true.
pub fn find_files<P: AsRef<Path>>(paths: &[P], wanted: &dyn Fn(&Path) -> bool) -> Vec<Found> {
    let mut found = Vec::new();
    for path in paths {
        let path = path.as_ref();
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {
                let before = found.len();
                walk(path, wanted, &mut Vec::new(), &mut found);
                if found.len() == before {
                    found.push(problem(path, no_audio(path)));
                }
            }
            Ok(_) => found.push(Found { path: path.to_owned(), problem: None }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                found.push(problem(path, missing(path)));
            }
            Err(e) => found.push(problem(path, Error::io("read", path, &e))),
        }
    }
    found
}

/// Appends the audio files below `folder`. `above` holds the folders on the way down by their real
/// paths: a link that leads back to one of them is a loop and is not followed.
fn walk(
    folder: &Path,
    wanted: &dyn Fn(&Path) -> bool,
    above: &mut Vec<PathBuf>,
    found: &mut Vec<Found>,
) {
    let names = fs::canonicalize(folder).and_then(|real| Ok((real, sorted_names(folder)?)));
    let (real, names) = match names {
        Ok(pair) => pair,
        Err(e) => return found.push(problem(folder, Error::io("read folder", folder, &e))),
    };
    if above.contains(&real) {
        return;
    }
    above.push(real);
    for name in names {
        let path = folder.join(name);
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => walk(&path, wanted, above, found),
            // What macOS puts beside every file on a disk of another kind.
            Ok(_) if is_shadow(&path) => {}
            Ok(meta) if wanted(&path) && meta.is_file() => {
                found.push(Found { path, problem: None });
            }
            Ok(_) if wanted(&path) => {
                let error = Error::new(ErrorKind::Io, format!("cannot read {}", path.display()))
                    .expected("an audio file")
                    .found("a device or pipe");
                found.push(problem(&path, error));
            }
            Ok(_) => {}
            Err(e) => {
                if wanted(&path) {
                    let error = Error::io("read", &path, &e);
                    found.push(problem(&path, error));
                }
            }
        }
    }
    above.pop();
}

fn sorted_names(folder: &Path) -> std::io::Result<Vec<OsString>> {
    let mut names = fs::read_dir(folder)?
        .map(|entry| entry.map(|e| e.file_name()))
        .collect::<std::io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Whether a file of this name is audio, by its ending (one of [`AUDIO_EXTENSIONS`]).
pub fn is_audio(path: &Path) -> bool {
    ends_in(path, &AUDIO_EXTENSIONS)
}

/// Whether the ending of `path`, in any case, is one of `endings`.
pub(super) fn ends_in(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|e| e.to_str());
    ending.is_some_and(|e| endings.contains(&e.to_ascii_lowercase().as_str()))
}

fn is_shadow(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"._"))
}

fn problem(path: &Path, error: Error) -> Found {
    Found { path: path.to_owned(), problem: Some(error) }
}

pub(super) fn missing(path: &Path) -> Error {
    Error::new(ErrorKind::Io, format!("no such file or folder: {}", path.display()))
        .hint("check the path; relative paths start at the working folder")
}

fn no_audio(path: &Path) -> Error {
    Error::new(ErrorKind::Io, format!("no audio files in folder {}", path.display()))
        .expected(format!("files ending in {}", AUDIO_EXTENSIONS.join(", ")))
        .found("none, subfolders included")
        .hint("a file with another ending is scored when it is named itself")
}
