//! Detecting by ourselves: a drop-in for a wake-word engine.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::message;
use super::observer::{Reported, Reporter};
use super::pcm::{Converter, Format};
use super::protocol::{Event, found_of};
use super::server::{Client, Service, Session};
use super::settings::Detect;
use super::wake_words::{Chosen, Lease, WakeWords};
use wakegate::audio::Channel;
use wakegate::pipeline::Decision;
use wakegate::review::Feed;
use wakegate::stream::Stream;
use wakegate::{Error, ErrorKind, Result};

/// Serves wake words with their own spotters.
pub(super) struct Detector {
    pub(super) words: Arc<WakeWords>,
    pub(super) reporter: Reporter,
    /// The channel that is heard of a client's audio.
    pub(super) channel: Channel,
}

impl Service for Detector {
    fn info(&self) -> Result<Event> {
        Ok(message::info(&self.words))
    }

    fn open(&self, client: Client) -> Box<dyn Session> {
        Box::new(DetectorSession {
            client,
            words: Arc::clone(&self.words),
            reporter: self.reporter.clone(),
            channel: self.channel,
            chosen: self.words.all(),
            start_format: None,
            heard: None,
        })
    }
}

struct DetectorSession {
    client: Client,
    words: Arc<WakeWords>,
    reporter: Reporter,
    channel: Channel,
    /// The words that the client asked for; at first all of them.
    chosen: Vec<Chosen>,
    /// What `audio-start` said of the chunks that follow.
    start_format: Option<Format>,
    /// The stream that is heard, from its first chunk on.
    heard: Option<ClientStream>,
}

/// One stream of a client's audio.
struct ClientStream {
    stream: Stream<Feed, Lease>,
    converter: Converter,
    samples: Zeroizing<Vec<f32>>,
    detected: bool,
}

impl Session for DetectorSession {
    fn handle(&mut self, event: Event) -> Result<()> {
        match event.kind.as_str() {
            "detect" => {
                self.end_stream();
                self.chosen = choose(&event, &self.words, &self.client)?;
                Ok(())
            }
            "audio-start" => {
                self.end_stream();
                self.start_format = Some(Format::of(&event, None)?);
                Ok(())
            }
            "audio-chunk" => self.hear(&event),
            "audio-stop" => self.stop(),
            // Other events are for other services, or newer than this one.
            _ => Ok(()),
        }
    }
}

/// How far a client's stream goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// There is more.
    Open,
    /// The client says that it ends here.
    Stop,
    /// The client sends no more, as satellites do after a detection.
    Cut,
}

impl ClientStream {
    /// What the samples decide, and what the end of the stream does where it is that; by the
    /// index of the word among those that were chosen.
    fn judge(&mut self, end: End) -> Result<Vec<(usize, Decision)>> {
        let mut found = Vec::new();
        let mut keep = |word, decision| {
            found.push((word, decision));
            true
        };
        self.stream.push(&self.samples, &mut keep)?;
        match end {
            End::Open => {}
            End::Stop => self.stream.finish(&mut keep)?,
            End::Cut => self.stream.cut(&mut keep)?,
        }
        Ok(found)
    }
}

impl DetectorSession {
    fn hear(&mut self, chunk: &Event) -> Result<()> {
        let format = Format::of(chunk, self.start_format)?;
        let heard = match &mut self.heard {
            Some(heard) => heard,
            None => self.heard.insert(ClientStream {
                stream: self.words.stream(&self.chosen, self.reporter.feed())?,
                converter: Converter::new(self.channel),
                samples: Zeroizing::default(),
                detected: false,
            }),
        };
        heard.samples.clear();
        let timestamp = chunk.get("timestamp");
        heard.converter.push(format, &chunk.payload, timestamp, &mut heard.samples)?;
        self.client.counters.samples.add(heard.samples.len() as u64);
        let found = heard.judge(End::Open)?;
        self.report(&found)
    }

    /// Judges what is still open, and says so if there was nothing.
    fn stop(&mut self) -> Result<()> {
        let mut found = Vec::new();
        if let Some(heard) = &mut self.heard {
            heard.samples.clear();
            heard.converter.finish(&mut heard.samples)?;
            found = heard.judge(End::Stop)?;
        }
        self.report(&found)?;
        let detected = self.heard.as_ref().is_some_and(|heard| heard.detected);
        self.end_stream();
        if detected {
            return Ok(());
        }
        self.client.counters.not_detected.inc();
        self.client.out.send(&Event::new("not-detected"))
    }

