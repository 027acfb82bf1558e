//! Samples to log-mel frames. Pure: no threads, no clock, no files.
//!
//! Pre-emphasis over the stream, then for every frame: window, FFT, power, mel bands,
//! `ln(max(power, floor))`. Frame `i` covers the samples `[i * hop, i * hop + window)` of the
//! stream: nothing is centred and nothing is padded at the start. Feeding a stream in chunks
//! of any size gives the same frames, bit for bit, as feeding it at once.
//!
//! Samples are expected in -1 to 1 and finite. The front end doesn't look: a sample that is
//! not a number makes every frame whose window holds it (and, under pre-emphasis, its
//! successor) not a number, and no other. Callers refuse such samples before this point.

mod ln;
pub mod mel;
pub mod settings;
pub mod spectrum;
pub mod window;

use std::fmt;

use ndarray::{Array2, ArrayView1};
use zeroize::Zeroize;

pub use mel::{Filterbank, MelNorm, MelScale};
pub use settings::Settings;
pub use spectrum::Spectrum;
pub use window::WindowKind;

use crate::Result;

/// Hops that the history holds beyond one window, so that it is moved once in so many frames.
const SPARE_HOPS: usize = 16;

/// How far [`FrontEnd::process_into`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "samples that were not taken have to be passed again"]
pub struct Progress {
    /// Samples taken; less than were passed only where `frames` had no room for the next frame.
    pub samples: usize,
    /// Frames written, each of `mel_bands` values.
    pub frames: usize,
}

/// Streaming log-mel front end for 16 kHz mono samples.
///
/// Everything is planned and allocated in [`new`](Self::new); only the methods that return an
/// array allocate after that.
#[derive(Clone)]
pub struct FrontEnd {
    settings: Settings,
    hop: usize,
    window: usize,
    pre_emphasis: f32,
    floor: f32,
    spectrum: Spectrum,
    filterbank: Filterbank,
    frame: Vec<f32>,
    /// Samples after pre-emphasis; `start..end` are those a frame still needs, always fewer
    /// than a window between calls.
    history: Vec<f32>,
    start: usize,
    end: usize,
    /// The sample before, for pre-emphasis.
    last: f32,
    /// Whether samples came that no frame covers yet.
    uncovered: bool,
}

