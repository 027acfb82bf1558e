//! Words, verdicts and counters for a message broker, announced to Home Assistant. Never audio.
//!
//! | topic | retained | payload |
//! |---|---|---|
//! | `TOPIC/status` | yes | `online`, `offline` (also as the last will) |
//! | `TOPIC/event` | no | the word or the activation, with `event_type` (`word`, or the verdict) and `at` |
//! | `TOPIC/last` | yes | the last activation, the same |
//! | `TOPIC/counters` | yes | the counters, every `interval_s`, after each activation, when health changes |
//!
//! An event waits for a broker that is away until it is `event_max_age_s` old: what somebody acts
//! on must not come out of the blue. One that the broker has not confirmed when its connection is
//! lost is sent again, as the protocol has it (at least once): `activation` and `event_type` say
//! that it is the same. `TOPIC/last` has the last activation whatever its age.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rumqttc::{Client, MqttOptions, PublishOptions, QoS};
use serde::Serialize;
use serde_json::json;

use super::metrics::{Counters, SinkCounters, VERDICTS};
use super::{home_assistant, mqtt_connection, wall_clock};
use crate::config::Mqtt;
use wakegate::pipeline::{Event, Observer, Report, WordEvent, WordReport};
use wakegate::{Error, ErrorKind, Result};

/// The type of the event that is a word.
pub(super) const WORD: &str = "word";
/// Events that may wait for the broker.
const MOST_WAITING: usize = 64;
/// What our last words to the broker may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often their end is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// Publishes what it is told.
pub struct Publisher {
    desk: Arc<Desk>,
    wire: JoinHandle<()>,
}

/// What the receiver's thread and those of the connection share.
pub(super) struct Desk {
    pub(super) options: MqttOptions,
    pub(super) settings: Mqtt,
    pub(super) counters: Arc<Counters>,
    own: Arc<SinkCounters>,
    ending: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// The way to the broker, while there is one.
    client: Option<Client>,
    /// What was handed to it and is not confirmed, in that order.
    sent: VecDeque<Letter>,
    /// Events that wait for a broker, the oldest first.
    waiting: VecDeque<Waiting>,
    /// The last activation.
    last: Option<String>,
}

/// A message that the broker has not confirmed.
struct Letter {
    /// The number that the connection gave it, once it went out.
    number: Option<u16>,
    /// The event that it is, where it is one: that is sent again.
    event: Option<Waiting>,
}

/// An event, and when it came to be.
struct Waiting {
    since: Instant,
    text: String,
}

