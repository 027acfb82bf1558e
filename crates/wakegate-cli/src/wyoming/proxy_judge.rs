//! Judging another engine's detections: where they lie in the stream, and what the verifier says.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::counters::Counters;
use super::observer::{End, keep_heard};
use super::pcm::{Converter, Format};
use super::protocol::{Event, name_or_length};
use super::settings::Detect;
use super::wake_words::{Chosen, Lease, WakeWords};
use wakegate::Result;
use wakegate::decision::Verdict;
use wakegate::model::Manifest;
use wakegate::pipeline::Decision;
use wakegate::review::{Feed, Recorder};

/// Chunks of which it is known where they lie; at 80 ms each about 80 s.
const MOST_SENT: usize = 1_024;
/// Samples a second.
const RATE: u64 = wakegate::audio::SAMPLE_RATE as u64;

/// The verifier's side of one client.
pub(super) struct Judge {
    words: Arc<WakeWords>,
    counters: Arc<Counters>,
    /// How long after the word's end the engine reports it, in samples.
    lag: u64,
    chosen: Vec<Chosen>,
    stream: Option<Stream>,
    detect: Detect,
    /// What takes the audio of each stream for review, where that is on.
    recorder: Option<Arc<Recorder>>,
    /// Number of the stream, so that a late detection of the one before is known as such.
    streams: u64,
    /// The chunks that the engine got, by the stamps that they carried.
    sent: VecDeque<Sent>,
    stamp: u64,
    /// Detections that were dropped unjudged as they came.
    unjudged: u64,
}

struct Stream {
    leases: Vec<Lease>,
    /// Detections that wait for their verdicts, by lease.
    waiting: Vec<Vec<Waiting>>,
    converter: Converter,
    samples: Vec<f32>,
    forwarded: bool,
    /// End of the last word that was told, and of the last one that was meant, by lease.
    last: Vec<Last>,
    /// The way into the review queue, where there is one.
    feed: Option<Feed>,
}

struct Waiting {
    /// Number of the activation.
    number: u64,
    anchor: u64,
    detection: Event,
}

#[derive(Clone, Copy, Default)]
struct Last {
    word: Option<u64>,
    intended: Option<u64>,
}

#[derive(Clone, Copy)]
struct Sent {
    stamp: u64,
    stream: u64,
    start: u64,
    end: u64,
}

/// A word or a verdict on a detection of the engine.
pub(super) struct Decided {
    pub(super) word: usize,
    pub(super) decision: Decision,
    /// The engine's event, with the client's own timestamp and name.
    pub(super) detection: Event,
    /// Whether it goes to the client.
    pub(super) forward: bool,
}

impl Judge {
    pub(super) fn new(
        words: Arc<WakeWords>,
        counters: Arc<Counters>,
        lag_ms: u32,
        detect: Detect,
        recorder: Option<Arc<Recorder>>,
    ) -> Self {
        let lag = u64::from(lag_ms) * RATE / 1_000;
        let chosen = words.all();
        Self {
            words,
            counters,
            lag,
            chosen,
            stream: None,
            detect,
            recorder,
            streams: 0,
            sent: VecDeque::new(),
            stamp: 0,
            unjudged: 0,
        }
    }

    /// Listens for `chosen` from now on.
    pub(super) fn choose(&mut self, chosen: Vec<Chosen>) {
        self.chosen = chosen;
    }

    /// What is listened for.
    pub(super) fn chosen(&self) -> &[Chosen] {
        &self.chosen
    }

    /// Whether there is anything to listen for.
    pub(super) fn is_deaf(&self) -> bool {
        self.chosen.is_empty()
    }

    /// Whether a stream is being heard.
    pub(super) fn is_hearing(&self) -> bool {
        self.stream.is_some()
    }

