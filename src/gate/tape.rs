//! The last seconds of the stream, for the audio around an activation.

use super::{AudioBuffer, Heard, LiveAudio, Policy, intended};
use crate::audio::samples_in;

/// Longest word, in seconds, whose audio is still at hand when it is judged.
const WORD_S: f64 = 3.0;
/// How long after the end of a clip an accidental activation inside of it may still be found:
/// its word, and the second at most in which it is decided.
const SETTLE_S: f64 = 2.0;
/// Most clips that wait for their end at the same time.
const MOST_WAITING: usize = 8;

/// A ring of the latest samples that forgets what was not intended.
///
/// An intended activation is given with its audio once the seconds after the word have been
/// heard. An accidental or unsure one wipes everything up to its decision, and ends a clip
/// that still waits where the accidental word begins: no clip holds it.
pub struct Tape {
    ring: AudioBuffer,
    /// The stream's sample that comes next.
    end: u64,
    /// Samples before this one are wiped.
    floor: u64,
    before: u64,
    after: u64,
    settle: u64,
    waiting: Vec<Waiting>,
}

/// An intended activation whose seconds after the word are not all heard yet.
struct Waiting {
    heard: Heard,
    first: u64,
    end: u64,
}

impl Tape {
    /// A tape long enough for the clips of `policy`.
    pub fn new(policy: &Policy) -> Self {
        let (before, after, settle) =
            (samples_in(policy.before_s), samples_in(policy.after_s), samples_in(SETTLE_S));
        // The second is the most that a decision may wait for after the word.
        let length = before + samples_in(WORD_S) + after.max(samples_in(1.0)) + settle;
        Self {
            ring: AudioBuffer::silent(length as usize),
            end: 0,
            floor: 0,
            before,
            after,
            settle,
            waiting: Vec::with_capacity(MOST_WAITING),
        }
    }

    /// Whether the tape can't reach swap.
    pub fn is_locked(&self) -> bool {
        self.ring.is_locked()
    }

    /// The stream's sample that comes next: how many there were, where none was left out.
    pub fn samples(&self) -> u64 {
        self.end
    }

    /// Takes the next samples of the stream and gives the clips that they complete.
    ///
    /// Give it a stretch of the stream before the activations that the stretch decides.
    pub fn push(&mut self, samples: &[f32], ready: &mut dyn FnMut(Heard, LiveAudio)) {
        let mut rest = samples;
        while !rest.is_empty() {
            let due = self.waiting.iter().map(|w| w.end + self.settle).min();
            let room = due.map_or(u64::MAX, |due| due.saturating_sub(self.end).max(1));
            let length = self.ring.len();
            let place = (self.end % length as u64) as usize;
            let count = rest.len().min(length - place).min(usize::try_from(room).unwrap_or(length));
            self.ring.samples_mut()[place..place + count].copy_from_slice(&rest[..count]);
            self.end += count as u64;
            rest = &rest[count..];
            let now = self.end;
            self.give(ready, |w, settle| w.end + settle <= now);
        }
    }

    /// Takes an activation of the stream.
    ///
    /// One that was not judged intended gets no audio, and wipes the tape up to its decision.
    pub fn take(&mut self, heard: Heard, ready: &mut dyn FnMut(Heard, LiveAudio)) {
        let activation = heard.activation;
        if intended(&activation).is_ok() {
            if self.waiting.len() == MOST_WAITING {
                self.give(ready, |_, _| true);
            }
            let first = activation.start_sample.saturating_sub(self.before);
            let end = activation.end_sample.saturating_add(self.after);
            self.waiting.push(Waiting { heard, first, end });
            return;
        }
        for waiting in &mut self.waiting {
            waiting.end = waiting.end.min(activation.start_sample);
        }
        // Those that end here leave before the wipe; the rest ended before and only settle.
        self.give(ready, |_, _| true);
        self.forget(activation.decided_sample);
    }

    /// Takes what was said later of an activation whose clip may still wait: the last word
    /// counts. Where that is not intended the clip is withdrawn as if it had never been, and the
    /// answer is `true`.
    pub fn settle(&mut self, heard: Heard, ready: &mut dyn FnMut(Heard, LiveAudio)) -> bool {
        let same = |waiting: &Waiting| waiting.heard.is_of_the_activation_of(&heard);
        let Some(index) = self.waiting.iter().position(same) else { return false };
        if intended(&heard.activation).is_ok() {
            self.waiting[index].heard = heard;
            return false;
        }
        self.waiting.remove(index);
        let activation = heard.activation;
        let starts = self.waiting.iter().map(|waiting| waiting.heard.activation.start_sample);
        match starts.filter(|&start| start > activation.start_sample).min() {
            None => self.take(heard, ready),
            Some(next) => {
                // A later word waits: it keeps its own audio, and nothing of this one's.
                for waiting in &mut self.waiting {
                    if waiting.heard.activation.start_sample < next {
                        waiting.end = waiting.end.min(activation.start_sample);
                    }
                }
                self.forget(activation.decided_sample.min(next));
            }
        }
        true
    }

    /// Ends the stream: gives the clips that still wait, with what was heard of them, and
    /// wipes the tape.
    pub fn finish(&mut self, ready: &mut dyn FnMut(Heard, LiveAudio)) {
        self.give(ready, |_, _| true);
        self.restart(0);
    }

    /// Wipes everything; the next sample is the stream's sample `first`. Clips that wait for
    /// their end are lost, and come back without audio: what follows their word was not heard.
    pub fn restart(&mut self, first: u64) -> Vec<Heard> {
        self.ring.wipe();
        (self.end, self.floor) = (first, first);
        self.waiting.drain(..).map(|waiting| waiting.heard).collect()
    }

    /// Overwrites what lies before `sample`.
    fn forget(&mut self, sample: u64) {
        let sample = sample.min(self.end);
        let length = self.ring.len() as u64;
        let from = self.floor.max(self.end.saturating_sub(length));
        for index in from..sample {
            self.ring.samples_mut()[(index % length) as usize] = 0.0;
        }
        self.floor = self.floor.max(sample);
    }

    /// Gives the waiting clips that `is_due` picks.
    fn give(
        &mut self,
        ready: &mut dyn FnMut(Heard, LiveAudio),
        is_due: impl Fn(&Waiting, u64) -> bool,
    ) {
        let mut index = 0;
        while index < self.waiting.len() {
            if is_due(&self.waiting[index], self.settle) {
                let waiting = self.waiting.remove(index);
                let audio = self.between(waiting.first, waiting.end);
                ready(waiting.heard, audio);
            } else {
                index += 1;
            }
        }
    }

    /// What is left of the samples from `first` to `end`.
    fn between(&self, first: u64, end: u64) -> LiveAudio {
        let length = self.ring.len() as u64;
        let first = first.max(self.floor).max(self.end.saturating_sub(length));
        let end = end.min(self.end).max(first);
        let mut buffer = AudioBuffer::silent((end - first) as usize);
        let ring = self.ring.samples();
        for (index, sample) in (first..end).zip(buffer.samples_mut()) {
            *sample = ring[(index % length) as usize];
        }
        LiveAudio { buffer, first_sample: first }
    }
}
