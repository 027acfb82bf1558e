//! What there is to score: paths, folders, patterns, lists, manifests, and the members of tar and
//! zip archives, one after the other in an order that is always the same.
//!
//! Nothing of it is held in memory but the paths: manifests are read row by row, archives member
//! by member, and nothing is unpacked to disk. What can't be read stands in its place with the
//! reason, so that one bad row or archive stops nothing.

mod archive;
mod choice;
mod columns;
mod grouping;
mod json;
mod manifest;
mod paths;
mod pattern;
mod recording;
mod tar;
mod zip;

use std::path::{Path, PathBuf};

pub use choice::Choice;
pub use columns::Columns;
pub use recording::{Recording, ZipMember};

use crate::decode::{Ffmpeg, Found, RawForm};
use manifest::Manifest;
use serde_json::Value;
use wakegate::{Error, Result};

/// The largest trigger time, in seconds.
pub const MOST_SECONDS: f64 = 1e7;

/// One recording.
#[derive(Debug)]
pub struct Item {
    /// What is known of it besides its samples.
    pub about: About,
    /// The audio, or why there is none.
    pub audio: Result<Recording>,
}

/// What is known of a recording besides its samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct About {
    /// Where it is: its path, or `ARCHIVE/MEMBER`. Of a manifest's row without one: `FILE:ROW`.
    pub path: String,
    /// Its name in a manifest, or the key of its sample in an archive.
    pub id: Option<String>,
    /// When, by another engine's account, the word ended; in seconds from the start.
    pub trigger_s: Option<f64>,
    /// What it is by somebody's account.
    pub label: Option<String>,
    /// What it belongs to: a speaker, a device.
    pub group: Option<String>,
    /// Which of its channels is heard; none for what [`Settings::channel`] says.
    pub channel: Option<Choice>,
    /// Further columns, as [`Columns::carried`] names them; null where there is none.
    pub carried: Vec<Value>,
    /// Bytes of the corpus that are behind us with this item; about [`Corpus::bytes`] in all.
    /// Of a file of its own, 0 until [`Item::measure`].
    pub bytes: u64,
}

impl Item {
    fn new(path: String, audio: Result<Recording>) -> Self {
        Self { about: About { path, ..About::default() }, audio }
    }

    fn problem(path: String, error: Error) -> Self {
        Self::new(path, Err(error))
    }

    /// Fills [`About::bytes`] for a recording that is a file of its own.
    pub fn measure(&mut self) {
        if let Ok(Recording::File(path)) = &self.audio {
            self.about.bytes = paths::length(path);
        }
    }
}

/// How the inputs are read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which columns of manifests, and of the files beside a recording in an archive, mean what.
    pub columns: Columns,
    /// What relative paths in lists and manifests start at; none for the working folder.
    pub root: Option<PathBuf>,
    /// The form of headerless files; without it their endings mean nothing.
    pub raw: Option<RawForm>,
    /// The most bytes of a compressed member that are held in memory.
    pub member_limit: u64,
    /// Which channel of the recordings is heard.
    pub channel: Choice,
    /// What reads the recordings that no reader here knows.
    pub ffmpeg: Option<Ffmpeg>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            columns: Columns::default(),
            root: None,
            raw: None,
            member_limit: 256 << 20,
            channel: Choice::default(),
            ffmpeg: None,
        }
    }
}

impl Settings {
    fn is_audio(&self, path: &Path) -> bool {
        crate::decode::is_audio(path) || self.is_raw(path)
    }

    fn is_raw(&self, path: &Path) -> bool {
        self.raw.is_some() && RawForm::is_for(path)
    }

    /// `path` as a list or manifest means it.
    fn rooted(&self, path: &Path) -> PathBuf {
        self.root.as_ref().map_or_else(|| path.to_owned(), |root| root.join(path))
    }
}

/// What the user named.
#[derive(Debug)]
enum Input {
    Found(Found),
    Tar(PathBuf),
    Zip(PathBuf),
    Manifest(Manifest),
}

