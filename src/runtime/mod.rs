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

mod counters;
mod device;
mod ear;
mod fanout;
mod hearing;
mod hooks;
mod http;
mod mqtt;
mod notify;
mod open;
mod page;
mod priority;
mod receivers;
mod reviewed;
mod satellites;
mod seldom;
mod serve;
mod worker;

pub use counters::{
    Count, Counters, EarCounters, Histogram, REASONS, Shown, SinkCounters, VERDICTS,
};
pub use ear::{Ear, Judge, MakeJudge};
pub use fanout::{Decided, Fanout, Sink};
pub use hooks::{Hook, When};
pub use http::Page;
pub use mqtt::Publisher;
pub use receivers::{Named, Receivers};
pub use serve::{Daemon, End, ReadAgain, Setup, Stop};
pub use worker::{Ended, Order, Work, Worker};
