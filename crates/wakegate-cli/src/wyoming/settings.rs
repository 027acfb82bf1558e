//! The settings of the section `[wyoming]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::protocol::Limits;
use super::transport::Uri;
use wakegate::audio::Channel;
use wakegate::decision::Verdict;
use wakegate::pipeline::Decision;
use wakegate::{Error, ErrorKind, Result};

/// When a client gets its detection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detect {
    /// At the end of the wake word, whatever it was meant for; the verdict follows.
    Word,
    /// With the verdict, and only where that is intended.
    #[default]
    Verdict,
}

impl Detect {
    /// The end of the word, in samples, that `decision` is the time to detect.
    pub(super) fn ends(self, decision: &Decision) -> Option<u64> {
        match (self, decision) {
            (Self::Word, Decision::Word(word)) => Some(word.end_sample),
            (Self::Verdict, Decision::Verdict(activation)) => {
                (activation.verdict == Verdict::Intended).then_some(activation.end_sample)
            }
            _ => None,
        }
    }
}

/// How the Wyoming server and the proxy behave. Unknown keys are refused; [`check`](Self::check)
/// holds every value against its range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address to listen on: `tcp://HOST:PORT` or `unix://PATH`. Without it there is no server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Whether the local network is told that the server is there, so that Home Assistant finds
    /// it by itself. Default: false, because whoever tells has to listen to what everybody there
    /// says, in the process that hears the microphone.
    pub zeroconf: bool,
    /// When a client gets its detection.
    pub detect: Detect,
    /// The channel of a client's audio that is heard, from 1. Default: the mean of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<usize>,
    /// Address of the wake-word engine whose detections are judged. Without it the server
    /// detects by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// How long after the end of the word the upstream engine reports it, in ms of audio;
    /// 0 to 2000. Default: 150. Measured on clean speech: microWakeWord 130 to 235, openWakeWord
    /// -60 to 160; the verifier doesn't mind 150 more or less.
    pub upstream_lag_ms: u32,
    /// The upstream engine's names for our wake words, where they don't follow from the name:
    /// `{ "my_alexa_v3" = "alexa" }`.
    pub upstream_names: BTreeMap<String, String>,
    /// How long to try for a connection to the upstream engine, and to wait for its answer to
    /// `describe`, in ms; 10 to 60,000. Default: 2000.
    pub upstream_timeout_ms: u32,
    /// First pause after a failed connection to the upstream engine, in ms; it doubles each
    /// time; 10 to 60,000. Default: 500.
    pub upstream_backoff_ms: u32,
    /// Longest such pause, in ms; 10 to 600,000. Default: 15,000.
    pub upstream_backoff_most_ms: u32,
    /// Whether the details of every verdict go to the client as a `user-event`; clients that
    /// don't know it pass over it. Default: true.
    pub verdict_events: bool,
    /// Most clients at a time; 1 to 1024. Default: 64.
    pub most_clients: usize,
    /// Longest first line of an event, in bytes; 256 to 1,048,576. Default: 65,536.
    pub most_line_bytes: usize,
    /// Longest data block of an event, in bytes; 256 to 16,777,216. Default: 262,144.
    pub most_data_bytes: usize,
    /// Longest payload of an event, in bytes; 1024 to 67,108,864. Default: 1,048,576, which is
    /// 32 s of 16 kHz mono 16-bit audio.
    pub most_payload_bytes: usize,
    /// How long a client may send nothing at all, in s; 1 to 604,800. Default: 3600. A TCP
    /// client that is gone without a word is found by probes after about 3 minutes.
    pub idle_s: u32,
    /// How long an event may take from its first byte to its last, in ms; 100 to 600,000.
    /// Default: 10,000.
    pub event_timeout_ms: u32,
    /// How long a client may leave what we send unread once the backlog is full, in ms; 10 to
    /// 60,000. Default: 2000.
    pub write_timeout_ms: u32,
    /// Bytes that may wait in the kernel for a slow reader; 4096 to 4,194,304. Default: 65,536.
    pub write_backlog_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: None,
            zeroconf: false,
            detect: Detect::default(),
            channel: None,
            upstream: None,
            upstream_lag_ms: 150,
            upstream_names: BTreeMap::new(),
            upstream_timeout_ms: 2_000,
            upstream_backoff_ms: 500,
            upstream_backoff_most_ms: 15_000,
            verdict_events: true,
            most_clients: 64,
            most_line_bytes: 65_536,
            most_data_bytes: 262_144,
            most_payload_bytes: 1_048_576,
            idle_s: 3_600,
            event_timeout_ms: 10_000,
            write_timeout_ms: 2_000,
            write_backlog_bytes: 65_536,
        }
    }
}

impl Settings {
    /// Refuses an upstream engine that is this server itself.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] with the address.
    pub fn check_upstream(&self) -> Result<()> {
        match (self.listen_uri()?, self.upstream_uri()?) {
            (Some(own), Some(upstream)) if own.leads_to(&upstream) => {
                Err(Error::new(ErrorKind::Settings, "wyoming.upstream is refused")
                    .expected("another service than this one")
                    .found(format!("{upstream}, where wyoming.listen serves"))
                    .hint("give the wake-word engine's own address, or another one to listen at"))
            }
            _ => Ok(()),
        }
    }

