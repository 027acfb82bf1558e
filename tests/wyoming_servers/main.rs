//! The Wyoming server and the proxy.

#[path = "../support/cli/mod.rs"]
mod cli_support;
#[path = "../support/daemon/mod.rs"]
mod daemon_support;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/wyoming/mod.rs"]
mod wyoming_support;

mod wyoming_audio;
mod wyoming_hardening;
mod wyoming_names;
mod wyoming_outages;
mod wyoming_proxy;
mod wyoming_real;
mod wyoming_review;
mod wyoming_server;
mod wyoming_transcripts;
mod wyoming_word;
mod wyoming_zeroconf;
