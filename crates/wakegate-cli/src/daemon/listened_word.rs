//! One wake word that the daemon listens for.

use std::sync::Arc;

use super::metrics::{Counters, WordCounters};
use wakegate::Result;
use wakegate::model::Model;
use wakegate::pipeline::{Decision, Part, Pipeline};
use wakegate::stream::{Judge, WakeWord};

/// Builds a judge; called again after a panic.
pub type MakeJudge = Box<dyn Fn() -> Result<Box<dyn Judge + Send>> + Send>;

/// What judges one wake word of the daemon: built anew where it can't forget, or after a panic.
pub struct Rebuildable {
    counters: Arc<WordCounters>,
    judge: Box<dyn Judge + Send>,
    make: MakeJudge,
}

/// A wake word that the daemon listens for.
pub type ListenedWord = WakeWord<Rebuildable>;

/// Listens with `model`.
///
/// # Errors
/// As [`Pipeline::new`].
pub fn listened_word(model: Model, counters: &Counters) -> Result<ListenedWord> {
    let (word, id) = (model.manifest().wake_word.clone(), model.manifest().id());
    let numbers = counters.numbers().clone();
    let make = move || {
        let pipeline = Pipeline::new(&model)?.numbered_by(&numbers);
        Ok(Box::new(pipeline) as Box<dyn Judge + Send>)
    };
    listened_word_by(&word, &id, counters, Box::new(make))
}

/// Listens with what `make` builds.
///
/// # Errors
/// As `make`.
pub fn listened_word_by(
    wake_word: &str,
    model: &str,
    counters: &Counters,
    make: MakeJudge,
) -> Result<ListenedWord> {
    let counters = counters.word(wake_word);
    Ok(WakeWord::new(wake_word, model, Rebuildable { counters, judge: make()?, make }))
}

impl Rebuildable {
    /// What is counted of the word.
    pub(super) fn counters(&self) -> Arc<WordCounters> {
        Arc::clone(&self.counters)
    }

    /// Builds the judge anew, whatever state it is in.
    ///
    /// # Errors
    /// Of the building.
    pub(super) fn rebuild(&mut self) -> Result<()> {
        self.count_abandoned();
        self.judge = (self.make)()?;
        Ok(())
    }

    /// Counts the candidates that will never have a verdict.
    pub(super) fn count_abandoned(&self) {
        let waiting = self.judge.waiting() as u64;
        self.counters.candidates.add(waiting);
        self.counters.abandoned.add(waiting);
    }
}

impl Judge for Rebuildable {
    fn decide(
        &mut self,
        samples: &[f32],
        on_decision: &mut dyn FnMut(Decision),
        mark: &mut dyn FnMut(Part),
    ) -> Result<()> {
        self.judge.decide(samples, on_decision, mark)
    }

    fn decide_rest(
        &mut self,
        on_decision: &mut dyn FnMut(Decision),
        mark: &mut dyn FnMut(Part),
    ) -> Result<()> {
        self.judge.decide_rest(on_decision, mark)
    }

    fn reset(&mut self) -> Result<()> {
        self.count_abandoned();
        if self.judge.reset().is_err() {
            self.judge = (self.make)()?;
        }
        Ok(())
    }

    fn waiting(&self) -> usize {
        self.judge.waiting()
    }
}