    /// Hears audio that the engine is about to get. Gives the timestamp in ms that it must
    /// carry there, by which a detection is found again, and the verdicts that are ready.
    ///
    /// # Errors
    /// What converting and judging give; nothing is forwarded then.
    pub(super) fn hear(
        &mut self,
        format: Format,
        bytes: &[u8],
        timestamp: Option<&Value>,
    ) -> Result<(u64, Vec<Decided>)> {
        if self.stream.is_none() {
            let leases = self.chosen.iter().map(|chosen| self.words.lease(chosen.word));
            let leases: Vec<Lease> = leases.collect::<Result<_>>()?;
            self.streams += 1;
            self.stream = Some(Stream {
                waiting: leases.iter().map(|_| Vec::new()).collect(),
                last: vec![Last::default(); leases.len()],
                leases,
                converter: Converter::default(),
                samples: Vec::new(),
                forwarded: false,
                feed: self.recorder.as_ref().and_then(Feed::new),
            });
        }
        let Some(stream) = &mut self.stream else { return Ok((self.stamp, Vec::new())) };
        let start = stream.converter.position();
        stream.samples.clear();
        stream.converter.push(format, bytes, timestamp, &mut stream.samples)?;
        let end = stream.converter.position();
        self.counters.samples.add(stream.samples.len() as u64);
        self.stamp += 1.max((end - start) * 1_000 / RATE);
        if self.sent.len() == MOST_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { stamp: self.stamp, stream: self.streams, start, end });
        let decided = stream.run(&self.words, self.detect, End::Open)?;
        Ok((self.stamp, decided))
    }

    /// Takes a detection of the engine. Its verdict comes at once where its audio is at hand,
    /// otherwise with the audio.
    ///
    /// # Errors
    /// As [`hear`](Self::hear).
    pub(super) fn propose(&mut self, detection: Event) -> Result<Vec<Decided>> {
        self.counters.upstream_detections.one();
        if let Err(why) = self.place(detection) {
            self.counters.upstream_unjudged.one();
            self.unjudged += 1;
            // An engine may do so a thousand times a second: said more and more seldom.
            if self.unjudged.is_power_of_two() {
                let times = self.unjudged;
                tracing::warn!(
                    why,
                    times,
                    "a detection of the wake-word engine was dropped unjudged"
                );
            }
        }
        let Some(stream) = &mut self.stream else { return Ok(Vec::new()) };
        stream.samples.clear();
        stream.run(&self.words, self.detect, End::Open)
    }

    fn place(&mut self, mut detection: Event) -> std::result::Result<(), String> {
        let Some(stream) = &mut self.stream else { return Err("its stream is over".to_owned()) };
        let word = match detection.get("name") {
            Some(name) => name.as_str().and_then(|name| self.words.find(name)),
            // A nameless one can only mean the only word there is.
            None => (self.words.count() == 1).then_some(0),
        };
        let lease = stream.leases.iter().position(|lease| Some(lease.word) == word);
        let Some(lease) = lease else {
            let name = detection.text("name").map_or("(no name)".to_owned(), name_or_length);
            return Err(format!("{name} is no word that the client asked for"));
        };
        let stamp = detection.get("timestamp").and_then(Value::as_u64);
        let sent = stamp.and_then(|stamp| self.sent.iter().rfind(|sent| sent.stamp == stamp));
        let (start, end) = match sent {
            Some(sent) if sent.stream != self.streams => {
                return Err("it is about the stream before".to_owned());
            }
            Some(sent) => (sent.start, sent.end),
            // An engine with a clock of its own: it means what it heard last.
            None => (stream.converter.position(), stream.converter.position()),
        };
        let anchor = end.saturating_sub(self.lag);
        let pipeline = &mut stream.leases[lease].pipeline;
        let number = pipeline.judge_at(anchor).map_err(|error| error.to_string())?;
        let timestamp = stream.converter.timestamp(start);
        detection.data.insert("timestamp".to_owned(), timestamp);
        // The leases stand in the order of the chosen words.
        if let Some(name) = self.chosen.get(lease).and_then(|chosen| chosen.name.clone()) {
            detection.data.insert("name".to_owned(), name.into());
        }
        stream.waiting[lease].push(Waiting { number, anchor, detection });
        Ok(())
    }

    /// Ends the stream: the verdicts on what is still open, and whether any detection of the
    /// stream was forwarded.
    ///
    /// # Errors
    /// As [`hear`](Self::hear).
    pub(super) fn finish(&mut self) -> Result<(Vec<Decided>, bool)> {
        let Some(stream) = &mut self.stream else { return Ok((Vec::new(), false)) };
        stream.samples.clear();
        stream.converter.finish(&mut stream.samples)?;
        let decided = stream.run(&self.words, self.detect, End::Stop)?;
        if let Some(mut feed) = stream.feed.take() {
            feed.finish();
        }
        let forwarded = stream.forwarded;
        self.end();
        Ok((decided, forwarded))
    }

    /// Ends the stream where the client just stopped sending: what was detected at its word gets
    /// the verdict that what was heard allows, anything else gets none.
    pub(super) fn cut(&mut self) -> Vec<Decided> {
        let mut decided = Vec::new();
        if let Some(stream) = self.stream.as_mut().filter(|_| self.detect == Detect::Word) {
            stream.samples.clear();
            let run = stream.converter.finish(&mut stream.samples);
            let run = run.and_then(|()| stream.run(&self.words, self.detect, End::Cut));
            match run {
                Ok(found) => decided = found,
                Err(error) => tracing::debug!(%error, "the end of a stream was not judged"),
            }
            decided.iter_mut().for_each(|decided| decided.forward = false);
        }
        self.end();
        decided
    }

    /// Ends the stream; what waits for a verdict gets none. A clip that waits for its end is cut
    /// here, unless something in it may still wait for a verdict.
    pub(super) fn end(&mut self) {
        let Some(mut stream) = self.stream.take() else { return };
        let open: usize = stream.waiting.iter().map(Vec::len).sum();
        if let Some(feed) = stream.feed.as_mut().filter(|_| open == 0) {
            feed.finish();
        }
        self.counters.upstream_unjudged.add(open as u64);
        stream.leases.into_iter().for_each(|lease| self.words.give_back(lease));
    }
}

