//! The daemon: threads, faults, receivers.

#[path = "../support/cli/mod.rs"]
mod cli_support;
#[path = "../support/daemon/mod.rs"]
mod daemon_support;
#[path = "../support/review/mod.rs"]
mod review_support;
#[path = "../support/skip.rs"]
mod skip;

mod daemon_mqtt;
mod daemon_receivers;
mod daemon_review;
mod faults_daemon;
mod faults_worker;
mod mqtt_faults;
mod mqtt_tls;
mod runtime_worker;
mod soak;
