//! The mel filterbank: triangles over the bins of the power spectrum.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::{Error, ErrorKind, Result};

/// Bins that one step of a band's sum takes side by side.
///
/// Rust never reorders a float sum, so only a sum written in lanes becomes vector code.
pub(super) const LANES: usize = 4;

/// Which formula maps Hz to mel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MelScale {
    /// `2595 log10(1 + f / 700)`: D. O'Shaughnessy, *Speech Communication: Human and Machine*
    /// (1987), as in the HTK Book.
    Htk,
    /// Linear to 1000 Hz (200/3 Hz a mel), then logarithmic (a factor 6.4 in 27 mels):
    /// M. Slaney, *Auditory Toolbox* (Interval Research technical report 1998-010).
    Slaney,
}

/// How the triangles are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MelNorm {
    /// Every triangle peaks at 1.
    None,
    /// Every triangle has area 1: `2 / (upper - lower)` at the peak, edges in Hz.
    Slaney,
}

const SLANEY_HZ_PER_MEL: f64 = 200.0 / 3.0;
const SLANEY_LOG_FROM_HZ: f64 = 1000.0;
const SLANEY_LOG_FROM_MEL: f64 = SLANEY_LOG_FROM_HZ / SLANEY_HZ_PER_MEL;

impl MelScale {
    /// Mel value of a frequency in Hz.
    pub fn mel(self, hz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
            Self::Slaney if hz < SLANEY_LOG_FROM_HZ => hz / SLANEY_HZ_PER_MEL,
            Self::Slaney => {
                SLANEY_LOG_FROM_MEL + (hz / SLANEY_LOG_FROM_HZ).ln() / slaney_log_step()
            }
        }
    }

    /// Frequency in Hz of a mel value.
    pub fn hz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
            Self::Slaney if mel < SLANEY_LOG_FROM_MEL => mel * SLANEY_HZ_PER_MEL,
            Self::Slaney => {
                SLANEY_LOG_FROM_HZ * (slaney_log_step() * (mel - SLANEY_LOG_FROM_MEL)).exp()
            }
        }
    }
}

fn slaney_log_step() -> f64 {
    6.4f64.ln() / 27.0
}

/// One band: where its bins start and which weights it takes, a multiple of [`LANES`].
#[derive(Debug, Clone, Copy)]
struct Band {
    first_bin: usize,
    first_weight: usize,
    weights: usize,
}

/// Triangular bands, stored as the bins each of them covers.
///
/// The edges lie at equal steps of mel; within a band the sides are straight lines over Hz,
/// as in librosa and Slaney's toolbox (HTK and Kaldi draw them straight over mel instead).
#[derive(Debug, Clone)]
pub struct Filterbank {
    bins: usize,
    bands: Vec<Band>,
    weights: Vec<f32>,
}

impl Filterbank {
    /// The bands that `settings` describe.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for settings out of range, and for a band so narrow that it
    /// falls between two bins of the FFT: it would stay silent whatever is said.
    pub fn new(settings: &Settings) -> Result<Self> {
        settings.validate()?;
        let bins = settings.fft_size / 2 + 1;
        let edges = edges_hz(settings);
        let mut bands = Vec::with_capacity(settings.mel_bands);
        let mut weights = Vec::new();
        for (index, edge) in edges.windows(3).enumerate() {
            let triangle: Vec<f32> = (0..bins).map(|bin| weight(settings, edge, bin)).collect();
            let Some(first_bin) = triangle.iter().position(|&w| w > 0.0) else {
                return Err(empty_band(settings, index, edge));
            };
            let end = triangle.iter().rposition(|&w| w > 0.0).map_or(bins, |last| last + 1);
            let first_weight = weights.len();
            weights.extend_from_slice(&triangle[first_bin..end]);
            let padded = (end - first_bin).next_multiple_of(LANES);
            weights.resize(first_weight + padded, 0.0);
            bands.push(Band { first_bin, first_weight, weights: padded });
        }
        Ok(Self { bins, bands, weights })
    }

    /// Number of bands.
    pub fn bands(&self) -> usize {
        self.bands.len()
    }

    /// The weights as a dense matrix, shape `[mel bands, fft_size / 2 + 1]`.
    pub fn dense(&self) -> Array2<f32> {
        let mut dense = Array2::zeros((self.bands.len(), self.bins));
        for (mut row, band) in dense.rows_mut().into_iter().zip(&self.bands) {
            let weights = &self.weights[band.first_weight..][..band.weights];
            for (value, &weight) in row.iter_mut().skip(band.first_bin).zip(weights) {
                *value = weight;
            }
        }
        dense
    }

    /// Sums `power` into `mel`, one value a band.
    ///
    /// `power` holds the bins and at least `LANES - 1` zeros after them, so that the padded
    /// last step of the highest band stays inside.
    pub(super) fn apply(&self, power: &[f32], mel: &mut [f32]) {
        for (value, band) in mel.iter_mut().zip(&self.bands) {
            let weights = &self.weights[band.first_weight..][..band.weights];
            let power = &power[band.first_bin..][..band.weights];
            let mut sums = [0f32; LANES];
            for (w, p) in weights.chunks_exact(LANES).zip(power.chunks_exact(LANES)) {
                for lane in 0..LANES {
                    sums[lane] += w[lane] * p[lane];
                }
            }
            *value = (sums[0] + sums[2]) + (sums[1] + sums[3]);
        }
    }
}

/// The `mel_bands + 2` edges in Hz, at equal steps of mel.
fn edges_hz(settings: &Settings) -> Vec<f64> {
    let scale = settings.mel_scale;
    let (low, high) = (scale.mel(settings.low_hz), scale.mel(settings.high_hz));
    let step = (high - low) / (settings.mel_bands + 1) as f64;
    (0..settings.mel_bands + 2).map(|edge| scale.hz(low + step * edge as f64)).collect()
}

/// Weight of a bin in the band with edges `[lower, peak, upper]`.
fn weight(settings: &Settings, edges: &[f64], bin: usize) -> f32 {
    let hz = bin as f64 * f64::from(settings.sample_rate_hz) / settings.fft_size as f64;
    let (lower, peak, upper) = (edges[0], edges[1], edges[2]);
    let rising = (hz - lower) / (peak - lower);
    let falling = (upper - hz) / (upper - peak);
    let scale = match settings.mel_norm {
        MelNorm::None => 1.0,
        MelNorm::Slaney => 2.0 / (upper - lower),
    };
    (rising.min(falling).max(0.0) * scale) as f32
}

fn empty_band(settings: &Settings, index: usize, edges: &[f64]) -> Error {
    let spacing = f64::from(settings.sample_rate_hz) / settings.fft_size as f64;
    Error::new(ErrorKind::Settings, format!("front-end mel band {index} holds no FFT bin"))
        .expected(format!("bands wider than the bin spacing of {spacing} Hz"))
        .found(format!("{:.1} to {:.1} Hz", edges[0], edges[2]))
        .hint("use fewer mel_bands, a larger fft_size, or a wider range of Hz")
}
