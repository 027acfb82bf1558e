//! What the page shows and plays of a clip, made from its decrypted samples: the WAV file, the
//! spectrogram and the spotter's posteriors.

use serde::Serialize;

use crate::wav;
use wakegate::Result;
use wakegate::audio::SAMPLE_RATE;
use wakegate::frontend::{FrontEnd, Settings};
use wakegate::gate::{AudioBuffer, Guarded};
use wakegate::model::{Model, SpotterSession};

/// Bands of the spectrogram.
const BANDS: usize = 64;
/// Natural logarithm of power from the loudest cell down to black: 50 dB.
const RANGE: f32 = 11.5;
/// How far the recomputed peak of an unchanged model may lie from the one that was kept: 16-bit
/// samples and a spotter that starts with the clip move it by a few hundredths.
const TOLERANCE: f32 = 0.1;
/// How many samples after a word its peak may come: the spotter's delay and its search.
const SOON: u64 = SAMPLE_RATE as u64;

/// Bytes for a response. They wipe themselves once they have been sent.
pub(super) struct Body(Guarded<u8>);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

/// A clip, ready to be fetched: each part once.
pub(super) struct Prepared {
    /// A WAV file, 16 kHz mono, 16 bits.
    pub(super) wav: Option<Body>,
    /// The cells of the spectrogram, frame by frame, 0 to 255.
    pub(super) cells: Option<Body>,
}

impl Prepared {
    /// Overwrites what was not fetched.
    pub(super) fn wipe(&mut self) {
        self.wav = None;
        self.cells = None;
    }
}

/// What the page has to know to draw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Drawing {
    /// Frames of the spectrogram.
    frames: usize,
    /// Bands of each, low to high.
    bands: usize,
    /// Seconds from one frame to the next.
    hop_s: f64,
    /// Edges of the lowest and the highest band in Hz.
    low_hz: f64,
    high_hz: f64,
    /// The spotter's posteriors; none where another model judged the clip.
    spotter: Option<Trace>,
}

/// The spotter's posteriors over the clip.
///
/// They are no record of what the spotter said when the word was heard: nothing of that is kept
/// but its peak. They are computed from the stored samples, when the clip is shown, by the model
/// that is installed then, from a fresh start. The page says so, and where the model of that
/// name no longer comes to the peak that was kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Trace {
    /// `name-version` of the model that computed them.
    model: String,
    /// The highest of them where the word lies.
    peak: f32,
    /// Whether that is another peak than the one that was kept when the word was heard: the
    /// model of this name has been changed since. None where no peak was kept.
    differs: Option<bool>,
    /// End of the first step in seconds.
    first_s: f64,
    /// Seconds from one step to the next.
    step_s: f64,
    /// From which posterior on a step counts towards a candidate.
    threshold: f32,
    /// From which posterior of intended on the verdict is intended.
    intended_at: f32,
    posteriors: Vec<f32>,
}

/// What was kept of a clip when it was heard, as far as a picture needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<'a> {
    /// `name-version` of the model that judged it.
    pub(super) model: &'a str,
    /// The spotter's highest posterior, where the spotter proposed it.
    pub(super) peak: Option<f32>,
    /// Where the word lies, in samples.
    pub(super) word: [u64; 2],
}

/// Makes pictures of clips.
pub(super) struct Painter {
    frontend: FrontEnd,
    spotter: Option<Spotter>,
}

struct Spotter {
    model: String,
    frontend: FrontEnd,
    session: SpotterSession,
    frames_per_step: usize,
    threshold: f32,
    intended_at: f32,
}

impl Painter {
    /// `model` runs its spotter over the clips that it has judged.
    pub(super) fn new(model: Option<&Model>) -> Result<Self> {
        let picture = Settings {
            window_ms: 32.0,
            fft_size: 1024,
            mel_bands: BANDS,
            floor: 1e-9,
            ..Settings::default()
        };
        let spotter = model.map(|model| -> Result<Spotter> {
            let manifest = model.manifest();
            Ok(Spotter {
                model: manifest.id(),
                frontend: FrontEnd::new(&manifest.frontend)?,
                session: model.spotter()?,
                frames_per_step: manifest.spotter.frames_per_step,
                threshold: manifest.spotter.threshold,
                intended_at: manifest.decision.intended_at,
            })
        });
        Ok(Self { frontend: FrontEnd::new(&picture)?, spotter: spotter.transpose()? })
    }

