//! What the pipeline costs on this device, and how late its verdicts are.
//!
//! ```text
//! Workload -> ring -> resample -> tape -> Pipeline::push_marked -> tape   as the daemon does it
//!                                            |
//!                     Laps, by a Meter  <----+----> Series for each Stage, Delays for each word
//!                                                       |
//!                              Report (JSON) -> compare(), Budget::check(), warnings()
//! ```
//!
//! The only clock is the [`Meter`], so that everything but [`Monotonic`] and what reads the
//! machine can be tested with times that are made up.

pub mod budget;
mod build;
pub mod compare;
mod delay;
mod device;
mod harness;
mod laps;
mod load;
mod machine;
mod meter;
mod plan;
mod report;
mod series;
mod stage;
mod taken;
mod trust;
mod workload;

pub use budget::Budget;
pub use build::Build;
pub use compare::{Change, Comparison};
pub use delay::{Delay, Summary};
pub use harness::{HOP_MS, WAKE_UP_MS, check_streams, run, run_streams};
pub use load::{Load, pin};
pub use machine::{Machine, Memory, Watch, Watched, speed_ns};
pub use meter::{Meter, Monotonic};
pub use plan::Plan;
pub use report::{ModelSizes, Report, SCHEMA, Sizes, StartUp, WorkloadUsed};
pub use series::{Row, Series};
pub use stage::{Per, Stage};
pub use taken::Measured;
pub use trust::{Conditions, Warning, warnings};
pub use workload::{Word, Workload, labels};
