//! The events that this program sends.

use serde_json::{Map, Value, json};

use super::protocol::Event;
use super::wake_words::WakeWords;
use wakegate::audio::SAMPLE_RATE;
use wakegate::model::Manifest;
use wakegate::pipeline::{self, Activation, Report};
use wakegate::{Error, ErrorKind};

/// Name of the `user-event` that carries a verdict.
pub const VERDICT_EVENT: &str = "wakegate-verdict";

/// What this program calls itself in `info`, with its version.
pub(super) fn mark() -> String {
    format!("wakegate {}", env!("CARGO_PKG_VERSION"))
}

/// Answer to `describe`: one program, a model for each wake word.
pub(super) fn info(words: &WakeWords) -> Event {
    let models: Vec<Value> =
        (0..words.count()).map(|index| info_model(words.manifest(index))).collect();
    let program = json!({
        "name": "wakegate",
        "description": "Detects the wake word only where it was said to the device",
        "attribution": attribution("wakegate", env!("CARGO_PKG_LICENSE")),
        "installed": true,
        "version": env!("CARGO_PKG_VERSION"),
        "models": models,
    });
    let mut event = Event::new("info").with("wake", vec![program]);
    for domain in ["asr", "tts", "handle", "intent", "mic", "snd"] {
        event = event.with(domain, Value::Array(Vec::new()));
    }
    event
}

fn info_model(manifest: &Manifest) -> Value {
    let phrase = capitalised(&manifest.wake_word);
    json!({
        "name": manifest.wake_word,
        "description": phrase,
        "phrase": phrase,
        "attribution": attribution(&format!("wakegate, {}", manifest.licence), &manifest.licence),
        "installed": true,
        "languages": manifest.languages,
        "version": manifest.version.to_string(),
    })
}

/// Whose it is, with the licence's page; of several licences that of the first.
fn attribution(name: &str, licence: &str) -> Value {
    let first = licence.trim_start_matches('(').split([' ', ')']).next().unwrap_or_default();
    json!({"name": name, "url": format!("https://spdx.org/licenses/{first}.html")})
}

/// A wake word as one writes it: each word with a capital.
fn capitalised(wake_word: &str) -> String {
    let capital = |word: &str| {
        let mut chars = word.chars();
        chars.next().map_or(String::new(), |c| c.to_uppercase().chain(chars).collect())
    };
    wake_word.split(' ').map(capital).collect::<Vec<_>>().join(" ")
}

/// A detection; `timestamp` is that of the client's chunk.
pub(super) fn detection(name: &str, timestamp: Value) -> Event {
    Event::new("detection")
        .with("name", name)
        .with("timestamp", timestamp)
        .with("speaker", Value::Null)
}

/// The details of a verdict: as everywhere, with its times in whole ms from the start of the
/// client's stream as well.
pub(super) fn verdict(manifest: &Manifest, peer: &str, activation: &Activation) -> Event {
    let (wake_word, model) = (&*manifest.wake_word, &*manifest.id());
    let report = Report::from(&pipeline::Event { source: peer, wake_word, model, activation });
    // By its text: a value of the 32-bit posteriors has more digits than they have.
    let text = serde_json::to_string(&report).unwrap_or_default();
    let mut details: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
    for (key, sample) in [
        ("start_ms", Some(activation.start_sample)),
        ("end_ms", Some(activation.end_sample)),
        ("decided_ms", Some(activation.decided_sample)),
        ("word_decided_ms", activation.word_decided_sample),
    ] {
        details.insert(key.to_owned(), sample.map(milliseconds).into());
    }
    Event::new("user-event").with("name", VERDICT_EVENT).with("data", details)
}

/// An error, with a code by which a program can tell what it is.
pub(super) fn error(error: &Error) -> Event {
    let code = match error.kind() {
        ErrorKind::Protocol => "protocol",
        ErrorKind::Limit => "limit",
        ErrorKind::Audio => "audio",
        ErrorKind::Settings => "refused",
        ErrorKind::Io => "upstream",
        _ => "failed",
    };
    error_with(code, error.to_string())
}

/// An error of this `code`.
pub(super) fn error_with(code: &str, text: String) -> Event {
    Event::new("error").with("text", text).with("code", code)
}

/// Samples of the 16 kHz stream in whole milliseconds.
pub(super) fn milliseconds(samples: u64) -> u64 {
    samples * 1_000 / u64::from(SAMPLE_RATE)
}
