//! Detecting by ourselves: a drop-in for a wake-word engine.

use std::sync::Arc;

use super::message;
use super::observer::{End, Heard, Reporter, keep_heard};
use super::pcm::{Converter, Format};
use super::protocol::{Event, found_of};
use super::server::{Client, Service, Session};
use super::settings::Detect;
use super::wake_words::{Chosen, Lease, WakeWords};
use wakegate::pipeline::Decision;
use wakegate::review::Feed;
use wakegate::{Error, ErrorKind, Result};

/// Serves wake words with their own spotters.
pub(super) struct Own {
    pub(super) words: Arc<WakeWords>,
    pub(super) reporter: Reporter,
}

impl Service for Own {
    fn info(&self) -> Result<Event> {
        Ok(message::info(&self.words))
    }

    fn open(&self, client: Client) -> Box<dyn Session> {
        Box::new(OwnSession {
            client,
            words: Arc::clone(&self.words),
            reporter: self.reporter.clone(),
            chosen: self.words.all(),
            start_format: None,
            stream: None,
        })
    }
}

struct OwnSession {
    client: Client,
    words: Arc<WakeWords>,
    reporter: Reporter,
    /// The words that the client asked for; at first all of them.
    chosen: Vec<Chosen>,
    /// What `audio-start` said of the chunks that follow.
    start_format: Option<Format>,
    /// The stream that is heard, from its first chunk on.
    stream: Option<Stream>,
}

/// One stream of a client's audio.
struct Stream {
    leases: Vec<Lease>,
    converter: Converter,
    samples: Vec<f32>,
    detected: bool,
    /// The way into the review queue, where there is one.
    feed: Option<Feed>,
}

impl Session for OwnSession {
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

impl Stream {
    /// Takes `samples` through every pipeline, and to the end of the stream where it is that.
    fn judge(&mut self, words: &WakeWords, end: End) -> Result<Vec<(usize, Decision)>> {
        let mut found = Vec::new();
        if let Some(feed) = &mut self.feed {
            feed.push(&self.samples);
        }
        for Lease { word, pipeline, .. } in &mut self.leases {
            let mut keep = |decision| found.push((*word, decision));
            pipeline.decide(&self.samples, &mut keep)?;
            if end == End::Open {
                continue;
            }
            let heard = pipeline.samples();
            pipeline.decide_rest(&mut |decision| match end {
                End::Cut => keep_heard(decision, heard).into_iter().for_each(&mut keep),
                End::Open | End::Stop => keep(decision),
            })?;
        }
        if let Some(feed) = &mut self.feed {
            for (word, decision) in &found {
                let manifest = words.manifest(*word);
                feed.decide(decision, &manifest.wake_word, &manifest.id());
            }
            if end != End::Open {
                feed.finish();
            }
        }
        // A stream ends once.
        self.feed = self.feed.take().filter(|_| end == End::Open);
        Ok(found)
    }
}

impl OwnSession {
    fn hear(&mut self, chunk: &Event) -> Result<()> {
        let format = Format::of(chunk, self.start_format)?;
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let leases = self.chosen.iter().map(|chosen| self.words.lease(chosen.word));
                self.stream.insert(Stream {
                    leases: leases.collect::<Result<_>>()?,
                    converter: Converter::default(),
                    samples: Vec::new(),
                    detected: false,
                    feed: self.reporter.feed(),
                })
            }
        };
        stream.samples.clear();
        let timestamp = chunk.get("timestamp");
        stream.converter.push(format, &chunk.payload, timestamp, &mut stream.samples)?;
        self.client.counters.samples.add(stream.samples.len() as u64);
        let found = stream.judge(&self.words, End::Open)?;
        self.report(&found)
    }

    /// Judges what is still open, and says so if there was nothing.
    fn stop(&mut self) -> Result<()> {
        let mut found = Vec::new();
        if let Some(stream) = &mut self.stream {
            stream.samples.clear();
            stream.converter.finish(&mut stream.samples)?;
            found = stream.judge(&self.words, End::Stop)?;
        }
        self.report(&found)?;
        let detected = self.stream.as_ref().is_some_and(|stream| stream.detected);
        self.end_stream();
        if detected {
            return Ok(());
        }
        self.client.counters.not_detected.one();
        self.client.out.send(&Event::new("not-detected"))
    }

    fn report(&mut self, found: &[(usize, Decision)]) -> Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        for (word, decision) in found {
            let manifest = self.words.manifest(*word);
            if let Some(end_sample) = self.reporter.detect.ends(decision) {
                // The word's last sample, not the one after it: that may be the next chunk's.
                let timestamp = stream.converter.timestamp(end_sample.saturating_sub(1));
                stream.detected = true;
                let asked = self.chosen.iter().find(|chosen| chosen.word == *word);
                let name = asked.and_then(|chosen| chosen.name.as_deref());
                let name = name.unwrap_or(&manifest.wake_word);
                self.client.out.send(&message::detection(name, timestamp))?;
                self.client.counters.detections.one();
            }
            let heard = Heard { decision: *decision, upstream: None };
            self.reporter.report(&self.client, manifest, heard)?;
        }
        Ok(())
    }

    /// Ends the stream without a detection. Satellites fall silent once they have theirs: a clip
    /// that waits is cut there, once all of it has been judged, and what was detected at its word
    /// gets the verdict that what was heard allows.
    fn end_stream(&mut self) {
        let Some(mut stream) = self.stream.take() else { return };
        let by_word = self.reporter.detect == Detect::Word;
        if stream.feed.is_some() || by_word {
            stream.samples.clear();
            let judged = stream.converter.finish(&mut stream.samples);
            match judged.and_then(|()| stream.judge(&self.words, End::Cut)) {
                Err(error) => {
                    tracing::debug!(%error, "the end of a stream was not judged: nothing of it is kept");
                }
                Ok(found) if by_word => self.report_late(&found),
                Ok(_) => {}
            }
        }
        stream.leases.into_iter().for_each(|lease| self.words.give_back(lease));
    }

    /// Reports the verdicts of a stream that is over; the client need not be there any more.
    fn report_late(&self, found: &[(usize, Decision)]) {
        let verdicts = found.iter().filter(|(_, decision)| decision.verdict().is_some());
        for (word, decision) in verdicts {
            let heard = Heard { decision: *decision, upstream: None };
            if let Err(error) =
                self.reporter.report(&self.client, self.words.manifest(*word), heard)
            {
                tracing::debug!(%error, "a client left before its verdict");
            }
        }
    }
}

impl Drop for OwnSession {
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
