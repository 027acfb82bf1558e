//! What judges a stream.

use crate::Result;
use crate::pipeline::{Decision, Part, Pipeline};

/// What judges a stream for one wake word: a [`Pipeline`], or what stands in for one.
pub trait Judge {
    /// As [`Pipeline::push_marked`].
    ///
    /// # Errors
    /// Whatever stops it until a [`reset`](Self::reset).
    fn decide(
        &mut self,
        samples: &[f32],
        on_decision: &mut dyn FnMut(Decision),
        mark: &mut dyn FnMut(Part),
    ) -> Result<()>;

    /// As [`Pipeline::finish_marked`].
    ///
    /// # Errors
    /// As [`decide`](Self::decide).
    fn decide_rest(
        &mut self,
        on_decision: &mut dyn FnMut(Decision),
        mark: &mut dyn FnMut(Part),
    ) -> Result<()>;

    /// As [`Pipeline::reset`].
    ///
    /// # Errors
    /// Where it can't forget: it stays stopped.
    fn reset(&mut self) -> Result<()>;

    /// As [`Pipeline::waiting`].
    fn waiting(&self) -> usize;
}

/// A pipeline, or whatever has one.
impl<J: AsRef<Pipeline> + AsMut<Pipeline>> Judge for J {
    fn decide(
        &mut self,
        samples: &[f32],
        on_decision: &mut dyn FnMut(Decision),
        mark: &mut dyn FnMut(Part),
    ) -> Result<()> {
        self.as_mut().push_marked(samples, on_decision, mark)
    }

    fn decide_rest(
        &mut self,
        on_decision: &mut dyn FnMut(Decision),
        mark: &mut dyn FnMut(Part),
    ) -> Result<()> {
        self.as_mut().finish_marked(on_decision, mark)
    }

    fn reset(&mut self) -> Result<()> {
        self.as_mut().reset()
    }

    fn waiting(&self) -> usize {
        self.as_ref().waiting()
    }
}

impl AsRef<Pipeline> for Pipeline {
    fn as_ref(&self) -> &Pipeline {
        self
    }
}

impl AsMut<Pipeline> for Pipeline {
    fn as_mut(&mut self) -> &mut Pipeline {
        self
    }
}
