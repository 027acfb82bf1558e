//! Front end, models and decision joined: the same code in `listen`, `score` and `bench`.
//!
//! Samples go in, in chunks of any size; decisions come out. The chunks' sizes change nothing,
//! not even the last bit of a posterior. A candidate is asked two questions at two moments: was
//! it the word, some tenths of a second after its end; and was it meant for the device, at the
//! end of the verifier's window, or before that where the model's rule of early verdicts allows
//! it. Any error stops the pipeline until [`reset`](Pipeline::reset): after one there is no verdict.

mod activation;
mod early;
mod event;
mod history;
mod numbers;
mod part;
mod shared;
mod spotting;
mod stages;
mod word;

pub use activation::Activation;
pub use event::{Event, Observer, Report, SCHEMA, WordEvent, WordReport};
pub use numbers::Numbers;
pub use part::Part;
pub use shared::SharedVerifier;
pub use word::WordDecision;

use crate::frontend::FrontEnd;
use crate::model::{Model, Verification};
use crate::{Error, ErrorKind, Result};
use stages::Stages;

/// What a stream has decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// The wake word was said, whatever it was meant for. It comes at most once for an
    /// activation, before its verdict, and always before one of intended.
    Word(WordDecision),
    /// The verdict on an activation: once for each, and what everybody acts on.
    Verdict(Activation),
    /// What the verifier says at the end of the window of an activation whose verdict was an
    /// early one of intended: for those who still hold its audio, and for nobody else.
    Settled(Activation),
}

impl Decision {
    /// The verdict that it is; none of a word or a later look.
    pub fn verdict(self) -> Option<Activation> {
        match self {
            Self::Verdict(activation) => Some(activation),
            Self::Word(_) | Self::Settled(_) => None,
        }
    }

    /// The same decision in a stream that had `samples` samples before this one's first.
    #[must_use]
    pub fn shifted(self, samples: u64) -> Self {
        match self {
            Self::Word(word) => Self::Word(word.shifted(samples)),
            Self::Verdict(activation) => Self::Verdict(activation.shifted(samples)),
            Self::Settled(activation) => Self::Settled(activation.shifted(samples)),
        }
    }
}

/// Samples of silence that closing a stream feeds at a time.
const CLOSING_CHUNK: usize = 160;

/// One stream of 16 kHz mono samples, judged.
///
/// ```no_run
/// use wakegate::model::Model;
/// use wakegate::pipeline::Pipeline;
///
/// let mut pipeline = Pipeline::new(&Model::embedded()?)?;
/// let mut show = |a: wakegate::pipeline::Activation| println!("{} at {}", a.verdict, a.end_sample);
/// pipeline.push(&[0.0; 1600], &mut show)?;
/// pipeline.finish(&mut show)?;
/// # Ok::<(), wakegate::Error>(())
/// ```
pub struct Pipeline {
    frontend: FrontEnd,
    stages: Stages,
    samples: u64,
    /// Why nothing more is taken until a reset.
    stopped: Option<Error>,
}

impl Pipeline {
    /// Loads both networks of `model`; candidates come from its spotter.
    ///
    /// # Errors
    /// What loading the networks gives: a wrong name or shape, or a runtime that can't start.
    pub fn new(model: &Model) -> Result<Self> {
        Self::with(model, || SharedVerifier::load(model), true)
    }

