//! Many recordings at a time, their scores in order.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use pyo3::prelude::*;
use wakegate::audio::Samples;
use wakegate::model::Manifest;
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::corpus::{About, Recording, Settings};
use wakegate_lab::scoring::ordered_parallel;
use wakegate_lab::scoring::ordered_parallel::{Bounds, Give};
use wakegate_lab::scoring::{Record, Scored, Scorer, trigger_sample};

use crate::error::{Failure, Outcome};
use crate::pool::Pool;
use crate::results;

/// Scores that may wait for the one who asks for them.
const WAITING: usize = 64;
/// How often a wait looks for Ctrl-C.
const LOOK: Duration = Duration::from_millis(100);

/// What there is to score.
pub enum Audio {
    Recording(Result<Recording>),
    Samples(Result<Box<Samples>>),
}

impl Audio {
    /// Bytes that it holds, where `Recording` knows.
    pub fn held(&self) -> u64 {
        match self {
            Self::Recording(Ok(recording)) => recording.held(),
            _ => 0,
        }
    }

    /// Scores it; its trigger is that of `about`.
    pub fn score(self, scorer: &mut Scorer, about: &About, settings: &Settings) -> Result<Scored> {
        match self {
            Self::Recording(recording) => scorer.score_recording(about, recording, settings, None),
            Self::Samples(samples) => {
                let trigger = about.trigger_s.map(trigger_sample).transpose()?;
                scorer.score(samples?.as_mut(), trigger)
            }
        }
    }
}

/// The record of a recording, and those of its activations.
pub type Records = (Record, Vec<Record>);

/// What is said about a recording.
pub fn records(manifest: &Manifest, about: &About, result: &Result<Scored>) -> Records {
    match result {
        Err(error) => (Record::of_error(&about.path, manifest, error, false), Vec::new()),
        Ok(scored) => {
            let activations = (1..).zip(&scored.activations).map(|(number, activation)| {
                let length = Some(scored.samples);
                Record::of_activation(&about.path, manifest, number, activation, length).of(scored)
            });
            (Record::of_recording(&about.path, manifest, scored), activations.collect())
        }
    }
}

/// How a batch is scored.
pub struct Batch {
    pub pool: Pool,
    pub settings: Settings,
    /// Whether its recordings have ids, labels and groups.
    pub names: bool,
    pub threads: usize,
}

impl Batch {
    /// Begins; `feed` gives the recordings, and may leave Python's error behind.
    pub fn start<F>(self, feed: F) -> Result<Scores>
    where
        F: FnOnce(&mut Give<'_, About, Audio>) -> PyResult<()> + Send + 'static,
    {
        let (give, scores) = bounded(WAITING);
        let failure = Arc::new(Mutex::new(None));
        let fail = {
            let failure = Arc::clone(&failure);
            move |problem: Failure| {
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
            }
        };
        let work = move || {
            let Self { pool, settings, names, threads } = self;
            let carried = settings.columns.carried();
            let result = ordered_parallel::in_order(
                Bounds { threads, held: settings.member_limit },
                |give| feed(give).unwrap_or_else(|error| fail(error.into())),
                || pool.lease(),
                |lease, about: &About, audio: Audio| {
                    lease.run(|scorer| audio.score(scorer, about, &settings))
                },
                |about, result| {
                    let (record, activations) = records(pool.model().manifest(), &about, &result);
                    let record = record.about(&about, names, carried);
                    Ok(give.send(Box::new((record, activations))).is_ok())
                },
            );
            if let Err(error) = result {
                fail(error.into());
            }
        };
        let thread = std::thread::Builder::new().name("wakegate".to_owned()).spawn(work);
        thread.map_err(|error| {
            Error::new(ErrorKind::Runtime, "cannot start a thread").found(error.to_string())
        })?;
        Ok(Scores { scores, failure })
    }
}

/// The scores of a batch, in the order of its recordings; scoring goes on in the background and
/// waits where nobody asks.
#[pyclass(frozen, module = "wakegate")]
pub struct Scores {
    scores: Receiver<Box<Records>>,
    /// Why there are no more.
    failure: Arc<Mutex<Option<Failure>>>,
}

#[pymethods]
impl Scores {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    /// The next recording's Score.
    pub fn __next__<'py>(&self, py: Python<'py>) -> Outcome<Option<Bound<'py, PyAny>>> {
        loop {
            match py.detach(|| self.scores.recv_timeout(LOOK)) {
                Ok(records) => {
                    let (record, activations) = *records;
                    return Ok(Some(results::score(py, &record, &activations)?));
                }
                Err(RecvTimeoutError::Timeout) => py.check_signals()?,
                Err(RecvTimeoutError::Disconnected) => {
                    let failure =
                        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
                    return failure.map_or(Ok(None), Err);
                }
            }
        }
    }
}