    /// Everything about a clip of `audio`, of which this was kept.
    pub(super) fn paint(
        &mut self,
        audio: &AudioBuffer,
        kept: Kept<'_>,
    ) -> Result<(Drawing, Prepared)> {
        let (frames, cells) = spectrogram(&mut self.frontend, audio.samples());
        let spotter = match self.spotter.take() {
            Some(mut spotter) if spotter.model == kept.model => {
                // One that fails is not put back: the clip is shown without it then.
                let trace = spotter.trace(audio.samples(), kept)?;
                self.spotter = Some(spotter);
                Some(trace)
            }
            other => {
                self.spotter = other;
                None
            }
        };
        let settings = self.frontend.settings();
        let drawing = Drawing {
            frames,
            bands: BANDS,
            hop_s: settings.hop_ms / 1000.0,
            low_hz: settings.low_hz,
            high_hz: settings.high_hz,
            spotter,
        };
        let prepared = Prepared { wav: Some(wav_of(audio.samples())), cells: Some(cells) };
        Ok((drawing, prepared))
    }
}

impl Spotter {
    fn trace(&mut self, samples: &[f32], kept: Kept<'_>) -> Result<Trace> {
        self.session.reset()?;
        let bands = self.frontend.mel_bands();
        let mut step = Guarded::<f32>::new(self.frames_per_step * bands);
        let (mut filled, mut result) = (0, Ok(()));
        let mut posteriors = Vec::with_capacity(self.frontend.frames_for(samples.len()));
        let session = &mut self.session;
        self.frontend.process_with(samples, |frame| {
            if result.is_err() {
                return;
            }
            step.as_mut_slice()[filled..filled + bands].copy_from_slice(frame);
            filled += bands;
            if filled == step.as_slice().len() {
                filled = 0;
                result = session.step(step.as_slice()).map(|value| posteriors.push(value));
            }
        });
        self.frontend.reset();
        self.session.reset()?;
        result?;
        let seconds = |samples: usize| samples as f64 / f64::from(SAMPLE_RATE);
        let (hop, window) = (self.frontend.hop_samples(), self.frontend.window_samples());
        let (first, step) = ((self.frames_per_step - 1) * hop + window, self.frames_per_step * hop);
        let peak = peak(&posteriors, first, step, kept.word);
        Ok(Trace {
            model: self.model.clone(),
            peak,
            differs: kept.peak.map(|kept| (kept - peak).abs() > TOLERANCE),
            first_s: seconds(first),
            step_s: seconds(step),
            threshold: self.threshold,
            intended_at: self.intended_at,
            posteriors,
        })
    }
}

/// The highest of the posteriors of steps that end in the word, or soon after it. The first of
/// them ends at the sample `first`.
fn peak(posteriors: &[f32], first: usize, step: usize, word: [u64; 2]) -> f32 {
    let near = word[0]..=word[1].saturating_add(SOON);
    let ends = (first as u64..).step_by(step);
    let inside = ends.zip(posteriors).filter(|(end, _)| near.contains(end));
    inside.map(|(_, &posterior)| posterior).fold(0.0, f32::max)
}

/// Frames and cells of the spectrogram, scaled to its loudest cell.
fn spectrogram(frontend: &mut FrontEnd, samples: &[f32]) -> (usize, Body) {
    let frames = frontend.frames_for(samples.len());
    let mut powers = Guarded::<f32>::new(frames * BANDS);
    let progress = frontend.process_into(samples, powers.as_mut_slice());
    debug_assert_eq!(progress.frames, frames);
    frontend.reset();
    let loudest = powers.as_slice().iter().copied().fold(f32::MIN, f32::max);
    let mut cells = Guarded::<u8>::new(frames * BANDS);
    for (cell, power) in cells.as_mut_slice().iter_mut().zip(powers.as_slice()) {
        let share = 1.0 + (power - loudest) / RANGE;
        *cell = (share.clamp(0.0, 1.0) * 255.0).round() as u8;
    }
    (frames, Body(cells))
}

