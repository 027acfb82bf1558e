//! `[mqtt]`: the message broker.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{in_range, refused};
use wakegate::Result;

/// The port of a broker that is named without one.
const PORT: u16 = 1883;
/// The same with TLS.
const TLS_PORT: u16 = 8883;

/// The message broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mqtt {
    /// `host` or `host:port`; no MQTT without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
    /// Whether the connection is encrypted, and the broker has to prove who it is.
    pub tls: bool,
    /// Certificates of the authorities that the broker's has to come from, PEM; the system's
    /// without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Our own certificate with its chain, PEM, for a broker that asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<PathBuf>,
    /// Its private key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key_file: Option<PathBuf>,
    /// User name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// File that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// First part of every topic.
    pub topic: String,
    /// Prefix of Home Assistant's discovery; empty for none.
    pub discovery: String,
    /// Seconds between two messages with the counters.
    pub interval_s: f64,
    /// Age in seconds from which an event that waited for the broker is dropped.
    pub event_max_age_s: f64,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            broker: None,
            tls: false,
            ca_file: None,
            client_certificate: None,
            client_key_file: None,
            username: None,
            password_file: None,
            topic: "wakegate".to_owned(),
            discovery: "homeassistant".to_owned(),
            interval_s: 30.0,
            event_max_age_s: 30.0,
        }
    }
}

impl Mqtt {
    /// Host and port of the broker, if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`](wakegate::ErrorKind::Settings) for what is neither.
    pub fn address(&self) -> Result<Option<(String, u16)>> {
        let Some(broker) = &self.broker else { return Ok(None) };
        let wrong = || {
            let wrong =
                refused("mqtt.broker").expected("host or host:port").found(format!("{broker:?}"));
            match broker.split_once("://") {
                Some(("mqtt" | "mqtts" | "tcp" | "ssl", rest)) if !rest.is_empty() => {
                    wrong.hint(format!("{rest:?}, and tls = true for an encrypted connection"))
                }
                _ => wrong,
            }
        };
        let (host, port) = match broker.rsplit_once(':') {
            // An IPv6 address without brackets has colons of its own.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                let digits = port.bytes().all(|byte| byte.is_ascii_digit());
                (host, port.parse().ok().filter(|_| digits).ok_or_else(wrong)?)
            }
            _ => (broker.as_str(), if self.tls { TLS_PORT } else { PORT }),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        if !is_host(host, bare.is_some()) || port == 0 {
            return Err(wrong());
        }
        Ok(Some((host.to_owned(), port)))
    }

    pub(super) fn validate(&self) -> Result<()> {
        self.validate_for(cfg!(feature = "tls"))
    }

    /// [`validate`](Self::validate), for a program that has TLS or has none.
    fn validate_for(&self, has_tls: bool) -> Result<()> {
        self.address()?;
        if self.tls && !has_tls {
            return Err(refused("mqtt.tls")
                .expected("tls = false")
                .found("tls = true, in a program built without the feature tls")
                .hint("build it with --features tls"));
        }
        for (key, topic) in [("mqtt.topic", &self.topic), ("mqtt.discovery", &self.discovery)] {
            let odd = |c: char| matches!(c, '+' | '#' | '$') || c.is_control();
            let empty = key == "mqtt.topic" && topic.is_empty();
            let slashed = topic.starts_with('/') || topic.ends_with('/');
            if empty || slashed || topic.contains(odd) || topic.len() > 200 {
                return Err(refused(key)
                    .expected("1 to 200 characters without +, # and $, no / at either end")
                    .found(format!("{topic:?}")));
            }
        }
        if self.password_file.is_some() && self.username.is_none() {
            return Err(refused("mqtt.password_file").expected("a username too").found("none"));
        }
        for (key, file) in [
            ("mqtt.ca_file", &self.ca_file),
            ("mqtt.client_certificate", &self.client_certificate),
            ("mqtt.client_key_file", &self.client_key_file),
        ] {
            if file.is_some() && !self.tls {
                return Err(refused(key).expected("tls = true too").found("tls = false"));
            }
        }
        match (&self.client_certificate, &self.client_key_file) {
            (Some(_), None) => {
                return Err(refused("mqtt.client_certificate")
                    .expected("client_key_file too")
                    .found("none"));
            }
            (None, Some(_)) => {
                return Err(refused("mqtt.client_key_file")
                    .expected("client_certificate too")
                    .found("none"));
            }
            _ => {}
        }
        in_range("mqtt.event_max_age_s", self.event_max_age_s, 1.0, 3_600.0)?;
        in_range("mqtt.interval_s", self.interval_s, 1.0, 3_600.0)
    }
}

