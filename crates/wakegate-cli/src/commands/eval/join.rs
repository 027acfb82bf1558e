//! Labels and scores of the same recordings, brought together. Nothing is left out in silence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use wakegate::audio::samples_in;
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::eval::event::Detection;
use wakegate_lab::eval::matching::{Recording, Span, WHOLE};
use wakegate_lab::eval::outcomes::RecordingPlace;

use super::labels::{Labels, Row};
use super::scores::{ScoredRecording, System};

/// Names that an error lists.
const LISTED: usize = 3;
/// What a group is called whose labels have nothing in the column.
const NOTHING: &str = "(nothing)";
/// And a recording whose labels differ.
const SEVERAL: &str = "(several)";

/// The recordings that every system scored.
pub struct Joined {
    /// The wake word.
    pub word: String,
    /// For each system, the same recordings with the same labels.
    pub systems: Vec<Vec<Recording>>,
    /// The path, or id, of each recording.
    pub names: Vec<String>,
    /// Where each recording's audio is, as far as the scores tell.
    pub paths: Vec<PathBuf>,
    /// Recordings left out because a system could not score them, with its reason.
    pub failed: Vec<(String, String)>,
    /// Recordings without a line, taken to be without an activation.
    pub silent: usize,
    /// Labels of other words, each with how many there are: they are negatives.
    pub others: BTreeMap<String, usize>,
    /// How many speakers the labels name.
    pub speakers: usize,
}

/// The labels of one recording.
struct Labelled<'a> {
    /// Its name in the scores.
    key: String,
    rows: Vec<usize>,
    labels: &'a Labels,
}

impl Labelled<'_> {
    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().map(|&row| &self.labels.rows[row])
    }

    fn audio_s(&self) -> Option<f64> {
        self.rows().find_map(|row| row.audio_s)
    }

    /// How long the recording is; its labels lie within it.
    fn length_s(&self, heard: &[&ScoredRecording]) -> Result<f64> {
        let length = self.audio_s().or_else(|| heard.iter().find_map(|found| found.audio_s));
        let Some(length) = length else {
            return Err(refused("false accepts an hour need hours")
                .expected(format!("the length of {}", self.key))
                .found("none")
                .hint("give it in audio_s, in the scores or the labels"));
        };
        match self.rows().filter_map(|row| row.span_s).find(|(start, _)| *start >= length) {
            None => Ok(length),
            Some((start, _)) => Err(refused("a label lies outside of its recording")
                .expected(format!("seconds in {}, which has {length}", self.key))
                .found(format!("a start at {start}"))),
        }
    }
}

/// Brings them together. The time of a recording that is no single speaker's is drawn in blocks
/// of `block` samples.
pub fn join(labels: &Labels, systems: &[System], word: &str, block: u64) -> Result<Joined> {
    let known = systems.iter().flat_map(|s| s.heard.keys().chain(s.failed.keys()));
    let recordings = by_recording(labels, &known.map(String::as_str).collect())?;
    for system in systems {
        check_labelled(system, &recordings)?;
    }
    let mut joined = Joined {
        word: word.to_owned(),
        systems: systems.iter().map(|_| Vec::new()).collect(),
        names: Vec::new(),
        paths: Vec::new(),
        failed: Vec::new(),
        silent: 0,
        others: BTreeMap::new(),
        speakers: 0,
    };
    let mut units = BootstrapNumbers::new(labels, block);
    let (mut missing, nothing) = (Vec::new(), ScoredRecording::default());
    for labelled in &recordings {
        let key = &labelled.key;
        if let Some(reason) = systems.iter().find_map(|system| system.failed.get(key)) {
            joined.failed.push((key.clone(), reason.clone()));
            continue;
        }
        let mut heard = Vec::new();
        for system in systems {
            match system.heard.get(key) {
                Some(found) => heard.push(found),
                // Such scores have lines of activations alone: the labels vouch for the rest.
                None if system.silent && labelled.audio_s().is_some() => heard.push(&nothing),
                None => missing.push((key.clone(), system.name.clone(), system.silent)),
            }
        }
        if heard.len() < systems.len() {
            continue;
        }
        joined.silent += usize::from(heard.iter().any(|found| std::ptr::eq(*found, &nothing)));
        joined.add(labelled, &heard, &mut units)?;
    }
    if let Some((_, system, silent)) = missing.first() {
        let keys: Vec<&str> = missing.iter().map(|(key, _, _)| key.as_str()).collect();
        let hint = if *silent {
            "a recording without an activation has no line in these scores: give its length in a \
             column audio_s, or add the scores without --activations with another --scores"
        } else {
            "score these recordings too, or take them out of the labels"
        };
        return Err(refused("labels have no scores")
            .expected(format!("each labelled recording in the scores of {system}"))
            .found(format!("{} without: {}", missing.len(), listed(&keys)))
            .hint(hint));
    }
    joined.check_targets(labels)?;
    joined.speakers = units.speakers.len();
    Ok(joined)
}

