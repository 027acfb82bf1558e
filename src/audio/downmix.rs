//! Channels to one.

use crate::error::{Error, ErrorKind, Result};

/// The most channels that are mixed down; no recorder has more.
const MAX_CHANNELS: usize = 255;

/// Largest sample taken for audio. Files of floats scaled like 16-bit integers stay below it;
/// what is above would overflow in the spectrum.
const MAX_SAMPLE: f32 = 1e6;

/// Rate and channels of interleaved samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalSpec {
    /// In Hz.
    pub rate: u32,
    /// Interleaved channels.
    pub channels: usize,
}

/// A sample that is no audio: its index among the interleaved ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unusable(pub usize);

/// Refuses a number of channels that no recording has.
///
/// # Errors
/// [`ErrorKind::Audio`] for 0 and more than 255.
pub fn check_channels(channels: usize) -> Result<()> {
    if (1..=MAX_CHANNELS).contains(&channels) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Audio, "unusable channel count")
        .expected(format!("1 to {MAX_CHANNELS}"))
        .found(channels.to_string()))
}

/// Fills `mono`, shape `[frames]`, with the mean over the channels of `interleaved`, shape
/// `[frames, channels]`.
///
/// # Errors
/// The first sample that is no number or far out of range; `mono` is then as it was.
pub fn mix(
    interleaved: &[f32],
    spec: SignalSpec,
    mono: &mut Vec<f32>,
) -> std::result::Result<(), Unusable> {
    // Also false for what is not a number.
    let usable = |s: &f32| s.abs() <= MAX_SAMPLE;
    if let Some(at) = interleaved.iter().position(|s| !usable(s)) {
        return Err(Unusable(at));
    }
    mono.clear();
    if spec.channels == 1 {
        mono.extend_from_slice(interleaved);
        return Ok(());
    }
    let scale = 1.0 / spec.channels as f64;
    mono.extend(
        interleaved
            .chunks_exact(spec.channels)
            .map(|frame| (frame.iter().map(|&s| f64::from(s)).sum::<f64>() * scale) as f32),
    );
    Ok(())
}
