//! Figures that hold: events in sample time against labels, exact intervals, thresholds that
//! are certified.
//!
//! [`figures::Figures`] is all of it for one system, [`model_comparison::ModelComparison`] for two on the same
//! recordings. Pure: no files, threads or clock. The definitions are in this folder's README.

pub mod bootstrap;
pub mod calibration;
pub mod certify;
pub mod clusters;
pub mod det;
pub mod event;
pub mod figures;
pub mod groups;
pub mod model_comparison;
pub use wakegate::intervals;
pub mod bootstrap_units;
mod caveats;
pub mod matching;
pub mod mix;
pub mod outcomes;
pub mod paired;
pub mod random;
pub mod rank;
