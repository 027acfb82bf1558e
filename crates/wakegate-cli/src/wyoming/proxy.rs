//! Another engine detects; we pass on what was intended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::bounded;
use serde_json::Value;

use super::detector::choose;
use super::message;
use super::observer::{Reported, Reporter};
use super::pcm::Format;
use super::protocol::Event;
use super::proxy_judge::{Decided, DetectionJudge};
use super::server::{Client, Service, Session, spawn};
use super::upstream::{Engine, Link, News};
use super::wake_words::{Chosen, WakeWords, lock};
use wakegate::{Error, ErrorKind, Result};

/// Longest piece of audio that the engine gets at once, in ms: a detection says in which piece
/// the word was found, no more.
const PIECE_MS: usize = 80;
/// How long an engine whose last answer is known may take for a new one: Home Assistant gives a
/// service one second.
const PATIENCE: Duration = Duration::from_millis(300);
/// What a judged engine's name ends in.
const NAME_MARK: &str = " (wakegate)";

/// Judges the detections of another engine.
pub(super) struct Proxy {
    pub(super) words: Arc<WakeWords>,
    pub(super) reporter: Reporter,
    pub(super) engine: Engine,
    /// The engine's latest answer to `describe`.
    pub(super) known: Arc<Mutex<Option<Event>>>,
    /// Whether it is being asked again.
    pub(super) asking: Arc<AtomicBool>,
}

impl Service for Proxy {
    /// The engine's answer; its last one where it takes its time, so that a client need not.
    fn info(&self) -> Result<Event> {
        let last = lock(&self.known).clone();
        let patience = match &last {
            Some(_) => PATIENCE,
            None => 2 * self.engine.settings.upstream_timeout(),
        };
        let (sender, answer) = bounded(1);
        if !self.asking.swap(true, Ordering::AcqRel) {
            let (engine, words) = (self.engine.clone(), Arc::clone(&self.words));
            let (known, asking) = (Arc::clone(&self.known), Arc::clone(&self.asking));
            let asked = spawn("wyoming-describe", move || {
                let info = engine.info().map(|info| marked(info, &words));
                match &info {
                    Ok(info) => *lock(&known) = Some(info.clone()),
                    Err(error) => {
                        engine.counters.upstream_failures.inc();
                        tracing::warn!(%error, "no answer from the wake-word engine");
                    }
                }
                asking.store(false, Ordering::Release);
                // Nobody may wait any more.
                let _ = sender.send(info);
            });
            if let Err(error) = asked {
                self.asking.store(false, Ordering::Release);
                return last.ok_or(error);
            }
        }
        match (answer.recv_timeout(patience), last) {
            (Ok(Ok(info)), _) | (_, Some(info)) => Ok(info),
            (Ok(Err(error)), None) => Err(error),
            (Err(_), None) => Err(Error::new(ErrorKind::Io, "the wake-word engine is silent")
                .hint("ask again once it has started")),
        }
    }

    fn open(&self, client: Client) -> Box<dyn Session> {
        let recorder = self.reporter.recorder.clone();
        let (words, counters) = (Arc::clone(&self.words), Arc::clone(&client.counters));
        let judge = DetectionJudge::new(words, counters, &self.engine.settings, recorder);
        Box::new(ProxySession {
            teller: Teller {
                client,
                words: Arc::clone(&self.words),
                reporter: self.reporter.clone(),
            },
            engine: self.engine.clone(),
            known: Arc::clone(&self.known),
            judge: Arc::new(Mutex::new(judge)),
            link: None,
            told: 0,
            start: None,
            start_format: None,
        })
    }
}

