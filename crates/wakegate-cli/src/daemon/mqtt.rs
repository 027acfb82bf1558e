//! Counters and the last verdict for a message broker, announced to Home Assistant. Never audio.
//!
//! | topic | retained | payload |
//! |---|---|---|
//! | `TOPIC/status` | yes | `online`, `offline` (also as the last will) |
//! | `TOPIC/event` | no | the event, with `event_type`: its verdict |
//! | `TOPIC/last` | yes | the same |
//! | `TOPIC/counters` | yes | the counters, every `interval_s` and after each event |

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rumqttc::{Client, Connection, Event as Seen, LastWill, MqttOptions, Packet, QoS};
use serde::Serialize;
use serde_json::{Value, json};
use tracing::{info, warn};

use super::log_limit::Seldom;
use super::metrics::{Counters, SinkCounters, VERDICTS};
use crate::config::Mqtt;
use wakegate::pipeline::{Event, Observer, Report};
use wakegate::{Error, ErrorKind, Result};

/// Messages that may wait for the broker.
const QUEUE: usize = 64;
/// First pause after a lost connection; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Longest time without a look at what is due.
const LOOK: Duration = Duration::from_millis(250);

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
struct Message<'a> {
    /// What Home Assistant reads of an event.
    event_type: &'static str,
    #[serde(flatten)]
    report: Report<'a>,
}

fn password(settings: &Mqtt) -> Result<String> {
    let Some(file) = &settings.password_file else { return Ok(String::new()) };
    let text = fs::read_to_string(file).map_err(|e| Error::io("read", file, &e))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

impl Observer for Publisher {
    fn on_activation(&mut self, event: &Event<'_>) {
        let report = Report::from(event);
        let message = Message { event_type: report.verdict, report };
        let Ok(text) = serde_json::to_string(&message) else { return self.desk.own.failed.up() };
        self.desk.publish("event", false, text.clone());
        self.desk.publish("last", true, text);
        self.desk.publish_counters();
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.desk.ending.store(true, Ordering::Relaxed);
    }
}

impl Desk {
    fn publish(&self, name: &str, retain: bool, payload: String) {
        self.send(format!("{}/{name}", self.settings.topic), retain, payload);
    }

    fn send(&self, topic: String, retain: bool, payload: String) {
        if self.client.try_publish(topic, QoS::AtLeastOnce, retain, payload).is_err() {
            self.own.failed.up();
        }
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
        self.send(format!("{}/status", self.settings.topic), true, "online".to_owned());
        if self.settings.discovery.is_empty() {
            return;
        }
        for (component, key, entity) in entities(&self.settings.topic) {
            let id = self.settings.topic.replace('/', "_");
            let topic = format!("{}/{component}/{id}/{key}/config", self.settings.discovery);
            self.send(topic, true, entity.to_string());
        }
    }

    /// Says that we are gone, and waits a moment for the broker to hear it.
    fn say_goodbye(&self, connected: bool, mut connection: Connection) {
        if !connected {
            return;
        }
        self.send(format!("{}/status", self.settings.topic), true, "offline".to_owned());
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
    let activation = json!({
        "state_topic": format!("{topic}/event"),
        "event_types": VERDICTS.map(|verdict| verdict.as_str()),
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
