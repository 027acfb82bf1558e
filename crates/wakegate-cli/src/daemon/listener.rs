//! From blocks to activations: conversion, all wake words, and the tape for the review queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, warn};
use zeroize::Zeroizing;

use super::fanout::{Decided, Fanout};
use super::listened_word::Ear;
use super::log_limit::Seldom;
use super::metrics::Counters;
use wakegate::audio::ring::Block;
use wakegate::audio::{Resampler, SAMPLE_RATE};
use wakegate::pipeline::Decision;
use wakegate::review::Feed;
use wakegate::{Error, ErrorKind, Result};

/// Everything behind the device, with the source's time: 16 kHz samples since the first block.
/// Lost audio is part of that time; the time in which no device is open is not.
pub struct Hearing {
    source: Arc<str>,
    ears: Vec<Ear>,
    fanout: Fanout,
    counters: Arc<Counters>,
    segment: Option<Segment>,
    /// Samples of the source's time so far.
    position: u64,
    /// The way to the review queue, where there is one.
    feed: Option<Feed>,
    mono: Zeroizing<Vec<f32>>,
    found: Vec<(usize, Decision)>,
    gaps: Seldom,
    errors: Seldom,
}

/// A stretch of one open device.
struct Segment {
    resampler: Resampler,
    /// The device's frame that has to come next.
    next_frame: u64,
    /// The source's sample where the device's frame 0 lies.
    origin: u64,
}

fn to_samples(frames: u64, rate: u32) -> u64 {
    (u128::from(frames) * u128::from(SAMPLE_RATE) / u128::from(rate.max(1))) as u64
}

