//! The daemon: threads, receivers, signals, reload, what is counted.
//!
//! ```text
//! device's callback -> ring -> judging thread -> a bounded queue each -> receivers
//!                                    ^                                   (stdout, hooks, MQTT, ...)
//!                                    | orders
//!                       main thread: signals, reload, watchdog, health
//! ```
//!
//! The judging thread never waits for a receiver. All times are sample times, so a clock that
//! jumps changes nothing. Whatever fails, nothing passes that was not judged intended.

mod counters;
mod device;
mod ear;
mod fanout;
mod hearing;
mod preroll;
mod priority;
mod seldom;
mod worker;

pub use counters::{Count, Counters, EarCounters, Histogram, REASONS, SinkCounters, VERDICTS};
pub use ear::{Ear, Judge, MakeJudge};
pub use fanout::{Decided, Fanout, Sink};
pub use worker::{Ended, Order, Work, Worker};