impl Stream {
    /// Feeds the samples to every pipeline, and matches decisions with detections.
    fn run(&mut self, words: &WakeWords, detect: Detect, end: End) -> Result<Vec<Decided>> {
        let mut decided = Vec::new();
        if let Some(feed) = &mut self.feed {
            feed.push(&self.samples);
        }
        for index in 0..self.leases.len() {
            let Lease { word, pipeline, .. } = &mut self.leases[index];
            let word = *word;
            let mut found = Vec::new();
            let mut keep = |decision| found.push(decision);
            pipeline.decide(&self.samples, &mut keep)?;
            let heard = pipeline.samples();
            match end {
                End::Open => {}
                End::Stop => pipeline.decide_rest(&mut keep)?,
                End::Cut => pipeline.decide_rest(&mut |decision| {
                    keep_heard(decision, heard).into_iter().for_each(&mut keep);
                })?,
            }
            for decision in found {
                decided.extend(self.decide(words.manifest(word), word, index, detect, decision));
            }
        }
        Ok(decided)
    }

    /// What becomes of a decision about a detection; none where an engine fires again on a word.
    fn decide(
        &mut self,
        manifest: &Manifest,
        word: usize,
        index: usize,
        detect: Detect,
        decision: Decision,
    ) -> Option<Decided> {
        let number = match &decision {
            Decision::Word(word) => word.number,
            Decision::Verdict(activation) | Decision::Settled(activation) => activation.number,
        };
        let place = self.waiting[index].iter().position(|waiting| waiting.number == number);
        let last = &mut self.last[index];
        let refractory = manifest.spotter.refractory_s * RATE as f64;
        let again = |last: Option<u64>, anchor: u64| {
            last.is_some_and(|last| (anchor.saturating_sub(last) as f64) < refractory)
        };
        let mut forward = detect.ends(&decision).is_some();
        let (kept, detection) = match (&decision, place) {
            (Decision::Word(_), Some(place)) => {
                let Waiting { anchor, detection, .. } = &self.waiting[index][place];
                if again(last.word, *anchor) {
                    return None;
                }
                last.word = Some(*anchor);
                (true, detection.clone())
            }
            (Decision::Verdict(activation), Some(place)) => {
                let Waiting { anchor, detection, .. } = self.waiting[index].remove(place);
                let intended = activation.verdict == Verdict::Intended;
                let repeated = intended && again(last.intended, anchor);
                if intended && !repeated {
                    last.intended = Some(anchor);
                }
                forward &= !repeated;
                (!repeated, detection)
            }
            (Decision::Settled(_), _) => {
                if let Some(feed) = &mut self.feed {
                    feed.decide(&decision, &manifest.wake_word, &manifest.id());
                }
                return None;
            }
            (_, None) => return None,
        };
        if let Some(feed) = self.feed.as_mut().filter(|_| kept) {
            feed.decide(&decision, &manifest.wake_word, &manifest.id());
        }
        self.forwarded |= forward;
        Some(Decided { word, decision, detection, forward })
    }
}
