//! Windowed power spectrum of one frame, planned once.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use zeroize::Zeroize;

use super::mel::LANES;
use super::settings::Settings;
use crate::Result;

/// The power spectrum of a window of samples: `|FFT(window * samples)|^2`, unscaled.
///
/// The windowed samples stand at the left of the FFT's input, zeros fill it at the right.
/// The FFT picks its vector code by the processor it runs on, so the last bits of a value may
/// differ between processors; on one processor they never do.
#[derive(Clone)]
pub struct Spectrum {
    window: Vec<f32>,
    fft: Arc<dyn RealToComplex<f32>>,
    input: Vec<f32>,
    output: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// The bins, then zeros for the filterbank's last step.
    power: Vec<f32>,
}

impl Spectrum {
    /// Plans the FFT and computes the window.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`](crate::ErrorKind::Settings) for settings out of range.
    pub fn new(settings: &Settings) -> Result<Self> {
        settings.validate()?;
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(settings.fft_size);
        let output = fft.make_output_vec();
        Ok(Self {
            window: settings.window.coefficients(settings.window_samples()),
            input: fft.make_input_vec(),
            scratch: fft.make_scratch_vec(),
            power: vec![0.0; output.len() + LANES - 1],
            output,
            fft,
        })
    }

    /// Power at the bins `0..=fft_size / 2` of one window of `samples`; allocates nothing.
    ///
    /// Samples past the window are left out, missing ones count as zeros.
    pub fn power(&mut self, samples: &[f32]) -> &[f32] {
        let bins = self.output.len();
        &self.padded_power(samples)[..bins]
    }

    /// Overwrites all that is left of the samples.
    pub(super) fn wipe(&mut self) {
        self.input.as_mut_slice().zeroize();
        self.power.as_mut_slice().zeroize();
        for bin in self.output.iter_mut().chain(&mut self.scratch) {
            bin.re.zeroize();
            bin.im.zeroize();
        }
    }

    #[cfg(test)]
    pub(super) fn is_wiped(&self) -> bool {
        let complex = self.output.iter().chain(&self.scratch);
        let mut parts = complex.flat_map(|bin| [bin.re, bin.im]);
        parts.all(|part| part == 0.0)
            && self.input.iter().chain(&self.power).all(|&value| value == 0.0)
    }

    /// The same with the zeros that the filterbank wants after the bins.
    pub(super) fn padded_power(&mut self, samples: &[f32]) -> &[f32] {
        let taken = samples.len().min(self.window.len());
        let (windowed, rest) = self.input.split_at_mut(taken);
        for ((value, &sample), &weight) in windowed.iter_mut().zip(samples).zip(&self.window) {
            *value = sample * weight;
        }
        // The FFT works in its input, so the padding has to be written for every frame.
        rest.fill(0.0);
        let done =
            self.fft.process_with_scratch(&mut self.input, &mut self.output, &mut self.scratch);
        if done.is_err() {
            // Only buffers of a wrong length fail, and these are the FFT's own; should it
            // happen all the same, the frame must not pass for sound or silence.
            self.output.fill(Complex::new(f32::NAN, f32::NAN));
        }
        for (power, bin) in self.power.iter_mut().zip(&self.output) {
            *power = bin.re * bin.re + bin.im * bin.im;
        }
        &self.power
    }
}
