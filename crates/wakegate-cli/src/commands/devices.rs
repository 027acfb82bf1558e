//! `wakegate devices`: what can be listened to.

use clap::Args;
use serde::Serialize;
use wakegate::Result;
use wakegate::audio::{DeviceInfo, Form, devices};

use super::Outcome;
use super::output;
use super::output::JsonLines;

/// List the input devices, with rates, channels and formats
///
/// The identifier, the name or a part of either is what `device` in the configuration takes.
/// The default is marked with *. Exit code: 0 listed, 1 there is none, 2 could not run.
#[derive(Args)]
pub struct Devices {
    /// One JSON object a device
    #[arg(long)]
    json: bool,
}

/// A device as one line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    name: &'a str,
    default: bool,
    forms: Vec<JsonForm<'a>>,
    problem: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonForm<'a> {
    channels: u16,
    min_rate_hz: u32,
    max_rate_hz: u32,
    format: &'a str,
}

impl Devices {
    pub fn run(self) -> Result<Outcome> {
        let devices = devices()?;
        if self.json {
            let mut lines = JsonLines::stdout();
            devices.iter().try_for_each(|device| lines.print(&json(device)))?;
        } else {
            devices.iter().try_for_each(show)?;
        }
        if devices.is_empty() {
            output::warning("devices", "there is none (hint: plug in a microphone)");
        }
        Ok(Outcome::of(usize::from(devices.is_empty())))
    }
}

fn json(device: &DeviceInfo) -> Line<'_> {
    let forms = device.forms.iter().map(|form| JsonForm {
        channels: form.channels,
        min_rate_hz: form.rates.0,
        max_rate_hz: form.rates.1,
        format: &form.format,
    });
    Line {
        id: &device.id,
        name: &device.name,
        default: device.default,
        forms: forms.collect(),
        problem: device.problem.as_deref(),
    }
}

fn show(device: &DeviceInfo) -> Result<()> {
    let mark = if device.default { '*' } else { ' ' };
    output::line(format_args!("{mark} {}  ({})", device.id, device.name))?;
    if let Some(problem) = &device.problem {
        return output::line(format_args!("    can't be asked: {problem}"));
    }
    if device.forms.is_empty() {
        return output::line(format_args!("    no form that can be used"));
    }
    output::line(format_args!("    {}", summary(&device.forms)))
}

/// `1-2 channels, 8000-48000 Hz, i16 i32`: what the forms span.
fn summary(forms: &[Form]) -> String {
    let span = |low: u32, high: u32| {
        if low == high { low.to_string() } else { format!("{low}-{high}") }
    };
    let channels: Vec<u32> = forms.iter().map(|form| form.channels.into()).collect();
    let (fewest, most) = ends(&channels);
    let (lowest, _) = ends(&forms.iter().map(|form| form.rates.0).collect::<Vec<_>>());
    let (_, highest) = ends(&forms.iter().map(|form| form.rates.1).collect::<Vec<_>>());
    let mut formats: Vec<&str> = Vec::new();
    for form in forms {
        if !formats.contains(&form.format.as_str()) {
            formats.push(&form.format);
        }
    }
    format!(
        "{} channel(s), {} Hz, {}",
        span(fewest, most),
        span(lowest, highest),
        formats.join(" ")
    )
}

fn ends(values: &[u32]) -> (u32, u32) {
    let least = values.iter().min().copied().unwrap_or(0);
    (least, values.iter().max().copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_spans_all_forms() {
        let form = |channels, rates, format: &str| Form { channels, rates, format: format.into() };
        let forms = [
            form(1, (16_000, 16_000), "i16"),
            form(2, (44_100, 48_000), "i16"),
            form(2, (44_100, 48_000), "f32"),
        ];
        assert_eq!(summary(&forms), "1-2 channel(s), 16000-48000 Hz, i16 f32");
        assert_eq!(summary(&forms[..1]), "1 channel(s), 16000 Hz, i16");
    }
}
