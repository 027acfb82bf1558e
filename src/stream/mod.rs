//! One stream of audio: the pipelines that judge it, and the tape of its last seconds.
//!
//! Whoever hears a stream hears it through [`Stream`]: a microphone, a recording, a Wyoming
//! client, a Python listener. It keeps the order in which audio and decisions must reach the
//! gate, and it is the one place that has to forget: after an error, a gap, a reload or the end
//! nothing of what was heard before may be left on the tape.

mod clips;
mod judge;

use std::sync::Arc;

pub use clips::{ClipSink, NoClips};
pub use judge::Judge;

use clips::{Kept, as_heard};

use crate::model::Verification;
use crate::pipeline::{Decision, Part, Pipeline};
use crate::{Error, ErrorKind, Result};

/// A wake word that a stream is judged for.
pub struct WakeWord<J = Pipeline> {
    /// The word.
    pub name: Arc<str>,
    /// `name-version` of the model.
    pub model: Arc<str>,
    /// What judges.
    pub judge: J,
    /// The stream's sample at which the judge began.
    base: u64,
}

impl<J: Judge> WakeWord<J> {
    /// The word `name`, judged by `judge`, which is at the start of a stream, with the model of
    /// that id.
    pub fn new(name: &str, model: &str, judge: J) -> Self {
        Self { name: name.into(), model: model.into(), judge, base: 0 }
    }

    fn restart(&mut self, position: u64) -> Result<()> {
        self.base = position;
        self.judge.reset()
    }
}

/// How a stream ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Finished,
    Cut,
}

/// One stream of 16 kHz mono samples, judged for any number of wake words.
///
/// Decisions come with the index of their wake word, and with samples that count from the start
/// of the stream, whatever was lost or began afresh on the way. Where audio is
/// [kept](Self::keep), the answer of the caller's closure says whether the tape may have the
/// decision as well; a caller that has no reason of its own says `true`.
///
/// ```no_run
/// use wakegate::model::Model;
/// use wakegate::pipeline::Decision;
/// use wakegate::stream::Stream;
///
/// let mut stream: Stream = Stream::of(&Model::embedded()?)?;
/// let mut show = |_: usize, decision: Decision| {
///     println!("{decision:?}");
///     true
/// };
/// stream.push(&[0.0; 1600], &mut show)?;
/// stream.finish(&mut show)?;
/// # Ok::<(), wakegate::Error>(())
/// ```
pub struct Stream<S: ClipSink = NoClips, J: Judge = Pipeline> {
    words: Vec<WakeWord<J>>,
    kept: Option<Kept<S>>,
    position: u64,
    found: Vec<(usize, Decision)>,
    ended: bool,
}

impl<S: ClipSink> Stream<S> {
    /// A stream that is judged with `model`, and of which nothing is kept.
    ///
    /// # Errors
    /// As [`Pipeline::new`].
    pub fn of(model: &crate::model::Model) -> Result<Self> {
        let (manifest, pipeline) = (model.manifest(), Pipeline::new(model)?);
        Ok(Self::new(vec![WakeWord::new(&manifest.wake_word, &manifest.id(), pipeline)]))
    }
}

impl<S: ClipSink, J: Judge + AsMut<Pipeline>> Stream<S, J> {
    /// As [`Pipeline::judge_at`], of the wake word with that index: the word ended at the
    /// stream's sample `word_end`.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] where the samples around it are no longer at hand.
    pub fn judge_at(&mut self, word: usize, word_end: u64) -> Result<u64> {
        let word = &mut self.words[word];
        word.judge.as_mut().judge_at(word_end.checked_sub(word.base).ok_or_else(|| {
            Error::new(ErrorKind::Settings, format!("cannot judge at sample {word_end}"))
                .expected(format!("a sample from {} on, where judging began afresh", word.base))
        })?)
    }

    /// As [`Pipeline::highest_moment`], of the wake word with that index.
    ///
    /// # Errors
    /// As there.
    pub fn highest_moment(&mut self, word: usize) -> Result<Option<(Verification, f32)>> {
        self.words[word].judge.as_mut().highest_moment()
    }
}

impl<S: ClipSink, J: Judge> Stream<S, J> {
    /// A stream that is judged for `words`, and of which nothing is kept.
    pub fn new(words: Vec<WakeWord<J>>) -> Self {
        Self { words, kept: None, position: 0, found: Vec::new(), ended: false }
    }

    /// Keeps the last seconds of the stream for `sink`, as many as its policy says, or none.
    /// What was kept before is wiped.
    pub fn keep(&mut self, sink: Option<S>) {
        self.wipe_tape();
        self.kept = sink.map(|sink| Kept::new(sink, self.position));
    }

    /// Whether audio is kept.
    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Who gets the clips, where audio is kept.
    pub fn sink_mut(&mut self) -> Option<&mut S> {
        self.kept.as_mut().map(|kept| &mut kept.sink)
    }

    /// The wake words.
    pub fn words(&self) -> &[WakeWord<J>] {
        &self.words
    }

    /// The wake words.
    pub fn words_mut(&mut self) -> &mut [WakeWord<J>] {
        &mut self.words
    }

