//! MQTT against a real broker that the test starts: topics, discovery, the last will, and what
//! happens when the broker goes away.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli_support::{RATE, speech_like};
use crate::daemon_support::PATIENCE;
use crate::daemon_support::live::{Live, folder, free_port};
use rumqttc::{Broker as At, Client, Connection, Event, MqttOptions, Packet, QoS};
use rustix::process::Signal;
use serde_json::Value;

/// A broker that runs.
pub struct Broker(Child);

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn broker(test: &str, folder: &Path, port: u16) -> Option<Broker> {
    broker_with(test, folder, port, "allow_anonymous true\n")
}

/// The same with other settings.
pub fn broker_with(test: &str, folder: &Path, port: u16, more: &str) -> Option<Broker> {
    let program =
        ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].iter().find(|p| Path::new(p).exists());
    let Some(program) = program else {
        crate::skip::skipped(test, "there is no mosquitto");
        return None;
    };
    let file = folder.join("mosquitto.conf");
    fs::write(&file, format!("listener {port} 127.0.0.1\n{more}")).unwrap();
    let child = Command::new(program)
        .arg("-c")
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let broker = Broker(child);
    let late = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < late, "the broker does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(broker)
}

/// Everything that the broker passes on.
struct Listener {
    connection: Connection,
    _client: Client,
    /// The last payload of each topic.
    seen: BTreeMap<String, String>,
}

impl Listener {
    fn new(port: u16) -> Self {
        let options = MqttOptions::new("listener", At::tcp("127.0.0.1", port));
        let (client, connection) = Client::builder(options).capacity(16).build();
        client.subscribe("#", QoS::AtLeastOnce).unwrap();
        Self { connection, _client: client, seen: BTreeMap::new() }
    }

    /// Listens until what was seen is as `done` wants it.
    fn until(&mut self, what: &str, done: impl Fn(&BTreeMap<String, String>) -> bool) {
        let late = Instant::now() + PATIENCE;
        while !done(&self.seen) {
            assert!(Instant::now() < late, "never: {what}; seen: {:#?}", self.seen);
            if let Ok(Ok(Event::Incoming(Packet::Publish(message)))) =
                self.connection.recv_timeout(Duration::from_millis(200))
            {
                let text = String::from_utf8(message.payload.to_vec()).unwrap();
                let topic = String::from_utf8(message.topic.to_vec()).unwrap();
                self.seen.insert(topic, text);
            }
        }
    }

    fn json(&self, topic: &str) -> Value {
        serde_json::from_str(&self.seen[topic]).unwrap()
    }
}

fn is(seen: &BTreeMap<String, String>, topic: &str, payload: &str) -> bool {
    seen.get(topic).is_some_and(|seen| seen == payload)
}

#[test]
fn verdicts_counters_and_discovery_reach_the_broker() {
    let port = free_port();
    let folder = folder(&format!("[mqtt]\nbroker = \"127.0.0.1:{port}\"\ntopic = \"home/hall\"\n"));
    let name = "verdicts_counters_and_discovery_reach_the_broker";
    let Some(_broker) = broker(name, folder.path(), port) else { return };
    let mut listener = Listener::new(port);
    let mut live = Live::start(folder.path());
    listener.until("online", |seen| is(seen, "home/hall/status", "online"));
    // As much as the first verdict needs, and no more.
    live.feed(&speech_like(2.5, 3));
    let mut line = live.next();
    listener.until("an event", |seen| seen.contains_key("home/hall/event"));
    listener.until("the last verdict", |seen| seen.contains_key("home/hall/last"));
    let mut last = listener.json("home/hall/last");
    assert_eq!(last["event_type"], "intended");
    last.as_object_mut().unwrap().remove("event_type");
    // The clock of the wall is for who reads the line or acts on the message.
    for told in [&mut last, &mut line] {
        let at = told.as_object_mut().unwrap().remove("at").unwrap();
        at.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    assert_eq!(last, line);
    listener.until("a count", |seen| {
        let text = seen.get("home/hall/counters");
        text.is_some_and(|text| !text.contains("\"intended\":0"))
    });
    listener.until("health", |seen| seen["home/hall/counters"].contains("\"healthy\":true"));
    // What Home Assistant is told refers to topics and keys that there are.
    let found: Vec<String> =
        listener.seen.keys().filter(|topic| topic.starts_with("homeassistant/")).cloned().collect();
    assert_eq!(found.len(), 8, "{found:?}");
    let counters = listener.json("home/hall/counters");
    for topic in found {
        let entity = listener.json(&topic);
        assert!(topic.contains("/home_hall/") && topic.ends_with("/config"), "{topic}");
        assert_eq!(entity["availability_topic"], "home/hall/status");
        assert_eq!(entity["device"]["identifiers"][0], "wakegate_home_hall");
        let state = entity["state_topic"].as_str().unwrap();
        assert!(listener.seen.contains_key(state), "{topic}: {state}");
        let template = entity["value_template"].as_str().unwrap_or_default();
        if state.ends_with("/counters") {
            let key = template.split("value_json.").nth(1).unwrap();
            let key = key.split([' ', '}']).next().unwrap();
            assert!(counters.get(key).is_some(), "{topic}: {key}");
        }
    }
    live.signal(Signal::TERM);
    listener.until("offline", |seen| is(seen, "home/hall/status", "offline"));
    assert_eq!(live.end().code(), Some(0));
    // Nothing that was sent is longer than words are: no audio.
    assert!(listener.seen.values().all(|payload| payload.len() < 1_000));
}

#[test]
fn a_broker_that_goes_away_holds_up_nothing_and_is_found_again() {
    let port = free_port();
    let folder = folder(&format!("[mqtt]\nbroker = \"127.0.0.1:{port}\"\ndiscovery = \"\"\n"));
    let name = "a_broker_that_goes_away_holds_up_nothing_and_is_found_again";
    let Some(first) = broker(name, folder.path(), port) else { return };
    let mut live = Live::start(folder.path());
    live.wait_for("connected broker=");
    drop(first);
    live.wait_for("no connection to the broker");
    let samples = speech_like(12.0, 3);
    live.feed(&samples[..6 * RATE]);
    live.next();
    let _second = broker(name, folder.path(), port);
    let mut listener = Listener::new(port);
    listener.until("online", |seen| is(seen, "wakegate/status", "online"));
    live.feed(&samples[6 * RATE..]);
    listener.until("a verdict", |seen| seen.contains_key("wakegate/last"));
    // Killed without a word: the broker says it.
    live.signal(Signal::KILL);
    listener.until("the last will", |seen| is(seen, "wakegate/status", "offline"));
    assert!(live.end().code().is_none());
}
