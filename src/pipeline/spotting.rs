//! The spotter of one stream: what it is fed, and the highest that it said.

use super::Part;
use super::activation::{Pending, Timing, Window};
use super::history::History;
use super::numbers::Numbers;
use super::word::Watch;
use crate::Result;
use crate::decision::{Candidate, Detector, DetectorSettings, Streak};
use crate::model::{Model, SpotterSession};

/// The spotter with what gathers its input and follows its output.
pub(super) struct Spotting {
    pub(super) session: SpotterSession,
    pub(super) detector: Detector,
    /// Frames of the step that is being gathered, row-major.
    pub(super) step: Vec<f32>,
    filled: usize,
    /// The word of the candidate whose peak is looked for.
    pub(super) word: Option<Watch>,
    /// The highest moment, as long as no candidate was found.
    pub(super) highest: Option<Highest>,
    /// The window around the highest moment, once that is complete.
    pub(super) snapshot: Vec<f32>,
    pub(super) found_any: bool,
}

/// The spotter's highest moment so far.
pub(super) struct Highest {
    pub(super) window: Window,
    pub(super) posterior: f32,
    pub(super) complete: bool,
}

impl Spotting {
    /// At the start of a stream.
    pub(super) fn new(model: &Model, timing: &Timing) -> Result<Self> {
        let manifest = model.manifest();
        let bands = manifest.frontend.mel_bands;
        Ok(Self {
            session: model.spotter()?,
            detector: Detector::new(DetectorSettings {
                threshold: manifest.spotter.threshold,
                patience_steps: manifest.spotter.patience_steps,
                peak_search_samples: timing.peak_search,
                refractory_samples: timing.refractory,
            })?,
            step: vec![0.0; timing.frames_per_step * bands],
            filled: 0,
            word: None,
            highest: None,
            snapshot: vec![0.0; manifest.window_frames() * bands],
            found_any: false,
        })
    }

    /// Forgets the stream, and overwrites what it left.
    pub(super) fn reset(&mut self) -> Result<()> {
        self.detector.reset();
        self.step.fill(0.0);
        self.filled = 0;
        self.word = None;
        self.highest = None;
        self.snapshot.fill(0.0);
        self.found_any = false;
        self.session.reset()
    }

    /// Runs the step that is gathered, `heard` frames into the stream; the candidate whose search
    /// it completes, if any.
    pub(super) fn step(
        &mut self,
        heard: u64,
        timing: &Timing,
        numbers: &Numbers,
        mark: &mut impl FnMut(Part),
    ) -> Result<Option<Pending>> {
        let step_end = timing.frame_end(heard - 1);
        mark(Part::Spotter);
        let posterior = self.session.step(&self.step)?;
        mark(Part::Decision);
        let here = timing.spotted(step_end);
        self.raise(posterior, here);
        let found = self.detector.push(step_end, posterior)?;
        if self.word.is_none() && (self.detector.is_searching() || found.is_some()) {
            let (anchor, number) = (here.anchor, numbers.next());
            self.word = Some(Watch::new(number, anchor, heard as i64, timing, false));
        }
        let Some(Candidate { peak_sample, peak, found_sample: found }) = found else {
            return Ok(None);
        };
        (self.highest, self.found_any) = (None, true);
        let (window, streak) = (timing.spotted(peak_sample), Streak::default());
        let pending = |word| Pending { window, found, peak: Some(peak), moment: 0, streak, word };
        Ok(self.word.take().map(pending))
    }

    /// Keeps the window around the highest moment once it is complete.
    pub(super) fn snap(&mut self, history: &History) {
        if let Some(highest) = &mut self.highest
            && !highest.complete
        {
            highest.complete = history.copy_window(highest.window.first, &mut self.snapshot);
        }
    }

    /// Adds a frame; `true` when it was the last of a step.
    pub(super) fn gather(&mut self, frame: &[f32]) -> bool {
        self.step[self.filled..self.filled + frame.len()].copy_from_slice(frame);
        self.filled += frame.len();
        if self.filled < self.step.len() {
            return false;
        }
        self.filled = 0;
        true
    }

    /// Keeps the highest moment, the earliest of equal ones, until there is a candidate.
    pub(super) fn raise(&mut self, posterior: f32, window: Window) {
        let risen = self.highest.as_ref().is_none_or(|highest| posterior > highest.posterior);
        if risen && !self.found_any {
            self.highest = Some(Highest { window, posterior, complete: false });
        }
    }
}
