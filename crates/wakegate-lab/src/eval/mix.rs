//! Speech in noise at a stated signal-to-noise ratio.
//!
//! Two definitions are in use, and the same mixture reads several dB higher by one than by the
//! other, so that a figure without its definition says little: see [`Snr`].

use std::ops::Range;

use realfft::RealFftPlanner;

use wakegate::{Error, ErrorKind, Result};

/// Samples of the frames of [`Snr::PeakFrame`], at 16 kHz: those of Picovoice's benchmark.
pub const PEAK_FRAME: usize = 2_048;
/// Samples of the frames in which silence at the edges is looked for.
const EDGE_FRAME: usize = 160;

/// What "the level" of speech and of noise is in a ratio of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snr {
    /// The mean power of the speech over that of the noise under it.
    MeanPower,
    /// The highest energy of a frame of 2048 samples of the speech over that of the noise under
    /// it, as in Picovoice's wake-word-benchmark. It reads higher than the mean power's wherever
    /// the speech has pauses or the noise is even.
    PeakFrame,
}

impl Snr {
    /// The word that labels use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MeanPower => "mean_power",
            Self::PeakFrame => "peak_frame",
        }
    }

    /// The level of `samples`: a power, or an energy. Frames are whole; what is shorter than one
    /// is one.
    pub fn level(self, samples: &[f32]) -> f64 {
        let energy = |part: &[f32]| part.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>();
        match self {
            Self::MeanPower => energy(samples) / samples.len().max(1) as f64,
            Self::PeakFrame => {
                let frame = PEAK_FRAME.min(samples.len()).max(1);
                samples.chunks_exact(frame).map(energy).fold(0.0, f64::max)
            }
        }
    }

    /// What `speech` is to be multiplied with to be `snr_db` above `noise`, which is as long.
    ///
    /// # Errors
    /// [`ErrorKind::Audio`] where either is silent: there is no ratio.
    pub fn gain(self, speech: &[f32], noise: &[f32], snr_db: f64) -> Result<f32> {
        let (speech, noise) = (self.level(speech), self.level(noise));
        for (name, level) in [("speech", speech), ("noise", noise)] {
            if level <= 0.0 {
                return Err(Error::new(ErrorKind::Audio, "no signal-to-noise ratio")
                    .expected(format!("{name} that is not silent"))
                    .found("digital silence"));
            }
        }
        Ok((noise / speech * 10_f64.powf(snr_db / 10.0)).sqrt() as f32)
    }
}

/// Where `samples` are louder than `below_db` under their loudest 10 ms, to whole frames of
/// those; nothing of silence.
pub fn audible(samples: &[f32], below_db: f64) -> Range<usize> {
    let powers: Vec<f64> =
        samples.chunks(EDGE_FRAME).map(|frame| Snr::MeanPower.level(frame)).collect();
    let least = powers.iter().copied().fold(0.0, f64::max) * 10_f64.powf(-below_db / 10.0);
    let loud = |power: &f64| *power > 0.0 && *power >= least;
    let (Some(first), Some(last)) = (powers.iter().position(loud), powers.iter().rposition(loud))
    else {
        return 0..0;
    };
    first * EDGE_FRAME..((last + 1) * EDGE_FRAME).min(samples.len())
}

/// `dry` in a room of this impulse `response`: as long as both together, and moved so that the
/// direct sound, the response's largest sample, stays where the dry one was. Times of words hold
/// on.
///
/// # Errors
/// [`ErrorKind::Audio`] for a response without sound.
pub fn reverberated(dry: &[f32], response: &[f32]) -> Result<Vec<f32>> {
    let direct = (0..response.len()).max_by(|&a, &b| {
        // Of equals the first.
        response[a].abs().total_cmp(&response[b].abs()).then(b.cmp(&a))
    });
    let Some(direct) = direct.filter(|&at| response[at] != 0.0) else {
        return Err(Error::new(ErrorKind::Audio, "no impulse response")
            .expected("a response with sound in it")
            .found("digital silence"));
    };
    let length = dry.len() + response.len() - 1;
    let size = length.next_power_of_two().max(2);
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let failed = |error: realfft::FftError| {
        Error::new(ErrorKind::Runtime, "cannot convolve").found(error.to_string())
    };
    let spectrum = |samples: &[f32]| {
        let mut padded = samples.to_vec();
        padded.resize(size, 0.0);
        let mut spectrum = forward.make_output_vec();
        forward.process(&mut padded, &mut spectrum).map_err(failed)?;
        Ok(spectrum)
    };
    let mut product = spectrum(dry)?;
    for (value, factor) in product.iter_mut().zip(spectrum(response)?) {
        *value *= factor;
    }
    // Real inputs leave no imaginary part at the ends but rounding, which the inverse refuses.
    for end in [0, size / 2] {
        product[end].im = 0.0;
    }
    let mut wet = inverse.make_output_vec();
    inverse.process(&mut product, &mut wet).map_err(failed)?;
    let scale = 1.0 / size as f32;
    Ok(wet[direct..length].iter().map(|sample| sample * scale).collect())
}