impl FrontEnd {
    /// Plans the front end that `settings` describe.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`](crate::ErrorKind::Settings) for the first setting out of range.
    pub fn new(settings: &Settings) -> Result<Self> {
        settings.validate()?;
        let (hop, window) = (settings.hop_samples(), settings.window_samples());
        Ok(Self {
            settings: settings.clone(),
            hop,
            window,
            pre_emphasis: settings.pre_emphasis as f32,
            floor: settings.floor as f32,
            spectrum: Spectrum::new(settings)?,
            filterbank: Filterbank::new(settings)?,
            frame: vec![0.0; settings.mel_bands],
            history: vec![0.0; window + SPARE_HOPS * hop],
            start: 0,
            end: 0,
            last: 0.0,
            uncovered: false,
        })
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Values in a frame.
    pub fn mel_bands(&self) -> usize {
        self.frame.len()
    }

    /// Samples from one frame's start to the next.
    pub fn hop_samples(&self) -> usize {
        self.hop
    }

    /// Samples that one frame covers.
    pub fn window_samples(&self) -> usize {
        self.window
    }

    /// Samples a frame waits for beyond its own hop: window less hop.
    ///
    /// Frame `i` stands for the samples `[i * hop, (i + 1) * hop)` and comes with the sample
    /// that lies this many further.
    pub fn delay_samples(&self) -> usize {
        self.window - self.hop
    }

    /// What every band of a frame of digital silence holds: `ln(floor)`.
    pub fn silence_value(&self) -> f32 {
        ln::ln(self.floor)
    }

    /// Frames that the next `samples` samples will complete.
    pub fn frames_for(&self, samples: usize) -> usize {
        match (self.end - self.start).saturating_add(samples).checked_sub(self.window) {
            Some(beyond) => beyond / self.hop + 1,
            None => 0,
        }
    }

    /// Takes `samples` and calls `each` with every frame they complete, in order.
    ///
    /// A frame holds `mel_bands` natural logarithms of mel power. Allocates nothing itself.
    pub fn process_with(&mut self, mut samples: &[f32], mut each: impl FnMut(&[f32])) {
        while !samples.is_empty() {
            if self.end == self.history.len() {
                self.history.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            let room = self.history.len() - self.end;
            let (now, later) = samples.split_at(samples.len().min(room));
            self.append(now);
            samples = later;
            while self.end - self.start >= self.window {
                self.compute_frame();
                each(&self.frame);
                self.start += self.hop;
            }
        }
    }

    /// Takes `samples` and writes the frames they complete to `frames`, row-major
    /// `[frames, mel_bands]`; never allocates.
    ///
    /// `frames_for(samples.len()) * mel_bands()` values are room enough for all of them.
    /// Where `frames` has less, the samples up to the first frame without room are taken and
    /// the rest are left to pass again, so nothing is lost. Values of `frames` past the last
    /// frame written stay as they were.
    pub fn process_into(&mut self, samples: &[f32], frames: &mut [f32]) -> Progress {
        let room = frames.len() / self.frame.len();
        let pending = self.end - self.start;
        let most = room.saturating_mul(self.hop).saturating_add(self.window - 1 - pending);
        let taken = &samples[..samples.len().min(most)];
        let mut rows = frames.chunks_exact_mut(self.frame.len());
        let mut written = 0;
        self.process_with(taken, |frame| {
            if let Some(row) = rows.next() {
                row.copy_from_slice(frame);
                written += 1;
            }
        });
        Progress { samples: taken.len(), frames: written }
    }

    /// Takes `samples` and returns the frames they complete, shape `[frames, mel_bands]`.
    pub fn process(&mut self, samples: &[f32]) -> Array2<f32> {
        let mut frames = Array2::zeros((self.frames_for(samples.len()), self.frame.len()));
        let mut rows = frames.rows_mut().into_iter();
        self.process_with(samples, |frame| {
            if let Some(mut row) = rows.next() {
                row.assign(&ArrayView1::from(frame));
            }
        });
        frames
    }

    /// Ends the stream: returns its last frame, if samples are left that no frame covered,
    /// and starts afresh. Shape `[0 or 1, mel_bands]`.
    ///
    /// The frame is the one that would come next if silence (samples of 0) followed.
    pub fn flush(&mut self) -> Array2<f32> {
        let mut frames = Array2::zeros((usize::from(self.uncovered), self.frame.len()));
        self.flush_with(|frame| frames.row_mut(0).assign(&ArrayView1::from(frame)));
        frames
    }

    /// The same as [`flush`](Self::flush), handing the frame to `each`; never allocates.
    pub fn flush_with(&mut self, each: impl FnOnce(&[f32])) {
        if self.uncovered {
            // Fewer than a window are pending, so zeros complete exactly one frame.
            self.history.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            while self.end < self.window {
                self.append(&[0.0]);
            }
            self.compute_frame();
            each(&self.frame);
        }
        self.reset();
    }

    /// Forgets the stream and overwrites all that is left of it: the next sample is the first of
    /// a new one. Dropping it does the same.
    pub fn reset(&mut self) {
        self.history.as_mut_slice().zeroize();
        self.frame.as_mut_slice().zeroize();
        self.spectrum.wipe();
        self.start = 0;
        self.end = 0;
        self.last = 0.0;
        self.uncovered = false;
    }

    /// Puts `samples` through pre-emphasis behind the history, which has room for them.
    fn append(&mut self, samples: &[f32]) {
        let Some(&last) = samples.last() else { return };
        let end = self.end + samples.len();
        let history = &mut self.history[self.end..end];
        if self.pre_emphasis == 0.0 {
            history.copy_from_slice(samples);
        } else {
            history[0] = samples[0] - self.pre_emphasis * self.last;
            for (value, pair) in history[1..].iter_mut().zip(samples.windows(2)) {
                *value = pair[1] - self.pre_emphasis * pair[0];
            }
            self.last = last;
        }
        self.end = end;
        self.uncovered = true;
    }

    /// Computes the frame at the start of the history.
    fn compute_frame(&mut self) {
        let samples = &self.history[self.start..self.start + self.window];
        self.filterbank.apply(self.spectrum.padded_power(samples), &mut self.frame);
        for value in &mut self.frame {
            // Not `max`, which would turn a NaN into silence.
            *value = if *value < self.floor { self.floor } else { *value };
        }
        ln::ln_in_place(&mut self.frame);
        // Later samples that are already here lie behind this window.
        self.uncovered = self.end > self.start + self.window;
    }
}

impl Drop for FrontEnd {
    fn drop(&mut self) {
        self.reset();
    }
}

impl fmt::Debug for FrontEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrontEnd").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_leaves_nothing_of_the_samples() {
        let mut frontend = FrontEnd::new(&Settings::default()).unwrap();
        let samples: Vec<f32> = (0..7_777).map(|n| (n as f32 * 0.05).sin()).collect();
        frontend.process_with(&samples, |_| {});
        assert!(frontend.history.iter().any(|&value| value != 0.0));
        frontend.reset();
        assert!(frontend.history.iter().chain(&frontend.frame).all(|&value| value == 0.0));
        assert!(frontend.spectrum.is_wiped());
    }
}
