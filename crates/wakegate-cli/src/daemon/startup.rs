//! What a configuration names, opened: models, the device, the page.

use std::sync::Arc;

use tracing::info;

use super::listened_word::{ListenedWord, listened_word};
use super::metrics::Counters;
use super::metrics_server::Page;
use super::mqtt_connection;
use crate::config::{Audio, Config, WakeWord};
use crate::wyoming::check_names;
use wakegate::Result;
use wakegate::audio::{Input, Pipe, SAMPLE_RATE};
use wakegate::model::Model;

/// Refuses a configuration that a daemon would not start with: what a check of the settings says is
/// what a start and a reload say, as all three go through here. What only the daemon's own user may
/// read is left to the daemon.
///
/// # Errors
/// As [`Config::fits_together`]; of the models, and of what the broker's connection needs.
pub fn check(config: &Config) -> Result<()> {
    models(config).map(drop)
}

/// The models, with the thresholds of the configuration, which is checked with them.
pub fn models(config: &Config) -> Result<Vec<Model>> {
    config.fits_together()?;
    mqtt_connection::check(&config.mqtt)?;
    let open = |word: &WakeWord| {
        let model = word.model.as_deref().map_or_else(Model::embedded, Model::open)?;
        word.applied(model)
    };
    let models = config.wake_word.iter().map(open).collect::<Result<Vec<_>>>()?;
    check_names(&models, &config.wyoming.upstream_names)?;
    Ok(models)
}

/// What listens for `models` on the device; nothing where no device is listened to.
pub fn listened_words(
    models: &[Model],
    counters: &Counters,
    listens: bool,
) -> Result<Vec<ListenedWord>> {
    let models = if listens { models } else { &[] };
    models.iter().map(|model| listened_word(model.clone(), counters)).collect()
}

/// The page for metrics and health.
pub fn page(config: &Config, counters: &Arc<Counters>) -> Result<Option<Page>> {
    let open = |address| Page::open(address, Arc::clone(counters));
    let page = config.metrics.listen.map(open).transpose()?;
    if let Some(page) = &page {
        info!(address = %page.address(), "metrics");
    }
    Ok(page)
}

/// The device that the settings name.
pub fn input(audio: &Audio) -> Result<Box<dyn Input>> {
    if audio.is_stdin() {
        let rate = audio.rate_hz.unwrap_or(SAMPLE_RATE);
        let frames = (audio.ring_s * f64::from(rate)).ceil() as usize;
        let channels = audio.channels.unwrap_or(1).into();
        let reader = Box::new(std::io::stdin());
        let pipe = Pipe::new("stdin", reader, rate, channels, audio.chosen_channel(), frames)?;
        return Ok(Box::new(pipe));
    }
    card(audio)
}

#[cfg(feature = "capture")]
fn card(audio: &Audio) -> Result<Box<dyn Input>> {
    Ok(Box::new(wakegate::audio::Card::new(wakegate::audio::CardSettings {
        device: audio.device.clone(),
        rate: audio.rate_hz,
        channels: audio.channels,
        channel: audio.chosen_channel(),
        ring_s: audio.ring_s,
    })))
}

#[cfg(not(feature = "capture"))]
fn card(_: &Audio) -> Result<Box<dyn Input>> {
    use wakegate::{Error, ErrorKind};
    Err(Error::new(ErrorKind::Device, "there is no sound card in this program")
        .expected("audio.device = \"-\", raw PCM on standard input")
        .found("a program built without the feature capture")
        .hint("build it with --features capture"))
}
