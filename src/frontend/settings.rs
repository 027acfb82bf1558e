//! The named settings of the front end: what a model's manifest states and training must repeat.

use serde::{Deserialize, Serialize};

use super::mel::{MelNorm, MelScale};
use super::window::WindowKind;
use crate::{Error, ErrorKind, Result};

/// The only sample rate the front end takes, in Hz.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// Everything that decides the value of a log-mel frame.
///
/// A network only means something together with the settings it was trained on, so
/// deserialising takes no defaults: a manifest that leaves one out, or names one that does
/// not exist, is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Sample rate of the input in Hz; 16000.
    pub sample_rate_hz: u32,
    /// Length of the analysis window in milliseconds; a whole number of samples.
    pub window_ms: f64,
    /// Step from one frame to the next in milliseconds; a whole number of samples, at most
    /// the window.
    pub hop_ms: f64,
    /// Points of the FFT: a power of two, at least the window; zeros fill it up at the right.
    pub fft_size: usize,
    /// Number of mel bands, which is the width of a frame.
    pub mel_bands: usize,
    /// Lower edge of the lowest band in Hz.
    pub low_hz: f64,
    /// Upper edge of the highest band in Hz, at most half the sample rate.
    pub high_hz: f64,
    /// Which formula maps Hz to mel.
    pub mel_scale: MelScale,
    /// How the triangles are scaled.
    pub mel_norm: MelNorm,
    /// Which analysis window.
    pub window: WindowKind,
    /// The `a` of `y[n] = x[n] - a * x[n-1]`, over the whole stream with `x[-1] = 0`; 0 is off.
    pub pre_emphasis: f64,
    /// Mel power below which a band counts as silent: the frame holds
    /// `ln(max(power, floor))`, of samples in -1 to 1 and an unscaled FFT.
    pub floor: f64,
}

impl Default for Settings {
    /// 25 ms periodic Hann every 10 ms, 512 points, 40 HTK bands from 60 to 7600 Hz.
    ///
    /// The floor of 1e-6 lies near what rounding to 16 bits adds to a band, so anything
    /// below it is not the room.
    fn default() -> Self {
        Self {
            sample_rate_hz: SAMPLE_RATE_HZ,
            window_ms: 25.0,
            hop_ms: 10.0,
            fft_size: 512,
            mel_bands: 40,
            low_hz: 60.0,
            high_hz: 7600.0,
            mel_scale: MelScale::Htk,
            mel_norm: MelNorm::None,
            window: WindowKind::HannPeriodic,
            pre_emphasis: 0.0,
            floor: 1e-6,
        }
    }
}

impl Settings {
    /// Checks every field against its range and against the others.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for the first field that is out of range, with the range, the
    /// value and a hint.
    pub fn validate(&self) -> Result<()> {
        if self.sample_rate_hz != SAMPLE_RATE_HZ {
            return Err(refused("sample_rate_hz")
                .expected("16000")
                .found(self.sample_rate_hz.to_string())
                .hint("resample to 16 kHz before the front end"));
        }
        in_range("window_ms", self.window_ms, 1.0, 128.0, "25 is usual for speech")?;
        let window = whole_samples("window_ms", self.window_ms)?;
        in_range("hop_ms", self.hop_ms, 1.0, 128.0, "10 is usual for speech")?;
        let hop = whole_samples("hop_ms", self.hop_ms)?;
        if hop > window {
            return Err(refused("hop_ms")
                .expected(format!("at most window_ms ({})", self.window_ms))
                .found(self.hop_ms.to_string())
                .hint("a longer hop would leave samples that no frame sees"));
        }
        if !self.fft_size.is_power_of_two() || !(64..=4096).contains(&self.fft_size) {
            return Err(refused("fft_size")
                .expected("a power of two from 64 to 4096")
                .found(self.fft_size.to_string())
                .hint(format!("{} fits the window", window.next_power_of_two().max(64))));
        }
        if self.fft_size < window {
            return Err(refused("fft_size")
                .expected(format!("at least the window of {window} samples"))
                .found(self.fft_size.to_string())
                .hint(format!("{} fits the window", window.next_power_of_two())));
        }
        if !(1..=256).contains(&self.mel_bands) {
            return Err(refused("mel_bands")
                .expected("1 to 256")
                .found(self.mel_bands.to_string())
                .hint("40 is usual for wake words"));
        }
        let nyquist = f64::from(self.sample_rate_hz) / 2.0;
        in_range("low_hz", self.low_hz, 0.0, nyquist, "60 leaves out mains hum")?;
        in_range("high_hz", self.high_hz, 0.0, nyquist, "7600 stays below the band edge")?;
        if self.high_hz <= self.low_hz {
            return Err(refused("high_hz")
                .expected(format!("more than low_hz ({})", self.low_hz))
                .found(self.high_hz.to_string())
                .hint("swap the two edges"));
        }
        in_range("pre_emphasis", self.pre_emphasis, 0.0, 0.999, "0 turns it off, 0.97 is usual")?;
        in_range("floor", self.floor, 1e-30, 1.0, "1e-6 is near the rounding noise of 16 bits")
    }

    /// Length of the analysis window in samples.
    pub fn window_samples(&self) -> usize {
        (self.window_ms * f64::from(SAMPLE_RATE_HZ) / 1000.0).round() as usize
    }

    /// Step from one frame to the next in samples.
    pub fn hop_samples(&self) -> usize {
        (self.hop_ms * f64::from(SAMPLE_RATE_HZ) / 1000.0).round() as usize
    }
}

fn refused(field: &str) -> Error {
    Error::new(ErrorKind::Settings, format!("front-end setting {field} is refused"))
}

fn in_range(field: &str, value: f64, low: f64, high: f64, hint: &str) -> Result<()> {
    // A NaN lies in no range, so it is refused here too.
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(refused(field).expected(format!("{low} to {high}")).found(value.to_string()).hint(hint))
}

fn whole_samples(field: &str, ms: f64) -> Result<usize> {
    let samples = ms * f64::from(SAMPLE_RATE_HZ) / 1000.0;
    // Rounding in silence would give a hop that drifts against the stated one.
    if (samples - samples.round()).abs() > 1e-6 {
        return Err(refused(field)
            .expected("a whole number of samples at 16 kHz (a multiple of 0.0625 ms)")
            .found(format!("{ms} ms, {samples} samples"))
            .hint(format!("{} ms is the nearest", samples.round() / 16.0)));
    }
    Ok(samples.round() as usize)
}
