//! Channels to one.

use super::codec::Form;
use crate::error::{Error, ErrorKind, Result};

/// The most channels that are mixed down; no recorder has more.
const MAX_CHANNELS: usize = 255;

/// Largest sample taken for audio. Files of floats scaled like 16-bit integers stay below it;
/// what is above would overflow in the spectrum.
const MAX_SAMPLE: f32 = 1e6;

/// A sample that is no audio: its index among the interleaved ones.
pub(super) struct Unusable(pub(super) usize);

/// Refuses a number of channels that no recording has.
pub(super) fn check_channels(channels: usize) -> Result<()> {
    if (1..=MAX_CHANNELS).contains(&channels) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Audio, "unusable channel count")
        .expected(format!("1 to {MAX_CHANNELS}"))
        .found(channels.to_string()))
}

/// Fills `mono` with the mean over the channels of `interleaved`.
pub(super) fn mix(
    interleaved: &[f32],
    form: Form,
    mono: &mut Vec<f32>,
) -> std::result::Result<(), Unusable> {
    // Also false for what is not a number.
    let usable = |s: &f32| s.abs() <= MAX_SAMPLE;
    if let Some(at) = interleaved.iter().position(|s| !usable(s)) {
        return Err(Unusable(at));
    }
    mono.clear();
    if form.channels == 1 {
        mono.extend_from_slice(interleaved);
        return Ok(());
    }
    let scale = 1.0 / form.channels as f64;
    mono.extend(
        interleaved
            .chunks_exact(form.channels)
            .map(|frame| (frame.iter().map(|&s| f64::from(s)).sum::<f64>() * scale) as f32),
    );
    Ok(())
}
