//! wakegate decides, on the device and before anything is stored, whether a wake-word
//! activation was *intended* or *accidental*.
//!
//! ```text
//! samples (16 kHz, mono)
//!    -> frontend    log-mel frames, one every hop
//!    -> spotter     ONNX, streaming, one step each 80 ms: is the word there?
//!    -> candidate   decision::Detector: threshold, patience, peak, refractory time
//!    -> verifier    ONNX, on a window around the candidate, at most 1 s after the word
//!    -> verdict     decision::decide: intended | accidental | unsure, with a reason
//! ```
//!
//! [`pipeline::Pipeline`] is all of it as one object, [`model::Model`] is what it needs, and
//! [`stream::Stream`] holds the pipelines of one stream with the audio that the gate may want.
//!
//! # Words
//! | word | meaning here |
//! |---|---|
//! | activation | a moment where a wake word may have been said, with start, end and decision time in samples |
//! | candidate | an activation as the spotter, or an outside engine, proposes it |
//! | anchor | the candidate's estimated end of the word, around which the verifier's window lies |
//! | intended | the wake word was said to the device |
//! | accidental | anything else: another word or noise, or the word in passing |
//! | unsure | between the two thresholds; the gate treats it as accidental |
//! | spotter | stage one: small, streaming, always on, tuned for recall |
//! | verifier | stage two: looks at the candidate with its context, tuned for precision |
//!
//! Everything fails closed: a sample that isn't a number, a network whose hash, shape or
//! output is wrong, is an error and never a verdict.
#![deny(missing_docs)]
#![deny(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

pub mod audio;
pub mod decision;
pub mod error;
pub mod frontend;
pub mod gate;
pub mod intervals;
pub mod metric;
pub mod model;
pub mod pipeline;
#[cfg(feature = "review")]
pub mod review;
pub mod stream;

pub use error::{Error, ErrorKind, Result};

/// The example for embedders compiles.
#[cfg(doctest)]
#[doc = include_str!("../docs/embedding.md")]
pub struct Embedding;
