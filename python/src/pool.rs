//! Scorers, made once and used again.

use std::sync::{Arc, Mutex, PoisonError};

use wakegate::Result;
use wakegate::model::Model;
use wakegate_lab::scoring::{Scored, Scorer};

/// A model with the scorers that are not at work.
#[derive(Clone)]
pub struct Pool {
    model: Arc<Model>,
    free: Arc<Mutex<Vec<Scorer>>>,
}

impl Pool {
    /// Loads the networks once, so that a model that can't be is told at once.
    pub fn new(model: Model) -> Result<Self> {
        let first = Scorer::new(&model, true)?;
        Ok(Self { model: Arc::new(model), free: Arc::new(Mutex::new(vec![first])) })
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    /// A scorer that nobody else uses.
    pub fn lease(&self) -> Result<Lease> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let scorer = free.map_or_else(|| Scorer::new(&self.model, true), Ok)?;
        Ok(Lease { scorer: Some(scorer), free: Arc::clone(&self.free) })
    }
}

/// A scorer that goes back to where it came from.
pub struct Lease {
    scorer: Option<Scorer>,
    free: Arc<Mutex<Vec<Scorer>>>,
}

impl Lease {
    /// Works with the scorer; after a panic in `work` there is none any more.
    pub fn run(&mut self, work: impl FnOnce(&mut Scorer) -> Result<Scored>) -> Result<Scored> {
        let Some(mut scorer) = self.scorer.take() else {
            return Err(wakegate::Error::new(
                wakegate::ErrorKind::Runtime,
                "the networks had a fault in another recording",
            ));
        };
        let result = work(&mut scorer);
        self.scorer = Some(scorer);
        result
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(scorer) = self.scorer.take() {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(scorer);
        }
    }
}
