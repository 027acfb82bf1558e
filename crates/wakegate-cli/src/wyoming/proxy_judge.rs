//! Judging another engine's detections: where they lie in the stream, and what the verifier says.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use super::counters::Counters;
use super::pcm::{Converter, Format};
use super::protocol::{Event, name_or_length};
use super::settings::{Detect, Settings};
use super::wake_words::{Chosen, Lease, WakeWords};
use wakegate::Result;
use wakegate::audio::Channel;
use wakegate::decision::Verdict;
use wakegate::pipeline::Decision;
use wakegate::review::{Feed, Recorder};
use wakegate::stream::Stream;

/// Chunks of which it is known where they lie; at 80 ms each about 80 s.
const MOST_SENT: usize = 1_024;
/// Samples a second.
const RATE: u64 = wakegate::audio::SAMPLE_RATE as u64;

/// The verifier's side of one client.
pub(super) struct DetectionJudge {
    words: Arc<WakeWords>,
    counters: Arc<Counters>,
    /// How long after the word's end the engine reports it, in samples.
    lag: u64,
    /// The channel that is heard of the client's audio.
    channel: Channel,
    chosen: Vec<Chosen>,
    heard: Option<ClientStream>,
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

struct ClientStream {
    stream: Stream<Feed, Lease>,
    /// The engine's detections, by the index of the word among those that were chosen.
    detections: Vec<Detections>,
    converter: Converter,
    samples: Zeroizing<Vec<f32>>,
    forwarded: bool,
}

/// The engine's detections of one word.
#[derive(Default)]
struct Detections {
    /// Those that wait for their verdicts.
    waiting: Vec<Waiting>,
    /// End of the last word that was told.
    last_word: Option<u64>,
    /// End of the last word that was meant.
    last_intended: Option<u64>,
    /// How close to the last one a word is that one again, in samples.
    refractory: u64,
}

struct Waiting {
    /// Number of the activation.
    number: u64,
    anchor: u64,
    detection: Event,
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

impl DetectionJudge {
    pub(super) fn new(
        words: Arc<WakeWords>,
        counters: Arc<Counters>,
        settings: &Settings,
        recorder: Option<Arc<Recorder>>,
    ) -> Self {
        let lag = u64::from(settings.upstream_lag_ms) * RATE / 1_000;
        let chosen = words.all();
        Self {
            words,
            counters,
            lag,
            channel: settings.heard(),
            chosen,
            heard: None,
            detect: settings.detect,
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
        self.heard.is_some()
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
        let heard = match &mut self.heard {
            Some(heard) => heard,
            None => {
                let feed = self.recorder.as_ref().and_then(Feed::new);
                let stream = self.words.stream(&self.chosen, feed)?;
                let detections = self.chosen.iter().map(|chosen| {
                    let refractory_s = self.words.manifest(chosen.word).spotter.refractory_s;
                    let refractory = (refractory_s * RATE as f64) as u64;
                    Detections { refractory, ..Detections::default() }
                });
                self.streams += 1;
                self.heard.insert(ClientStream {
                    stream,
                    detections: detections.collect(),
                    converter: Converter::new(self.channel),
                    samples: Zeroizing::default(),
                    forwarded: false,
                })
            }
        };
        let start = heard.converter.position();
        heard.samples.clear();
        heard.converter.push(format, bytes, timestamp, &mut heard.samples)?;
        let end = heard.converter.position();
        self.counters.samples.add(heard.samples.len() as u64);
        self.stamp += 1.max((end - start) * 1_000 / RATE);
        if self.sent.len() == MOST_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { stamp: self.stamp, stream: self.streams, start, end });
        let decided = heard.judge(&self.chosen, self.detect, Stream::push)?;
        Ok((self.stamp, decided))
    }

