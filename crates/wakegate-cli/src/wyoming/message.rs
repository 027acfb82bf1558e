//! The events that this program sends.

use serde_json::{Value, json};

use super::protocol::Event;
use super::wake_words::WakeWords;
use wakegate::audio::SAMPLE_RATE;
use wakegate::model::Manifest;
use wakegate::pipeline::Activation;
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

/// The details of a verdict. Times are in ms from the start of the client's stream.
pub(super) fn verdict(manifest: &Manifest, activation: &Activation) -> Event {
    let six_digits = |value: f32| (f64::from(value) * 1e6).round() / 1e6;
    let details = json!({
        "activation": activation.number,
        "wake_word": manifest.wake_word,
        "model": manifest.id(),
        "verdict": activation.verdict.as_str(),
        "reason": activation.reason.as_str(),
        "p_intended": six_digits(activation.posteriors.intended()),
        "p_wake_word": six_digits(activation.scores.wake_word()),
        "p_addressed": six_digits(activation.scores.addressed()),
        "start_ms": milliseconds(activation.start_sample),
        "end_ms": milliseconds(activation.end_sample),
        "decided_ms": milliseconds(activation.decided_sample),
        "word_decided_ms": activation.word_decided_sample.map(milliseconds),
    });
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
