//! The daemon: threads, receivers, signals, reload, what is counted.
//!
//! ```text
//! device's callback -> ring -> judging thread -> a bounded queue each -> receivers
//!                                    ^    |                              (stdout, hooks, MQTT, ...)
//!                                    |    +-> tape -> review thread: the gate and the queue
//!                                    | orders
//!                       main thread: signals, reload, watchdog, health
//! Wyoming clients -> a thread each -> the same queues, the same review thread
//! ```
//!
//! The judging thread never waits for a receiver. All times are sample times, so a clock that
//! jumps changes nothing. Whatever fails, nothing passes that was not judged intended.

mod fanout;
mod home_assistant;
mod hooks;
mod input_device;
mod judging_thread;
mod lifecycle;
mod listened_word;
mod listener;
mod log_limit;
mod metrics;
mod metrics_server;
mod mqtt;
mod mqtt_connection;
#[cfg(feature = "tls")]
mod mqtt_tls;
mod prometheus;
mod review_queue;
mod sinks;
mod startup;
mod systemd_notify;
mod thread_priority;
mod wyoming_server;

pub use fanout::{Decided, Fanout, Sink};
pub use hooks::{Hook, When};
pub use judging_thread::{Ended, Order, Work, Worker};
pub use lifecycle::{Daemon, End, ReadAgain, Setup, Stop};
pub use listened_word::{ListenedWord, MakeJudge, listened_word, listened_word_by};
pub use metrics::{Counters, Histogram, REASONS, SinkCounters, VERDICTS, WordCounters};
pub use metrics_server::Page;
pub use mqtt::Publisher;
pub use sinks::{Named, Receivers};
pub use startup::check;

/// The time by the clock of the wall, RFC 3339: for who reads or acts on it later. What is judged
/// has the samples' own times.
pub fn wall_clock() -> String {
    jiff::ZonedDateTime::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}
