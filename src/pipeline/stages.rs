//! What happens to a frame: history, spotter, detector, verifier, verdict.

use std::collections::VecDeque;

use super::activation::{Pending, Timing};
use super::early::EarlyMoments;
use super::history::History;
use super::{Activation, Part, SharedVerifier};
use crate::decision::{Candidate, Detector, DetectorSettings, Thresholds, Verdict, decide};
use crate::model::{Model, SpotterSession, Verification};
use crate::{Error, ErrorKind, Result};

/// Most candidates that may wait for their windows; the refractory time keeps the spotter far
/// below it.
const MOST_PENDING: usize = 64;

/// How late the account of an outside engine may come, in seconds of audio: such an engine has
/// its own load and delay, and its client may send faster than it was spoken.
const OUTSIDE_LATENESS_S: f64 = 10.0;

/// The stages behind the front end, fed one frame at a time.
pub(super) struct Stages {
    timing: Timing,
    thresholds: Thresholds,
    early: Option<EarlyMoments>,
    spotting: Option<Spotting>,
    verifier: SharedVerifier,
    history: History,
    /// Candidates in the order in which their windows end.
    pending: VecDeque<Pending>,
    window: Vec<f32>,
    listening: bool,
}

/// The spotter with what gathers its input and follows its output.
struct Spotting {
    session: SpotterSession,
    detector: Detector,
    /// Frames of the step that is being gathered, row-major.
    step: Vec<f32>,
    filled: usize,
    /// The highest moment, as long as no candidate was found.
    highest: Option<Highest>,
    /// The window around the highest moment, once that is complete.
    snapshot: Vec<f32>,
    found_any: bool,
}

/// The spotter's highest moment so far.
struct Highest {
    pending: Pending,
    posterior: f32,
    complete: bool,
}

impl Stages {
    pub(super) fn new(
        model: &Model,
        verifier: impl FnOnce() -> Result<SharedVerifier>,
        spotter: bool,
        silence: f32,
    ) -> Result<Self> {
        let manifest = model.manifest();
        let timing = Timing::new(manifest);
        let bands = manifest.frontend.mel_bands;
        let decision = &manifest.decision;
        let lateness = if spotter { 0.0 } else { OUTSIDE_LATENESS_S };
        let lateness = (lateness * 1_000.0 / manifest.frontend.hop_ms).ceil() as usize;
        let spotting = if spotter {
            Some(Spotting {
                session: model.spotter()?,
                detector: Detector::new(DetectorSettings {
                    threshold: manifest.spotter.threshold,
                    patience_steps: manifest.spotter.patience_steps,
                    peak_search_samples: timing.peak_search,
                    refractory_samples: timing.refractory,
                })?,
                step: vec![0.0; timing.frames_per_step * bands],
                filled: 0,
                highest: None,
                snapshot: vec![0.0; manifest.window_frames() * bands],
                found_any: false,
            })
        } else {
            None
        };
        Ok(Self {
            timing,
            thresholds: Thresholds::new(decision.intended_at, decision.accidental_below)?,
            early: EarlyMoments::new(manifest)?,
            spotting,
            verifier: verifier()?,
            history: History::new(timing.history() + lateness, bands, silence),
            pending: VecDeque::new(),
            window: vec![0.0; manifest.window_frames() * bands],
            listening: true,
        })
    }

    /// Takes the next frame.
    pub(super) fn take(
        &mut self,
        frame: &[f32],
        on_activation: &mut dyn FnMut(Activation),
        mark: &mut impl FnMut(Part),
    ) -> Result<()> {
        // A network may turn an infinite feature into a plausible posterior.
        if !frame.iter().all(|value| value.is_finite()) {
            return Err(Error::new(
                ErrorKind::Audio,
                format!("frame {} is refused", self.history.count()),
            )
            .expected("finite mel powers")
            .found("samples far beyond -1 to 1")
            .hint("scale the recording to -1 to 1"));
        }
        self.history.push(frame);
        self.spot(frame, mark)?;
        self.settle(on_activation, mark)
    }