/// Recordings in a fixed order.
#[derive(Debug)]
pub struct Corpus {
    settings: Settings,
    inputs: Vec<Input>,
    /// What is odd about what the user named, each with its name.
    notes: Vec<(String, String)>,
}

impl Corpus {
    /// No recording yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, inputs: Vec::new(), notes: Vec::new() }
    }

    /// Adds a file, the audio files in a folder, a tar (also compressed with gzip, Zstandard, xz or
    /// bzip2) or zip archive, or, where there is no such file, what matches the pattern (`*`, `?`, `[...]`, `**`). What can't be found becomes an
    /// item with its problem.
    pub fn add_path(&mut self, path: &Path) {
        paths::expand(path, &self.settings, &mut self.inputs);
    }

    /// Adds the paths of a list, one a line, as [`add_path`](Self::add_path) does; `-` is stdin.
    ///
    /// # Errors
    /// [`Io`](wakegate::ErrorKind::Io) where the list can't be read.
    pub fn add_list(&mut self, list: &Path) -> Result<()> {
        for line in paths::read_list(list)? {
            let path = self.settings.rooted(&line);
            self.add_path(&path);
        }
        Ok(())
    }

    /// Adds the rows of a manifest: `.csv`, `.tsv`, `.jsonl` (also `.ndjson`, `.json`, or an array
    /// of objects) or `.parquet`; `-` is JSON lines on stdin.
    ///
    /// # Errors
    /// [`Io`](wakegate::ErrorKind::Io) where it can't be read, [`Settings`](wakegate::ErrorKind::Settings)
    /// where its form is not known, or its header lacks a column that is named.
    pub fn add_manifest(&mut self, path: &Path) -> Result<()> {
        let (manifest, notes) = Manifest::open(path, &self.settings)?;
        self.inputs.push(Input::Manifest(manifest));
        self.notes.extend(notes.into_iter().map(|note| (paths::shown(path), note)));
        Ok(())
    }

    /// What is odd about what was added, each with the name of what it is about.
    pub fn notes(&self) -> &[(String, String)] {
        &self.notes
    }

    /// How its inputs are read.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether its recordings have more of a name than their path, so that it makes sense to ask
    /// for their ids, labels and groups.
    pub fn has_columns(&self) -> bool {
        self.inputs.iter().any(|input| !matches!(input, Input::Found(_)))
    }

    /// Whether channels of its recordings may be chosen, so that it makes sense to say which.
    pub fn has_channels(&self) -> bool {
        let is_chosen = self.settings.channel != Choice::default();
        is_chosen
            || self
                .inputs
                .iter()
                .any(|input| matches!(input, Input::Manifest(manifest) if manifest.has_channels()))
    }

    /// Bytes of all the files that will be read, for a progress bar: it looks at each of them.
    /// None where that can't be known before.
    pub fn bytes(&self) -> Option<u64> {
        self.inputs.iter().try_fold(0, |sum: u64, input| {
            let bytes = match input {
                Input::Found(found) => paths::length(&found.path),
                Input::Tar(path) | Input::Zip(path) => paths::length(path),
                Input::Manifest(manifest) => manifest.bytes(&self.settings)?,
            };
            Some(sum.saturating_add(bytes))
        })
    }

    /// Hands the items to `visit` in their order, until it returns `false`. Twice the same, unless
    /// files changed or one of them is stdin.
    pub fn visit(&self, visit: &mut dyn FnMut(Item) -> bool) {
        for input in &self.inputs {
            let more = match input {
                Input::Found(found) => visit(paths::item(found)),
                Input::Tar(path) => tar::visit(path, &self.settings, visit),
                Input::Zip(path) => zip::visit(path, &self.settings, visit),
                Input::Manifest(manifest) => manifest.visit(&self.settings, visit),
            };
            if !more {
                return;
            }
        }
    }
}
