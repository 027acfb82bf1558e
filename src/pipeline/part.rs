//! The parts of the pipeline's work, for those who measure it.

/// Whose work begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Samples to frames.
    FrontEnd,
    /// Everything between the networks: history, steps, candidates, windows, verdicts.
    Decision,
    /// One step of the spotter.
    Spotter,
    /// One window through the verifier.
    Verifier,
}
