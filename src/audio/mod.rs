//! Where samples come from, and their conversion to 16 kHz mono.
//!
//! Everything behind [`Source`] has one form: `f32` samples, one channel, [`SAMPLE_RATE`] samples a
//! second, full scale at ±1. [`RawPcm`] reads headerless PCM from a pipe, [`Samples`] what is in
//! memory already.
//!
//! A device that runs by itself is an [`Input`] instead: once opened, its callback fills a [`ring`]
//! at the device's own rate, and what is lost on the way is counted.

#[cfg(feature = "capture")]
mod capture;
mod converter;
pub mod downmix;
mod evenness;
mod foreign;
mod form;
pub mod header;
mod input;
mod pipe_input;
mod raw_pcm;
pub mod resample;
pub mod ring;
mod warning;

#[cfg(feature = "capture")]
pub use capture::{Card, CardSettings, DeviceFormat, DeviceInfo, devices};
pub use converter::{Converter, Samples};
pub use input::{Fault, FaultSender, Input, Stream, faults};
pub use pipe_input::Pipe;
pub use raw_pcm::RawPcm;
pub use resample::Resampler;
pub use ring::Channel;
pub use warning::Warning;

use std::time::Duration;

use crate::error::Result;

/// Samples a second of everything that leaves this module, in Hz.
pub const SAMPLE_RATE: u32 = 16_000;

/// `samples` in seconds.
pub fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}

/// `seconds` in samples, rounded to the nearest; 0 for what is negative or no number.
pub fn samples_in(seconds: f64) -> u64 {
    (seconds * f64::from(SAMPLE_RATE)).round() as u64
}

/// A stream of mono samples at [`SAMPLE_RATE`].
///
/// The samples do not depend on the lengths of the slices they are asked for with: reading one by
/// one and reading a second at a time give the same samples bit for bit.
pub trait Source: Send {
    /// Fills `out` from its start with the next samples, in range about ±1 and always finite, and
    /// returns how many were written: at most `out.len()`, fewer where fewer are at hand, and 0
    /// only at the end (or if `out` is empty).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Audio`](crate::ErrorKind::Audio) where the audio can't be used,
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) where it can't be read. The source stays at its
    /// error: a later call returns the same one.
    fn read(&mut self, out: &mut [f32]) -> Result<usize>;

    /// How long the conversion to 16 kHz took so far; it is a part of the time of
    /// [`read`](Source::read).
    fn resampling(&self) -> Duration {
        Duration::ZERO
    }

    /// What was wrong with the audio but did not stop it. Complete once
    /// [`read`](Source::read) has returned 0.
    fn warnings(&self) -> &[Warning];
}

/// Reads `source` to its end: samples of shape `[n]` at [`SAMPLE_RATE`].
///
/// # Errors
///
/// The source's own error; what was read before it is dropped.
pub fn read_all(source: &mut dyn Source) -> Result<Vec<f32>> {
    let mut samples = Vec::new();
    let mut block = vec![0.0; SAMPLE_RATE as usize];
    loop {
        match source.read(&mut block)? {
            0 => return Ok(samples),
            n => samples.extend_from_slice(&block[..n]),
        }
    }
}