    /// Judges the candidates whose windows are complete, or sure before that, in their order.
    pub(super) fn settle(
        &mut self,
        on_activation: &mut dyn FnMut(Activation),
        mark: &mut impl FnMut(Part),
    ) -> Result<()> {
        while let Some(mut pending) = self.pending.front().copied() {
            let early = self.judge_early(&mut pending, mark)?;
            let activation = match early {
                Some(activation) => activation,
                None if pending.end <= self.history.count() as i64 => {
                    self.judge(&pending, pending.end, mark)?
                }
                None => {
                    if let Some(front) = self.pending.front_mut() {
                        *front = pending;
                    }
                    break;
                }
            };
            self.pending.pop_front();
            on_activation(activation);
        }
        Ok(())
    }

    /// Judges `pending` at each early moment that has come. A moment sees nothing of what was
    /// heard after it, so that the verdict does not depend on when it is asked for.
    fn judge_early(
        &mut self,
        pending: &mut Pending,
        mark: &mut impl FnMut(Part),
    ) -> Result<Option<Activation>> {
        while let Some(moments) = &self.early
            && let Some(heard) = moments.next(pending)
            && pending.first + heard <= self.history.count() as i64
        {
            pending.moment += 1;
            let rule = moments.rule;
            let end = pending.first + heard;
            let activation = self.judge(pending, end, mark)?;
            let mut stands = rule.allows(activation.posteriors.intended());
            if stands == Some(Verdict::Intended)
                && !(self.is_pause(pending.first, heard)
                    && rule.confirms(self.judge_moved(end, mark)?))
            {
                stands = None;
            }
            if rule.settles(&mut pending.streak, stands) {
                return Ok(Some(activation));
            }
        }
        Ok(None)
    }

    /// Whether the `heard` frames of the window that is at hand, from frame `first`, end in a
    /// pause. What lies before the stream's start is no quiet.
    fn is_pause(&mut self, first: i64, heard: i64) -> bool {
        let Some(moments) = &mut self.early else { return false };
        let bands = self.window.len() / self.timing.window_frames();
        let from = usize::try_from(-first).unwrap_or(0);
        let to = usize::try_from(heard).unwrap_or(0);
        self.window.get(from * bands..to * bands).is_some_and(|heard| moments.is_pause(heard))
    }

    /// The posterior of intended of the whole window that ends before frame `end`.
    fn judge_moved(&mut self, end: i64, mark: &mut impl FnMut(Part)) -> Result<f32> {
        let first = end - self.timing.window_frames() as i64;
        Ok(self.verify(first, end, mark)?.posteriors.intended())
    }

    /// Samples of silence that end a stream before [`stop_listening`](Self::stop_listening).
    pub(super) fn tail(&self) -> u64 {
        self.timing.tail()
    }

    /// From now on the spotter only completes the search that is open.
    pub(super) fn stop_listening(&mut self) {
        self.listening = false;
    }

    /// Whether more frames are needed for what is already found.
    pub(super) fn is_waiting(&self) -> bool {
        let spotting = self.spotting.as_ref().is_some_and(|spotting| {
            spotting.detector.is_searching()
                || spotting.highest.as_ref().is_some_and(|highest| !highest.complete)
        });
        spotting || !self.pending.is_empty()
    }

    /// Candidates that wait for their windows, and the one whose peak is still looked for.
    pub(super) fn waiting(&self) -> usize {
        let searching = self.spotting.as_ref().is_some_and(|s| s.detector.is_searching());
        self.pending.len() + usize::from(searching)
    }

    pub(super) fn judge_at(&mut self, word_end: u64) -> Result<()> {
        let refused = Error::new(ErrorKind::Settings, format!("cannot judge at sample {word_end}"));
        let Ok(anchor) = i64::try_from(word_end) else {
            return Err(refused.expected("a sample number"));
        };
        let pending = self.timing.pending(anchor, 0, None);
        if !self.history.holds(pending.first) {
            return Err(refused
                .expected("a moment whose window is still at hand")
                .found(format!("a stream that has come to frame {}", self.history.count())));
        }
        if self.pending.len() >= MOST_PENDING {
            return Err(refused
                .expected(format!("at most {MOST_PENDING} candidates at a time"))
                .found("one more"));
        }
        insert(&mut self.pending, pending);
        Ok(())
    }

