//! Posteriors to candidates to word decisions and verdicts. Pure: sample time only, never a wall clock.
//!
//! ```
//! use wakegate::decision::{Reason, Thresholds, Verdict, decide};
//!
//! let thresholds = Thresholds::new(0.5, 0.3)?;
//! let (verdict, reason) = decide([0.1, 0.2, 0.7], &thresholds)?;
//! assert_eq!((verdict, reason), (Verdict::Accidental, Reason::NotAddressed));
//! # Ok::<(), wakegate::Error>(())
//! ```

mod detector;
mod early;
mod verdict;
mod word;

pub use detector::{Candidate, Detector, DetectorSettings};
pub use early::{Early, Streak};
pub use verdict::{Reason, Thresholds, Verdict, decide};
pub use word::WordRule;