/// Appends `next` to `stream`, its start faded over the last `fade` samples that are there.
pub fn join(stream: &mut Vec<f32>, next: &[f32], fade: usize) {
    let fade = fade.min(stream.len()).min(next.len());
    let from = stream.len() - fade;
    for (index, (before, after)) in stream[from..].iter_mut().zip(next).enumerate() {
        let along = (index as f32 + 1.0) / (fade as f32 + 1.0);
        *before = *before * (1.0 - along) + after * along;
    }
    stream.extend_from_slice(&next[fade..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::random::Random;

    fn noise(count: usize, seed: u64, level: f64) -> Vec<f32> {
        let mut random = Random::new(seed);
        (0..count).map(|_| ((random.unit() - 0.5) * level) as f32).collect()
    }

    #[test]
    fn the_mixture_has_the_ratio_that_was_asked_for() {
        let speech: Vec<f32> = noise(12_000, 1, 0.7)
            .into_iter()
            .enumerate()
            .map(|(n, s)| if n % 5_000 < 2_500 { s } else { s / 50.0 })
            .collect();
        let noise = noise(12_000, 2, 0.1);
        for snr in [Snr::MeanPower, Snr::PeakFrame] {
            let gain = snr.gain(&speech, &noise, 7.5).unwrap();
            let scaled: Vec<f32> = speech.iter().map(|s| s * gain).collect();
            let ratio = 10.0 * (snr.level(&scaled) / snr.level(&noise)).log10();
            assert!((ratio - 7.5).abs() < 1e-4, "{snr:?}: {ratio}");
        }
        // Speech with pauses is quieter at the same number by its peak.
        let gains = [Snr::MeanPower, Snr::PeakFrame].map(|s| s.gain(&speech, &noise, 0.0).unwrap());
        assert!(gains[0] > 1.2 * gains[1], "{gains:?}");
        assert!(Snr::MeanPower.gain(&speech, &[0.0; 10], 0.0).is_err());
        assert!(Snr::PeakFrame.gain(&[], &noise, 0.0).is_err());
    }

    #[test]
    fn a_peak_frame_is_whole() {
        let mut samples = vec![0.1; 3 * PEAK_FRAME + 100];
        samples[PEAK_FRAME..2 * PEAK_FRAME].fill(0.5);
        // In the rest that is no whole frame nothing counts.
        samples[3 * PEAK_FRAME..].fill(100.0);
        assert!((Snr::PeakFrame.level(&samples) - 0.25 * PEAK_FRAME as f64).abs() < 1e-6);
        assert!((Snr::PeakFrame.level(&[0.5; 100]) - 25.0).abs() < 1e-6);
    }

    #[test]
    fn the_edges_are_cut_where_nothing_is_heard() {
        let mut samples = vec![0.0; 16_000];
        samples[1_000..3_000].fill(0.5);
        samples[5_000..5_100].fill(0.001);
        assert_eq!(audible(&samples, 40.0), 960..3_040);
        assert_eq!(audible(&samples, 80.0), 960..5_120);
        assert_eq!(audible(&[0.0; 500], 40.0), 0..0);
        assert_eq!(audible(&[0.1; 170], 40.0), 0..170);
    }

    #[test]
    fn a_room_keeps_the_direct_sound_in_its_place() {
        let dry = noise(3_000, 3, 1.0);
        let mut response = vec![0.0; 900];
        (response[40], response[640]) = (1.0, -0.5);
        let wet = reverberated(&dry, &response).unwrap();
        assert_eq!(wet.len(), 3_000 + 900 - 1 - 40);
        for (n, &found) in wet.iter().enumerate() {
            let at = |n: usize| dry.get(n).copied().unwrap_or(0.0);
            let echo = n.checked_sub(600).map_or(0.0, at);
            assert!((found - (at(n) - 0.5 * echo)).abs() < 1e-5, "at {n}");
        }
        assert!(reverberated(&dry, &[0.0; 4]).is_err() && reverberated(&dry, &[]).is_err());
    }

    #[test]
    fn pieces_are_joined_without_a_step() {
        let mut stream = vec![1.0; 10];
        join(&mut stream, &[0.0; 10], 4);
        assert_eq!(stream.len(), 16);
        let expected = [1.0, 0.8, 0.6, 0.4, 0.2, 0.0];
        for (found, expected) in stream[5..11].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{stream:?}");
        }
        let mut stream = Vec::new();
        join(&mut stream, &[0.5; 3], 4);
        assert_eq!(stream, [0.5; 3]);
    }
}
