//! Detecting by ourselves: a drop-in for a wake-word engine.

use std::sync::Arc;

use super::message;
use super::observer::{Heard, Reporter};
use super::pcm::{Converter, Format};
use super::protocol::{Event, found_of};
use super::server::{Client, Service, Session};
use super::wake_words::{Lease, WakeWords};
use wakegate::decision::Verdict;
use wakegate::pipeline::Activation;
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
            chosen: (0..self.words.count()).collect(),
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
    chosen: Vec<usize>,
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
                self.chosen = choose(&event, &self.words, &self.client)?.0;
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
    fn judge(&mut self, words: &WakeWords, ends: bool) -> Result<Vec<(usize, Activation)>> {
        let mut found = Vec::new();
        if let Some(feed) = &mut self.feed {
            feed.push(&self.samples);
        }
        for Lease { word, pipeline, .. } in &mut self.leases {
            let mut keep = |activation| found.push((*word, activation));
            pipeline.push(&self.samples, &mut keep)?;
            if ends {
                pipeline.finish(&mut keep)?;
            }
        }
        if let Some(feed) = &mut self.feed {
            for (word, activation) in &found {
                let manifest = words.manifest(*word);
                feed.take(activation, &manifest.wake_word, &manifest.id());
            }
            if ends {
                feed.finish();
            }
        }
        // A stream ends once.
        self.feed = self.feed.take().filter(|_| !ends);
        Ok(found)
    }
}

impl OwnSession {
    fn hear(&mut self, chunk: &Event) -> Result<()> {
        let format = Format::of(chunk, self.start_format)?;
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let leases = self.chosen.iter().map(|&word| self.words.lease(word));
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
        let found = stream.judge(&self.words, false)?;
        self.report(&found)
    }

    /// Judges what is still open, and says so if there was nothing.
    fn stop(&mut self) -> Result<()> {
        let mut found = Vec::new();
        if let Some(stream) = &mut self.stream {
            stream.samples.clear();
            stream.converter.finish(&mut stream.samples)?;
            found = stream.judge(&self.words, true)?;
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

    fn report(&mut self, found: &[(usize, Activation)]) -> Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        for (word, activation) in found {
            let manifest = self.words.manifest(*word);
            let intended = activation.verdict == Verdict::Intended;
            if intended {
                // The word's last sample, not the one after it: that may be the next chunk's.
                let last = activation.end_sample.saturating_sub(1);
                let timestamp = stream.converter.timestamp(last);
                stream.detected = true;
                self.client.out.send(&message::detection(&manifest.wake_word, timestamp))?;
                self.client.counters.detections.one();
            }
            self.reporter.report(
                &self.client,
                manifest,
                Heard { activation: *activation, upstream: None },
            )?;
        }
        Ok(())
    }

    /// Ends the stream without a word to the client. Satellites fall silent once they have
    /// their detection: a clip that waits is cut there, once all of it has been judged.
    fn end_stream(&mut self) {
        let Some(mut stream) = self.stream.take() else { return };
        if stream.feed.is_some() {
            stream.samples.clear();
            let judged = stream.converter.finish(&mut stream.samples);
            if let Err(error) = judged.and_then(|()| stream.judge(&self.words, true)) {
                tracing::debug!(%error, "the end of a stream was not judged: nothing of it is kept");
            }
        }
        stream.leases.into_iter().for_each(|lease| self.words.give_back(lease));
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

/// The words that a `detect` asks for, and its names for them; all words where it names none.
/// Names that are not served are told to the client.
///
/// # Errors
/// [`ErrorKind::Protocol`] where the names are no list of texts; what sending gives.
pub(super) fn choose(
    detect: &Event,
    words: &WakeWords,
    client: &Client,
) -> Result<(Vec<usize>, Vec<String>)> {
    let names = match detect.get("names") {
        None => return Ok(((0..words.count()).collect(), Vec::new())),
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
        return Ok(((0..words.count()).collect(), Vec::new()));
    }
    let (mut chosen, mut known, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        match words.find(&name) {
            Some(word) => {
                if !chosen.contains(&word) {
                    chosen.push(word);
                }
                known.push(name);
            }
            None => unknown.push(name),
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
    Ok((chosen, known))
}