fn refused(what: &str) -> Error {
    Error::new(ErrorKind::Settings, what)
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    if names.len() > LISTED { format!("{shown} and {} more", names.len() - LISTED) } else { shown }
}

/// The labels by recording, in the order in which they come; `known` are those of the scores.
fn by_recording<'a>(labels: &'a Labels, known: &BTreeSet<&str>) -> Result<Vec<Labelled<'a>>> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut recordings: Vec<Labelled<'a>> = Vec::new();
    for (index, row) in labels.rows.iter().enumerate() {
        let key = resolve(row, labels, known)?;
        let place = *places.entry(key.clone()).or_insert_with(|| {
            recordings.push(Labelled { key, rows: Vec::new(), labels });
            recordings.len() - 1
        });
        recordings[place].rows.push(index);
    }
    Ok(recordings)
}

/// A label's path as the scores have it: as it stands, else from the labels' folder. Where it
/// has no ending, that of any ending.
fn resolve(row: &Row, labels: &Labels, known: &BTreeSet<&str>) -> Result<String> {
    let key = &row.key;
    if labels.by_id {
        return Ok(key.clone());
    }
    let beside = row.folder(&labels.files).join(key);
    let absolute = std::path::absolute(&beside).ok();
    let forms = [Some(PathBuf::from(key)), Some(beside), absolute];
    let forms: Vec<String> = forms.iter().flatten().map(|path| plain(path)).collect();
    if !row.is_stem {
        let found = forms.into_iter().find(|form| known.contains(form.as_str()));
        return Ok(found.unwrap_or_else(|| key.clone()));
    }
    let called = |name: &dyn Fn(&str) -> Option<String>, wanted: &[String]| -> Vec<&str> {
        let is = |key: &&str| name(key).is_some_and(|name| wanted.contains(&name));
        known.iter().copied().filter(is).collect()
    };
    let path = |key: &str| Some(plain(&Path::new(key).with_extension("")));
    let stem = |key: &str| Some(Path::new(key).file_stem()?.to_string_lossy().into_owned());
    // Beside the labels, or anywhere where no other is called so.
    let near = called(&path, &forms[1..]);
    let found = if near.is_empty() { called(&stem, std::slice::from_ref(key)) } else { near };
    match found.as_slice() {
        [] => Ok(key.clone()),
        [one] => Ok((*one).to_owned()),
        several => Err(refused("labels could be of several recordings")
            .expected(format!("one in the scores that is called {key}, with any ending"))
            .found(listed(several))
            .hint("Audacity's labels don't say whose they are: give them in a table with path")),
    }
}

/// A path without the components that say nothing, as text.
pub fn plain(path: &Path) -> String {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.collect::<PathBuf>().to_string_lossy().into_owned()
}