/// Whether it can be the name or the address of a machine.
fn is_host(host: &str, bracketed: bool) -> bool {
    if bracketed || host.contains(':') {
        // A link-local address names its interface behind a %.
        let address = host.split('%').next().unwrap_or_default();
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let known = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(known);
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(broker: &str, tls: bool) -> Option<(String, u16)> {
        Mqtt { broker: Some(broker.to_owned()), tls, ..Mqtt::default() }.address().ok().flatten()
    }

    #[test]
    fn the_port_is_the_usual_one_of_its_kind_unless_it_is_named() {
        assert_eq!(address("broker", false), Some(("broker".to_owned(), 1883)));
        assert_eq!(address("broker", true), Some(("broker".to_owned(), 8883)));
        assert_eq!(address("broker.local.:1885", true), Some(("broker.local.".to_owned(), 1885)));
        assert_eq!(address("[fe80::1%eth0]:1", false), Some(("fe80::1%eth0".to_owned(), 1)));
    }

    #[test]
    fn what_is_no_machine_is_refused() {
        for broker in [
            "",
            ":",
            ":1883",
            "broker:",
            "broker:0",
            "broker:65536",
            "broker:+1",
            "broker:mqtt",
            "mqtt://broker",
            "user@broker",
            "a b",
            "a..b",
            ".",
            "broker/x",
            "[broker]:1",
            "[::1",
            "1::2::3",
            "broker,other",
            "[]:1883",
        ] {
            assert_eq!(address(broker, false), None, "{broker}");
        }
        let settings = Mqtt { broker: Some("mqtts://broker:8883".into()), ..Mqtt::default() };
        let error = settings.address().unwrap_err().to_string();
        assert!(error.contains("hint: \"broker:8883\", and tls = true"), "{error}");
    }

    #[test]
    fn files_for_tls_without_tls_or_without_each_other_are_refused() {
        let file = || Some(PathBuf::from("file.pem"));
        let base = || Mqtt { broker: Some("broker".into()), ..Mqtt::default() };
        for (settings, key) in [
            (Mqtt { ca_file: file(), ..base() }, "mqtt.ca_file"),
            (
                Mqtt { client_certificate: file(), client_key_file: file(), ..base() },
                "mqtt.client_certificate",
            ),
            (Mqtt { tls: true, client_certificate: file(), ..base() }, "mqtt.client_certificate"),
            (Mqtt { tls: true, client_key_file: file(), ..base() }, "mqtt.client_key_file"),
        ] {
            let error = settings.validate_for(true).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{key} is refused")), "{error}");
        }
        let both = Mqtt {
            tls: true,
            ca_file: file(),
            client_certificate: file(),
            client_key_file: file(),
            ..base()
        };
        both.validate_for(true).unwrap();
    }

    #[test]
    fn tls_is_refused_by_a_program_without_it_and_nothing_else_is() {
        let plain = Mqtt { broker: Some("broker".into()), ..Mqtt::default() };
        plain.validate_for(false).unwrap();
        let error = Mqtt { tls: true, ..plain }.validate_for(false).unwrap_err().to_string();
        assert!(error.starts_with("mqtt.tls is refused: expected tls = false"), "{error}");
        assert!(error.contains("hint: build it with --features tls"), "{error}");
    }
}