impl Hearing {
    pub fn new(
        source: Arc<str>,
        ears: Vec<Ear>,
        fanout: Fanout,
        feed: Option<Feed>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            source,
            ears,
            fanout,
            counters,
            segment: None,
            position: 0,
            feed,
            mono: Zeroizing::new(Vec::new()),
            found: Vec::new(),
            gaps: Seldom::default(),
            errors: Seldom::default(),
        }
    }

    /// The device was opened: its frame 0 comes next.
    pub fn opened(&mut self, rate: u32) {
        match Resampler::new(rate) {
            Ok(resampler) => {
                let origin = self.position;
                self.segment = Some(Segment { resampler, next_frame: 0, origin });
                self.restart(origin);
            }
            Err(error) => {
                self.failed(&error);
                self.segment = None;
            }
        }
    }

    /// The device is closed: nothing that waits for audio will ever get it.
    pub fn lost(&mut self) {
        self.counters.set_flowing(false);
        self.segment = None;
        self.restart(self.position);
    }

    /// Judges the next block; `waiting` frames stand behind it in the ring.
    pub fn take(&mut self, samples: &[f32], block: Block, rate: u32, waiting: usize) {
        let start = Instant::now();
        let Some(segment) = &mut self.segment else { return };
        let next = block.first + block.frames as u64;
        let expected = std::mem::replace(&mut segment.next_frame, next);
        if block.first != expected || block.after_xrun {
            self.gap(block.first, block.first.saturating_sub(expected), rate);
        }
        if let Err(error) = self.judge(samples, waiting, rate) {
            self.failed(&error);
            self.gap(next, block.frames as u64, rate);
        }
        self.counters.step.observe(start.elapsed());
    }

    /// Ends the stream: judges what is still inside.
    pub fn finish(&mut self) {
        let Some(mut segment) = self.segment.take() else { return };
        self.mono.clear();
        let result = segment.resampler.finish(&mut self.mono);
        if let Err(error) = result.and_then(|()| self.push(0)) {
            self.failed(&error);
        }
        let mut failure = None;
        for (index, ear) in self.ears.iter_mut().enumerate() {
            let (base, found) = (ear.base, &mut self.found);
            let result = ear.judge.decide_rest(&mut |d| found.push((index, d.shifted(base))));
            failure = result.err().or(failure);
        }
        self.emit(0);
        if let Some(error) = failure {
            self.failed(&error);
            self.forget_audio();
        }
        if let Some(feed) = &mut self.feed {
            feed.finish();
        }
    }

    /// Listens for `ears` instead of those so far.
    pub fn listen_for(&mut self, mut ears: Vec<Ear>) {
        self.abandon();
        // A clip that waits may hold a candidate that is abandoned here.
        self.forget_audio();
        ears.iter_mut().for_each(|ear| ear.base = self.position);
        self.ears = ears;
    }

    /// Hands activations to `fanout` instead of those so far.
    pub fn report_to(&mut self, fanout: Fanout) {
        self.fanout = fanout;
    }

    /// Another device follows, with another name.
    pub fn change_source(&mut self, source: Arc<str>) {
        self.lost();
        self.source = source;
    }

    /// Keeps audio for `feed` from now on, instead of the one so far; whatever that one still
    /// held is wiped.
    pub fn review_by(&mut self, feed: Option<Feed>) {
        self.feed = feed;
        self.forget_audio();
    }

    /// Wipes the audio that is held for the review queue.
    fn forget_audio(&mut self) {
        if let Some(feed) = &mut self.feed {
            feed.restart(self.position);
        }
    }

    /// Counts the candidates that will never have a verdict, because everything ends here.
    pub fn abandon(&self) {
        self.ears.iter().for_each(Ear::abandon);
    }

    /// After a panic: builds every judge anew. What stands in the ring is judged afresh.
    pub fn rebuild(&mut self) -> Result<()> {
        self.found.clear();
        self.abandon();
        self.forget_audio();
        if let Some(segment) = &mut self.segment {
            segment.resampler = Resampler::new(segment.resampler.rate())?;
            // The next block stands after a gap of unknown length.
            segment.next_frame = u64::MAX;
        }
        self.ears.iter_mut().try_for_each(|ear| ear.rebuild(self.position))
    }

    /// The `lost` frames in front of the device's frame `at` are missing: nothing may be judged
    /// across the hole.
    fn gap(&mut self, at: u64, lost: u64, rate: u32) {
        self.counters.gaps.up();
        self.counters.set_flowing(false);
        self.gaps.say(|hidden| {
            warn!(at_frame = at, lost, hidden, "audio is missing: judging starts afresh");
        });
        let Some(segment) = &mut self.segment else { return };
        let origin = segment.origin + to_samples(at, rate);
        segment.resampler.reset();
        self.restart(origin.max(self.position));
    }

    /// Starts everything afresh at the source's sample `position`.
    fn restart(&mut self, position: u64) {
        self.position = position;
        self.forget_audio();
        let mut result = Ok(());
        for ear in &mut self.ears {
            result = result.and(ear.restart(position));
        }
        if let Err(error) = result {
            self.failed(&error);
        }
    }

    fn judge(&mut self, samples: &[f32], waiting: usize, rate: u32) -> Result<()> {
        // Before the conversion, which would spread it.
        if let Some(bad) = samples.iter().position(|sample| !sample.is_finite()) {
            return Err(Error::new(ErrorKind::Audio, "a sample of the device is refused")
                .expected("a finite number")
                .found(format!("{} at frame {bad} of its block", samples[bad])));
        }
        let Some(segment) = &mut self.segment else { return Ok(()) };
        self.mono.clear();
        segment.resampler.push(samples, &mut self.mono)?;
        self.push(to_samples(waiting as u64, rate))
    }

    /// Takes what is in `mono` through every wake word. An ear that fails starts afresh; the
    /// others go on.
    fn push(&mut self, waiting: u64) -> Result<()> {
        if let Some(feed) = &mut self.feed {
            feed.push(&self.mono);
        }
        self.position += self.mono.len() as u64;
        let mut failure = None;
        for (index, ear) in self.ears.iter_mut().enumerate() {
            let (base, found) = (ear.base, &mut self.found);
            let result =
                ear.judge.decide(&self.mono, &mut |d| found.push((index, d.shifted(base))));
            if let Err(error) = result {
                let restarted = ear.restart(self.position);
                failure = Some(error);
                restarted?;
            }
        }
        if failure.is_some() {
            // What that ear would have said of it is not known.
            self.forget_audio();
        }
        self.emit(waiting);
        match failure {
            None => {
                self.counters.judged_samples.add(self.mono.len() as u64);
                self.counters.set_flowing(true);
            }
            Some(error) => self.failed(&error),
        }
        Ok(())
    }

    /// Hands on what was found.
    fn emit(&mut self, waiting: u64) {
        let mut found = std::mem::take(&mut self.found);
        for (index, decision) in found.drain(..) {
            let ear = &self.ears[index];
            if let Some(feed) = &mut self.feed {
                feed.decide(&decision, &ear.wake_word, &ear.model);
            }
            let late = |end_sample: u64| {
                let late = (self.position + waiting).saturating_sub(end_sample);
                Duration::from_secs_f64(late as f64 / f64::from(SAMPLE_RATE))
            };
            match decision {
                Decision::Word(word) => {
                    ear.counters.words.up();
                    self.counters.word_delay.observe(late(word.end_sample));
                }
                Decision::Verdict(activation) => {
                    ear.counters.candidates.up();
                    ear.counters.verdicts(activation.verdict, activation.reason).up();
                    self.counters.delay.observe(late(activation.end_sample));
                    debug!(
                        wake_word = &*ear.wake_word,
                        verdict = activation.verdict.as_str(),
                        reason = activation.reason.as_str(),
                        end_sample = activation.end_sample,
                        "activation"
                    );
                }
                Decision::Settled(_) => continue,
            }
            self.fanout.send(Decided {
                source: Arc::clone(&self.source),
                wake_word: Arc::clone(&ear.wake_word),
                model: Arc::clone(&ear.model),
                decision,
            });
        }
        self.found = found;
    }

    fn failed(&mut self, error: &Error) {
        self.counters.judging_failed(error.kind());
        self.counters.set_flowing(false);
        self.errors.say(|hidden| warn!(%error, hidden, "no verdict: judging starts afresh"));
    }
}
