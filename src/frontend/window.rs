//! Analysis windows. "Hann" alone is three different windows, so each one here is named.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

/// Which analysis window, over `n = 0..N` for a window of `N` samples.
///
/// The third window that goes by "Hann", the one of MATLAB's `hanning` without its two zero
/// ends, is not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WindowKind {
    /// `0.5 - 0.5 cos(2 pi n / N)`: the default of librosa and PyTorch, `scipy`'s `fftbins=True`.
    HannPeriodic,
    /// `0.5 - 0.5 cos(2 pi n / (N-1))`: `numpy.hanning`, Kaldi's `hanning`.
    HannSymmetric,
    /// `0.54 - 0.46 cos(2 pi n / N)`.
    HammingPeriodic,
    /// `0.54 - 0.46 cos(2 pi n / (N-1))`: HTK's, `numpy.hamming`, Kaldi's `hamming`.
    HammingSymmetric,
    /// The symmetric Hann window to the power 0.85: Kaldi's default.
    Povey,
    /// All ones.
    Rectangular,
}

impl WindowKind {
    /// The `samples` coefficients of the window, computed in double precision.
    pub fn coefficients(self, samples: usize) -> Vec<f32> {
        let periodic = TAU / samples.max(1) as f64;
        // A symmetric window of one sample has no period; its one coefficient is taken as n = 0.
        let symmetric = TAU / samples.saturating_sub(1).max(1) as f64;
        let hann = |angle: f64| 0.5 - 0.5 * angle.cos();
        let hamming = |angle: f64| 0.54 - 0.46 * angle.cos();
        (0..samples)
            .map(|n| {
                let n = n as f64;
                let value = match self {
                    Self::HannPeriodic => hann(n * periodic),
                    Self::HannSymmetric => hann(n * symmetric),
                    Self::HammingPeriodic => hamming(n * periodic),
                    Self::HammingSymmetric => hamming(n * symmetric),
                    Self::Povey => hann(n * symmetric).powf(0.85),
                    Self::Rectangular => 1.0,
                };
                value as f32
            })
            .collect()
    }
}