impl Publisher {
    /// Connects in the background, and again whenever the connection is lost; not before whoever
    /// holds `turn` has said goodbye.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for a broker, certificates or a password that can't be used,
    /// [`ErrorKind::Io`] for a file that can't be read or a thread that can't be started.
    pub fn start(
        settings: &Mqtt,
        counters: &Arc<Counters>,
        own: Arc<SinkCounters>,
        turn: &Arc<Mutex<()>>,
    ) -> Result<Option<Self>> {
        let Some(options) = mqtt_connection::options(settings)? else { return Ok(None) };
        let desk = Arc::new(Desk {
            options,
            settings: settings.clone(),
            counters: Arc::clone(counters),
            own,
            ending: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let failed = |e: std::io::Error| {
            Error::new(ErrorKind::Io, "cannot start a thread").found(e.to_string())
        };
        let (theirs, turn) = (Arc::clone(&desk), Arc::clone(turn));
        let wire = thread::Builder::new()
            .name("mqtt-wire".to_owned())
            .spawn(move || {
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                theirs.keep_connected();
            })
            .map_err(failed)?;
        let theirs = Arc::clone(&desk);
        thread::Builder::new()
            .name("mqtt-clock".to_owned())
            .spawn(move || theirs.keep_current())
            .map_err(failed)?;
        Ok(Some(Self { desk, wire }))
    }
}

/// An event as it is published.
#[derive(Serialize)]
struct Message<T> {
    /// What Home Assistant reads of an event.
    event_type: &'static str,
    /// When it was decided, by the clock of the wall.
    at: String,
    #[serde(flatten)]
    report: T,
}

impl<T: Serialize> Message<T> {
    fn text(event_type: &'static str, report: T) -> Option<String> {
        serde_json::to_string(&Self { event_type, at: wall_clock(), report }).ok()
    }
}

impl Observer for Publisher {
    fn on_word(&mut self, event: &WordEvent<'_>) {
        let Some(text) = Message::text(WORD, WordReport::from(event)) else {
            return self.desk.own.failed.inc();
        };
        self.desk.post(&mut self.desk.state(), text);
    }

    fn wants_words(&self) -> bool {
        true
    }

    fn on_activation(&mut self, event: &Event<'_>) {
        let report = Report::from(event);
        let Some(text) = Message::text(report.verdict, report) else {
            return self.desk.own.failed.inc();
        };
        let mut state = self.desk.state();
        state.last = Some(text.clone());
        self.desk.post(&mut state, text.clone());
        self.desk.publish(&mut state, "last", text);
        self.desk.publish_counters(&mut state);
    }

    /// An event is delivered once the broker says that it has it.
    fn counts_deliveries(&self) -> bool {
        true
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.desk.ending.store(true, Ordering::Relaxed);
        if !self.desk.say_goodbye() {
            return;
        }
        let late = Instant::now() + FAREWELL + LOOK;
        while !self.wire.is_finished() && Instant::now() < late {
            thread::sleep(LOOK);
        }
    }
}

impl State {
    /// Hands a message to the connection; `false` where there is none, or no room.
    fn send(
        &mut self,
        topic: String,
        retain: bool,
        payload: String,
        since: Option<Instant>,
    ) -> bool {
        let Some(client) = &self.client else { return false };
        let options = PublishOptions::new(QoS::AtLeastOnce).retain(retain);
        let event = since.map(|since| Waiting { since, text: payload.clone() });
        let taken = client.try_publish(topic, payload, options).is_ok();
        if taken {
            self.sent.push_back(Letter { number: None, event });
        }
        taken
    }
}

impl Desk {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Publishes what is retained. While the broker is away there is nothing to do: it gets all
    /// of it when it is back.
    pub(super) fn publish(&self, state: &mut State, name: &str, payload: String) {
        let topic = format!("{}/{name}", self.settings.topic);
        if state.client.is_some() && !state.send(topic, true, payload, None) {
            self.own.failed.inc();
        }
    }

    /// Publishes an event, or keeps it until there is a broker.
    fn post(&self, state: &mut State, text: String) {
        state.waiting.push_back(Waiting { since: Instant::now(), text });
        self.deliver(state);
        if state.waiting.len() > MOST_WAITING {
            state.waiting.pop_front();
            self.own.failed.inc();
        }
    }

    /// Hands over the events that wait, but for those that are too old by now.
    pub(super) fn deliver(&self, state: &mut State) {
        let oldest = Duration::from_secs_f64(self.settings.event_max_age_s);
        while let Some(Waiting { since, text }) = state.waiting.pop_front() {
            if state.client.is_some() && since.elapsed() > oldest {
                self.own.failed.inc();
                continue;
            }
            let topic = format!("{}/event", self.settings.topic);
            if !state.send(topic, false, text.clone(), Some(since)) {
                return state.waiting.push_front(Waiting { since, text });
            }
        }
    }

    pub(super) fn publish_counters(&self, state: &mut State) {
        let counters = &self.counters;
        let words: u64 = counters.words().iter().map(|word| word.words.get()).sum();
        let mut value = json!({
            "words": words,
            "lost_frames": counters.lost_frames.get(),
            "gaps": counters.gaps.get(),
            "device_faults": counters.device_faults.get(),
            "model_errors": counters.model_errors.get(),
            "healthy": counters.is_healthy(),
        });
        for verdict in VERDICTS {
            value[verdict.as_str()] = counters.verdicts(verdict).into();
        }
        self.publish(state, "counters", value.to_string());
    }

    /// A connection is there: says that we are here, to Home Assistant what we have, and how
    /// things are.
    pub(super) fn arrive(&self, client: Client) {
        let Mqtt { topic, discovery, .. } = &self.settings;
        let mut state = self.state();
        state.client = Some(client);
        if !discovery.is_empty() {
            for (topic, text) in home_assistant::announcements(discovery, topic) {
                if !state.send(topic, true, text, None) {
                    self.own.failed.inc();
                }
            }
        }
        self.publish(&mut state, "status", "online".to_owned());
        if let Some(last) = state.last.clone() {
            self.publish(&mut state, "last", last);
        }
        self.publish_counters(&mut state);
        self.deliver(&mut state);
    }

    /// The connection has sent the next message, by this number.
    pub(super) fn went_out(&self, number: u16) {
        let mut state = self.state();
        if let Some(letter) = state.sent.iter_mut().find(|letter| letter.number.is_none()) {
            letter.number = Some(number);
        }
    }

    /// The broker has what has this number.
    pub(super) fn confirmed(&self, number: u16) {
        let mut state = self.state();
        let place = state.sent.iter().position(|letter| letter.number == Some(number));
        let letter = place.and_then(|place| state.sent.remove(place));
        if letter.is_some_and(|letter| letter.event.is_some()) {
            self.own.delivered.inc();
        }
    }

    /// The connection is lost: the events that it did not bring to their end wait again.
    pub(super) fn lost(&self) {
        let mut state = self.state();
        state.client = None;
        let mut waiting: VecDeque<Waiting> =
            state.sent.drain(..).filter_map(|letter| letter.event).collect();
        waiting.append(&mut state.waiting);
        while waiting.len() > MOST_WAITING {
            waiting.pop_front();
            self.own.failed.inc();
        }
        state.waiting = waiting;
    }

    /// Says that we are gone; whether there is anybody to hear it.
    fn say_goodbye(&self) -> bool {
        let mut state = self.state();
        self.publish(&mut state, "status", "offline".to_owned());
        let asked = state.client.as_ref().map(|it| it.try_disconnect_with_timeout(FAREWELL));
        asked.is_some_and(|asked| asked.is_ok())
    }
}
