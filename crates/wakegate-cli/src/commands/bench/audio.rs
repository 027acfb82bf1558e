//! The audio to measure on.

use std::fs;
use std::path::Path;

use wakegate::audio::read_all;
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::bench::{Word, Workload, labels};
use wakegate_lab::decode::FileSource;

use super::Bench;

/// Columns of a folder's list of words, in this order.
const COLUMNS: [&str; 3] = ["file", "start_s", "end_s"];

/// What the arguments ask for.
pub fn workload(bench: &Bench) -> Result<Workload> {
    match (&bench.input, &bench.data) {
        (Some(file), _) => recording(file, bench.labels.as_deref()),
        (None, Some(folder)) => recordings(folder),
        (None, None) => Ok(Workload::built_in()),
    }
}

fn recording(file: &Path, labelled: Option<&Path>) -> Result<Workload> {
    let words = match labelled {
        Some(path) => labels(&read(path)?).map_err(|error| error.context(path.display()))?,
        None => Vec::new(),
    };
    Workload::new(file.display().to_string(), samples(file)?, words)
}

/// The recordings that `folder`'s words.tsv names, one behind the other.
fn recordings(folder: &Path) -> Result<Workload> {
    let path = folder.join("words.tsv");
    let text = read(&path)?;
    let refused = |line: usize, expected: &str, found: &str| {
        Error::new(ErrorKind::Settings, format!("{}, line {line}", path.display()))
            .expected(expected)
            .found(format!("{found:?}"))
    };
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    if !head.split('\t').eq(COLUMNS) {
        return Err(refused(1, &format!("the columns {}", COLUMNS.join(", ")), head));
    }
    let (mut joined, mut words): (Vec<i16>, Vec<Word>) = (Vec::new(), Vec::new());
    let (mut latest, mut base) = ("", 0);
    for (number, line) in (2..).zip(lines) {
        let (file, times) = line.split_once('\t').unwrap_or((line, ""));
        let word = labels(times).ok().and_then(|words| words.first().copied());
        let word = word.ok_or_else(|| refused(number, "file, start and end", line))?;
        if file != latest {
            base = joined.len() as u64;
            joined.extend(samples(&folder.join(file))?);
            latest = file;
        }
        words.push(Word { start: base + word.start, end: base + word.end });
    }
    Workload::new(folder.display().to_string(), joined, words)
}

fn samples(path: &Path) -> Result<Vec<i16>> {
    let samples = FileSource::open(path).and_then(|mut source| read_all(&mut source));
    let samples = samples.map_err(|error| error.context(path.display()))?;
    let scale = |sample: f32| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
    Ok(samples.into_iter().map(scale).collect())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| Error::io("read", path, &error))
}
