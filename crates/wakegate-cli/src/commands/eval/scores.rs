//! The lines of `wakegate score`, or of another engine in the same form.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;
use wakegate::Result;

use super::join::plain;
use super::lines;
use super::lines::{Line, Standing, refused};

/// What a system made of a set of recordings.
pub struct System {
    /// The model, or the file where no line names one.
    pub name: String,
    /// The wake words of the lines.
    pub words: Vec<String>,
    /// By path or id.
    pub heard: BTreeMap<String, ScoredRecording>,
    /// Recordings that the system could not score, with its reason.
    pub failed: BTreeMap<String, String>,
    /// Lines of other wake words, which are not read.
    pub left_out: usize,
    /// Whether each recording has one line at most: its best activation.
    pub one_each: bool,
    /// Whether recordings without an activation have no line.
    pub silent: bool,
    /// Files beside which lies the journal of a run that has not finished: they are of the run
    /// before it.
    pub older: Vec<PathBuf>,
}

/// What a system made of one recording.
#[derive(Default)]
pub struct ScoredRecording {
    /// Its length in seconds.
    pub audio_s: Option<f64>,
    /// The path, also where recordings are named by their id.
    pub path: Option<String>,
    /// The detections in it.
    pub found: Vec<Found>,
    /// The best of them, by a line about the whole recording.
    best: Option<Found>,
    whole: bool,
    numbers: Vec<u64>,
}

/// Which of an activation's two moments is evaluated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// Its word: accepted where that was decided as said, by p_wake_word.
    Word,
    /// Its verdict: accepted where that is intended, by p_intended.
    #[default]
    Verdict,
}

impl Moment {
    /// The score that is compared with a threshold.
    pub fn score(self) -> &'static str {
        match self {
            Self::Word => "p_wake_word",
            Self::Verdict => "p_intended",
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Verdict => "verdict",
        }
    }

    /// The score of `line`, up to where audio was heard for it, and whether it was accepted.
    fn of(self, line: &Line) -> Result<(Option<f32>, Option<f64>, Option<bool>)> {
        match self {
            Self::Verdict => {
                let accepted = line.verdict.as_ref().map(|verdict| verdict == "intended");
                Ok((line.p_intended, line.decided_s, accepted))
            }
            Self::Word => {
                let decided = line.word_decided_s.ok_or_else(|| {
                    refused().expected("word_decided_s, for --moment word").found("none").hint(
                        "score again with this version; other engines have no moment of a word",
                    )
                })?;
                Ok((line.p_wake_word, decided, Some(decided.is_some())))
            }
        }
    }
}

/// A detection.
pub struct Found {
    /// Where the word ends, in seconds.
    pub end_s: f64,
    /// What had to be heard for the decision.
    pub decided_s: Option<f64>,
    /// The score.
    pub score: f32,
    /// Whether it counts; none where the system decides nothing.
    pub accepted: Option<bool>,
    /// Why.
    pub reason: String,
}

/// Which lines are read.
pub struct Wanted<'a> {
    /// Whether recordings are named by their id.
    pub by_id: bool,
    /// Only lines of this wake word, or without any.
    pub word: Option<&'a str>,
    /// Whether a line may lack a verdict, because a threshold is given.
    pub threshold: bool,
    /// Which moment of an activation counts.
    pub moment: Moment,
}

/// Reads one system's lines from all of `files`.
pub fn read(files: &[PathBuf], wanted: &Wanted<'_>) -> Result<System> {
    let mut reader = Reader {
        wanted,
        system: empty(files),
        models: Vec::new(),
        of_recordings: 0,
        of_activations: 0,
    };
    for file in files {
        if lines::read(file, wanted.by_id, &mut |line| reader.take(line))? == Standing::Older {
            reader.system.older.push(file.clone());
        }
    }
    reader.end()
}

fn empty(files: &[PathBuf]) -> System {
    let name = |file: &Path| {
        file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    };
    System {
        name: files.first().map_or_else(String::new, |file| name(file)),
        words: Vec::new(),
        heard: BTreeMap::new(),
        failed: BTreeMap::new(),
        left_out: 0,
        one_each: false,
        silent: false,
        older: Vec::new(),
    }
}

