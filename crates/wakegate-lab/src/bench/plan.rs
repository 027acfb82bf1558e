//! What to measure.

use wakegate::audio::SAMPLE_RATE;
use wakegate::{Error, ErrorKind, Result};

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Seconds that are not counted.
    pub warmup_s: f64,
    /// Seconds that are. Of time, in which as much audio as possible is heard; with `pace` of
    /// audio, too.
    pub seconds: f64,
    /// Whether audio comes as a sound card brings it, and the thread sleeps in between.
    pub pace: bool,
    /// The device's rate in Hz: a multiple of 16,000 up to 192,000.
    pub rate: u32,
}

impl Plan {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] names the first one that is out of it.
    pub fn validate(&self) -> Result<()> {
        let refused = |name: &str, expected: &str, found: String| {
            Err(Error::new(ErrorKind::Settings, format!("--{name} is refused"))
                .expected(expected)
                .found(found))
        };
        if !(0.1..=86_400.0).contains(&self.seconds) {
            return refused("seconds", "0.1 to 86400", self.seconds.to_string());
        }
        if !(0.0..=3_600.0).contains(&self.warmup_s) {
            return refused("warmup", "0 to 3600 s", self.warmup_s.to_string());
        }
        let known = (SAMPLE_RATE..=12 * SAMPLE_RATE).contains(&self.rate);
        if !known || !self.rate.is_multiple_of(SAMPLE_RATE) {
            return refused("rate", "a multiple of 16000 Hz up to 192000", self.rate.to_string());
        }
        Ok(())
    }
}
