//! From the device's blocks to activations: conversion to 16 kHz, the stream with all wake words,
//! and what becomes of its decisions. Nothing may be judged across a hole in the audio.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, warn};
use zeroize::Zeroizing;

use super::fanout::{Decided, Fanout};
use super::listened_word::{ListenedWord, Rebuildable};
use super::log_limit::LogLimit;
use super::metrics::{Counters, WordCounters};
use wakegate::audio::ring::Block;
use wakegate::audio::{Resampler, SAMPLE_RATE};
use wakegate::pipeline::Decision;
use wakegate::review::Feed;
use wakegate::stream::Stream;
use wakegate::{Error, ErrorKind, Result};

/// Everything behind the device, with the source's time: 16 kHz samples since the first block.
/// Lost audio is part of that time; the time in which no device is open is not.
pub struct Listener {
    stream: Stream<Feed, Rebuildable>,
    segment: Option<Segment>,
    mono: Zeroizing<Vec<f32>>,
    outlet: Outlet,
    gaps: LogLimit,
}

/// A stretch of one open device.
struct Segment {
    resampler: Resampler,
    /// The device's frame that has to come next.
    next_frame: u64,
    /// The source's sample where the device's frame 0 lies.
    origin: u64,
}

/// Where decisions and errors go.
struct Outlet {
    source: Arc<str>,
    words: Vec<Word>,
    fanout: Fanout,
    counters: Arc<Counters>,
    errors: LogLimit,
}

/// What has to be said of a wake word with each of its decisions.
struct Word {
    name: Arc<str>,
    model: Arc<str>,
    counters: Arc<WordCounters>,
}

impl Word {
    fn of(word: &ListenedWord) -> Self {
        let (name, model) = (Arc::clone(&word.name), Arc::clone(&word.model));
        Self { name, model, counters: word.judge.counters() }
    }
}

fn to_samples(frames: u64, rate: u32) -> u64 {
    (u128::from(frames) * u128::from(SAMPLE_RATE) / u128::from(rate.max(1))) as u64
}

impl Listener {
    pub fn new(
        source: Arc<str>,
        words: Vec<ListenedWord>,
        fanout: Fanout,
        feed: Option<Feed>,
        counters: Arc<Counters>,
    ) -> Self {
        let told = words.iter().map(Word::of).collect();
        let mut stream = Stream::new(words);
        stream.keep(feed);
        Self {
            stream,
            segment: None,
            mono: Zeroizing::default(),
            outlet: Outlet { source, words: told, fanout, counters, errors: LogLimit::default() },
            gaps: LogLimit::default(),
        }
    }

    /// The device was opened: its frame 0 comes next.
    pub fn opened(&mut self, rate: u32) {
        match Resampler::new(rate) {
            Ok(resampler) => {
                let origin = self.stream.position();
                self.segment = Some(Segment { resampler, next_frame: 0, origin });
                self.restart(origin);
            }
            Err(error) => {
                self.outlet.failed(&error);
                self.segment = None;
            }
        }
    }

