//! Figures that hold: exact intervals, and thresholds that are certified.

pub mod intervals;