/// A WAV file of 16-bit samples, in guarded memory.
fn wav_of(samples: &[f32]) -> Body {
    let mut file = Guarded::<u8>::new(wav::HEADER_16 + 2 * samples.len());
    let (header, pcm) = file.as_mut_slice().split_at_mut(wav::HEADER_16);
    header.copy_from_slice(&wav::header(samples.len(), wav::SampleFormat::Int16));
    for (bytes, &sample) in pcm.chunks_exact_mut(2).zip(samples) {
        bytes.copy_from_slice(&wav::int16(sample));
    }
    Body(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(model: &str) -> Kept<'_> {
        Kept { model, peak: None, word: [0, 16_000] }
    }

    fn tone(hz: f32, seconds: f32) -> AudioBuffer {
        let count = (seconds * SAMPLE_RATE as f32) as usize;
        let at =
            |i: usize| 0.4 * (std::f32::consts::TAU * hz * i as f32 / SAMPLE_RATE as f32).sin();
        AudioBuffer::copy_of(&(0..count).map(at).collect::<Vec<_>>())
    }

    #[test]
    fn a_tone_lights_one_stretch_of_bands_in_every_frame() {
        let mut painter = Painter::new(None).unwrap();
        let loudest = |painter: &mut Painter, hz: f32| {
            let (drawing, prepared) = painter.paint(&tone(hz, 0.5), kept("none-1")).unwrap();
            assert_eq!(drawing.bands, BANDS);
            let cells = prepared.cells.unwrap();
            assert_eq!(cells.as_ref().len(), drawing.frames * drawing.bands);
            let frame = &cells.as_ref()[BANDS * (drawing.frames / 2)..][..BANDS];
            assert!(frame.iter().filter(|&&cell| cell > 200).count() < 8, "{frame:?}");
            frame.iter().enumerate().max_by_key(|(_, cell)| **cell).unwrap().0
        };
        let (low, high) = (loudest(&mut painter, 300.0), loudest(&mut painter, 3000.0));
        assert!(low < high && high < BANDS, "{low} {high}");
        assert_eq!(loudest(&mut painter, 300.0), low, "nothing is left of the clip before");
    }

    #[test]
    fn a_wav_file_holds_the_samples() {
        let audio = AudioBuffer::copy_of(&[0.0, 0.5, -1.0, 1.0]);
        let file = wav_of(audio.samples());
        let bytes = file.as_ref();
        assert_eq!(bytes.len(), wav::HEADER_16 + 8);
        assert_eq!(&bytes[40..44], 8_u32.to_le_bytes());
        let samples: Vec<i16> = bytes[wav::HEADER_16..]
            .chunks_exact(2)
            .map(|b| i16::from_le_bytes([b[0], b[1]]))
            .collect();
        assert_eq!(samples, [0, 16_384, -32_768, 32_767]);
    }

    #[test]
    fn the_trace_of_the_model_that_judged_rises_at_the_word() {
        wakegate::model::Runtime::Embedded.choose().unwrap();
        let model = Model::embedded().unwrap();
        let mut painter = Painter::new(Some(&model)).unwrap();
        let id = model.manifest().id();
        let (drawing, _) = painter.paint(&tone(300.0, 2.0), kept(&id)).unwrap();
        let trace = drawing.spotter.unwrap();
        assert_eq!((&trace.model, trace.differs), (&id, None));
        assert!(!trace.posteriors.is_empty());
        assert!(trace.posteriors.iter().all(|p| (0.0..=1.0).contains(p)));
        let end = trace.first_s + (trace.posteriors.len() - 1) as f64 * trace.step_s;
        assert!(end <= 2.0 && end > 2.0 - 2.0 * trace.step_s, "{end}");
        assert!(painter.paint(&tone(300.0, 1.0), kept("other-1")).unwrap().0.spotter.is_none());
    }
}
