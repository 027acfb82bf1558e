//! Samples that are in memory already, of any rate and number of channels.

use std::time::{Duration, Instant};

use super::downmix::{Mixer, SignalSpec, check_channel, check_channels};
use super::ring::Channel;
use super::warning::Warning;
use super::{Resampler, SAMPLE_RATE, Source};
use crate::error::{Error, ErrorKind, Result};

/// Frames that [`Samples`] converts at a time.
const BLOCK_FRAMES: usize = 16_384;

/// Interleaved samples of one form to 16 kHz mono, in pieces of any size.
///
/// The samples are those that a decoder gives for a file of the same ones,
/// bit for bit.
pub struct Converter {
    form: SignalSpec,
    mixer: Mixer,
    resampler: Resampler,
    mono: Vec<f32>,
    /// Frames taken.
    frames: u64,
    resampling: Duration,
}

impl Converter {
    /// A converter of samples at `rate` Hz, `channels` of them interleaved.
    ///
    /// # Errors
    /// [`ErrorKind::Audio`] for a rate outside 2 to 384 kHz, or not 1 to 255 channels.
    pub fn new(rate: u32, channels: usize) -> Result<Self> {
        check_channels(channels)?;
        Ok(Self {
            form: SignalSpec { rate, channels },
            mixer: Mixer::new(Channel::Mix),
            resampler: Resampler::new(rate)?,
            mono: Vec::new(),
            frames: 0,
            resampling: Duration::ZERO,
        })
    }

    /// The same converter, which takes one channel instead of the mean of all.
    ///
    /// # Errors
    /// [`ErrorKind::Audio`] where there is no such channel.
    pub fn of_channel(self, channel: Channel) -> Result<Self> {
        check_channel(channel, self.form)?;
        Ok(Self { mixer: Mixer::new(channel), ..self })
    }

    /// What was odd about the samples so far.
    pub fn warning(&self) -> Option<Warning> {
        self.mixer.warning()
    }

    /// Rate of what it takes, in Hz.
    pub fn rate(&self) -> u32 {
        self.form.rate
    }

    /// Interleaved channels.
    pub fn channels(&self) -> usize {
        self.form.channels
    }

    /// Takes samples, shape `[frames, channels]`, in range about ±1, and appends what is ready to
    /// `out`, at [`SAMPLE_RATE`].
    ///
    /// # Errors
    /// [`ErrorKind::Audio`] for an incomplete frame, and for a sample that is no number or far out
    /// of range; nothing of the piece is then taken.
    pub fn push(&mut self, interleaved: &[f32], out: &mut Vec<f32>) -> Result<()> {
        let channels = self.form.channels;
        if !interleaved.len().is_multiple_of(channels) {
            return Err(Error::new(ErrorKind::Audio, "the last frame is not complete")
                .expected(format!("a multiple of {channels} samples"))
                .found(interleaved.len().to_string()));
        }
        let mixed = self.mixer.mix(interleaved, self.form, &mut self.mono);
        mixed
            .map_err(|sample| sample.into_error("", "made the samples", self.form, self.frames))?;
        self.frames += self.mono.len() as u64;
        let start = Instant::now();
        let result = self.resampler.push(&self.mono, out);
        self.resampling += start.elapsed();
        result
    }

    /// Ends the stream: appends the samples still inside to `out`. The converter is then as new.
    ///
    /// # Errors
    /// As [`Resampler::finish`].
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<()> {
        self.frames = 0;
        self.resampler.finish(out)
    }
}

/// Samples in memory as a [`Source`].
pub struct Samples {
    interleaved: Vec<f32>,
    /// Of them, those that the converter has taken.
    taken: usize,
    converter: Converter,
    ready: Vec<f32>,
    ready_from: usize,
    ended: bool,
    failed: Option<Error>,
    warnings: Vec<Warning>,
}

impl Samples {
    /// A source over `interleaved` samples, shape `[frames, channels]`, in range about ±1, at
    /// `rate` Hz.
    ///
    /// # Errors
    /// As [`Converter::new`].
    pub fn new(interleaved: Vec<f32>, rate: u32, channels: usize) -> Result<Self> {
        Ok(Self {
            interleaved,
            taken: 0,
            converter: Converter::new(rate, channels)?,
            ready: Vec::with_capacity(SAMPLE_RATE as usize),
            ready_from: 0,
            ended: false,
            failed: None,
            warnings: Vec::new(),
        })
    }

    /// Makes more samples ready, or ends the stream.
    fn advance(&mut self) -> Result<()> {
        let rest = &self.interleaved[self.taken..];
        if rest.is_empty() {
            self.ended = true;
            self.warnings.extend(self.converter.warning());
            return self.converter.finish(&mut self.ready);
        }
        let piece = &rest[..rest.len().min(BLOCK_FRAMES * self.converter.channels())];
        self.taken += piece.len();
        self.converter.push(piece, &mut self.ready)
    }
}

impl Source for Samples {
    fn read(&mut self, out: &mut [f32]) -> Result<usize> {
        let mut written = 0;
        loop {
            let ready = &self.ready[self.ready_from..];
            let count = ready.len().min(out.len() - written);
            out[written..written + count].copy_from_slice(&ready[..count]);
            self.ready_from += count;
            written += count;
            if written == out.len() {
                return Ok(written);
            }
            self.ready.clear();
            self.ready_from = 0;
            match &self.failed {
                // What came before an error is handed out first, whatever length is asked for.
                Some(_) if written > 0 => return Ok(written),
                Some(error) => return Err(error.clone()),
                None if self.ended => return Ok(written),
                None => self.failed = self.advance().err(),
            }
        }
    }

    fn resampling(&self) -> Duration {
        self.converter.resampling
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two channels of 3 s at 44.1 kHz that differ.
    fn stereo() -> Vec<f32> {
        let wave = |n: u32| [(n as f32 * 0.02).sin() * 0.4, (n as f32 * 0.031).cos() * 0.2];
        (0..132_300).flat_map(wave).collect()
    }

    #[test]
    fn what_is_no_audio_is_refused_behind_what_came_before_it() {
        let mut samples = stereo();
        samples[200_001] = f32::NAN;
        let mut source = Samples::new(samples, 44_100, 2).unwrap();
        let mut out = vec![0.0; 40_000];
        let count = source.read(&mut out).unwrap();
        assert!(count > 30_000 && count < 40_000, "{count}");
        let error = source.read(&mut out).unwrap_err();
        assert!(
            error.to_string().contains("found NaN at sample 100000 (2.2676 s) of channel 2 of 2"),
            "{error}"
        );
        assert_eq!(source.read(&mut out).unwrap_err(), error);
        assert!(Samples::new(Vec::new(), 1_000, 1).is_err());
        assert!(Samples::new(Vec::new(), 16_000, 0).is_err());
        let mut converter = Converter::new(16_000, 2).unwrap();
        let error = converter.push(&[0.0; 3], &mut out).unwrap_err().to_string();
        assert!(error.contains("expected a multiple of 2 samples, found 3"), "{error}");
    }
}
