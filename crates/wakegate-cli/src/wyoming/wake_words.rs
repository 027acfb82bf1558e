//! The wake words that are served: their names, and pipelines that are ready for the next stream.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use wakegate::model::{Manifest, Model};
use wakegate::pipeline::{Pipeline, SharedVerifier};
use wakegate::{Error, ErrorKind, Result};

/// The wake words that are served.
pub(super) struct WakeWords {
    words: Vec<Word>,
    spotter: bool,
    /// Most pipelines of one word that wait for their next stream: as many as may be in use at
    /// a time, so that clients who come and go leave the memory as it is.
    most_waiting: usize,
    /// Other names, normalised, and what they stand for.
    aliases: BTreeMap<String, usize>,
}

struct Word {
    key: String,
    model: Model,
    /// The one that all streams use in turn: a stream of its own has only what it must.
    verifier: Mutex<SharedVerifier>,
    waiting: Mutex<Vec<Lease>>,
}

impl Word {
    fn new(index: usize, key: String, model: Model, spotter: bool) -> Result<Self> {
        let verifier = Mutex::new(SharedVerifier::load(&model)?);
        let word = Self { key, model, verifier, waiting: Mutex::default() };
        // Whatever is wrong with the model is known now, and the first stream need not wait.
        let first = word.load(index, spotter)?;
        lock(&word.waiting).push(first);
        Ok(word)
    }

    fn load(&self, index: usize, spotter: bool) -> Result<Lease> {
        let verifier = {
            let mut verifier = lock(&self.verifier);
            if !verifier.is_sound() {
                *verifier = SharedVerifier::load(&self.model)?;
            }
            verifier.clone()
        };
        let pipeline = Pipeline::with_verifier(&self.model, &verifier, spotter)?;
        Ok(Lease { word: index, pipeline, verifier })
    }
}

impl WakeWords {
    /// The wake words of `models`; `aliases` are other names for them. Without `spotter`,
    /// pipelines judge what somebody else proposes.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for no word, two of the same name or an alias for none;
    /// otherwise what loading the models' networks gives.
    pub(super) fn new(
        models: Vec<Model>,
        spotter: bool,
        most_waiting: usize,
        aliases: &BTreeMap<String, String>,
    ) -> Result<Self> {
        if models.is_empty() {
            return Err(Error::new(ErrorKind::Settings, "there is no wake word to serve")
                .expected("at least one model"));
        }
        let mut words = Self { words: Vec::new(), spotter, most_waiting, aliases: BTreeMap::new() };
        for model in models {
            let name = model.manifest().wake_word.clone();
            if words.find(&name).is_some() {
                return Err(Error::new(ErrorKind::Settings, "two models have one wake word")
                    .expected("a wake word for each model")
                    .found(format!("{name:?} twice"))
                    .hint("leave one of the two models out"));
            }
            let index = words.words.len();
            words.words.push(Word::new(index, normalised(&name), model, spotter)?);
        }
        for (alias, name) in aliases {
            let index = words.find(name).ok_or_else(|| {
                Error::new(
                    ErrorKind::Settings,
                    format!("wyoming.upstream_names.{alias} is refused"),
                )
                .expected(format!("one of {}", words.names().join(", ")))
                .found(format!("{name:?}"))
            })?;
            words.aliases.insert(normalised(alias), index);
        }
        Ok(words)
    }

    /// Number of wake words.
    pub(super) fn count(&self) -> usize {
        self.words.len()
    }

    /// The names by which they are offered.
    pub(super) fn names(&self) -> Vec<&str> {
        self.words.iter().map(|word| word.model.manifest().wake_word.as_str()).collect()
    }

    /// Which word `name` means: case, `_` and `-`, a version at its end and a model file's folder
    /// and ending don't matter.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let key = normalised(name);
        self.aliases
            .get(&key)
            .copied()
            .or_else(|| self.words.iter().position(|word| word.key == key))
    }

    /// What the model of word `index` says about itself.
    pub(super) fn manifest(&self, index: usize) -> &Manifest {
        self.words[index].model.manifest()
    }

    /// A pipeline for word `index` at the start of a stream: one that waits, or a new one.
    ///
    /// # Errors
    /// As [`Pipeline::new`].
    pub(super) fn lease(&self, index: usize) -> Result<Lease> {
        let word = &self.words[index];
        let mut waiting = lock(&word.waiting);
        // A fault in the verifier spoils all that rest on it.
        waiting.retain(|lease| lease.verifier.is_sound());
        match waiting.pop() {
            Some(lease) => Ok(lease),
            None => {
                drop(waiting);
                word.load(index, self.spotter)
            }
        }
    }

    /// Takes a pipeline back: it forgets what it heard, and waits for the next stream.
    pub(super) fn give_back(&self, mut lease: Lease) {
        if !lease.verifier.is_sound() || lease.pipeline.reset().is_err() {
            return;
        }
        let mut waiting = lock(&self.words[lease.word].waiting);
        if waiting.len() < self.most_waiting {
            waiting.push(lease);
        }
    }
}

