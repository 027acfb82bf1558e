//! The named settings of the front end: what a model's manifest states and training must repeat.

use serde::{Deserialize, Serialize};

use super::mel::{MelNorm, MelScale};
use super::window::WindowKind;
use crate::audio::SAMPLE_RATE;
use crate::{Error, ErrorKind, Result};

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
            sample_rate_hz: SAMPLE_RATE,
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
        if self.sample_rate_hz != SAMPLE_RATE {
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
        (self.window_ms * f64::from(SAMPLE_RATE) / 1000.0).round() as usize
    }

    /// Step from one frame to the next in samples.
    pub fn hop_samples(&self) -> usize {
        (self.hop_ms * f64::from(SAMPLE_RATE) / 1000.0).round() as usize
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
    let samples = ms * f64::from(SAMPLE_RATE) / 1000.0;
    // Rounding in silence would give a hop that drifts against the stated one.
    if (samples - samples.round()).abs() > 1e-6 {
        return Err(refused(field)
            .expected("a whole number of samples at 16 kHz (a multiple of 0.0625 ms)")
            .found(format!("{ms} ms, {samples} samples"))
            .hint(format!("{} ms is the nearest", samples.round() / 16.0)));
    }
    Ok(samples.round() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::default();
        change(&mut settings);
        let error = settings.validate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Settings);
        error.to_string().replacen("front-end setting ", "", 1)
    }

    #[test]
    fn the_default_is_valid() {
        let settings = Settings::default();
        settings.validate().unwrap();
        assert_eq!((settings.window_samples(), settings.hop_samples()), (400, 160));
    }

    #[test]
    fn every_field_out_of_range_is_named_with_its_range() {
        assert_eq!(
            message(|s| s.sample_rate_hz = 44_100),
            "sample_rate_hz is refused: expected 16000, found 44100 \
             (hint: resample to 16 kHz before the front end)"
        );
        assert_eq!(
            message(|s| s.window_ms = 0.5),
            "window_ms is refused: expected 1 to 128, found 0.5 (hint: 25 is usual for speech)"
        );
        assert_eq!(
            message(|s| s.hop_ms = f64::NAN),
            "hop_ms is refused: expected 1 to 128, found NaN (hint: 10 is usual for speech)"
        );
        assert_eq!(
            message(|s| s.mel_bands = 0),
            "mel_bands is refused: expected 1 to 256, found 0 \
             (hint: 40 is usual for wake words)"
        );
        assert_eq!(
            message(|s| s.low_hz = -1.0),
            "low_hz is refused: expected 0 to 8000, found -1 (hint: 60 leaves out mains hum)"
        );
        assert_eq!(
            message(|s| s.high_hz = 8001.0),
            "high_hz is refused: expected 0 to 8000, found 8001 \
             (hint: 7600 stays below the band edge)"
        );
        assert_eq!(
            message(|s| s.pre_emphasis = 1.0),
            "pre_emphasis is refused: expected 0 to 0.999, found 1 \
             (hint: 0 turns it off, 0.97 is usual)"
        );
        assert_eq!(
            message(|s| s.floor = 0.0),
            "floor is refused: expected 0.000000000000000000000000000001 to 1, found 0 \
             (hint: 1e-6 is near the rounding noise of 16 bits)"
        );
    }

    #[test]
    fn fields_that_do_not_fit_together_say_which() {
        assert_eq!(
            message(|s| s.hop_ms = 30.0),
            "hop_ms is refused: expected at most window_ms (25), found 30 \
             (hint: a longer hop would leave samples that no frame sees)"
        );
        assert_eq!(
            message(|s| s.hop_ms = 10.03),
            "hop_ms is refused: expected a whole number of samples at 16 kHz \
             (a multiple of 0.0625 ms), found 10.03 ms, 160.48 samples (hint: 10 ms is the nearest)"
        );
        assert_eq!(
            message(|s| s.fft_size = 500),
            "fft_size is refused: expected a power of two from 64 to 4096, found 500 \
             (hint: 512 fits the window)"
        );
        assert_eq!(
            message(|s| s.fft_size = 256),
            "fft_size is refused: expected at least the window of 400 samples, found 256 \
             (hint: 512 fits the window)"
        );
        assert_eq!(
            message(|s| (s.low_hz, s.high_hz) = (4000.0, 300.0)),
            "high_hz is refused: expected more than low_hz (4000), found 300 \
             (hint: swap the two edges)"
        );
    }

    #[test]
    fn a_band_between_two_bins_is_refused() {
        let settings = Settings { mel_bands: 256, ..Settings::default() };
        let error = crate::frontend::FrontEnd::new(&settings).unwrap_err();
        assert_eq!(
            error.to_string(),
            "front-end mel band 1 holds no FFT bin: expected bands wider than the bin spacing of \
             31.25 Hz, found 67.1 to 81.5 Hz \
             (hint: use fewer mel_bands, a larger fft_size, or a wider range of Hz)"
        );
    }

    #[test]
    fn a_manifest_states_every_field_and_no_other() {
        let text = serde_json::to_string(&Settings::default()).unwrap();
        assert_eq!(
            text,
            r#"{"sample_rate_hz":16000,"window_ms":25.0,"hop_ms":10.0,"fft_size":512,"#.to_owned()
                + r#""mel_bands":40,"low_hz":60.0,"high_hz":7600.0,"mel_scale":"htk","#
                + r#""mel_norm":"none","window":"hann_periodic","pre_emphasis":0.0,"floor":1e-6}"#
        );
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), Settings::default());
        let unknown = text.replace("hop_ms", "step_ms");
        let error = serde_json::from_str::<Settings>(&unknown).unwrap_err().to_string();
        assert!(error.contains("unknown field `step_ms`"), "{error}");
        let short = text.replace(r#","floor":1e-6"#, "");
        let error = serde_json::from_str::<Settings>(&short).unwrap_err().to_string();
        assert!(error.contains("missing field `floor`"), "{error}");
        let hann = text.replace("hann_periodic", "hann");
        assert!(serde_json::from_str::<Settings>(&hann).is_err());
    }
}
