//! What speech teams use of wakegate: recordings in many forms to samples, corpora and tables,
//! scores for thousands of recordings, what those scores mean, and how long everything takes.
//!
//! Nothing here runs on a device beside a microphone: that is the crate `wakegate`, which knows
//! nothing of this one.
#![deny(missing_docs)]
#![deny(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

pub mod bench;
pub mod corpus;
pub mod decode;
pub mod eval;
pub mod scoring;
pub mod table;
