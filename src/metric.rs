//! What is counted, and how a number is told: one counter and one line of metrics for the gate, the
//! queue and the program.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that any thread may raise and read; a gauge is set.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// `count` more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The number so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Replaces the number: a gauge, or what another counter keeps.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// One line of the metrics, as Prometheus has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Name, such as `wakegate_review_stored_total`.
    pub name: &'static str,
    /// `counter` or `gauge`.
    pub kind: &'static str,
    /// What it counts, one line.
    pub help: &'static str,
    /// The reason that it counts, where it counts by reason.
    pub reason: Option<&'static str>,
    /// Its value.
    pub value: u64,
}
