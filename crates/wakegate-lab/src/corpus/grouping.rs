//! The members of an archive to samples: WebDataset's way.
//!
//! Members that follow each other and have one key belong together; the key is the name up to the
//! first dot behind the last slash. A recording is an item; a `.json` object beside it has columns
//! by its keys, and any other file beside it is a column named by its ending.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use serde_json::{Map, Value};

use super::archive::read_member;
use super::columns::is_same;
use super::paths::shown;
use super::{Item, Recording, Settings};
use crate::table::{UniqueKeys, to_utf8};
use wakegate::{Error, ErrorKind, Result};

/// Most bytes of a file beside a recording.
const MOST_BESIDE: u64 = 1 << 20;

/// What a member of an archive is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A recording.
    Audio,
    /// Something to know about the recordings of its sample.
    Beside,
    /// Nothing that is of use.
    Other,
}

/// What of a sample has been seen.
#[derive(Debug, Clone, Copy, Default)]
struct Parts {
    audio: bool,
    beside: bool,
}

/// Gathers the members of a sample, and hands it on when the next one begins.
pub(super) struct Grouping<'a> {
    archive: &'a Path,
    settings: &'a Settings,
    key: String,
    audio: Vec<Item>,
    beside: Map<String, Value>,
    problem: Option<Error>,
    /// Whether the sample has anything beside its recordings.
    has_beside: bool,
    /// The samples so far, by their keys' hashes: which parts each had.
    parts: HashMap<u64, Parts>,
    /// Bytes of the archive behind us, and those that items have told.
    told: u64,
    any: bool,
}

impl<'a> Grouping<'a> {
    pub(super) fn new(archive: &'a Path, settings: &'a Settings) -> Self {
        Self {
            archive,
            settings,
            key: String::new(),
            audio: Vec::new(),
            beside: Map::new(),
            problem: None,
            has_beside: false,
            parts: HashMap::new(),
            told: 0,
            any: false,
        }
    }

    /// What the member `name` is for.
    pub(super) fn role(&self, name: &str) -> Role {
        let base = name.rsplit('/').next().unwrap_or(name);
        // What macOS puts beside every file.
        if base.starts_with("._") || base.is_empty() {
            return Role::Other;
        }
        if self.settings.is_audio(Path::new(base)) {
            return Role::Audio;
        }
        let ending = ending(name);
        let known = ending.eq_ignore_ascii_case("json") || self.settings.columns.name(ending);
        if known { Role::Beside } else { Role::Other }
    }

