//! One wake word that is listened for.

use std::sync::Arc;

use super::metrics::{Counters, EarCounters};
use wakegate::Result;
use wakegate::model::Model;
use wakegate::pipeline::{Decision, Pipeline};

/// What turns samples into activations: the pipeline, or a stand-in in a test.
pub trait Judge: Send {
    /// As [`Pipeline::decide`].
    ///
    /// # Errors
    /// Whatever stops it until a [`reset`](Self::reset).
    fn decide(&mut self, samples: &[f32], on_decision: &mut dyn FnMut(Decision)) -> Result<()>;

    /// As [`Pipeline::decide_rest`].
    ///
    /// # Errors
    /// As [`decide`](Self::decide).
    fn decide_rest(&mut self, on_decision: &mut dyn FnMut(Decision)) -> Result<()>;

    /// As [`Pipeline::reset`].
    ///
    /// # Errors
    /// Where not even that works, it is built anew.
    fn reset(&mut self) -> Result<()>;

    /// Candidates that have no verdict yet.
    fn waiting(&self) -> usize;
}

impl Judge for Pipeline {
    fn decide(&mut self, samples: &[f32], on_decision: &mut dyn FnMut(Decision)) -> Result<()> {
        self.decide(samples, on_decision)
    }

    fn decide_rest(&mut self, on_decision: &mut dyn FnMut(Decision)) -> Result<()> {
        self.decide_rest(on_decision)
    }

    fn reset(&mut self) -> Result<()> {
        self.reset()
    }

    fn waiting(&self) -> usize {
        self.waiting()
    }
}

/// Builds a judge; called again after a panic.
pub type MakeJudge = Box<dyn Fn() -> Result<Box<dyn Judge>> + Send>;

/// A wake word with what judges it.
pub struct Ear {
    pub(super) wake_word: Arc<str>,
    pub(super) model: Arc<str>,
    pub(super) counters: Arc<EarCounters>,
    pub(super) judge: Box<dyn Judge>,
    make: MakeJudge,
    /// The source's sample at which the judge's stream starts.
    pub(super) base: u64,
}

impl Ear {
    /// Listens with `model`.
    ///
    /// # Errors
    /// As [`Pipeline::new`].
    pub fn new(model: Model, counters: &Counters) -> Result<Self> {
        let (word, id) = (model.manifest().wake_word.clone(), model.manifest().id());
        let numbers = counters.numbers().clone();
        let make = move || {
            let pipeline = Pipeline::new(&model)?.numbered_by(&numbers);
            Ok(Box::new(pipeline) as Box<dyn Judge>)
        };
        Self::with(&word, &id, counters, Box::new(make))
    }

    /// Listens with what `make` builds.
    ///
    /// # Errors
    /// As `make`.
    pub fn with(
        wake_word: &str,
        model: &str,
        counters: &Counters,
        make: MakeJudge,
    ) -> Result<Self> {
        let wake_word: Arc<str> = wake_word.into();
        let counters = counters.ear(&wake_word);
        Ok(Self { wake_word, model: model.into(), counters, judge: make()?, make, base: 0 })
    }

    /// Forgets the stream; the next sample is the source's sample `base`. A judge that can't
    /// forget is built anew.
    pub(super) fn restart(&mut self, base: u64) -> Result<()> {
        self.abandon();
        self.base = base;
        if self.judge.reset().is_err() {
            self.judge = (self.make)()?;
        }
        Ok(())
    }

    /// Builds the judge anew, whatever state it is in.
    pub(super) fn rebuild(&mut self, base: u64) -> Result<()> {
        self.base = base;
        self.judge = (self.make)()?;
        Ok(())
    }

    /// Counts the candidates that will never have a verdict.
    pub(super) fn abandon(&self) {
        let waiting = self.judge.waiting() as u64;
        self.counters.candidates.add(waiting);
        self.counters.abandoned.add(waiting);
    }
}
