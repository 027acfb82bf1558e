//! What the pipeline costs on this device, and how late its verdicts are.
//!
//! ```text
//! Workload -> ring -> resample -> tape -> Pipeline::push_marked -> tape   as the daemon does it
//!                                            |
//!                     StageTimer, by a Meter  <----+----> Series for each Stage, Delays for each word
//!                                                       |
//!                              Report (JSON) -> compare(), Budget::check(), warnings()
//! ```
//!
//! The only clock is the [`Meter`], so that everything but [`Monotonic`] and what reads the
//! machine can be tested with times that are made up.

pub mod budget;
mod build;
mod clock;
pub mod compare;
mod conditions;
mod delay;
mod harness;
mod load;
mod machine;
mod measured;
mod paced_device;
mod plan;
mod report;
mod series;
mod stage;
mod stage_timer;
mod workload;

pub use budget::Budget;
pub use build::Build;
pub use clock::{Meter, Monotonic};
pub use compare::{Change, Comparison};
pub use conditions::{Conditions, Warning, warnings};
pub use delay::{Delay, Summary};
pub use harness::{HOP_MS, WAKE_UP_MS, check_streams, run, run_streams};
pub use load::{Load, pin};
pub use machine::{Machine, Memory, Watch, Watched, speed_ns};
pub use measured::Measured;
pub use plan::Plan;
pub use report::{ModelSizes, Report, SCHEMA, Sizes, StartUp, WorkloadUsed};
pub use series::{Row, Series};
pub use stage::{Per, Stage};
pub use workload::{Word, Workload, labels};