    /// The name of a member for people: `ARCHIVE/MEMBER`.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{name}", shown(self.archive))
    }

    /// Begins with the member `name`; `at` bytes of the archive are behind it. Hands on the
    /// sample before where this is another.
    pub(super) fn begin(&mut self, name: &str, at: u64, visit: &mut Visit<'_>) -> bool {
        let key = key(name);
        if key == self.key {
            return true;
        }
        let more = self.flush(at, visit);
        key.clone_into(&mut self.key);
        more
    }

    /// Adds a recording to the sample.
    pub(super) fn audio(&mut self, name: &str, recording: Result<Recording>) {
        self.audio.push(Item::new(self.path(name), recording));
    }

    /// Adds what a link to another member leads to.
    pub(super) fn link(&mut self, name: &str, role: Role, linked: Result<Recording>) {
        if role == Role::Audio {
            return self.audio(name, linked);
        }
        let bytes = linked.and_then(|recording| recording.bytes(name, MOST_BESIDE));
        match bytes {
            Ok(bytes) => self.beside(name, bytes.len() as u64, &mut bytes.as_slice()),
            Err(error) => {
                self.problem.get_or_insert(error);
            }
        }
    }

    /// Adds what lies beside the sample's recordings.
    pub(super) fn beside(&mut self, name: &str, size: u64, member: &mut dyn std::io::Read) {
        self.has_beside = true;
        if let Err(error) = self.try_beside(name, size, member) {
            self.problem.get_or_insert(error);
        }
    }

    fn try_beside(&mut self, name: &str, size: u64, member: &mut dyn std::io::Read) -> Result<()> {
        let path = self.path(name);
        let bytes = read_member(member, size, &path, MOST_BESIDE)?;
        let bytes = to_utf8(&bytes).map_err(|e| Error::io("read", Path::new(&path), &e))?;
        let refused = |expected: &str, found: String| {
            Error::new(ErrorKind::Settings, format!("cannot read {path}"))
                .expected(expected)
                .found(found)
        };
        let ending = ending(name);
        if self.settings.columns.name(ending) {
            let text = String::from_utf8(bytes.clone())
                .map_err(|_| refused("text", "bytes that are not UTF-8".to_owned()))?;
            self.beside.insert(ending.to_owned(), Value::String(text.trim().to_owned()));
        }
        if ending.eq_ignore_ascii_case("json") {
            match serde_json::from_slice(&bytes).map(|UniqueKeys(value)| value) {
                Ok(Value::Object(object)) => self.beside.extend(object),
                Ok(_) => return Err(refused("a JSON object", "another JSON value".to_owned())),
                Err(error) => return Err(refused("a JSON object", error.to_string())),
            }
        }
        Ok(())
    }

    /// Hands on the sample that is complete.
    fn flush(&mut self, at: u64, visit: &mut Visit<'_>) -> bool {
        let beside = std::mem::take(&mut self.beside);
        let problem = self.problem.take();
        let is_torn = self.is_torn();
        if is_torn && !visit(Item::problem(self.path(&self.key), self.torn())) {
            return false;
        }
        let get = |name: &str| {
            let alike =
                || beside.iter().find(|(key, _)| is_same(name, key)).map(|(_, value)| value);
            beside.get(name).or_else(alike).cloned().unwrap_or(Value::Null)
        };
        for mut item in std::mem::take(&mut self.audio) {
            self.any = true;
            item.about.id = Some(self.key.clone());
            self.settings.columns.fill(&mut item, &get);
            if let Some(problem) = &problem {
                item.audio = Err(problem.clone());
            }
            item.about.bytes = at.saturating_sub(self.told);
            self.told = self.told.max(at);
            if !visit(item) {
                return false;
            }
        }
        true
    }

    /// Whether the sample's recording and what is beside it stand apart, with others between them:
    /// then neither belongs to the other.
    fn is_torn(&mut self) -> bool {
        let now = Parts { audio: !self.audio.is_empty(), beside: self.has_beside };
        self.has_beside = false;
        let mut hasher = DefaultHasher::new();
        self.key.hash(&mut hasher);
        let before = self.parts.entry(hasher.finish()).or_default();
        let lonely = |parts: &Parts| parts.beside && !parts.audio;
        let torn = lonely(&now) && before.audio || now.audio && lonely(before);
        *before = Parts { audio: before.audio || now.audio, beside: before.beside || now.beside };
        torn
    }

    fn torn(&self) -> Error {
        Error::new(ErrorKind::Settings, format!("{} is torn apart", self.path(&self.key)))
            .expected("the files of a sample side by side")
            .found("a recording without what is said of it, and other files between them")
            .hint("pack the archive again with `tar --sort=name`")
    }

    /// The archive's end, by `error` where it can't be read on.
    pub(super) fn end(mut self, at: u64, error: Option<Error>, visit: &mut Visit<'_>) -> bool {
        if !self.flush(at, visit) {
            return false;
        }
        let error = match error {
            None if self.any => return true,
            None => super::archive::no_audio(self.archive),
            Some(error) => error,
        };
        visit(Item::problem(shown(self.archive), error))
    }
}

/// Who takes the items; `false` for no more.
pub(super) type Visit<'v> = dyn FnMut(Item) -> bool + 'v;

/// Name up to the first dot behind the last slash.
fn key(name: &str) -> &str {
    let base = name.rfind('/').map_or(0, |slash| slash + 1);
    name[base..].find('.').map_or(name, |dot| &name[..base + dot])
}

/// What follows the key and its dot.
fn ending(name: &str) -> &str {
    name[key(name).len()..].trim_start_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Columns;

    #[test]
    fn a_key_ends_at_the_first_dot_of_the_name() {
        for (name, wanted_key, wanted_ending) in [
            ("a.wav", "a", "wav"),
            ("x.y/a.left.wav", "x.y/a", "left.wav"),
            ("x/plain", "x/plain", ""),
            ("x/.hidden", "x/", "hidden"),
        ] {
            assert_eq!((key(name), ending(name)), (wanted_key, wanted_ending), "{name}");
        }
    }

    #[test]
    fn members_have_the_role_of_their_ending() {
        let columns = Columns::new(&["label=cls".to_owned()], &["txt".to_owned()]).unwrap();
        let settings = Settings { columns, ..Settings::default() };
        let grouping = Grouping::new(Path::new("s.tar"), &settings);
        for (name, role) in [
            ("a/b.FLAC", Role::Audio),
            ("a/b.left.wav", Role::Audio),
            ("b.json", Role::Beside),
            ("b.cls", Role::Beside),
            ("b.txt", Role::Beside),
            ("b.png", Role::Other),
            ("__MACOSX/._b.wav", Role::Other),
            ("b.pcm", Role::Other),
        ] {
            assert_eq!(grouping.role(name), role, "{name}");
        }
    }
}
