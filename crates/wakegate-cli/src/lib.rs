//! The program `wakegate`: its commands, its settings, the daemon, the Wyoming server and the
//! reviewer's page. The libraries below it never print and never read settings.
#![deny(missing_docs)]
#![deny(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

pub mod commands;
pub mod config;
pub mod daemon;
#[cfg(feature = "page")]
pub mod page;
pub mod wav;
pub mod wyoming;