    /// Takes a detection of the engine. Its verdict comes at once where its audio is at hand,
    /// otherwise with the audio.
    ///
    /// # Errors
    /// As [`hear`](Self::hear).
    pub(super) fn propose(&mut self, detection: Event) -> Result<Vec<Decided>> {
        self.counters.upstream_detections.inc();
        if let Err(why) = self.place(detection) {
            self.counters.upstream_unjudged.inc();
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
        let Some(heard) = &mut self.heard else { return Ok(Vec::new()) };
        heard.samples.clear();
        heard.judge(&self.chosen, self.detect, Stream::push)
    }

    fn place(&mut self, mut detection: Event) -> std::result::Result<(), String> {
        let Some(heard) = &mut self.heard else { return Err("its stream is over".to_owned()) };
        let word = match detection.get("name") {
            Some(name) => name.as_str().and_then(|name| self.words.find(name)),
            // A nameless one can only mean the only word there is.
            None => (self.words.count() == 1).then_some(0),
        };
        let index = self.chosen.iter().position(|chosen| Some(chosen.word) == word);
        let Some(index) = index else {
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
            None => (heard.converter.position(), heard.converter.position()),
        };
        let anchor = end.saturating_sub(self.lag);
        let number = heard.stream.judge_at(index, anchor).map_err(|error| error.to_string())?;
        let timestamp = heard.converter.timestamp(start);
        detection.data.insert("timestamp".to_owned(), timestamp);
        if let Some(name) = self.chosen[index].name.clone() {
            detection.data.insert("name".to_owned(), name.into());
        }
        heard.detections[index].waiting.push(Waiting { number, anchor, detection });
        Ok(())
    }

    /// Ends the stream: the verdicts on what is still open, and whether any detection of the
    /// stream was forwarded.
    ///
    /// # Errors
    /// As [`hear`](Self::hear).
    pub(super) fn finish(&mut self) -> Result<(Vec<Decided>, bool)> {
        let Some(heard) = &mut self.heard else { return Ok((Vec::new(), false)) };
        heard.samples.clear();
        heard.converter.finish(&mut heard.samples)?;
        let mut decided = heard.judge(&self.chosen, self.detect, Stream::push)?;
        heard.samples.clear();
        decided.extend(heard.judge(&self.chosen, self.detect, |stream, _, on| stream.finish(on))?);
        let forwarded = heard.forwarded;
        self.end();
        Ok((decided, forwarded))
    }

    /// Ends the stream where the client just stopped sending: what was detected at its word gets
    /// the verdict that what was heard allows, anything else gets none.
    pub(super) fn cut(&mut self) -> Vec<Decided> {
        let mut decided = Vec::new();
        if let Some(heard) = self.heard.as_mut().filter(|_| self.detect == Detect::Word) {
            heard.samples.clear();
            let judged = heard.converter.finish(&mut heard.samples).and_then(|()| {
                decided = heard.judge(&self.chosen, self.detect, Stream::push)?;
                decided.extend(
                    heard.judge(&self.chosen, self.detect, |stream, _, on| stream.cut(on))?,
                );
                Ok(())
            });
            if let Err(error) = judged {
                tracing::debug!(%error, "the end of a stream was not judged");
            }
            decided.iter_mut().for_each(|decided| decided.forward = false);
        }
        self.end();
        decided
    }

    /// Ends the stream; what waits for a verdict gets none. A clip that waits for its end is cut
    /// here, unless something in it may still wait for a verdict.
    pub(super) fn end(&mut self) {
        let Some(mut heard) = self.heard.take() else { return };
        let open: usize = heard.detections.iter().map(|word| word.waiting.len()).sum();
        if open == 0 && heard.stream.is_kept() {
            // Nothing waits: there is nothing to report. One that has ended already says so.
            let _ = heard.stream.cut(&mut |_, _| true);
        }
        self.counters.upstream_unjudged.add(open as u64);
        self.words.end(heard.stream);
    }
}

impl ClientStream {
    /// Lets the stream do `work` with the samples, and matches what it decides with detections.
    fn judge(
        &mut self,
        chosen: &[Chosen],
        detect: Detect,
        work: impl FnOnce(
            &mut Stream<Feed, Lease>,
            &[f32],
            &mut dyn FnMut(usize, Decision) -> bool,
        ) -> Result<()>,
    ) -> Result<Vec<Decided>> {
        let mut decided = Vec::new();
        let (detections, forwarded) = (&mut self.detections, &mut self.forwarded);
        work(&mut self.stream, &self.samples, &mut |index, decision| {
            if matches!(decision, Decision::Settled(_)) {
                return true;
            }
            let Some((detection, repeated)) = detections[index].take(&decision) else {
                return false;
            };
            let forward = detect.ends(&decision).is_some() && !repeated;
            *forwarded |= forward;
            decided.push(Decided { word: chosen[index].word, decision, detection, forward });
            !repeated
        })?;
        Ok(decided)
    }
}

impl Detections {
    /// The detection that `decision` is about, and whether the engine fired again on a word that
    /// was meant before; none where it is about none, or about a word that was told before.
    fn take(&mut self, decision: &Decision) -> Option<(Event, bool)> {
        let number = match decision {
            Decision::Word(word) => word.number,
            Decision::Verdict(activation) | Decision::Settled(activation) => activation.number,
        };
        let place = self.waiting.iter().position(|waiting| waiting.number == number)?;
        let refractory = self.refractory;
        let is_again = |last: Option<u64>, anchor: u64| {
            last.is_some_and(|last| anchor.saturating_sub(last) < refractory)
        };
        match decision {
            Decision::Word(_) => {
                let Waiting { anchor, detection, .. } = &self.waiting[place];
                if is_again(self.last_word, *anchor) {
                    return None;
                }
                self.last_word = Some(*anchor);
                Some((detection.clone(), false))
            }
            Decision::Verdict(activation) => {
                let Waiting { anchor, detection, .. } = self.waiting.remove(place);
                let intended = activation.verdict == Verdict::Intended;
                let repeated = intended && is_again(self.last_intended, anchor);
                if intended && !repeated {
                    self.last_intended = Some(anchor);
                }
                Some((detection, repeated))
            }
            Decision::Settled(_) => None,
        }
    }
}
