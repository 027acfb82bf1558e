//! The connection to the message broker: who we are to it, how it proves who it is, and that it is
//! found again.

use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rumqttc::{Broker, Client, Event, LastWill, MqttOptions, Outgoing, Packet, QoS};
use tracing::{info, warn};

use super::log_limit::LogLimit;
use super::mqtt::Desk;
use crate::config::Mqtt;
use wakegate::review::open_secret;
use wakegate::{Error, ErrorKind, Result};

/// Messages that the connection may hold: what it is told when it begins, and all that waited.
const QUEUE: usize = 128;
/// First pause after a lost connection; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Longest time without a look at what is due.
const LOOK: Duration = Duration::from_millis(250);
/// Seconds without a message after which the broker is asked whether it is there.
const KEEP_ALIVE_S: u16 = 30;
/// Longest file with a password, a key or certificates, in bytes.
pub(super) const MOST_BYTES: u64 = 1 << 20;
/// Longest password in bytes.
const MOST_PASSWORD: usize = 4_096;
/// Characters of the machine's name in ours: a broker need not take more than 23 in all.
const MOST_OF_HOST: usize = 7;

/// How the broker of the settings is reached; `None` where there is none.
///
/// # Errors
/// As [`Publisher::start`](super::Publisher::start).
pub(super) fn options(settings: &Mqtt) -> Result<Option<MqttOptions>> {
    let Some((host, port)) = settings.address()? else { return Ok(None) };
    let mut options = MqttOptions::new(client_id()?, Broker::tcp(host, port));
    options.set_keep_alive(KEEP_ALIVE_S);
    options.set_clean_session(true);
    // A program without the feature refuses the setting: `config::Mqtt::validate`.
    #[cfg(feature = "tls")]
    if settings.tls {
        let safe = super::mqtt_tls::client(settings)?;
        options.set_transport(rumqttc::Transport::tls_with_config(safe.into()));
    }
    let status = format!("{}/status", settings.topic);
    options.set_last_will(LastWill::new(status, "offline", QoS::AtLeastOnce, true));
    if let Some(username) = &settings.username {
        options.set_credentials(username, password(settings)?);
    }
    Ok(Some(options))
}

/// Looks at what the settings name, but for what one user alone may read: who checks them need not
/// be who listens.
///
/// # Errors
/// As [`options`].
pub(super) fn check(settings: &Mqtt) -> Result<()> {
    if settings.address()?.is_none() {
        return Ok(());
    }
    #[cfg(feature = "tls")]
    if settings.tls {
        super::mqtt_tls::check(settings)?;
    }
    for (key, file) in [
        ("mqtt.password_file", &settings.password_file),
        ("mqtt.client_key_file", &settings.client_key_file),
    ] {
        if let Some(file) = file.as_deref().filter(|file| !file.try_exists().unwrap_or(true)) {
            return Err(missing(file, key));
        }
    }
    Ok(())
}

/// Who we are to the broker, which lets only one of a name in: the machine's name for who reads
/// the broker's log, and chance, so that no other daemon, here or elsewhere, has the same.
fn client_id() -> Result<String> {
    let host = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    let host: String =
        host.chars().filter(char::is_ascii_alphanumeric).take(MOST_OF_HOST).collect();
    let mut mark = [0; 3];
    getrandom::fill(&mut mark).map_err(|e| {
        Error::new(ErrorKind::Io, "there is no chance to be had").found(e.to_string())
    })?;
    let mark: String = mark.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("wakegate{host}-{mark}"))
}

pub(super) fn refused(key: &str, file: &Path) -> Error {
    Error::new(ErrorKind::Settings, format!("{key} {} is refused", file.display()))
}

/// The password in the file of the settings, which nobody else may read.
fn password(settings: &Mqtt) -> Result<Vec<u8>> {
    let Some(path) = &settings.password_file else { return Ok(Vec::new()) };
    let key = "mqtt.password_file";
    let mut text = secret(path, key)?;
    while text.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
        text.pop();
    }
    if text.len() > MOST_PASSWORD {
        return Err(refused(key, path)
            .expected(format!("a password of at most {MOST_PASSWORD} bytes"))
            .found(format!("{} bytes", text.len())));
    }
    Ok(text)
}

fn missing(path: &Path, key: &str) -> Error {
    Error::new(ErrorKind::Io, format!("cannot read {}", path.display()))
        .expected(format!("a file, by {key}"))
        .found("no such file")
}

/// What is in a file that nobody else may read.
pub(super) fn secret(path: &Path, key: &str) -> Result<Vec<u8>> {
    let file = open_secret(path, key)?.ok_or_else(|| missing(path, key))?;
    let mut text = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut text).map_err(|e| Error::io("read", path, &e))?;
    Ok(text)
}

impl Desk {
    /// Keeps a connection going until the daemon ends. Each one is new: what the one before did
    /// not bring to its end is ours to send again, or not.
    pub(super) fn keep_connected(&self) {
        let (mut pause, mut said) = (FIRST_PAUSE, LogLimit::default());
        while !self.is_ending() {
            let error = self.connect(&mut pause);
            self.lost();
            if self.is_ending() {
                return;
            }
            let broker = self.settings.broker.as_deref().unwrap_or_default();
            said.say(|hidden| warn!(broker, error, hidden, "no connection to the broker"));
            self.wait(pause);
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// One connection from its start to its end, and why it ended.
    fn connect(&self, pause: &mut Duration) -> String {
        let built = Client::builder(self.options.clone()).capacity(QUEUE).try_build();
        let (client, mut connection) = match built {
            Ok(built) => built,
            Err(error) => return error.to_string(),
        };
        // Waited for without a limit of our own: that would cut off a connection that takes long.
        loop {
            match connection.recv() {
                Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                    if self.is_ending() {
                        return "we end".to_owned();
                    }
                    info!(broker = self.settings.broker, "connected");
                    *pause = FIRST_PAUSE;
                    self.arrive(client.clone());
                }
                Ok(Ok(Event::Outgoing(Outgoing::Publish(number)))) => self.went_out(number),
                Ok(Ok(Event::Incoming(Packet::PubAck(ack)))) => self.confirmed(ack.pkid),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "it was closed".to_owned(),
            }
        }
    }

    fn wait(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.is_ending() {
            thread::sleep(LOOK.min(pause));
        }
    }

    /// Publishes what is due: the counters, how we are when that changes, and what waits.
    pub(super) fn keep_current(&self) {
        let interval = Duration::from_secs_f64(self.settings.interval_s);
        let (mut due, mut healthy) = (Instant::now() + interval, None);
        while !self.is_ending() {
            thread::sleep(LOOK);
            let now = self.counters.is_healthy();
            let mut state = self.state();
            if Instant::now() >= due || healthy != Some(now) {
                (due, healthy) = (Instant::now() + interval, Some(now));
                // The last will of a connection of ours that the broker missed late, or another
                // daemon's end, may have said otherwise.
                self.publish(&mut state, "status", "online".to_owned());
                self.publish_counters(&mut state);
            }
            self.deliver(&mut state);
        }
    }
}