    fn report(&mut self, found: &[(usize, Decision)]) -> Result<()> {
        let Some(stream) = &mut self.heard else { return Ok(()) };
        for (index, decision) in found {
            let chosen = &self.chosen[*index];
            let manifest = self.words.manifest(chosen.word);
            if let Some(end_sample) = self.reporter.detect.ends(decision) {
                // The word's last sample, not the one after it: that may be the next chunk's.
                let timestamp = stream.converter.timestamp(end_sample.saturating_sub(1));
                stream.detected = true;
                let name = chosen.name.as_deref().unwrap_or(&manifest.wake_word);
                self.client.out.send(&message::detection(name, timestamp))?;
                self.client.counters.detections.inc();
            }
            let reported = Reported { decision: *decision, upstream: None };
            self.reporter.report(&self.client, manifest, reported)?;
        }
        Ok(())
    }

    /// Ends the stream without a detection. Satellites fall silent once they have theirs: a clip
    /// that waits is cut there, once all of it has been judged, and what was detected at its word
    /// gets the verdict that what was heard allows.
    fn end_stream(&mut self) {
        let Some(mut heard) = self.heard.take() else { return };
        let by_word = self.reporter.detect == Detect::Word;
        if heard.stream.is_kept() || by_word {
            heard.samples.clear();
            let judged = heard.converter.finish(&mut heard.samples);
            match judged.and_then(|()| heard.judge(End::Cut)) {
                Err(error) => {
                    tracing::debug!(%error, "the end of a stream was not judged: nothing of it is kept");
                }
                Ok(found) if by_word => self.report_late(&found),
                Ok(_) => {}
            }
        }
        self.words.end(heard.stream);
    }

    /// Reports the verdicts of a stream that is over; the client need not be there any more.
    fn report_late(&self, found: &[(usize, Decision)]) {
        let verdicts = found.iter().filter(|(_, decision)| decision.verdict().is_some());
        for (index, decision) in verdicts {
            let manifest = self.words.manifest(self.chosen[*index].word);
            let reported = Reported { decision: *decision, upstream: None };
            if let Err(error) = self.reporter.report(&self.client, manifest, reported) {
                tracing::debug!(%error, "a client left before its verdict");
            }
        }
    }
}

impl Drop for DetectorSession {
    fn drop(&mut self) {
        // A panic may have left a pipeline in any state.
        if !std::thread::panicking() {
            self.end_stream();
        }
    }
}

/// The words that a `detect` asks for, by its own names for them; all words where it names none.
/// Names that are not served are told to the client.
///
/// # Errors
/// [`ErrorKind::Protocol`] where the names are no list of texts; what sending gives.
pub(super) fn choose(detect: &Event, words: &WakeWords, client: &Client) -> Result<Vec<Chosen>> {
    let names = match detect.get("names") {
        None => return Ok(words.all()),
        Some(names) => names.as_array().and_then(|names| {
            names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        }),
    };
    let names = names.ok_or_else(|| {
        Error::new(ErrorKind::Protocol, "cannot read detect's names")
            .expected("a list of texts, or null for all")
            .found(found_of(detect.get("names")))
    })?;
    if names.is_empty() {
        return Ok(words.all());
    }
    let (mut chosen, mut unknown) = (Vec::<Chosen>::new(), Vec::new());
    for name in names {
        match words.find(&name) {
            Some(word) if chosen.iter().any(|chosen| chosen.word == word) => {}
            Some(word) => chosen.push(Chosen { word, name: Some(name) }),
            None => {
                words.tell_unknown(&name);
                unknown.push(name);
            }
        }
    }
    if !unknown.is_empty() {
        client.counters.unknown_names.add(unknown.len() as u64);
        let error = Error::new(ErrorKind::Settings, "no such wake word")
            .expected(format!("one of {}", words.names().join(", ")))
            .found(unknown.join(", "))
            .hint("send describe to see what is served");
        client.out.send(&message::error_with("unknown-wake-word", error.to_string()))?;
    }
    Ok(chosen)
}
