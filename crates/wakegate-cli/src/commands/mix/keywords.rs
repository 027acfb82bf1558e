//! What is laid into the background: clips, and what is said in them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use wakegate::audio::{SAMPLE_RATE, read_all};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::decode::{FileSource, find_audio};
use wakegate_lab::eval::mix::{audible, reverberated};

use crate::commands::eval::labels;

/// A clip to lay in.
pub struct Keyword {
    /// Its file.
    pub path: PathBuf,
    /// How reports call it.
    pub source: String,
    /// The word, or nothing.
    pub label: String,
    /// Who speaks; empty where it is not known.
    pub speaker: String,
    /// Where in the clip the word is, in seconds.
    pub span_s: Option<(f64, f64)>,
    /// The values of [`Keywords::extra`].
    pub extra: Vec<String>,
}

/// All of them.
pub struct Keywords {
    /// The clips.
    pub all: Vec<Keyword>,
    /// Further columns of the labels, which are carried on.
    pub extra: Vec<String>,
}

/// A clip as it is laid in.
pub struct Clip {
    /// Its samples, the reverberation included.
    pub samples: Vec<f32>,
    /// Where the word is in them.
    pub word: Range<usize>,
}

/// The clips below `paths`, all of `word`.
pub fn of_paths(paths: &[PathBuf], word: &str) -> Result<Keywords> {
    let mut all = Vec::new();
    for found in find_audio(paths) {
        if let Some(problem) = found.problem {
            return Err(problem);
        }
        all.push(Keyword {
            source: found.path.to_string_lossy().into_owned(),
            path: found.path,
            label: word.to_owned(),
            speaker: String::new(),
            span_s: None,
            extra: Vec::new(),
        });
    }
    Ok(Keywords { all, extra: Vec::new() })
}

/// The clips of a label file; `written` are the columns that the mixture has by itself.
pub fn of_labels(file: &Path, written: &[&str]) -> Result<Keywords> {
    let labels = labels::read(&[file.to_owned()])?;
    let nameless = labels.rows.iter().any(|row| row.is_stem);
    if labels.by_id || nameless {
        return Err(Error::new(ErrorKind::Settings, "the labels are refused")
            .expected("the column path: the clips are read")
            .found(if nameless { "labels as Audacity exports them" } else { "ids" }));
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    let extra: Vec<String> =
        labels.extra().filter(|name| !written.contains(name)).map(str::to_owned).collect();
    let keyword = |row: &labels::Row| {
        let beside = folder.join(&row.key);
        let path = if beside.exists() { beside } else { PathBuf::from(&row.key) };
        Keyword {
            path,
            source: row.key.clone(),
            label: row.label.clone(),
            speaker: row.speaker.clone().unwrap_or_default(),
            span_s: row.span_s,
            extra: extra.iter().map(|column| row.value(column).to_owned()).collect(),
        }
    };
    let all = labels.rows.iter().map(keyword).collect();
    Ok(Keywords { all, extra })
}

impl Keyword {
    /// Reads the clip, cuts off what is not heard at its edges, and puts it into a room.
    /// `edges_db`: how far below its loudest it is cut, and the word begins and ends.
    ///
    /// # Errors
    /// Those of the recording, named.
    pub fn clip(&self, edges_db: [f64; 2], room: Option<&[f32]>) -> Result<Clip> {
        self.read(edges_db, room).map_err(|error| error.context(self.path.display()))
    }

    fn read(&self, [cut_db, word_db]: [f64; 2], room: Option<&[f32]>) -> Result<Clip> {
        let samples = read_all(&mut FileSource::open(&self.path)?)?;
        let heard = audible(&samples, cut_db);
        let refused = |what: &str, found: String| {
            Err(Error::new(ErrorKind::Audio, "there is nothing to lay in")
                .expected(what)
                .found(found))
        };
        if heard.is_empty() {
            return refused("sound", "digital silence".to_owned());
        }
        let word = match self.span_s {
            None => audible(&samples, word_db),
            Some((start, end)) => {
                let at = |seconds: f64| (seconds * f64::from(SAMPLE_RATE)).round() as usize;
                if at(start) >= at(end) || at(end) > samples.len() {
                    let length = samples.len() as f64 / f64::from(SAMPLE_RATE);
                    return refused(
                        "a word within the clip",
                        format!("{start} to {end} s of {length} s"),
                    );
                }
                at(start)..at(end)
            }
        };
        // The word stays whole, however faint.
        let kept = heard.start.min(word.start)..heard.end.max(word.end);
        let word = word.start - kept.start..word.end - kept.start;
        let dry = &samples[kept];
        let samples = match room {
            None => dry.to_vec(),
            Some(response) => reverberated(dry, response)?,
        };
        Ok(Clip { samples, word })
    }
}