    /// The device is closed: nothing that waits for audio will ever get it.
    pub fn lost(&mut self) {
        self.outlet.counters.set_flowing(false);
        self.segment = None;
        self.restart(self.stream.position());
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
            self.outlet.failed(&error);
            self.gap(next, block.frames as u64, rate);
        }
        self.outlet.counters.step.observe(start.elapsed());
    }

    /// Ends the stream: judges what is still inside.
    pub fn finish(&mut self) {
        let Some(mut segment) = self.segment.take() else { return };
        self.mono.clear();
        match segment.resampler.finish(&mut self.mono) {
            Ok(()) => self.push(0),
            Err(error) => self.outlet.failed(&error),
        }
        let Self { stream, outlet, .. } = self;
        let heard = stream.position();
        if let Err(error) = stream.finish(&mut |word, decision| outlet.emit(word, decision, heard))
        {
            outlet.failed(&error);
        }
    }

    /// Listens for `words` instead of those so far.
    pub fn listen_for(&mut self, words: Vec<ListenedWord>) {
        self.abandon();
        self.outlet.words = words.iter().map(Word::of).collect();
        self.stream.listen_for(words);
    }

    /// Hands activations to `fanout` instead of those so far.
    pub fn report_to(&mut self, fanout: Fanout) {
        self.outlet.fanout = fanout;
    }

    /// Another device follows, with another name.
    pub fn change_source(&mut self, source: Arc<str>) {
        self.lost();
        self.outlet.source = source;
    }

    /// Keeps audio for `feed` from now on, instead of the one so far; whatever that one still
    /// held is wiped.
    pub fn review_by(&mut self, feed: Option<Feed>) {
        self.stream.keep(feed);
    }

    /// Counts the candidates that will never have a verdict, because everything ends here.
    pub fn abandon(&self) {
        self.stream.words().iter().for_each(|word| word.judge.count_abandoned());
    }

    /// After a panic: builds every judge anew. What stands in the ring is judged afresh.
    pub fn rebuild(&mut self) -> Result<()> {
        if let Some(segment) = &mut self.segment {
            segment.resampler = Resampler::new(segment.resampler.rate())?;
            // The next block stands after a gap of unknown length.
            segment.next_frame = u64::MAX;
        }
        self.stream.words_mut().iter_mut().try_for_each(|word| word.judge.rebuild())?;
        self.stream.restart(self.stream.position())
    }

    /// The `lost` frames in front of the device's frame `at` are missing: nothing may be judged
    /// across the hole.
    fn gap(&mut self, at: u64, lost: u64, rate: u32) {
        let counters = &self.outlet.counters;
        counters.gaps.inc();
        counters.set_flowing(false);
        self.gaps.say(|hidden| {
            warn!(at_frame = at, lost, hidden, "audio is missing: judging starts afresh");
        });
        let Some(segment) = &mut self.segment else { return };
        let origin = segment.origin + to_samples(at, rate);
        segment.resampler.reset();
        self.restart(origin.max(self.stream.position()));
    }

    /// Starts everything afresh at the source's sample `position`.
    fn restart(&mut self, position: u64) {
        if let Err(error) = self.stream.restart(position) {
            self.outlet.failed(&error);
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
        self.push(to_samples(waiting as u64, rate));
        Ok(())
    }

    /// Takes what is in `mono` through every wake word, with `waiting` samples behind it.
    fn push(&mut self, waiting: u64) {
        let Self { stream, mono, outlet, .. } = self;
        let heard = stream.position() + mono.len() as u64 + waiting;
        match stream.push(mono, &mut |word, decision| outlet.emit(word, decision, heard)) {
            Ok(()) => {
                outlet.counters.judged_samples.add(mono.len() as u64);
                outlet.counters.set_flowing(true);
            }
            Err(error) => outlet.failed(&error),
        }
    }
}

impl Outlet {
    /// Counts what was decided of the word with that index when `heard` samples had come, and
    /// hands it on. The gate may have it too.
    fn emit(&mut self, word: usize, decision: Decision, heard: u64) -> bool {
        let Word { name, model, counters } = &self.words[word];
        let late = |end_sample: u64| {
            let late = heard.saturating_sub(end_sample);
            Duration::from_secs_f64(late as f64 / f64::from(SAMPLE_RATE))
        };
        match decision {
            Decision::Word(word) => {
                counters.words.inc();
                self.counters.word_delay.observe(late(word.end_sample));
            }
            Decision::Verdict(activation) => {
                counters.candidates.inc();
                counters.verdicts(activation.verdict, activation.reason).inc();
                self.counters.delay.observe(late(activation.end_sample));
                debug!(
                    wake_word = &**name,
                    verdict = activation.verdict.as_str(),
                    reason = activation.reason.as_str(),
                    end_sample = activation.end_sample,
                    "activation"
                );
            }
            Decision::Settled(_) => return true,
        }
        self.fanout.send(Decided {
            source: Arc::clone(&self.source),
            wake_word: Arc::clone(name),
            model: Arc::clone(model),
            decision,
        });
        true
    }

    fn failed(&mut self, error: &Error) {
        self.counters.judging_failed(error.kind());
        self.counters.set_flowing(false);
        self.errors.say(|hidden| warn!(%error, hidden, "no verdict: judging starts afresh"));
    }
}
