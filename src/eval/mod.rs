//! Figures that hold: exact intervals, and thresholds that are certified.

pub mod certify;
pub mod intervals;
