//! wakegate decides, on the device and before anything is stored, whether a wake-word
//! activation was *intended* or *accidental*.
#![deny(missing_docs)]
#![forbid(unsafe_op_in_unsafe_fn)]

pub mod audio;
pub mod decision;
pub mod error;
pub mod frontend;
pub mod model;
pub mod pipeline;

pub use error::{Error, ErrorKind, Result};