    /// Holds every value against its range.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for the first one outside, by its key.
    pub fn check(&self) -> Result<()> {
        self.listen_uri()?;
        self.upstream_uri()?;
        let number = |value: u32| u64::from(value);
        for (key, value, low, high) in [
            ("channel", self.channel.unwrap_or(1) as u64, 1, 64),
            ("upstream_lag_ms", number(self.upstream_lag_ms), 0, 2_000),
            ("upstream_timeout_ms", number(self.upstream_timeout_ms), 10, 60_000),
            ("upstream_backoff_ms", number(self.upstream_backoff_ms), 10, 60_000),
            ("upstream_backoff_most_ms", number(self.upstream_backoff_most_ms), 10, 600_000),
            ("most_clients", self.most_clients as u64, 1, 1_024),
            ("most_line_bytes", self.most_line_bytes as u64, 256, 1 << 20),
            ("most_data_bytes", self.most_data_bytes as u64, 256, 1 << 24),
            ("most_payload_bytes", self.most_payload_bytes as u64, 1_024, 1 << 26),
            ("idle_s", number(self.idle_s), 1, 604_800),
            ("event_timeout_ms", number(self.event_timeout_ms), 100, 600_000),
            ("write_timeout_ms", number(self.write_timeout_ms), 10, 60_000),
            ("write_backlog_bytes", self.write_backlog_bytes as u64, 4_096, 1 << 22),
        ] {
            if !(low..=high).contains(&value) {
                return Err(Error::new(ErrorKind::Settings, format!("wyoming.{key} is refused"))
                    .expected(format!("{low} to {high}"))
                    .found(value.to_string()));
            }
        }
        Ok(())
    }

    /// Where to listen, if anywhere.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for an address of another form.
    pub fn listen_uri(&self) -> Result<Option<Uri>> {
        uri("listen", self.listen.as_deref())
    }

    /// Where the upstream engine is, if there is one.
    ///
    /// # Errors
    /// As [`listen_uri`](Self::listen_uri).
    pub fn upstream_uri(&self) -> Result<Option<Uri>> {
        uri("upstream", self.upstream.as_deref())
    }

    /// The channel that is heard.
    pub(super) fn heard(&self) -> Channel {
        self.channel.map_or(Channel::Mix, Channel::One)
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            line: self.most_line_bytes,
            data: self.most_data_bytes,
            payload: self.most_payload_bytes,
        }
    }

    pub(super) fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_s.into())
    }

    pub(super) fn event_timeout(&self) -> Duration {
        milliseconds(self.event_timeout_ms)
    }

    pub(super) fn write_timeout(&self) -> Duration {
        milliseconds(self.write_timeout_ms)
    }

    pub(super) fn upstream_timeout(&self) -> Duration {
        milliseconds(self.upstream_timeout_ms)
    }

    pub(super) fn backoff(&self) -> (Duration, Duration) {
        (milliseconds(self.upstream_backoff_ms), milliseconds(self.upstream_backoff_most_ms))
    }
}

fn milliseconds(count: u32) -> Duration {
    Duration::from_millis(count.into())
}

fn uri(key: &str, text: Option<&str>) -> Result<Option<Uri>> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|error: Error| error.context(format!("wyoming.{key}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> std::result::Result<Settings, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn nothing_at_all_gives_the_defaults_and_they_are_in_range() {
        let settings = read("").unwrap();
        assert_eq!(settings, Settings::default());
        settings.check().unwrap();
        assert_eq!(settings.listen_uri().unwrap(), None);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(read("most_client = 3").unwrap_err().message().contains("most_client"));
    }

    #[test]
    fn every_number_has_a_range_and_its_key_in_the_message() {
        let defaults = toml::Value::try_from(Settings::default()).unwrap();
        let mut seen = 0;
        for (key, value) in defaults.as_table().unwrap() {
            if !value.is_integer() {
                continue;
            }
            seen += 1;
            let settings = read(&format!("{key} = 4294967295")).unwrap();
            let error = settings.check().unwrap_err();
            assert!(error.to_string().starts_with(&format!("wyoming.{key} is refused")), "{error}");
        }
        assert_eq!(seen, 12);
    }

    #[test]
    fn a_channel_is_a_number_from_1() {
        assert_eq!(read("channel = 2").unwrap().heard(), Channel::One(2));
        assert_eq!(read("").unwrap().heard(), Channel::Mix);
        for bad in [0, 65] {
            let error = read(&format!("channel = {bad}")).unwrap().check().unwrap_err();
            assert!(error.to_string().starts_with("wyoming.channel is refused"), "{error}");
        }
    }

    #[test]
    fn an_address_of_another_form_is_refused_by_its_key() {
        for key in ["listen", "upstream"] {
            let error = read(&format!("{key} = \"localhost\"")).unwrap().check().unwrap_err();
            let start = format!("wyoming.{key}: cannot use this Wyoming address");
            assert!(error.to_string().starts_with(&start), "{error}");
        }
    }
}