/// The engine's info with our mark, and without the words that we can't judge.
fn marked(mut info: Event, words: &WakeWords) -> Event {
    let Some(programs) = info.data.get_mut("wake").and_then(Value::as_array_mut) else {
        return info;
    };
    for program in programs {
        let Some(program) = program.as_object_mut() else { continue };
        let said = program.get("description").and_then(Value::as_str).unwrap_or_default();
        let description = format!("{said}; judged by {}", message::mark());
        program.insert("description".to_owned(), description.into());
        if let Some(name) = program.get("name").and_then(Value::as_str) {
            let name = format!("{}{NAME_MARK}", name.trim_end_matches(NAME_MARK));
            program.insert("name".to_owned(), name.into());
        }
        if let Some(models) = program.get_mut("models").and_then(Value::as_array_mut) {
            models.retain(|model| name_of(model).is_some_and(|name| words.find(name).is_some()));
        }
    }
    info
}

fn name_of(model: &Value) -> Option<&str> {
    model.get("name").and_then(Value::as_str)
}

/// The names by which the engine offers what we can judge.
fn offered(info: &Event) -> Vec<String> {
    let programs = info.get("wake").and_then(Value::as_array).into_iter().flatten();
    let models = programs.filter_map(|program| program.get("models")?.as_array()).flatten();
    models.filter_map(name_of).map(str::to_owned).collect()
}

struct ProxySession {
    teller: Teller,
    engine: Engine,
    known: Arc<Mutex<Option<Event>>>,
    judge: Arc<Mutex<DetectionJudge>>,
    link: Option<Link>,
    /// Number of the connection that has been told what to listen for.
    told: u64,
    /// The stream's `audio-start`, for an engine that comes back in the middle of it.
    start: Option<Event>,
    start_format: Option<Format>,
}

impl Session for ProxySession {
    fn handle(&mut self, event: Event) -> Result<()> {
        match event.kind.as_str() {
            "detect" => {
                let chosen = choose(&event, &self.teller.words, &self.teller.client)?;
                self.start = None;
                self.cut();
                lock(&self.judge).choose(chosen);
                // The engine hears of it before the next audio.
                self.told = 0;
                self.connect()
            }
            "audio-start" => {
                self.start_format = Some(Format::of(&event, None)?);
                self.cut();
                self.start = Some(event);
                self.told = 0;
                self.connect()
            }
            "audio-chunk" => self.hear(&event),
            "audio-stop" => self.stop(&event),
            _ => Ok(()),
        }
    }
}

impl ProxySession {
    /// Makes sure that the connection to the engine is there, or is known not to be.
    fn connect(&mut self) -> Result<()> {
        let link = match &self.link {
            Some(link) => link,
            None => {
                let (judge, known) = (Arc::clone(&self.judge), Arc::clone(&self.known));
                let teller = self.teller.clone();
                self.link.insert(Link::start(self.engine.clone(), move |news| {
                    if let Err(error) = teller.take(news, &judge, &known) {
                        // As where the client's own thread meets it: nothing goes on.
                        teller.close(&error);
                    }
                })?)
            }
        };
        link.ready();
        Ok(())
    }

    /// Ends the stream where the client just stopped sending; it need not be there any more.
    fn cut(&self) {
        let decided = lock(&self.judge).cut();
        if let Err(error) = self.teller.settle(&decided) {
            tracing::debug!(%error, "a client left before its verdict");
        }
    }

    fn hear(&mut self, chunk: &Event) -> Result<()> {
        let format = Format::of(chunk, self.start_format)?;
        let (deaf, hearing) = {
            let judge = lock(&self.judge);
            (judge.is_deaf(), judge.is_hearing())
        };
        if deaf {
            return Ok(());
        }
        if !hearing {
            self.connect()?;
        }
        let most = (format.rate as usize * PIECE_MS / 1_000).max(1) * format.frame_bytes();
        for piece in chunk.payload.chunks(most) {
            let stamp = {
                // Held while it is told: verdicts keep their order.
                let mut judge = lock(&self.judge);
                let (stamp, decided) = judge.hear(format, piece, chunk.get("timestamp"))?;
                self.teller.settle(&decided)?;
                stamp
            };
            let piece = Event {
                kind: chunk.kind.clone(),
                data: chunk.data.clone(),
                payload: piece.to_vec(),
            };
            self.pass_on(&piece.with("timestamp", stamp));
        }
        Ok(())
    }

