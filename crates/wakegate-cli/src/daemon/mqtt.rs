//! Counters and the last verdict for a message broker, announced to Home Assistant. Never audio.
//!
//! | topic | retained | payload |
//! |---|---|---|
//! | `TOPIC/status` | yes | `online`, `offline` (also as the last will) |
//! | `TOPIC/event` | no | the event, with `event_type`: its verdict |
//! | `TOPIC/last` | yes | the same |
//! | `TOPIC/counters` | yes | the counters, every `interval_s` and after each event |

use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rumqttc::{Client, Connection, Event as Seen, LastWill, MqttOptions, Outgoing, Packet, QoS};
use serde::Serialize;
use serde_json::{Value, json};
use tracing::{info, warn};

use super::log_limit::Seldom;
use super::metrics::{Counters, SinkCounters, VERDICTS};
use crate::config::Mqtt;
use wakegate::pipeline::{Event, Observer, Report, WordEvent, WordReport};
use wakegate::review::open_secret;
use wakegate::{Error, ErrorKind, Result};

/// Messages that may wait for the broker.
const QUEUE: usize = 64;
/// First pause after a lost connection; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Longest password in bytes.
const MOST_PASSWORD: u64 = 4_096;
/// Longest time without a look at what is due.
const LOOK: Duration = Duration::from_millis(250);

/// The type of the event that is a word.
const WORD: &str = "word";

/// Publishes what it is told.
pub struct Publisher {
    desk: Arc<Desk>,
}

/// What the receiver's thread and the connection's thread share.
struct Desk {
    client: Client,
    settings: Mqtt,
    counters: Arc<Counters>,
    own: Arc<SinkCounters>,
    ending: AtomicBool,
    /// What waits for its number, in the order in which it was given: whether it is an event.
    given: Mutex<VecDeque<bool>>,
}

impl Publisher {
    /// Connects in the background, and again whenever the connection is lost.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for a broker or password file that can't be used,
    /// [`ErrorKind::Io`] where no thread can be started.
    pub fn start(
        settings: &Mqtt,
        counters: &Arc<Counters>,
        own: Arc<SinkCounters>,
    ) -> Result<Option<Self>> {
        let Some((host, port)) = settings.address()? else { return Ok(None) };
        let name = settings.topic.replace('/', "_");
        let mut options = MqttOptions::new(format!("wakegate-{name}"), host, port);
        options.set_keep_alive(Duration::from_secs(30));
        options.set_clean_session(true);
        let status = format!("{}/status", settings.topic);
        options.set_last_will(LastWill::new(status, "offline", QoS::AtLeastOnce, true));
        if let Some(username) = &settings.username {
            options.set_credentials(username, password(settings)?);
        }
        let (client, connection) = Client::new(options, QUEUE);
        let desk = Arc::new(Desk {
            client,
            settings: settings.clone(),
            counters: Arc::clone(counters),
            own,
            ending: AtomicBool::new(false),
            given: Mutex::default(),
        });
        let theirs = Arc::clone(&desk);
        thread::Builder::new()
            .name("mqtt-wire".to_owned())
            .spawn(move || theirs.keep_connected(connection))
            .map_err(|e| Error::new(ErrorKind::Io, "cannot start a thread").found(e.to_string()))?;
        Ok(Some(Self { desk }))
    }
}

/// An event as it is published.
#[derive(Serialize)]
struct Message<T> {
    /// What Home Assistant reads of an event.
    event_type: &'static str,
    #[serde(flatten)]
    report: T,
}

