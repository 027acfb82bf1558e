//! What happens to a frame: history, spotter, detector, verifier, verdict.

use std::collections::VecDeque;

use super::activation::{Pending, Timing};
use super::early::EarlyMoments;
use super::history::History;
use super::numbers::Numbers;
use super::spotting::Spotting;
use super::word::{Watch, WordMoments};
use super::{Activation, Decision, Part, SharedVerifier, WordDecision};
use crate::decision::{Reason, Streak, Thresholds, Verdict, decide};
use crate::model::{Model, Verification};
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
    words: Option<WordMoments>,
    early: Option<EarlyMoments>,
    spotting: Option<Spotting>,
    verifier: SharedVerifier,
    history: History,
    /// Candidates in the order in which their windows end.
    pending: VecDeque<Pending>,
    /// Those with an early verdict of intended, until their windows end.
    told: VecDeque<Pending>,
    numbers: Numbers,
    window: Vec<f32>,
    listening: bool,
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
        let spotting = spotter.then(|| Spotting::new(model, &timing)).transpose()?;
        Ok(Self {
            timing,
            thresholds: Thresholds::new(decision.intended_at, decision.accidental_below)?,
            words: WordMoments::new(manifest)?,
            early: EarlyMoments::new(manifest)?,
            spotting,
            verifier: verifier()?,
            history: History::new(timing.history() + lateness, bands, silence),
            pending: VecDeque::new(),
            told: VecDeque::new(),
            numbers: Numbers::default(),
            window: vec![0.0; manifest.window_frames() * bands],
            listening: true,
        })
    }

    /// Numbers activations by `numbers` from now on.
    pub(super) fn number_by(&mut self, numbers: Numbers) {
        self.numbers = numbers;
    }

    /// Takes the next frame.
    pub(super) fn take(
        &mut self,
        frame: &[f32],
        on_decision: &mut dyn FnMut(Decision),
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
        self.settle(on_decision, mark)
    }

    /// Looks at the words that are due, and judges the candidates whose windows are complete, or
    /// sure before that, in their order.
    pub(super) fn settle(
        &mut self,
        on_decision: &mut dyn FnMut(Decision),
        mark: &mut impl FnMut(Part),
    ) -> Result<()> {
        self.look_at_words(on_decision, mark)?;
        while let Some(mut pending) = self.pending.front().copied() {
            let early = self.judge_early(&mut pending, mark)?;
            let activation = match early {
                Some(activation) => activation,
                None if pending.window.end <= self.history.count() as i64 => {
                    self.judge(&pending, pending.window.end, mark)?
                }
                None => {
                    if let Some(front) = self.pending.front_mut() {
                        *front = pending;
                    }
                    break;
                }
            };
            self.pending.pop_front();
            let activation = self.with_word(activation, on_decision);
            if early.is_some() && activation.verdict == Verdict::Intended {
                pending.word.decided_sample = activation.word_decided_sample;
                insert(&mut self.told, pending);
            }
            on_decision(Decision::Verdict(activation));
        }
        while let Some(told) = self.told.front().copied()
            && told.window.end <= self.history.count() as i64
        {
            self.told.pop_front();
            let activation = self.judge(&told, told.window.end, mark)?;
            on_decision(Decision::Settled(activation));
        }
        Ok(())
    }

    /// Looks at the words of the candidates, of the one first whose peak is still looked for.
    fn look_at_words(
        &mut self,
        on_decision: &mut dyn FnMut(Decision),
        mark: &mut impl FnMut(Part),
    ) -> Result<()> {
        if self.words.is_none() {
            return Ok(());
        }
        if let Some(mut word) = self.spotting.as_ref().and_then(|spotting| spotting.word) {
            self.look_at(&mut word, on_decision, mark)?;
            if let Some(spotting) = &mut self.spotting {
                spotting.word = Some(word);
            }
        }
        for index in 0..self.pending.len() {
            let mut word = self.pending[index].word;
            self.look_at(&mut word, on_decision, mark)?;
            self.pending[index].word = word;
        }
        Ok(())
    }

    fn look_at(
        &mut self,
        word: &mut Watch,
        on_decision: &mut dyn FnMut(Decision),
        mark: &mut impl FnMut(Part),
    ) -> Result<()> {
        let Some(WordMoments { rule }) = self.words else { return Ok(()) };
        while let Some((window, end)) = word.due(&self.timing, self.history.count() as i64) {
            // What an engine reports late may reach back too far; its verdict brings the word.
            if !self.history.holds(window.first) {
                break;
            }
            let verification = self.verify(window.first, end, mark)?;
            if let Some(decision) = word.take(&verification, &self.timing, &rule) {
                on_decision(Decision::Word(decision));
            }
        }
        Ok(())
    }

    /// The activation with its word: one that was not decided before is decided with the verdict.
    fn with_word(
        &self,
        mut activation: Activation,
        on_decision: &mut dyn FnMut(Decision),
    ) -> Activation {
        let said = match &self.words {
            Some(WordMoments { rule }) => {
                rule.is_sure(activation.scores.wake_word())
                    || activation.verdict == Verdict::Intended
            }
            None => activation.reason != Reason::NotWakeWord,
        };
        if activation.word_decided_sample.is_none() && said {
            activation.word_decided_sample = Some(activation.decided_sample);
            on_decision(Decision::Word(WordDecision {
                number: activation.number,
                p_wake_word: activation.scores.wake_word(),
                start_sample: activation.start_sample,
                end_sample: activation.end_sample,
                decided_sample: activation.decided_sample,
            }));
        }
        activation
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
            && pending.window.first + heard <= self.history.count() as i64
        {
            pending.moment += 1;
            let rule = moments.rule;
            let end = pending.window.first + heard;
            let activation = self.judge(pending, end, mark)?;
            let mut stands = rule.allows(activation.posteriors.intended());
            if stands == Some(Verdict::Intended)
                && !(self.is_pause(pending.window.first, heard)
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
        spotting || !self.pending.is_empty() || !self.told.is_empty()
    }

    /// Candidates that wait for their windows, and the one whose peak is still looked for.
    pub(super) fn waiting(&self) -> usize {
        let searching = self.spotting.as_ref().is_some_and(|s| s.detector.is_searching());
        self.pending.len() + usize::from(searching)
    }

    pub(super) fn judge_at(&mut self, word_end: u64) -> Result<u64> {
        let refused = Error::new(ErrorKind::Settings, format!("cannot judge at sample {word_end}"));
        let Ok(anchor) = i64::try_from(word_end) else {
            return Err(refused.expected("a sample number"));
        };
        let window = self.timing.around(anchor);
        if !self.history.holds(window.first) {
            return Err(refused
                .expected("a moment whose window is still at hand")
                .found(format!("a stream that has come to frame {}", self.history.count())));
        }
        if self.pending.len() >= MOST_PENDING {
            return Err(refused
                .expected(format!("at most {MOST_PENDING} candidates at a time"))
                .found("one more"));
        }
        let centre = window.end - self.timing.after as i64;
        let heard = centre.max(self.history.count() as i64);
        let number = self.numbers.next();
        let word = Watch::new(number, anchor, heard, &self.timing, true);
        let streak = Streak::default();
        let pending = Pending { window, found: 0, peak: None, moment: 0, streak, word };
        insert(&mut self.pending, pending);
        Ok(number)
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
        self.told.clear();
        self.numbers.restart();
        self.window.fill(0.0);
        self.listening = true;
        let Some(spotting) = &mut self.spotting else { return Ok(()) };
        spotting.reset()
    }

    /// Feeds the spotter, and keeps the candidate that it finds.
    fn spot(&mut self, frame: &[f32], mark: &mut impl FnMut(Part)) -> Result<()> {
        let Some(spotting) = &mut self.spotting else { return Ok(()) };
        if spotting.gather(frame) && (self.listening || spotting.detector.is_searching()) {
            let heard = self.history.count();
            let found = spotting.step(heard, &self.timing, &self.numbers, mark)?;
            found.into_iter().for_each(|pending| insert(&mut self.pending, pending));
        }
        spotting.snap(&self.history);
        Ok(())
    }

    /// Judges `pending` by the frames of its window before frame `end`.
    fn judge(
        &mut self,
        pending: &Pending,
        end: i64,
        mark: &mut impl FnMut(Part),
    ) -> Result<Activation> {
        let Pending { window, found, peak, word, .. } = pending;
        let verification = self.verify(window.first, end, mark)?;
        let (verdict, reason) = decide(verification.posteriors.to_array(), &self.thresholds)?;
        let (start_sample, end_sample) = self.timing.span(window, end, &verification);
        Ok(Activation {
            number: word.number,
            verdict,
            reason,
            posteriors: verification.posteriors,
            scores: verification.scores,
            start_sample,
            end_sample,
            decided_sample: self.timing.heard(end).max(*found),
            word_decided_sample: word.decided_sample,
            spotter_peak: *peak,
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

/// Keeps the candidates in the order in which their windows end.
fn insert(waiting: &mut VecDeque<Pending>, pending: Pending) {
    let place = waiting.partition_point(|other| other.window.end <= pending.window.end);
    waiting.insert(place, pending);
}