fn check_labelled(system: &System, recordings: &[Labelled<'_>]) -> Result<()> {
    let labelled: BTreeSet<&str> = recordings.iter().map(|r| r.key.as_str()).collect();
    let scored = system.heard.keys().chain(system.failed.keys()).map(String::as_str);
    let without: Vec<&str> = scored.filter(|key| !labelled.contains(key)).collect();
    if without.is_empty() {
        return Ok(());
    }
    let paths: Vec<&str> = labelled.into_iter().collect();
    Err(refused("scores have no labels")
        .expected(format!(
            "each recording in the scores of {} in the labels ({})",
            system.name,
            listed(&paths)
        ))
        .found(format!("{} without: {}", without.len(), listed(&without)))
        .hint("label them, with nothing in label where there is no wake word, or take them out"))
}

/// What the bootstrap draws, by number: speakers, and recordings or blocks of time without one.
struct BootstrapNumbers {
    speakers: BTreeMap<String, usize>,
    /// Whether speakers are drawn: nothing can be said of others by one alone.
    by_speaker: bool,
    block: u64,
    count: usize,
}

impl BootstrapNumbers {
    fn new(labels: &Labels, block: u64) -> Self {
        let names: BTreeSet<&str> =
            labels.rows.iter().filter_map(|row| row.speaker.as_deref()).collect();
        Self { speakers: BTreeMap::new(), by_speaker: names.len() > 1, block, count: 0 }
    }

    fn fresh(&mut self, count: usize) -> usize {
        self.count += count;
        self.count - count
    }

    /// The unit of whoever is called `name`; none where speakers are not drawn.
    fn speaker(&mut self, name: &str) -> Option<usize> {
        if let Some(&unit) = self.speakers.get(name) {
            return self.by_speaker.then_some(unit);
        }
        let unit = if self.by_speaker { self.fresh(1) } else { 0 };
        self.speakers.insert(name.to_owned(), unit);
        self.by_speaker.then_some(unit)
    }

    /// `recording` with its units: those of its only speaker, or its own.
    fn place(&mut self, mut recording: Recording, speaker: Option<usize>) -> Recording {
        if let Some(unit) = speaker {
            recording.unit = unit;
            return recording;
        }
        let mut cut = recording.in_blocks(self.block);
        cut.unit = self.fresh(cut.units().len());
        cut
    }
}

impl Joined {
    fn add(
        &mut self,
        labelled: &Labelled<'_>,
        heard: &[&ScoredRecording],
        units: &mut BootstrapNumbers,
    ) -> Result<()> {
        let length = samples_in(labelled.length_s(heard)?);
        let speakers: BTreeSet<&str> =
            labelled.rows().filter_map(|row| row.speaker.as_deref()).collect();
        let of_speaker: Vec<Option<usize>> =
            speakers.iter().map(|speaker| units.speaker(speaker)).collect();
        // What nobody says, or several do, belongs to the recording.
        let only = match of_speaker.as_slice() {
            [speaker] => *speaker,
            _ => None,
        };
        let empty = Recording::new(Some(length), 0, Vec::new(), Vec::new());
        let whole = units.place(empty, only);
        let spans: Vec<Span> =
            labelled.rows.iter().map(|&row| self.span(labelled, row, &whole, units)).collect();
        for (system, heard) in self.systems.iter_mut().zip(heard) {
            let detections = heard.found.iter().map(|found| Detection {
                time: samples_in(found.end_s),
                decided: found.decided_s.map(samples_in),
                score: found.score,
                accepted: found.accepted.unwrap_or(false),
                reason: found.reason.clone(),
            });
            let recording =
                Recording::new(Some(length), whole.unit, spans.clone(), detections.collect());
            system.push(if whole.is_cut() { recording.in_blocks(units.block) } else { recording });
        }
        let path = heard.iter().find_map(|found| found.path.clone());
        self.paths.push(PathBuf::from(path.unwrap_or_else(|| labelled.key.clone())));
        self.names.push(labelled.key.clone());
        Ok(())
    }

    fn span(
        &mut self,
        labelled: &Labelled<'_>,
        row: usize,
        recording: &Recording,
        units: &mut BootstrapNumbers,
    ) -> Span {
        let label = &labelled.labels.rows[row];
        let wanted = label.label.eq_ignore_ascii_case(&self.word);
        if !wanted && !label.label.is_empty() {
            *self.others.entry(label.label.clone()).or_default() += 1;
        }
        let (start, end) =
            label.span_s.map_or((0, WHOLE), |(start, end)| (samples_in(start), samples_in(end)));
        let speaker = label.speaker.as_deref().and_then(|speaker| units.speaker(speaker));
        let unit = speaker.unwrap_or_else(|| recording.unit_at(start));
        Span { start, end, wanted, unit, row }
    }

    fn check_targets(&self, labels: &Labels) -> Result<()> {
        let wanted = labels.rows.iter().any(|row| row.label.eq_ignore_ascii_case(&self.word));
        if wanted || self.others.is_empty() {
            return Ok(());
        }
        let others: Vec<&str> = self.others.keys().map(String::as_str).collect();
        Err(refused("no label is the wake word")
            .expected(format!("{:?} in label, or nothing in any", self.word))
            .found(listed(&others))
            .hint("name the word with --word"))
    }

    /// The group of a place by a column: the label's own value, or that of all of the
    /// recording's labels.
    pub fn group(&self, labels: &Labels, column: &str, place: RecordingPlace) -> String {
        let spans = self.systems[0][place.recording].spans();
        let value = |span: &Span| labels.rows[span.row].value(column).trim();
        let value = match place.span {
            Some(span) => value(&spans[span]),
            None => {
                let values: BTreeSet<&str> = spans.iter().map(value).collect();
                match values.into_iter().collect::<Vec<_>>().as_slice() {
                    [one] => one,
                    _ => SEVERAL,
                }
            }
        };
        if value.is_empty() { NOTHING.to_owned() } else { value.to_owned() }
    }
}
