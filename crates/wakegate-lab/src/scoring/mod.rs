//! Recordings to records: the same code behind `wakegate score` and the Python package.
//!
//! ```no_run
//! use wakegate_lab::decode::FileSource;
//! use wakegate::model::Model;
//! use wakegate_lab::scoring::{Record, Scorer};
//!
//! let model = Model::embedded()?;
//! let mut scorer = Scorer::new(&model, true)?;
//! let scored = scorer.score(&mut FileSource::open("a.wav")?, None)?;
//! let record = Record::of_recording("a.wav", model.manifest(), &scored);
//! assert!(record.verdict.is_some());
//! # Ok::<(), wakegate::Error>(())
//! ```

mod columns;
pub mod ordered_parallel;
mod record;
mod scorer;

pub use columns::{Cell, Shape};
pub use record::{Carried, Named, Record};
pub use scorer::{Excerpts, Scored, Scorer, Spent, trigger_sample};
