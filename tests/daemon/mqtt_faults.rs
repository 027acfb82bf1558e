//! MQTT where things go wrong: outages, brokers that are slow or forget, two daemons, a reload,
//! settings that can't be used.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::cli_support::{RATE, speech_like};
use crate::daemon_support::broker::{Broker, GOOD, Manners};
use crate::daemon_support::live::{Live, folder, free_port, metric};
use rustix::process::Signal;
use serde_json::Value;

/// A daemon with this broker, and with its metrics at this port.
fn settings(broker: u16, metrics: u16, more: &str) -> tempfile::TempDir {
    folder(&format!(
        "[metrics]\nlisten = \"127.0.0.1:{metrics}\"\n[mqtt]\nbroker = \"127.0.0.1:{broker}\"\n\
         discovery = \"\"\n{more}"
    ))
}

/// The events of a broker: the activation's number with the event's type.
fn events(broker: &Broker) -> Vec<(u64, String)> {
    let event = |text: String| {
        let event: Value = serde_json::from_str(&text).unwrap();
        assert!(event["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{event}");
        (event["activation"].as_u64().unwrap(), event["event_type"].as_str().unwrap().to_owned())
    };
    broker.of("wakegate/event").into_iter().map(event).collect()
}

/// The verdicts among them.
fn verdicts(events: &[(u64, String)]) -> Vec<u64> {
    events.iter().filter(|(_, kind)| kind != "word").map(|(number, _)| *number).collect()
}

/// The activations' numbers on standard output, from the next one on until nothing comes.
fn numbers(live: &Live) -> Vec<u64> {
    let mut lines = vec![live.next()];
    while let Ok(line) = live.lines.recv_timeout(Duration::from_secs(2)) {
        lines.push(serde_json::from_str(&line).unwrap());
    }
    lines.iter().map(|line| line["activation"].as_u64().unwrap()).collect()
}

#[test]
fn an_outage_of_the_broker_loses_and_doubles_nothing() {
    let first = Broker::start(0, GOOD);
    let (port, page) = (first.port, free_port());
    let folder = settings(port, page, "event_max_age_s = 3600.0\n");
    let mut live = Live::start(folder.path());
    live.wait_for("connected broker=");
    let samples = speech_like(18.0, 3);
    live.feed(&samples[..6 * RATE]);
    let mut lines = numbers(&live);
    let mut seen = events(&first);
    drop(first);
    live.wait_for("no connection to the broker");
    // Meanwhile things go on.
    live.feed(&samples[6 * RATE..12 * RATE]);
    lines.extend(numbers(&live));
    let second = Broker::start(port, GOOD);
    live.feed(&samples[12 * RATE..]);
    lines.extend(numbers(&live));
    live.signal(Signal::TERM);
    assert_eq!(live.end().code(), Some(0));
    second.until("offline", |it| it.of("wakegate/status").last().is_some_and(|it| it == "offline"));
    seen.extend(events(&second));
    assert_eq!(verdicts(&seen), lines, "{seen:?}");
    let mut once: BTreeMap<&(u64, String), usize> = BTreeMap::new();
    seen.iter().for_each(|event| *once.entry(event).or_default() += 1);
    assert!(once.values().all(|&count| count == 1), "{seen:?}");
    // A word is told before its verdict.
    for (place, (number, kind)) in seen.iter().enumerate().filter(|(_, (_, kind))| kind == "word") {
        let verdict = seen.iter().position(|(other, it)| other == number && it != kind);
        assert!(verdict.is_none_or(|verdict| place < verdict), "{seen:?}");
    }
    let last: Value = serde_json::from_str(second.of("wakegate/last").last().unwrap()).unwrap();
    assert_eq!(last["activation"].as_u64(), lines.last().copied());
    let kept = second.published().into_iter().filter(|it| it.retained);
    assert!(kept.into_iter().all(|it| it.topic != "wakegate/event"));
}

#[test]
fn an_event_that_is_too_old_is_dropped_and_the_last_state_is_told() {
    let (port, page) = (free_port(), free_port());
    let folder = settings(port, page, "event_max_age_s = 1.0\n");
    let mut live = Live::start(folder.path());
    live.wait_for("no connection to the broker");
    live.feed(&speech_like(6.0, 3));
    let lines = numbers(&live);
    let broker = Broker::start(port, GOOD);
    broker.until("the last state", |it| !it.of("wakegate/last").is_empty());
    let last: Value = serde_json::from_str(&broker.of("wakegate/last")[0]).unwrap();
    assert_eq!(last["activation"].as_u64(), lines.last().copied());
    assert!(broker.published().iter().any(|it| it.topic == "wakegate/last" && it.retained));
    let failed = "wakegate_receiver_failed_total{receiver=\"mqtt\"}";
    let all = |count: f64| count >= lines.len() as f64;
    live.wait_until("counted", || metric(page, failed).is_some_and(all));
    thread::sleep(Duration::from_millis(500));
    assert_eq!(events(&broker), []);
}

#[test]
fn what_a_broker_did_not_acknowledge_is_sent_again() {
    let forgetful = Broker::start(0, Manners { acknowledges: 0, ..GOOD });
    let (port, page) = (forgetful.port, free_port());
    let folder = settings(port, page, "event_max_age_s = 3600.0\n");
    let mut live = Live::start(folder.path());
    live.wait_for("connected broker=");
    live.feed(&speech_like(6.0, 3));
    live.next();
    forgetful.until("an event", |it| !verdicts(&events(it)).is_empty());
    let seen = events(&forgetful);
    drop(forgetful);
    let second = Broker::start(port, GOOD);
    second.until("again", |it| {
        let again = events(it);
        seen.iter().all(|event| again.contains(event))
    });
    let delivered = "wakegate_receiver_delivered_total{receiver=\"mqtt\"}";
    let enough = |count: f64| count >= seen.len() as f64;
    live.wait_until("counted", || metric(page, delivered).is_some_and(enough));
}

#[test]
fn a_broker_that_takes_long_to_answer_is_waited_for() {
    // Longer than any look at what is due.
    let slow = Manners { welcome_after: Duration::from_millis(1_500), ..GOOD };
    let broker = Broker::start(0, slow);
    let folder = settings(broker.port, free_port(), "");
    let live = Live::start(folder.path());
    broker.until("online", |it| it.of("wakegate/status") == ["online"]);
    assert_eq!(broker.clients().len(), 1, "{:?}", broker.clients());
    assert!(!live.said().contains("no connection"), "{}", live.said());
}

#[test]
fn two_daemons_with_the_same_topic_are_two_clients() {
    let broker = Broker::start(0, GOOD);
    let folders = [(), ()].map(|()| settings(broker.port, free_port(), ""));
    let lives = folders.each_ref().map(|folder| Live::start(folder.path()));
    lives.iter().for_each(|live| live.wait_for("connected broker="));
    let clients = broker.clients();
    assert_eq!(clients.len(), 2);
    assert_ne!(clients[0], clients[1]);
    for client in clients {
        // What every broker has to take, but for the one hyphen that all take.
        assert!(client.starts_with("wakegate") && client.len() <= 23, "{client}");
        assert!(client.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{client}");
    }
    assert_eq!(broker.torn(), 0);
}

#[test]
fn health_is_published_when_it_changes() {
    let broker = Broker::start(0, GOOD);
    let folder = settings(broker.port, free_port(), "interval_s = 3600.0\n");
    let mut live = Live::start(folder.path());
    let healthy = |it: &Broker, value: bool| {
        let last = it.of("wakegate/counters").pop();
        last.is_some_and(|last| serde_json::from_str::<Value>(&last).unwrap()["healthy"] == value)
    };
    broker.until("no audio yet", |it| healthy(it, false));
    live.feed(&vec![0.0; RATE]);
    broker.until("audio", |it| healthy(it, true));
    // Nothing is judged for a while.
    broker.until("no audio any more", |it| healthy(it, false));
}

#[test]
fn a_reload_leaves_the_daemon_online() {
    let broker = Broker::start(0, GOOD);
    let folder = settings(broker.port, free_port(), "");
    let mut live = Live::start(folder.path());
    broker.until("online", |it| it.of("wakegate/status") == ["online"]);
    let file = folder.path().join("a.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}[hooks]\non_word = \"true\"\n")).unwrap();
    live.signal(Signal::HUP);
    broker.until("both", |it| it.clients().len() == 2 && it.of("wakegate/status").len() >= 3);
    let said = broker.of("wakegate/status");
    assert_eq!(said[..3], ["online", "offline", "online"], "{said:?}");
    assert_eq!(broker.torn(), 0, "the first said goodbye");
    live.signal(Signal::TERM);
    assert_eq!(live.end().code(), Some(0));
    broker.until("offline", |it| it.of("wakegate/status").last().is_some_and(|it| it == "offline"));
}

/// A key and its certificate, as files of these names.
fn identity(folder: &Path, name: &str) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(folder.join(format!("{name}.pem")), made.cert.pem()).unwrap();
    let key = folder.join(format!("{name}.key"));
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn files_that_can_not_be_used_are_refused_at_the_start() {
    let password = "username = \"w\"\npassword_file = ";
    for (settings, expected) in [
        (
            "tls = true\nca_file = \"none.pem\"",
            "cannot read none.pem: expected PEM, by mqtt.ca_file",
        ),
        (
            "tls = true\nca_file = \"empty\"",
            "mqtt.ca_file empty is refused: expected certificates in PEM, found none",
        ),
        (
            "tls = true\nca_file = \"a.key\"",
            "mqtt.ca_file a.key is refused: expected certificates in PEM",
        ),
        ("tls = true\nca_file = \".\"", "cannot read .: expected PEM, by mqtt.ca_file"),
        (
            "tls = true\nca_file = \"a.pem\"\nclient_certificate = \"a.pem\"\nclient_key_file = \"none\"",
            "cannot read none: expected a file, by mqtt.client_key_file",
        ),
        (
            "tls = true\nca_file = \"a.pem\"\nclient_certificate = \"a.pem\"\nclient_key_file = \"b.key\"",
            "mqtt.client_certificate a.pem is refused: expected the certificate of mqtt.client_key_file",
        ),
        (
            "tls = true\nca_file = \"a.pem\"\nclient_certificate = \"a.pem\"\nclient_key_file = \"empty\"",
            "mqtt.client_key_file empty is refused: expected a private key in PEM",
        ),
        (
            "tls = true\nca_file = \"a.pem\"\nclient_certificate = \"a.pem\"\nclient_key_file = \"open.key\"",
            "mode 0644",
        ),
        (
            &format!("{password}\"none\""),
            "cannot read none: expected a file, by mqtt.password_file, found no such file",
        ),
        (&format!("{password}\".\""), "mqtt.password_file"),
        (
            &format!("{password}\"long\""),
            "mqtt.password_file long is refused: expected a password of at most 4096 bytes",
        ),
    ] {
        let folder = folder(&format!("[mqtt]\nbroker = \"127.0.0.1:1\"\n{settings}\n"));
        identity(folder.path(), "a");
        identity(folder.path(), "b");
        for (name, text, mode) in [("empty", "", 0o600), ("long", &*"x".repeat(5_000), 0o600)] {
            fs::write(folder.path().join(name), text).unwrap();
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode))
                .unwrap();
        }
        fs::copy(folder.path().join("a.key"), folder.path().join("open.key")).unwrap();
        let open = fs::Permissions::from_mode(0o644);
        fs::set_permissions(folder.path().join("open.key"), open).unwrap();
        let mut live = Live::start(folder.path());
        assert_eq!(live.end().code(), Some(2), "{settings}: {}", live.said());
        live.wait_for(expected);
        assert!(!live.said().contains("PRIVATE KEY"), "{}", live.said());
    }
}