    /// Loads the verifier alone; candidates come from [`judge_at`](Self::judge_at), up to about
    /// 10 s after their words.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn without_spotter(model: &Model) -> Result<Self> {
        Self::with(model, || SharedVerifier::load(model), false)
    }

    /// As [`new`](Self::new), or without `spotter` as [`without_spotter`](Self::without_spotter),
    /// with the verifier of other streams of the same model.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_verifier(model: &Model, verifier: &SharedVerifier, spotter: bool) -> Result<Self> {
        Self::with(model, || Ok(verifier.clone()), spotter)
    }

    fn with(
        model: &Model,
        verifier: impl FnOnce() -> Result<SharedVerifier>,
        spotter: bool,
    ) -> Result<Self> {
        let frontend = FrontEnd::new(&model.manifest().frontend)?;
        let silence = frontend.silence_value();
        let stages = Stages::new(model, verifier, spotter, silence)?;
        Ok(Self { frontend, stages, samples: 0, stopped: None })
    }

    /// The same pipeline, its activations numbered by `numbers`.
    #[must_use]
    pub fn numbered_by(mut self, numbers: &Numbers) -> Self {
        self.stages.number_by(numbers.clone());
        self
    }

    /// Takes samples, -1 to 1 and finite, and gives the activations that they decide.
    ///
    /// # Errors
    /// As [`push_marked`](Self::push_marked).
    pub fn push(
        &mut self,
        samples: &[f32],
        on_activation: &mut dyn FnMut(Activation),
    ) -> Result<()> {
        self.decide(samples, &mut |decision| {
            decision.verdict().into_iter().for_each(&mut *on_activation)
        })
    }

    /// As [`push`](Self::push), and gives the words and the later looks as well.
    ///
    /// # Errors
    /// As [`push_marked`](Self::push_marked).
    pub fn decide(&mut self, samples: &[f32], on_decision: &mut dyn FnMut(Decision)) -> Result<()> {
        self.push_marked(samples, on_decision, |_| {})
    }

    /// As [`decide`](Self::decide); `mark` is told each time the work goes over to another part.
    /// It begins in [`Part::FrontEnd`] and ends in [`Part::Decision`].
    ///
    /// # Errors
    /// [`ErrorKind::Audio`] for a sample that is not a finite number, [`ErrorKind::Posterior`]
    /// and [`ErrorKind::Runtime`] from the networks. What was decided before that point has
    /// been given; after it the pipeline is stopped.
    pub fn push_marked(
        &mut self,
        samples: &[f32],
        on_decision: &mut dyn FnMut(Decision),
        mut mark: impl FnMut(Part),
    ) -> Result<()> {
        self.check_running()?;
        let result = self.feed(samples, on_decision, &mut mark);
        self.stop_on_error(result)
    }

    /// Ends the stream: gives what is still undecided, with digital silence instead of the
    /// samples that did not come. After it the pipeline is stopped.
    ///
    /// # Errors
    /// As [`push_marked`](Self::push_marked).
    pub fn finish(&mut self, on_activation: &mut dyn FnMut(Activation)) -> Result<()> {
        self.decide_rest(&mut |decision| {
            decision.verdict().into_iter().for_each(&mut *on_activation)
        })
    }

    /// As [`finish`](Self::finish), and gives the words and the later looks as well.
    ///
    /// # Errors
    /// As [`push_marked`](Self::push_marked).
    pub fn decide_rest(&mut self, on_decision: &mut dyn FnMut(Decision)) -> Result<()> {
        self.finish_marked(on_decision, |_| {})
    }

    /// As [`decide_rest`](Self::decide_rest), with the marks of
    /// [`push_marked`](Self::push_marked).
    ///
    /// # Errors
    /// As [`push_marked`](Self::push_marked).
    pub fn finish_marked(
        &mut self,
        on_decision: &mut dyn FnMut(Decision),
        mut mark: impl FnMut(Part),
    ) -> Result<()> {
        self.check_running()?;
        let result = self.close(on_decision, &mut mark);
        self.stop_on_error(result)?;
        self.stopped = Some(Error::new(ErrorKind::Audio, "the stream has ended"));
        Ok(())
    }

    /// Judges a candidate whose word ended at sample `word_end` by someone else's account.
    /// Its activation comes from [`push`](Self::push), which may be one of no samples, or
    /// [`finish`](Self::finish), with the number that this gives.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] where the samples around it are no longer at hand.
    pub fn judge_at(&mut self, word_end: u64) -> Result<u64> {
        self.check_running()?;
        self.stages.judge_at(word_end)
    }

    /// After [`finish`](Self::finish): the verification at the spotter's highest moment, with
    /// the posterior there, of a stream without a candidate. `None` where there was one, or
    /// no samples at all, or no spotter.
    ///
    /// # Errors
    /// As [`push_marked`](Self::push_marked); also where the pipeline stopped before its end.
    pub fn highest_moment(&mut self) -> Result<Option<(Verification, f32)>> {
        self.stages.highest_moment()
    }

    /// Samples taken since the start, without the silence that closes a stream.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Candidates that have no verdict yet: what a reset would forget.
    pub fn waiting(&self) -> usize {
        self.stages.waiting()
    }

    /// Forgets the stream: the next sample is the first of a new one.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] if the runtime can't clear the spotter's state.
    pub fn reset(&mut self) -> Result<()> {
        self.frontend.reset();
        self.samples = 0;
        self.stopped = None;
        let result = self.stages.reset();
        self.stop_on_error(result)
    }

    fn check_running(&self) -> Result<()> {
        match &self.stopped {
            None => Ok(()),
            Some(error) => Err(error.clone().context("the pipeline is stopped until a reset")),
        }
    }

    fn stop_on_error(&mut self, result: Result<()>) -> Result<()> {
        if let Err(error) = &result {
            self.stopped = Some(error.clone());
        }
        result
    }

    fn feed(
        &mut self,
        samples: &[f32],
        on_decision: &mut dyn FnMut(Decision),
        mark: &mut impl FnMut(Part),
    ) -> Result<()> {
        let bad = samples.iter().position(|sample| !sample.is_finite());
        let good = &samples[..bad.unwrap_or(samples.len())];
        self.run(good, on_decision, mark)?;
        self.samples += good.len() as u64;
        match bad {
            None => Ok(()),
            Some(index) => {
                Err(Error::new(ErrorKind::Audio, format!("sample {} is refused", self.samples))
                    .expected("a finite number")
                    .found(samples[index].to_string())
                    .hint("repair the recording, or convert it to 16-bit PCM"))
            }
        }
    }

    fn run(
        &mut self,
        samples: &[f32],
        on_decision: &mut dyn FnMut(Decision),
        mark: &mut impl FnMut(Part),
    ) -> Result<()> {
        let mut result = Ok(());
        let stages = &mut self.stages;
        mark(Part::FrontEnd);
        self.frontend.process_with(samples, |frame| {
            mark(Part::Decision);
            if result.is_ok() {
                result = stages.take(frame, on_decision, mark);
            }
            mark(Part::FrontEnd);
        });
        mark(Part::Decision);
        // A candidate from outside may be older than the frames that it needs.
        result.and_then(|()| self.stages.settle(on_decision, mark))
    }

    fn close(
        &mut self,
        on_decision: &mut dyn FnMut(Decision),
        mark: &mut impl FnMut(Part),
    ) -> Result<()> {
        if self.samples == 0 {
            return Ok(());
        }
        let silence = [0.0; CLOSING_CHUNK];
        let mut tail = self.stages.tail();
        while tail > 0 {
            let count = tail.min(CLOSING_CHUNK as u64);
            self.run(&silence[..count as usize], on_decision, mark)?;
            tail -= count;
        }
        // From here on a new candidate would rest on silence alone; only the open ones go on.
        self.stages.stop_listening();
        while self.stages.is_waiting() {
            self.run(&silence, on_decision, mark)?;
        }
        Ok(())
    }
}
