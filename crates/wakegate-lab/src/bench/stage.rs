//! What is measured, and by which count.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The callback's side and the judging thread's side of the ring.
    Ring,
    /// From the device's rate to 16 kHz.
    Resample,
    /// Samples to the frames of one step.
    FrontEnd,
    /// History, candidates, windows: what lies between the networks.
    Decision,
    /// One step of the spotter.
    Spotter,
    /// Front end, decision and spotter of one step: what listening costs all the time.
    Listening,
    /// The tape: audio in, activations in, wiping.
    Gate,
    /// One window through the verifier: a candidate may need several for an early verdict.
    Verifier,
    /// Everything that the judging thread does for 80 ms of audio, a verdict included.
    Hop,
    /// How long after the audio was there the thread ran; only where it waits for audio.
    Lateness,
}

/// What one measurement of a stage is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// 80 ms of audio from the device.
    Hop,
    /// One step of the spotter.
    Step,
    /// One candidate.
    Candidate,
    /// One block of audio from the device.
    WakeUp,
}

impl Stage {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::Ring,
        Self::Resample,
        Self::FrontEnd,
        Self::Decision,
        Self::Spotter,
        Self::Listening,
        Self::Gate,
        Self::Verifier,
        Self::Hop,
        Self::Lateness,
    ];

    /// The name in tables and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Resample => "resample",
            Self::FrontEnd => "front_end",
            Self::Decision => "decision",
            Self::Spotter => "spotter",
            Self::Listening => "listening",
            Self::Verifier => "verifier",
            Self::Gate => "gate",
            Self::Hop => "hop",
            Self::Lateness => "lateness",
        }
    }

    /// What one measurement is for.
    pub fn per(self) -> Per {
        match self {
            Self::Ring | Self::Resample | Self::Gate | Self::Hop => Per::Hop,
            Self::FrontEnd | Self::Decision | Self::Spotter | Self::Listening => Per::Step,
            Self::Verifier => Per::Candidate,
            Self::Lateness => Per::WakeUp,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Per {
    /// The name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hop => "hop",
            Self::Step => "step",
            Self::Candidate => "candidate",
            Self::WakeUp => "wake-up",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_files_are_those_of_the_table() {
        for (place, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(serde_json::to_string(&stage).unwrap(), format!("\"{stage}\""));
            assert_eq!(stage as usize, place);
        }
    }
}
