//! Posteriors to candidates to verdicts. Pure: sample time only, never a wall clock.