/// The password in the file of the settings, which nobody else may read.
fn password(settings: &Mqtt) -> Result<String> {
    let Some(path) = &settings.password_file else { return Ok(String::new()) };
    let missing = || {
        Error::new(ErrorKind::Io, format!("cannot read {}", path.display()))
            .expected("a file with the password, by mqtt.password_file")
            .found("no such file")
    };
    let file = open_secret(path, "mqtt.password_file")?.ok_or_else(missing)?;
    let mut text = String::new();
    let read = file.take(MOST_PASSWORD).read_to_string(&mut text);
    read.map_err(|e| Error::io("read", path, &e))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

impl Observer for Publisher {
    fn on_word(&mut self, event: &WordEvent<'_>) {
        let message = Message { event_type: WORD, report: WordReport::from(event) };
        let Ok(text) = serde_json::to_string(&message) else { return self.desk.own.failed.up() };
        self.desk.publish("event", false, text);
    }

    fn wants_words(&self) -> bool {
        true
    }

    fn on_activation(&mut self, event: &Event<'_>) {
        let report = Report::from(event);
        let message = Message { event_type: report.verdict, report };
        let Ok(text) = serde_json::to_string(&message) else { return self.desk.own.failed.up() };
        let topic = format!("{}/event", self.desk.settings.topic);
        self.desk.send(topic, false, text.clone(), true);
        self.desk.publish("last", true, text);
        self.desk.publish_counters();
    }

    /// An event is delivered once the broker says that it has it.
    fn counts_deliveries(&self) -> bool {
        true
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.desk.ending.store(true, Ordering::Relaxed);
    }
}

impl Desk {
    fn publish(&self, name: &str, retain: bool, payload: String) {
        self.send(format!("{}/{name}", self.settings.topic), retain, payload, false);
    }

    fn send(&self, topic: String, retain: bool, payload: String, is_event: bool) {
        // Held meanwhile, so that the order is the client's own.
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        match self.client.try_publish(topic, QoS::AtLeastOnce, retain, payload) {
            Ok(()) => given.push_back(is_event),
            Err(_) => self.own.failed.up(),
        }
    }

    /// Whether the message that has just got its number is an event.
    fn next_given(&self) -> bool {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.pop_front().unwrap_or(false)
    }

    fn publish_counters(&self) {
        let counters = &self.counters;
        let mut value = json!({
            "lost_frames": counters.lost_frames.get(),
            "gaps": counters.gaps.get(),
            "device_faults": counters.device_faults.get(),
            "model_errors": counters.model_errors.get(),
            "healthy": counters.is_healthy(),
        });
        for verdict in VERDICTS {
            value[verdict.as_str()] = counters.verdicts(verdict).into();
        }
        self.publish("counters", true, value.to_string());
    }

    /// Keeps the connection going until the daemon ends.
    fn keep_connected(&self, mut connection: Connection) {
        let interval = Duration::from_secs_f64(self.settings.interval_s);
        let (mut due, mut pause, mut said) = (Instant::now(), FIRST_PAUSE, Seldom::default());
        let mut connected = false;
        // By the number of a message that the broker has not acknowledged: whether it is an event.
        let mut sent: HashMap<u16, bool> = HashMap::new();
        loop {
            if self.ending.load(Ordering::Relaxed) {
                return self.say_goodbye(connected, connection);
            }
            if connected && Instant::now() >= due {
                self.publish_counters();
                due = Instant::now() + interval;
            }
            match connection.recv_timeout(LOOK) {
                Ok(Ok(Seen::Incoming(Packet::ConnAck(_)))) => {
                    info!(broker = self.settings.broker, "connected");
                    (connected, pause, due) = (true, FIRST_PAUSE, Instant::now());
                    self.announce();
                }
                // One that is sent again keeps its number.
                Ok(Ok(Seen::Outgoing(Outgoing::Publish(number)))) => {
                    sent.entry(number).or_insert_with(|| self.next_given());
                }
                Ok(Ok(Seen::Incoming(Packet::PubAck(ack)))) => {
                    if sent.remove(&ack.pkid) == Some(true) {
                        self.own.delivered.up();
                    }
                }
                Ok(Err(error)) => {
                    connected = false;
                    said.say(|hidden| warn!(%error, hidden, "no connection to the broker"));
                    self.wait(pause);
                    pause = (2 * pause).min(LONGEST_PAUSE);
                }
                Err(rumqttc::RecvTimeoutError::Disconnected) => return,
                Ok(Ok(_)) | Err(rumqttc::RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn wait(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.ending.load(Ordering::Relaxed) {
            thread::sleep(LOOK.min(pause));
        }
    }

    /// Says that we are here, and to Home Assistant what we have.
    fn announce(&self) {
        self.publish("status", true, "online".to_owned());
        if self.settings.discovery.is_empty() {
            return;
        }
        for (component, key, entity) in entities(&self.settings.topic) {
            let id = self.settings.topic.replace('/', "_");
            let topic = format!("{}/{component}/{id}/{key}/config", self.settings.discovery);
            self.send(topic, true, entity.to_string(), false);
        }
    }

    /// Says that we are gone, and waits a moment for the broker to hear it.
    fn say_goodbye(&self, connected: bool, mut connection: Connection) {
        if !connected {
            return;
        }
        self.publish("status", true, "offline".to_owned());
        let _ = self.client.try_disconnect();
        let late = Instant::now() + Duration::from_secs(1);
        while Instant::now() < late {
            match connection.recv_timeout(LOOK) {
                Ok(Ok(_)) | Err(rumqttc::RecvTimeoutError::Timeout) => {}
                _ => return,
            }
        }
    }
}

/// What Home Assistant shows of us: component, key, configuration.
fn entities(topic: &str) -> Vec<(&'static str, &'static str, Value)> {
    let id = topic.replace('/', "_");
    let device = json!({
        "identifiers": [format!("wakegate_{id}")],
        "name": format!("Wakegate {topic}"),
        "manufacturer": "wakegate",
        "sw_version": env!("CARGO_PKG_VERSION"),
    });
    let shared = |key: &str, name: &str, own: Value| {
        let mut entity = json!({
            "name": name,
            "unique_id": format!("wakegate_{id}_{key}"),
            "object_id": format!("{id}_{key}"),
            "availability_topic": format!("{topic}/status"),
            "device": device,
        });
        if let (Some(entity), Value::Object(own)) = (entity.as_object_mut(), own) {
            entity.extend(own);
        }
        entity
    };
    let counter = |key: &'static str, name: &str| {
        let own = json!({
            "state_topic": format!("{topic}/counters"),
            "value_template": format!("{{{{ value_json.{key} }}}}"),
            "state_class": "total_increasing",
        });
        ("sensor", key, shared(key, name, own))
    };
    let types = [WORD].into_iter().chain(VERDICTS.map(|verdict| verdict.as_str()));
    let activation = json!({
        "state_topic": format!("{topic}/event"),
        "event_types": types.collect::<Vec<_>>(),
    });
    let last = json!({
        "state_topic": format!("{topic}/last"),
        "value_template": "{{ value_json.verdict }}",
        "json_attributes_topic": format!("{topic}/last"),
    });
    let problem = json!({
        "state_topic": format!("{topic}/counters"),
        "value_template": "{{ 'OFF' if value_json.healthy else 'ON' }}",
        "device_class": "problem",
        "entity_category": "diagnostic",
    });
    vec![
        ("event", "activation", shared("activation", "Activation", activation)),
        ("sensor", "last", shared("last", "Last verdict", last)),
        counter("intended", "Intended activations"),
        counter("accidental", "Accidental activations"),
        counter("unsure", "Unsure activations"),
        counter("lost_frames", "Audio frames lost"),
        ("binary_sensor", "problem", shared("problem", "Microphone", problem)),
    ]
}
