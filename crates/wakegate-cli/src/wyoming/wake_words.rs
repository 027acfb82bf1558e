//! The wake words that are served: their names, and pipelines that are ready for the next stream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::names::Names;
use wakegate::Result;
use wakegate::model::{Manifest, Model};
use wakegate::pipeline::{Numbers, Pipeline, SharedVerifier};
use wakegate::review::Feed;
use wakegate::stream::{Stream, WakeWord};

/// Unknown names that are told in the log; a client may send any number of them.
const MOST_TOLD: usize = 64;
/// Longest part of a name that is told.
const MOST_SHOWN: usize = 40;

/// A wake word that a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    /// Which word it is.
    pub(super) word: usize,
    /// What the client calls it: a client passes over detections by any other name. None where
    /// it named none.
    pub(super) name: Option<String>,
}

/// The wake words that are served.
pub(super) struct WakeWords {
    words: Vec<Word>,
    names: Names,
    spotter: bool,
    /// Most pipelines of one word that wait for their next stream: as many as may be in use at
    /// a time, so that clients who come and go leave the memory as it is.
    most_waiting: usize,
    /// Unknown names that the log has.
    told: Mutex<BTreeSet<String>>,
    numbers: Numbers,
}

struct Word {
    model: Model,
    /// The one that all streams use in turn: a stream of its own has only what it must.
    verifier: Mutex<SharedVerifier>,
    waiting: Mutex<Vec<Lease>>,
}

impl Word {
    fn new(index: usize, model: Model, spotter: bool) -> Result<Self> {
        let verifier = Mutex::new(SharedVerifier::load(&model)?);
        let word = Self { model, verifier, waiting: Mutex::default() };
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
    /// [`ErrorKind::Settings`](wakegate::ErrorKind::Settings) for no word, two of the same name or an alias for none;
    /// otherwise what loading the models' networks gives.
    pub(super) fn new(
        models: Vec<Model>,
        spotter: bool,
        most_waiting: usize,
        aliases: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let names = Names::new(&models, aliases)?;
        let load = |(index, model)| Word::new(index, model, spotter);
        let words = models.into_iter().enumerate().map(load).collect::<Result<_>>()?;
        let (told, numbers) = (Mutex::default(), Numbers::default());
        Ok(Self { words, names, spotter, most_waiting, told, numbers })
    }

    /// The same words, their activations numbered by `numbers`.
    pub(super) fn numbered_by(mut self, numbers: Numbers) -> Self {
        self.numbers = numbers;
        self
    }

    /// Number of wake words.
    pub(super) fn count(&self) -> usize {
        self.words.len()
    }

    /// The names by which they are offered.
    pub(super) fn names(&self) -> Vec<&str> {
        self.words.iter().map(|word| word.model.manifest().wake_word.as_str()).collect()
    }

    /// All words, for a client that named none.
    pub(super) fn all(&self) -> Vec<Chosen> {
        (0..self.words.len()).map(|word| Chosen { word, name: None }).collect()
    }

    /// Which word `name` means.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.names.find(name)
    }

    /// Says in the log that nobody serves `name`, once for each name.
    pub(super) fn tell_unknown(&self, name: &str) {
        let plain = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.');
        let shown: String = name.chars().filter(plain).take(MOST_SHOWN).collect();
        let mut told = lock(&self.told);
        if told.len() < MOST_TOLD && told.insert(shown.clone()) {
            let served = self.names().join(", ");
            tracing::warn!(
                asked = shown,
                served,
                "a client asks for a wake word that is not served"
            );
        }
    }

    /// What the model of word `index` says about itself.
    pub(super) fn manifest(&self, index: usize) -> &Manifest {
        self.words[index].model.manifest()
    }

    /// A pipeline for word `index` at the start of a stream: one that waits, or a new one.
    ///
    /// # Errors
    /// As [`Pipeline::new`].
    fn lease(&self, index: usize) -> Result<Lease> {
        let word = &self.words[index];
        let mut waiting = lock(&word.waiting);
        // A fault in the verifier spoils all that rest on it.
        waiting.retain(|lease| lease.verifier.is_sound());
        let found = waiting.pop();
        drop(waiting);
        let mut lease = found.map_or_else(|| word.load(index, self.spotter), Ok)?;
        lease.pipeline = lease.pipeline.numbered_by(&self.numbers);
        Ok(lease)
    }

    /// A stream that is judged for `chosen`, in that order; its audio is kept for `feed`.
    ///
    /// # Errors
    /// As [`lease`](Self::lease).
    pub(super) fn stream(
        &self,
        chosen: &[Chosen],
        feed: Option<Feed>,
    ) -> Result<Stream<Feed, Lease>> {
        let mut words = Vec::with_capacity(chosen.len());
        for Chosen { word, .. } in chosen {
            let manifest = self.manifest(*word);
            words.push(WakeWord::new(&manifest.wake_word, &manifest.id(), self.lease(*word)?));
        }
        let mut stream = Stream::new(words);
        stream.keep(feed);
        Ok(stream)
    }

    /// Takes a stream's pipelines back.
    pub(super) fn end(&self, stream: Stream<Feed, Lease>) {
        stream.into_words().into_iter().for_each(|word| self.give_back(word.judge));
    }

    /// Takes a pipeline back: it forgets what it heard, and waits for the next stream.
    fn give_back(&self, mut lease: Lease) {
        if !lease.verifier.is_sound() || lease.pipeline.reset().is_err() {
            return;
        }
        let mut waiting = lock(&self.words[lease.word].waiting);
        if waiting.len() < self.most_waiting {
            waiting.push(lease);
        }
    }
}

/// A pipeline on loan, and which word it listens for.
pub(super) struct Lease {
    pub(super) word: usize,
    pub(super) pipeline: Pipeline,
    /// The verifier that it rests on.
    verifier: SharedVerifier,
}

impl AsMut<Pipeline> for Lease {
    fn as_mut(&mut self) -> &mut Pipeline {
        &mut self.pipeline
    }
}

impl AsRef<Pipeline> for Lease {
    fn as_ref(&self) -> &Pipeline {
        &self.pipeline
    }
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
}