struct Reader<'a> {
    wanted: &'a Wanted<'a>,
    system: System,
    models: Vec<String>,
    of_recordings: usize,
    of_activations: usize,
}

impl Reader<'_> {
    fn take(&mut self, line: Line) -> Result<()> {
        let key = match (&line.id, &line.path) {
            (Some(Value::String(id)), _) if self.wanted.by_id => id.clone(),
            (Some(Value::Number(id)), _) if self.wanted.by_id => id.to_string(),
            (_, Some(path)) if !self.wanted.by_id => plain(Path::new(path)),
            _ => {
                let expected = if self.wanted.by_id {
                    "an id, as the labels have"
                } else {
                    "a path, as the labels have"
                };
                return Err(refused().expected(expected).found("a line without it"));
            }
        };
        if let Some(word) = line.wake_word.as_ref().filter(|word| !word.is_empty()) {
            if !self.system.words.contains(word) {
                self.system.words.push(word.clone());
            }
            if self.wanted.word.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(word)) {
                self.system.left_out += 1;
                return Ok(());
            }
        }
        if let Some(model) =
            line.model.as_ref().filter(|model| !model.is_empty() && !self.models.contains(model))
        {
            self.models.push(model.clone());
        }
        if let Some(error) = line.error {
            self.system.failed.insert(key, error);
            return Ok(());
        }
        match line.activation {
            None => self.of_recordings += 1,
            Some(_) => self.of_activations += 1,
        }
        self.keep(key, line)
    }

    fn keep(&mut self, key: String, line: Line) -> Result<()> {
        let entry = self.system.heard.entry(key);
        let again = matches!(&entry, Entry::Occupied(entry) if match line.activation {
            None => entry.get().whole,
            Some(Some(number)) => entry.get().numbers.contains(&number),
            Some(None) => false,
        });
        if again {
            return Err(refused()
                .expected("each recording and each activation once")
                .found(format!("{} again", entry.key()))
                .hint(
                    "a run that was started again and appended has them twice; `wakegate score \
                       --output FILE --resume` goes on without",
                ));
        }
        let heard = entry.or_default();
        if let Some(seconds) = line.audio_s {
            if !(0.0..=1e7).contains(&seconds) {
                return Err(refused().expected("a length in audio_s").found(seconds.to_string()));
            }
            heard.audio_s = Some(seconds);
        }
        heard.path = heard.path.take().or_else(|| line.path.clone());
        match line.activation {
            None => heard.whole = true,
            Some(number) => heard.numbers.extend(number),
        }
        // A recording in which nothing was proposed has no end of a word, whatever its scores.
        let Some(end_s) = line.end_s else {
            return match line.activation {
                Some(Some(_)) => {
                    Err(refused().expected("end_s in the line of an activation").found("none"))
                }
                _ => Ok(()),
            };
        };
        let (score, decided_s, accepted) = self.wanted.moment.of(&line)?;
        let score = score.filter(|p| (0.0..=1.0).contains(p)).ok_or_else(|| {
            let found = score.map_or("none".to_owned(), |p| p.to_string());
            refused().expected(format!("{} from 0 to 1", self.wanted.moment.score())).found(found)
        })?;
        let times = [Some(end_s), decided_s];
        if let Some(bad) = times.into_iter().flatten().find(|at| !(0.0..=1e7).contains(at)) {
            return Err(refused()
                .expected("seconds from the recording's start")
                .found(bad.to_string()));
        }
        if accepted.is_none() && !self.wanted.threshold {
            return Err(refused()
                .expected("a verdict")
                .found("none")
                .hint("give the engine's threshold with --threshold or --against-threshold"));
        }
        let reason = line.reason.unwrap_or_default();
        let found = Found { end_s, decided_s, score, accepted, reason };
        match line.activation {
            None => heard.best = Some(found),
            Some(_) => heard.found.push(found),
        }
        Ok(())
    }

    fn end(mut self) -> Result<System> {
        self.system.one_each = self.of_recordings > 0 && self.of_activations == 0;
        self.system.silent = self.of_recordings == 0;
        if let [model] = self.models.as_slice() {
            self.system.name.clone_from(model);
        }
        if self.models.len() > 1 {
            return Err(refused()
                .expected("the lines of one model")
                .found(self.models.join(", "))
                .hint("give the others with --against"));
        }
        for (key, heard) in &mut self.system.heard {
            let best = heard.best.take();
            if self.system.one_each {
                heard.found.extend(best);
            } else if best.is_some() && heard.found.is_empty() {
                // Its best activation has to be one of its activations.
                return Err(refused()
                    .expected(format!("the activations of {key} beside its own line"))
                    .found("none")
                    .hint("score the same recordings with and without --activations"));
            }
        }
        Ok(self.system)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(lines: &str, threshold: bool) -> Result<System> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("engine.jsonl");
        std::fs::write(&file, lines).unwrap();
        let wanted = Wanted { by_id: false, word: None, threshold, moment: Moment::default() };
        read(&[file], &wanted)
    }

    fn refusal(lines: &str) -> String {
        system(lines, false).err().unwrap().to_string()
    }

    const WHOLE: &str = r#"{"path":"a","audio_s":9.0,"verdict":"intended","p_intended":0.9,"end_s":1.0,"error":null}"#;
    const QUIET: &str = r#"{"path":"b","audio_s":9.0,"verdict":"accidental","p_intended":0.1,"end_s":null,"error":null}"#;
    const FIRST: &str =
        r#"{"path":"a","activation":1,"verdict":"unsure","p_intended":0.6,"end_s":5.0}"#;
    const SECOND: &str =
        r#"{"path":"a","activation":2,"verdict":"intended","p_intended":0.9,"end_s":1.0}"#;

    #[test]
    fn lines_of_recordings_and_of_activations_go_together() {
        let found = |lines: &[&str]| {
            let system = system(&lines.join("\n"), false).unwrap();
            let times =
                |heard: &ScoredRecording| heard.found.iter().map(|f| f.end_s).collect::<Vec<_>>();
            (system.heard.values().map(times).collect::<Vec<_>>(), system.one_each, system.silent)
        };
        assert_eq!(found(&[WHOLE, QUIET]), (vec![vec![1.0], vec![]], true, false));
        assert_eq!(found(&[FIRST, SECOND]), (vec![vec![5.0, 1.0]], false, true));
        // The best activation stands in two lines and is one.
        let both = found(&[WHOLE, QUIET, FIRST, SECOND]);
        assert_eq!(both, (vec![vec![5.0, 1.0], vec![]], false, false));
        assert!(
            refusal(&format!("{WHOLE}\n{}", FIRST.replace("\"a\"", "\"c\"")))
                .contains("the activations of a")
        );
    }

    #[test]
    fn what_can_not_be_read_is_refused_with_its_line() {
        assert!(refusal("nonsense").contains("engine.jsonl: the scores are refused"));
        assert!(refusal("nonsense").contains("expected the columns path, p_intended, end_s"));
        assert!(refusal("{nonsense}\n").contains("engine.jsonl: line 1: the scores are refused"));
        assert!(refusal(&format!("{WHOLE}\n{WHOLE}")).contains("line 2"));
        assert!(refusal(&format!("{FIRST}\n{FIRST}")).contains("a again"));
        assert!(refusal(&WHOLE.replace("path", "file")).contains("expected a path"));
        assert!(refusal(&WHOLE.replace("0.9", "1.9")).contains("found 1.9"));
        assert!(refusal(&FIRST.replace("5.0", "null")).contains("end_s"));
        let models = format!(
            "{}\n{}",
            WHOLE.replace("{", r#"{"model":"x","#),
            QUIET.replace("{", r#"{"model":"y","#)
        );
        assert!(refusal(&models).contains("x, y"));
        let newer = WHOLE.replace("{", r#"{"schema":2,"#);
        assert!(refusal(&newer).contains("line 1: the scores are refused: expected schema 1"));
        assert!(refusal("1.0\t2.0\talexa\n").contains("labels as Audacity exports them"));
    }

    #[test]
    fn an_engine_without_verdicts_needs_a_threshold() {
        let line = r#"{"path":"a","activation":1,"p_intended":0.6,"end_s":5.0}"#;
        assert!(refusal(line).contains("--threshold"));
        let system = system(line, true).unwrap();
        assert_eq!((system.heard["a"].found[0].accepted, system.name.as_str()), (None, "engine"));
    }
}
