//! A stream, judged as it comes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use wakegate::audio::{Converter, seconds};
use wakegate::model::{Manifest, Model};
use wakegate::pipeline::{Decision, WordDecision};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::scoring::Record;
use zeroize::Zeroizing;

use crate::error::Outcome;
use crate::results;
use crate::samples::Block;

/// A stream of samples, judged as it comes; `Gate.listener` makes one.
///
/// Its activations are those of `wakegate listen`, bit for bit, whatever the chunks' sizes. A
/// verdict comes at most about 1 s of audio after its word. Threads may share a listener; their
/// chunks then come in the order of the calls.
#[pyclass(frozen, module = "wakegate")]
pub struct Listener {
    rate: u32,
    channels: usize,
    heard: Mutex<State>,
}

struct State {
    path: String,
    manifest: Manifest,
    converter: Converter,
    stream: wakegate::stream::Stream,
    ready: Zeroizing<Vec<f32>>,
    /// Words that the latest samples decided.
    words: Vec<WordDecision>,
    /// Why nothing more is taken.
    stopped: Option<Error>,
}

impl Listener {
    pub fn new(model: &Model, rate: u32, channels: usize, path: String) -> Result<Self> {
        let heard = State {
            path,
            manifest: model.manifest().clone(),
            converter: Converter::new(rate, channels)?,
            stream: wakegate::stream::Stream::of(model)?,
            ready: Zeroizing::default(),
            words: Vec::new(),
            stopped: None,
        };
        Ok(Self { rate, channels, heard: Mutex::new(heard) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Listener {
    /// Takes the next samples and returns the activations that they decide.
    ///
    /// Args:
    ///     chunk: float32 (full scale at 1) or int16, shape [n] or [n, channels], n from 0 on, at
    ///         the listener's rate.
    ///
    /// Returns:
    ///     list[Activation]: often empty; audio_s is None.
    ///
    /// Raises:
    ///     SettingsError: for an array of another form.
    ///     AudioError: for a sample that is not finite, and after `finish`.
    ///     Error: from the networks. After an error nothing more is taken until `reset`;
    ///         activations that were decided before it are returned first.
    fn push<'py>(
        &self,
        py: Python<'py>,
        chunk: &Bound<'py, PyAny>,
    ) -> Outcome<Vec<Bound<'py, PyAny>>> {
        let block = Block::of(chunk)?;
        if block.channels != self.channels {
            return Err(Error::new(ErrorKind::Settings, "cannot use this chunk")
                .expected(format!("{} channels", self.channels))
                .found(block.channels.to_string())
                .into());
        }
        let records = py.detach(|| self.lock().push(&block.samples))?;
        records.iter().map(|record| Ok(results::activation(py, record)?)).collect()
    }

    /// Ends the stream and returns what was still undecided, with silence instead of the samples
    /// that did not come.
    ///
    /// Returns:
    ///     list[Activation]: those that `push` has not returned.
    ///
    /// Raises:
    ///     AudioError: where the stream has ended already.
    ///     Error: as for `push`.
    fn finish<'py>(&self, py: Python<'py>) -> Outcome<Vec<Bound<'py, PyAny>>> {
        let records = py.detach(|| self.lock().finish())?;
        records.iter().map(|record| Ok(results::activation(py, record)?)).collect()
    }

    /// Forgets the stream: the next sample is the first of a new one.
    fn reset(&self, py: Python<'_>) -> Outcome<()> {
        Ok(py.detach(|| self.lock().reset())?)
    }

    /// The words that the latest `push` or `finish` decided, some tenths of a second after their
    /// ends: the Activation of the same number follows, with its verdict.
    #[getter]
    fn words<'py>(&self, py: Python<'py>) -> Outcome<Vec<Bound<'py, PyAny>>> {
        let (path, manifest, words) = py.detach(|| {
            let heard = self.lock();
            (heard.path.clone(), heard.manifest.clone(), heard.words.clone())
        });
        words.iter().map(|word| Ok(results::word(py, &path, &manifest, word)?)).collect()
    }

    /// Samples a second of the chunks, in Hz.
    #[getter]
    fn rate(&self) -> u32 {
        self.rate
    }

    /// Channels of the chunks.
    #[getter]
    fn channels(&self) -> usize {
        self.channels
    }

    /// Seconds of audio judged since the start; less than was pushed where a conversion to
    /// 16 kHz still holds some.
    #[getter]
    fn heard_s(&self, py: Python<'_>) -> f64 {
        py.detach(|| seconds(self.lock().stream.position()))
    }

    fn __repr__(&self) -> String {
        format!("Listener(rate={}, channels={})", self.rate, self.channels)
    }
}

impl State {
    fn push(&mut self, samples: &[f32]) -> Result<Vec<Record>> {
        self.step(|heard, found| {
            heard.converter.push(samples, &mut heard.ready)?;
            heard.judge(found)
        })
    }

    fn finish(&mut self) -> Result<Vec<Record>> {
        let records = self.step(|heard, found| {
            heard.converter.finish(&mut heard.ready)?;
            heard.judge(found)?;
            heard.stream.finish(&mut |_, decision| {
                found.push(decision);
                true
            })
        });
        let ended = || {
            Error::new(ErrorKind::Audio, "the stream has ended").hint("reset() begins a new one")
        };
        self.stopped.get_or_insert_with(ended);
        records
    }

    fn judge(&mut self, found: &mut Vec<Decision>) -> Result<()> {
        let result = self.stream.push(&self.ready, &mut |_, decision| {
            found.push(decision);
            true
        });
        self.ready.clear();
        result
    }

    /// Records of what `work` finds. Its error stops the stream, and is told now only where
    /// nothing was found before it.
    fn step(
        &mut self,
        work: impl FnOnce(&mut Self, &mut Vec<Decision>) -> Result<()>,
    ) -> Result<Vec<Record>> {
        if let Some(error) = &self.stopped {
            return Err(error.clone());
        }
        let mut found = Vec::new();
        let result = wakegate_lab::scoring::ordered_parallel::caught(|| work(self, &mut found));
        self.words.clear();
        let mut records = Vec::new();
        for decision in found {
            match decision {
                Decision::Word(word) => self.words.push(word),
                Decision::Verdict(activation) => {
                    let number = usize::try_from(activation.number).unwrap_or(usize::MAX);
                    let (path, manifest) = (&self.path, &self.manifest);
                    records.push(Record::of_activation(path, manifest, number, &activation, None));
                }
                // For those who hold audio for the gate.
                Decision::Settled(_) => {}
            }
        }
        if let Err(error) = result {
            self.stopped = Some(error.clone());
            if records.is_empty() && self.words.is_empty() {
                return Err(error);
            }
        }
        Ok(records)
    }

    fn reset(&mut self) -> Result<()> {
        let (rate, channels) = (self.converter.rate(), self.converter.channels());
        self.converter = Converter::new(rate, channels)?;
        self.ready.clear();
        self.words.clear();
        self.stream.restart(0)?;
        self.stopped = None;
        Ok(())
    }
}