    /// Samples since the start, with what was lost on the way.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Takes samples, -1 to 1 and finite, and gives what they decide.
    ///
    /// # Errors
    /// Those of [`Pipeline::push_marked`]. The tape is wiped then and the word that failed begins
    /// afresh; the others go on. What was decided has been given.
    pub fn push(
        &mut self,
        samples: &[f32],
        on_decision: &mut dyn FnMut(usize, Decision) -> bool,
    ) -> Result<()> {
        self.push_marked(samples, on_decision, &mut |_| {})
    }

    /// As [`push`](Self::push); `mark` is told each time the work goes over to another part.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_marked(
        &mut self,
        samples: &[f32],
        on_decision: &mut dyn FnMut(usize, Decision) -> bool,
        mark: &mut dyn FnMut(Part),
    ) -> Result<()> {
        self.check_open()?;
        // The tape hears the samples before what they decide.
        if let Some(kept) = &mut self.kept {
            kept.push(samples);
        }
        self.position += samples.len() as u64;
        let result = self.each(|judge, found| judge.decide(samples, found, mark));
        self.tell(on_decision);
        result
    }

    /// Ends the stream: gives what is still undecided, with silence instead of the samples that
    /// did not come, and the clips that wait. Nothing more is taken until a
    /// [`restart`](Self::restart).
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self, on_decision: &mut dyn FnMut(usize, Decision) -> bool) -> Result<()> {
        self.finish_marked(on_decision, &mut |_| {})
    }

    /// As [`finish`](Self::finish), with the marks of [`push_marked`](Self::push_marked).
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish_marked(
        &mut self,
        on_decision: &mut dyn FnMut(usize, Decision) -> bool,
        mark: &mut dyn FnMut(Part),
    ) -> Result<()> {
        self.end(End::Finished, on_decision, mark)
    }

    /// Ends a stream that was cut off, as [`finish`](Self::finish) does. Nobody knows what came
    /// then: a verdict of intended that takes it for silence is unsure, and a later look at one
    /// that was given before is none.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn cut(&mut self, on_decision: &mut dyn FnMut(usize, Decision) -> bool) -> Result<()> {
        self.end(End::Cut, on_decision, &mut |_| {})
    }

    fn end(
        &mut self,
        end: End,
        on_decision: &mut dyn FnMut(usize, Decision) -> bool,
        mark: &mut dyn FnMut(Part),
    ) -> Result<()> {
        self.check_open()?;
        self.ended = true;
        let result = self.each(|judge, found| judge.decide_rest(found, mark));
        if end == End::Cut {
            let position = self.position;
            let cut = |&(word, decision): &_| Some((word, as_heard(decision, position)?));
            self.found = self.found.iter().filter_map(cut).collect();
        }
        self.tell(on_decision);
        if let Some(kept) = &mut self.kept {
            kept.finish();
        }
        result
    }

    /// Begins afresh at the stream's sample `position`, because what lay before it is lost or
    /// over: nothing is judged across the hole, and nothing that was heard before is left.
    ///
    /// # Errors
    /// Of the first judge that can't forget; the others have.
    pub fn restart(&mut self, position: u64) -> Result<()> {
        (self.position, self.ended) = (position, false);
        self.found.clear();
        self.wipe_tape();
        let restarted = self.words.iter_mut().map(|word| word.restart(position));
        // All of them, whatever the first says.
        restarted.fold(Ok(()), Result::and)
    }

    /// Is judged for `words` from now on; what was kept is wiped, since it may hold a candidate
    /// of the words before.
    pub fn listen_for(&mut self, mut words: Vec<WakeWord<J>>) {
        words.iter_mut().for_each(|word| word.base = self.position);
        self.found.clear();
        self.wipe_tape();
        self.words = words;
    }

    /// Ends the stream where it is and gives its words back; what was kept is wiped.
    pub fn into_words(mut self) -> Vec<WakeWord<J>> {
        self.wipe_tape();
        std::mem::take(&mut self.words)
    }

    fn check_open(&self) -> Result<()> {
        if !self.ended {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Audio, "the stream has ended").hint("a restart begins a new one"))
    }

    fn wipe_tape(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.restart(self.position);
        }
    }

    /// Lets every judge do `work`, and keeps what it decides. Where one fails the tape is wiped:
    /// what that one would have said of it is not known.
    fn each(
        &mut self,
        mut work: impl FnMut(&mut J, &mut dyn FnMut(Decision)) -> Result<()>,
    ) -> Result<()> {
        let mut result = Ok(());
        for (index, word) in self.words.iter_mut().enumerate() {
            let (base, found) = (word.base, &mut self.found);
            let worked =
                work(&mut word.judge, &mut |decision| found.push((index, decision.shifted(base))));
            if let Err(error) = worked {
                // One that can't begin afresh stays stopped, and says so the next time.
                let _ = word.restart(self.position);
                result = result.and(Err(error));
            }
        }
        if result.is_err() {
            self.wipe_tape();
        }
        result
    }

    /// Hands on what was decided.
    fn tell(&mut self, on_decision: &mut dyn FnMut(usize, Decision) -> bool) {
        for (index, decision) in self.found.drain(..) {
            if on_decision(index, decision)
                && let Some(kept) = &mut self.kept
            {
                kept.decide(decision, &self.words[index]);
            }
        }
    }
}

impl<S: ClipSink, J: Judge> Drop for Stream<S, J> {
    fn drop(&mut self) {
        self.wipe_tape();
    }
}
