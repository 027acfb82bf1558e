//! Why audio did not become a clip, and how often.

use std::fmt;

use crate::decision::Reason;
use crate::metric::Counter;

/// Why an activation's audio was wiped and not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stop {
    /// Accidental: another word, or noise.
    NotWakeWord,
    /// Accidental: the wake word in passing.
    NotAddressed,
    /// Between the two thresholds.
    Unsure,
    /// Intended for the model, but less likely so than the policy or the certificate asks for.
    BelowThreshold,
    /// Review is not enabled.
    Disabled,
    /// Nobody has consented to review.
    NoConsent,
    /// In the hours in which nothing is kept.
    QuietHours,
    /// The day's clips are taken.
    DailyCap,
    /// Too little free disk, or an unknown amount.
    LowDisk,
    /// Not drawn by the sampling rate.
    NotSampled,
    /// The audio at hand does not hold the whole word, or is not finite.
    NoAudio,
    /// The queue holds as many clips, or bytes, as it may.
    QueueFull,
    /// The review thread is behind and takes no more.
    Busy,
    /// Encrypting or storing failed.
    Failed,
}

impl Stop {
    /// Every reason, in the order of the reports.
    pub const ALL: [Self; 14] = [
        Self::NotWakeWord,
        Self::NotAddressed,
        Self::Unsure,
        Self::BelowThreshold,
        Self::Disabled,
        Self::NoConsent,
        Self::QuietHours,
        Self::DailyCap,
        Self::LowDisk,
        Self::NotSampled,
        Self::NoAudio,
        Self::QueueFull,
        Self::Busy,
        Self::Failed,
    ];

    /// The word that reports, metrics and the database use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotWakeWord => "not_wake_word",
            Self::NotAddressed => "not_addressed",
            Self::Unsure => "unsure",
            Self::BelowThreshold => "below_threshold",
            Self::Disabled => "disabled",
            Self::NoConsent => "no_consent",
            Self::QuietHours => "quiet_hours",
            Self::DailyCap => "daily_cap",
            Self::LowDisk => "low_disk",
            Self::NotSampled => "not_sampled",
            Self::NoAudio => "no_audio",
            Self::QueueFull => "queue_full",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }

    /// The stop of an accidental activation.
    pub(super) fn accidental(reason: Reason) -> Self {
        match reason {
            Reason::NotAddressed => Self::NotAddressed,
            _ => Self::NotWakeWord,
        }
    }

    fn place(self) -> usize {
        Self::ALL.iter().position(|&stop| stop == self).unwrap_or(0)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How often the gate let an activation through or stopped it, since the start.
#[derive(Debug, Default)]
pub struct Counters {
    admitted: Counter,
    stopped: [Counter; Stop::ALL.len()],
}

impl Counters {
    /// Activations that became clips.
    pub fn admitted(&self) -> u64 {
        self.admitted.get()
    }

    /// Activations that were stopped for this reason.
    pub fn stopped(&self, stop: Stop) -> u64 {
        self.stopped[stop.place()].get()
    }

    /// Counts an activation that was stopped.
    pub fn count_stop(&self, stop: Stop) {
        self.stopped[stop.place()].inc();
    }

    /// Counts an activation that became a clip.
    pub(super) fn count_admitted(&self) {
        self.admitted.inc();
    }
}
