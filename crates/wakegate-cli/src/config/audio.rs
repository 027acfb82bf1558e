//! `[audio]`: where sound comes from.

use serde::{Deserialize, Serialize};

use super::{in_range, refused};
use wakegate::Result;
use wakegate::audio::ring::Channel;

/// The device name that means standard input.
const STDIN: &str = "-";

/// Where sound comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audio {
    /// Whether a device is listened to; without one there are the clients of `[wyoming]`.
    pub enabled: bool,
    /// Identifier, name or a part of one; `-` for raw PCM on standard input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Frames a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_hz: Option<u32>,
    /// Channels that the device is opened with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u16>,
    /// The channel that is listened to, from 1; the mean of all without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<u16>,
    /// Seconds that the ring holds.
    pub ring_s: f64,
    /// Seconds without audio after which the device is opened again.
    pub stall_s: f64,
    /// Longest pause between two attempts to open it, in seconds.
    pub retry_max_s: f64,
}

impl Default for Audio {
    fn default() -> Self {
        Self {
            enabled: true,
            device: None,
            rate_hz: None,
            channels: None,
            channel: None,
            ring_s: 2.0,
            stall_s: 2.0,
            retry_max_s: 30.0,
        }
    }
}

impl Audio {
    /// Whether raw PCM is read from standard input.
    pub fn is_stdin(&self) -> bool {
        self.enabled && self.device.as_deref() == Some(STDIN)
    }

    /// The channel that is listened to.
    pub fn chosen_channel(&self) -> Channel {
        self.channel.map_or(Channel::Mix, |number| Channel::One(number.into()))
    }

    pub(super) fn validate(&self) -> Result<()> {
        if self.device.as_deref().is_some_and(|device| device.trim().is_empty()) {
            return Err(refused("audio.device").expected("a name").found("nothing"));
        }
        if let Some(rate) = self.rate_hz {
            in_range("audio.rate_hz", f64::from(rate), 2_000.0, 384_000.0)?;
        }
        if let Some(channels) = self.channels {
            in_range("audio.channels", f64::from(channels), 1.0, 64.0)?;
        }
        if let Some(channel) = self.channel {
            let most = self.channels.unwrap_or(64);
            in_range("audio.channel", f64::from(channel), 1.0, f64::from(most))?;
        }
        in_range("audio.ring_s", self.ring_s, 0.1, 60.0)?;
        in_range("audio.stall_s", self.stall_s, 0.5, 60.0)?;
        in_range("audio.retry_max_s", self.retry_max_s, 0.5, 3_600.0)
    }
}
