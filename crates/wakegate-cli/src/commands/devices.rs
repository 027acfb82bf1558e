//! `wakegate devices`: what can be listened to.

use clap::Args;
use serde::Serialize;
use wakegate::Result;
use wakegate::audio::{DeviceFormat, DeviceInfo, devices};

use super::Outcome;
use super::output;
use super::output::JsonLines;

/// List the input devices, with rates, channels and formats
///
/// The identifier, the name or a part of either is what `device` in the configuration takes.
/// The default is marked with *. Exit code: 0 listed, 1 there is none, 2 could not run.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
        wakegate devices\n  \
        wakegate devices --json")]
pub struct Devices {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// All devices as one JSON object.
#[derive(Serialize)]
struct List<'a> {
    devices: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    name: &'a str,
    default: bool,
    forms: Vec<Forms<'a>>,
    problem: Option<&'a str>,
}

/// Forms that differ in their number of channels and their format alone.
#[derive(Debug, PartialEq, Serialize)]
struct Forms<'a> {
    min_channels: u16,
    max_channels: u16,
    min_rate_hz: u32,
    max_rate_hz: u32,
    formats: Vec<&'a str>,
}

impl Devices {
    pub fn run(self) -> Result<Outcome> {
        let devices = devices()?;
        if self.json {
            let devices = devices.iter().map(item).collect();
            JsonLines::stdout().print(&List { devices })?;
        } else {
            devices.iter().try_for_each(show)?;
        }
        if devices.is_empty() {
            output::warning("devices", "there is none (hint: plug in a microphone)");
        }
        Ok(Outcome::of(usize::from(devices.is_empty())))
    }
}

fn item(device: &DeviceInfo) -> Item<'_> {
    Item {
        id: &device.id,
        name: &device.name,
        default: device.default,
        forms: grouped(&device.forms),
        problem: device.problem.as_deref(),
    }
}

/// Few entries for what may be hundreds of combinations: one device takes any of 64 channels in 13 formats.
fn grouped(forms: &[DeviceFormat]) -> Vec<Forms<'_>> {
    let mut all: Vec<Forms<'_>> = Vec::new();
    for form in forms {
        let like = |found: &&mut Forms<'_>| {
            found.min_channels == form.channels
                && (found.min_rate_hz, found.max_rate_hz) == form.rates
        };
        match all.iter_mut().find(like) {
            Some(found) => found.formats.push(&form.format),
            None => all.push(Forms {
                min_channels: form.channels,
                max_channels: form.channels,
                min_rate_hz: form.rates.0,
                max_rate_hz: form.rates.1,
                formats: vec![&form.format],
            }),
        }
    }
    all.sort_by_key(|found| (found.min_rate_hz, found.max_rate_hz, found.min_channels));
    let mut few: Vec<Forms<'_>> = Vec::new();
    for next in all {
        match few.last_mut() {
            Some(last)
                if last.max_channels + 1 == next.min_channels
                    && (last.min_rate_hz, last.max_rate_hz)
                        == (next.min_rate_hz, next.max_rate_hz)
                    && last.formats == next.formats =>
            {
                last.max_channels = next.max_channels;
            }
            _ => few.push(next),
        }
    }
    few
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
fn summary(forms: &[DeviceFormat]) -> String {
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
    fn hundreds_of_forms_are_one_entry() {
        let mut forms = Vec::new();
        for channels in 1..=64 {
            for format in ["i16", "f32"] {
                forms.push(DeviceFormat {
                    channels,
                    rates: (4_000, 96_000),
                    format: format.into(),
                });
            }
        }
        forms.push(DeviceFormat { channels: 2, rates: (44_100, 44_100), format: "i16".into() });
        let found = grouped(&forms);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!((found[0].min_channels, found[0].max_channels), (1, 64));
        assert_eq!(found[0].formats, ["i16", "f32"]);
        assert_eq!((found[1].min_channels, found[1].min_rate_hz), (2, 44_100));
    }

    #[test]
    fn a_summary_spans_all_forms() {
        let form =
            |channels, rates, format: &str| DeviceFormat { channels, rates, format: format.into() };
        let forms = [
            form(1, (16_000, 16_000), "i16"),
            form(2, (44_100, 48_000), "i16"),
            form(2, (44_100, 48_000), "f32"),
        ];
        assert_eq!(summary(&forms), "1-2 channel(s), 16000-48000 Hz, i16 f32");
        assert_eq!(summary(&forms[..1]), "1 channel(s), 16000 Hz, i16");
    }
}