    /// Sends a chunk to the engine, after what it has to know before it.
    fn pass_on(&mut self, chunk: &Event) {
        let missed = &self.teller.client.counters.upstream_missed;
        let Some((out, number)) = self.link.as_ref().and_then(Link::current) else {
            return missed.inc();
        };
        let mut events = Vec::new();
        if self.told != number {
            events.push(self.request());
            events.extend(self.start.clone());
        }
        let sent = events.iter().chain([chunk]).try_for_each(|event| out.send(event));
        match sent {
            Ok(()) => self.told = number,
            // The connection's thread sees that it has ended, and says so.
            Err(_) => missed.inc(),
        }
    }

    /// What the engine is asked to listen for: the words that the client wants, by the engine's
    /// own names, which alone it knows. The client's stand in for those of an engine that offers
    /// none.
    fn request(&self) -> Event {
        let offered = lock(&self.known).as_ref().map(offered).unwrap_or_default();
        let judge = lock(&self.judge);
        let mut names = Vec::new();
        for Chosen { word, name } in judge.chosen() {
            let means = |name: &&String| self.teller.words.find(name) == Some(*word);
            let theirs: Vec<String> = offered.iter().filter(means).cloned().collect();
            match name {
                Some(name) if theirs.is_empty() || theirs.contains(name) => {
                    names.push(name.clone());
                }
                _ => names.extend(theirs),
            }
        }
        let names = if names.is_empty() { Value::Null } else { Value::from(names) };
        Event::new("detect").with("names", names)
    }

    fn stop(&mut self, stop: &Event) -> Result<()> {
        if let Some(link) = self.link.as_ref().filter(|_| lock(&self.judge).is_hearing()) {
            link.end_stream(stop);
        }
        let finished = lock(&self.judge).finish();
        let (decided, forwarded) = finished?;
        self.start = None;
        self.teller.settle(&decided)?;
        if forwarded {
            return Ok(());
        }
        self.teller.client.counters.not_detected.inc();
        self.teller.client.out.send(&Event::new("not-detected"))
    }
}

/// What goes to the client, from its own thread and from the engine's.
#[derive(Clone)]
struct Teller {
    client: Client,
    words: Arc<WakeWords>,
    reporter: Reporter,
}

impl Teller {
    /// Takes what the engine has to say.
    fn take(
        &self,
        news: News,
        judge: &Mutex<DetectionJudge>,
        known: &Mutex<Option<Event>>,
    ) -> Result<()> {
        match news {
            News::Gone(error) => self.client.out.send(&message::error(&error)),
            News::Event(event) => match event.kind.as_str() {
                "detection" => {
                    // Held while it is told: verdicts keep their order.
                    let mut judge = lock(judge);
                    let decided = judge.propose(event)?;
                    self.settle(&decided)
                }
                "info" => {
                    *lock(known) = Some(marked(event, &self.words));
                    Ok(())
                }
                "error" => self.client.out.send(&event),
                _ => Ok(()),
            },
        }
    }

    /// Forwards what is to be detected now, and reports everything.
    fn settle(&self, decided: &[Decided]) -> Result<()> {
        for Decided { word, decision, detection, forward } in decided {
            if *forward {
                self.client.out.send(detection)?;
                self.client.counters.detections.inc();
            }
            let reported = Reported {
                decision: *decision,
                upstream: Some(detection.text("name").unwrap_or_default().to_owned()),
            };
            self.reporter.report(&self.client, self.words.manifest(*word), reported)?;
        }
        Ok(())
    }

    /// Ends the client's connection after an error on the engine's thread.
    fn close(&self, error: &Error) {
        if error.kind() != ErrorKind::Io {
            self.client.counters.failures.inc();
            tracing::warn!(client = self.client.number, %error, "Wyoming client closed");
            // It may be gone already.
            drop(self.client.out.send(&message::error(error)));
        }
        self.client.out.close();
    }
}

impl Drop for ProxySession {
    fn drop(&mut self) {
        self.link = None;
        // A panic may have left a pipeline in any state.
        if !std::thread::panicking() {
            self.cut();
        }
    }
}
