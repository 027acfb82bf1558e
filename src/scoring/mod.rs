//! Recordings to records: the same code behind `wakegate score` and the Python package.
//!
//! ```no_run
//! use wakegate::audio::FileSource;
//! use wakegate::model::Model;
//! use wakegate::scoring::{Record, Scorer};
//!
//! let model = Model::embedded()?;
//! let mut scorer = Scorer::new(&model, true)?;
//! let scored = scorer.score(&mut FileSource::open("a.wav")?, None)?;
//! let record = Record::of_recording("a.wav", model.manifest(), &scored);
//! assert!(record.verdict.is_some());
//! # Ok::<(), wakegate::Error>(())
//! ```

pub mod ordered;
mod record;
mod scorer;
mod shape;

pub use record::{Carried, Named, Record, SCHEMA, seconds};
pub use scorer::{Scored, Scorer, Spent, trigger_sample};
pub use shape::{Cell, Shape};