    pub(super) fn highest_moment(&mut self) -> Result<Option<(Verification, f32)>> {
        let Some(Spotting { highest: Some(highest), snapshot, .. }) = &self.spotting else {
            return Ok(None);
        };
        if highest.complete {
            return Ok(Some((self.verifier.judge(snapshot)?, highest.posterior)));
        }
        Err(Error::new(ErrorKind::Audio, "the highest moment is not complete")
            .expected("a stream that was finished"))
    }

    pub(super) fn reset(&mut self) -> Result<()> {
        self.history.reset();
        self.pending.clear();
        self.window.fill(0.0);
        self.listening = true;
        let Some(spotting) = &mut self.spotting else { return Ok(()) };
        spotting.detector.reset();
        spotting.step.fill(0.0);
        spotting.filled = 0;
        spotting.highest = None;
        spotting.snapshot.fill(0.0);
        spotting.found_any = false;
        spotting.session.reset()
    }

    /// Gathers the spotter's step, and runs it when it is complete.
    fn spot(&mut self, frame: &[f32], mark: &mut impl FnMut(Part)) -> Result<()> {
        let Some(spotting) = &mut self.spotting else { return Ok(()) };
        let step_end = self.timing.frame_end(self.history.count() - 1);
        if spotting.gather(frame) && (self.listening || spotting.detector.is_searching()) {
            mark(Part::Spotter);
            let posterior = spotting.session.step(&spotting.step)?;
            mark(Part::Decision);
            spotting.raise(posterior, &self.timing.spotted(step_end, step_end, posterior));
            if let Some(found) = spotting.detector.push(step_end, posterior)? {
                spotting.highest = None;
                spotting.found_any = true;
                let Candidate { peak_sample, peak, found_sample } = found;
                insert(&mut self.pending, self.timing.spotted(peak_sample, found_sample, peak));
            }
        }
        if let Some(highest) = &mut spotting.highest
            && !highest.complete
        {
            let first = highest.pending.first;
            highest.complete = self.history.copy_window(first, &mut spotting.snapshot);
        }
        Ok(())
    }

    /// Judges `pending` by the frames of its window before frame `end`.
    fn judge(
        &mut self,
        pending: &Pending,
        end: i64,
        mark: &mut impl FnMut(Part),
    ) -> Result<Activation> {
        let verification = self.verify(pending.first, end, mark)?;
        let (verdict, reason) = decide(verification.posteriors.to_array(), &self.thresholds)?;
        let (start_sample, end_sample) = self.timing.span(pending, end, &verification);
        Ok(Activation {
            verdict,
            reason,
            posteriors: verification.posteriors,
            scores: verification.scores,
            start_sample,
            end_sample,
            decided_sample: self.timing.decided(pending, end),
            spotter_peak: pending.peak,
        })
    }

    /// What the verifier says of the window that begins with frame `first` and holds the frames
    /// before frame `end`.
    fn verify(
        &mut self,
        first: i64,
        end: i64,
        mark: &mut impl FnMut(Part),
    ) -> Result<Verification> {
        if !self.history.copy_part(first, end, &mut self.window) {
            return Err(Error::new(ErrorKind::Audio, "a candidate's window is not at hand")
                .expected(format!("frames {first} to {end}"))
                .found(format!("the latest of {} frames", self.history.count())));
        }
        mark(Part::Verifier);
        let verification = self.verifier.judge(&self.window)?;
        mark(Part::Decision);
        Ok(verification)
    }
}

impl Spotting {
    /// Adds a frame; `true` when it was the last of a step.
    fn gather(&mut self, frame: &[f32]) -> bool {
        self.step[self.filled..self.filled + frame.len()].copy_from_slice(frame);
        self.filled += frame.len();
        if self.filled < self.step.len() {
            return false;
        }
        self.filled = 0;
        true
    }

    /// Keeps the highest moment, the earliest of equal ones, until there is a candidate.
    fn raise(&mut self, posterior: f32, pending: &Pending) {
        let risen = self.highest.as_ref().is_none_or(|highest| posterior > highest.posterior);
        if risen && !self.found_any {
            self.highest = Some(Highest { pending: *pending, posterior, complete: false });
        }
    }
}

/// Keeps the candidates in the order in which their windows end.
fn insert(waiting: &mut VecDeque<Pending>, pending: Pending) {
    let place = waiting.partition_point(|other| other.end <= pending.end);
    waiting.insert(place, pending);
}