/// `name` in the one form in which names are compared.
fn normalised(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = [".tflite", ".onnx"].iter().find_map(|end| file.strip_suffix(end)).unwrap_or(file);
    let spaced = stem.to_lowercase().replace(['_', '-'], " ");
    let spaced = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_version = |text: &str| {
        text.chars().next().is_some_and(|c| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || c == '.')
    };
    match spaced.rsplit_once(" v") {
        Some((rest, version)) if is_version(version) => rest.to_owned(),
        _ => spaced,
    }
}

/// A pipeline on loan, and which word it listens for.
pub(super) struct Lease {
    pub(super) word: usize,
    pub(super) pipeline: Pipeline,
    /// The verifier that it rests on.
    verifier: SharedVerifier,
}

/// The lock, whatever happened to a thread that held it: what it guards is whole at every moment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> WakeWords {
        let aliases = BTreeMap::from([("Computer_v7".to_owned(), "alexa".to_owned())]);
        WakeWords::new(vec![Model::embedded().unwrap()], true, 3, &aliases).unwrap()
    }

    #[test]
    fn the_same_word_goes_by_many_names() {
        let words = words();
        for name in [
            "alexa",
            "Alexa",
            "ALEXA_v0.1",
            "alexa-v2",
            "alexa v1.0.3",
            "/models/alexa_v0.1.tflite",
            "alexa.onnx",
            "computer",
            "computer_v7.tflite",
        ] {
            assert_eq!(words.find(name), Some(0), "{name}");
        }
        for name in ["alex", "", "alexa_vx", "alexa v", "hey alexa", "v1", "alexa1"] {
            assert_eq!(words.find(name), None, "{name}");
        }
    }

    #[test]
    fn a_pipeline_comes_back_as_new() {
        let words = words();
        let mut lease = words.lease(0).unwrap();
        lease.pipeline.push(&[0.1; 5_000], &mut |_| {}).unwrap();
        assert_eq!((lease.pipeline.samples(), lease.word), (5_000, 0));
        words.give_back(lease);
        assert_eq!(lock(&words.words[0].waiting).len(), 1);
        let many: Vec<_> = (0..4).map(|_| words.lease(0).unwrap()).collect();
        assert!(many.iter().all(|lease| lease.pipeline.samples() == 0));
        many.into_iter().for_each(|lease| words.give_back(lease));
        assert_eq!(lock(&words.words[0].waiting).len(), 3);
    }

    #[test]
    fn a_verifier_that_had_a_fault_is_loaded_anew() {
        let words = words();
        let old = words.lease(0).unwrap();
        lock(&words.words[0].verifier).spoil();
        let mut lease = words.lease(0).unwrap();
        assert!(lock(&words.words[0].verifier).is_sound());
        lease.pipeline.judge_at(0).unwrap();
        let mut found = 0;
        lease.pipeline.push(&[0.0; 32_000], &mut |_| found += 1).unwrap();
        assert_eq!(found, 1);
        words.give_back(old);
        assert_eq!(lock(&words.words[0].waiting).len(), 0, "what rests on the old one is dropped");
    }

    #[test]
    fn no_word_one_word_twice_and_an_alias_for_none_are_refused() {
        let model = || Model::embedded().unwrap();
        let none = BTreeMap::new();
        for (models, aliases, message) in [
            (vec![], none.clone(), "there is no wake word to serve"),
            (vec![model(), model()], none, "two models have one wake word"),
            (
                vec![model()],
                BTreeMap::from([("x".to_owned(), "y".to_owned())]),
                "wyoming.upstream_names.x is refused: expected one of alexa, found \"y\"",
            ),
        ] {
            let error = WakeWords::new(models, true, 3, &aliases).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Settings);
            assert!(error.to_string().starts_with(message), "{error}");
        }
    }
}
