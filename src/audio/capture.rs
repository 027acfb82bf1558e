//! Sound cards through cpal; the only file that names it.

use std::sync::Arc;
use std::time::Duration;

use cpal::ErrorKind as Kind;
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, FromSample, I24, Sample, SampleFormat, SizedSample, StreamConfig,
    SupportedBufferSize, SupportedStreamConfigRange, U24,
};

use super::input::{Fault, FaultReceiver, FaultSender, Input, Stream, faults};
use super::resample::{MAX_RATE, MIN_RATE};
use super::ring::{Channel, Flow, Reader, Writer, ring};
use crate::{Error, ErrorKind, Result};

/// Rates in the order in which they are preferred. Where a card has both, 48 kHz is its own rate
/// and 16 kHz often a driver's cheap conversion.
const RATES: [u32; 4] = [48_000, 16_000, 44_100, 32_000];
/// Sample formats in the order in which they are preferred.
const FORMATS: [SampleFormat; 12] = [
    SampleFormat::F32,
    SampleFormat::I32,
    SampleFormat::I24,
    SampleFormat::I16,
    SampleFormat::F64,
    SampleFormat::U32,
    SampleFormat::U24,
    SampleFormat::U16,
    SampleFormat::I64,
    SampleFormat::U64,
    SampleFormat::I8,
    SampleFormat::U8,
];
/// A period, what a card hands over at once, is at most this part of a second. cpal's buffer holds
/// two: where nobody comes for the first in time, audio is lost. By default it takes the period that
/// ALSA chooses: on `snd-aloop` 5.3 ms, each of which a machine with one core lost.
const PERIODS_PER_S: u32 = 20;
/// How long the backend waits for the device before it looks at its state.
const POLL: Duration = Duration::from_millis(500);

/// Which sound card is opened, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct CardSettings {
    /// Identifier, name, or a part of one; the system's default without it.
    pub device: Option<String>,
    /// Frames a second; without it the best that the device has.
    pub rate: Option<u32>,
    /// Channels that the device is opened with; without it the device's default.
    pub channels: Option<u16>,
    /// The channel that is listened to.
    pub channel: Channel,
    /// Seconds that the ring holds.
    pub ring_s: f64,
}

/// A sound card's input.
pub struct Card {
    settings: CardSettings,
    name: String,
}

/// A stream with its ring and its faults, or why the device does not start.
type Started = std::result::Result<(cpal::Stream, Reader, FaultReceiver), cpal::Error>;

/// An input device, for a list.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceInfo {
    /// Identifier that finds it again.
    pub id: String,
    /// What the system calls it.
    pub name: String,
    /// Whether it is what is opened when none is named.
    pub default: bool,
    /// What it offers; empty where it can't be asked.
    pub forms: Vec<DeviceFormat>,
    /// Why it can't be asked: busy, mostly.
    pub problem: Option<String>,
}

/// A form in which a device captures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceFormat {
    /// Channels of a frame.
    pub channels: u16,
    /// Lowest and highest rate in Hz.
    pub rates: (u32, u32),
    /// Sample format, as cpal calls it: i16, f32.
    pub format: String,
}

/// The input devices of this machine.
///
/// # Errors
/// [`ErrorKind::Device`] where the sound system can't be asked.
pub fn devices() -> Result<Vec<DeviceInfo>> {
    quiet();
    let host = cpal::default_host();
    let default = host.default_input_device().and_then(|device| device.id().ok());
    let found = host.input_devices().map_err(|e| refused("the sound system", &e))?;
    let info = |device: cpal::Device| {
        let id = device.id().ok()?;
        let (forms, problem) = match device.supported_input_configs() {
            Ok(configs) => (configs.map(form).collect(), None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let name = device.description().map(|d| d.name().to_owned()).unwrap_or_default();
        let default = default.as_ref() == Some(&id);
        Some(DeviceInfo { id: id.id().to_owned(), name, default, forms, problem })
    };
    Ok(found.filter_map(info).collect())
}

/// Keeps what ALSA itself says of cards that aren't there from stderr, on this thread: our errors
/// say it.
fn quiet() {
    #[cfg(target_os = "linux")]
    drop(alsa::Output::local_error_handler());
}

fn form(range: SupportedStreamConfigRange) -> DeviceFormat {
    DeviceFormat {
        channels: range.channels(),
        rates: (range.min_sample_rate(), range.max_sample_rate()),
        format: range.sample_format().to_string(),
    }
}

impl Card {
    /// A card that is opened by [`Input::open`].
    pub fn new(settings: CardSettings) -> Self {
        let name = settings.device.clone().unwrap_or_else(|| "default".to_owned());
        Self { settings, name }
    }

    fn find(&self, host: &cpal::Host) -> Result<cpal::Device> {
        quiet();
        let Some(wanted) = &self.settings.device else {
            return host.default_input_device().ok_or_else(|| missing("default", &[]));
        };
        let found = host.input_devices().map_err(|e| refused("the sound system", &e))?;
        let named: Vec<(cpal::Device, Named)> = found
            .filter_map(|device| {
                let id = device.id().ok()?.id().to_owned();
                let name = device.description().map(|d| d.name().to_owned()).unwrap_or_default();
                Some((device, Named { id, name }))
            })
            .collect();
        let names: Vec<&Named> = named.iter().map(|(_, named)| named).collect();
        let place = choose_device(wanted, &names)?;
        named.into_iter().nth(place).map(|(device, _)| device).ok_or_else(|| missing(wanted, &[]))
    }

    /// The form to open `device` with.
    fn form(&self, device: &cpal::Device) -> Result<(StreamConfig, SampleFormat)> {
        let ranges = device.supported_input_configs().map_err(|e| refused(&self.name, &e))?;
        let ranges: Vec<SupportedStreamConfigRange> = ranges.collect();
        let default = device.default_input_config().ok();
        let usual = default.map_or(1, |config| config.channels());
        choose_form(&self.settings, &ranges, usual).map_err(|error| error.context(&self.name))
    }

    /// Lets `device` capture into a ring of its own.
    fn start(
        &self,
        device: &cpal::Device,
        config: StreamConfig,
        format: SampleFormat,
    ) -> Result<Started> {
        let frames = (self.settings.ring_s * f64::from(config.sample_rate)).ceil() as usize;
        let (writer, reader) = ring(frames, config.channels.into(), self.settings.channel)
            .map_err(|error| error.context(&self.name))?;
        let (fault_in, fault_out) = faults();
        let stream = build(device, config, format, writer, fault_in)
            .and_then(|stream| stream.play().map(|()| stream));
        Ok(stream.map(|stream| (stream, reader, fault_out)))
    }
}

impl Input for Card {
    fn open(&mut self) -> Result<Stream> {
        let host = cpal::default_host();
        let device = self.find(&host)?;
        let (config, format) = self.form(&device)?;
        let rate = config.sample_rate;
        let (stream, reader, faults) = match self.start(&device, config, format)? {
            // What is offered at any rate may not be at this one.
            Err(error) if error.kind() == Kind::UnsupportedConfig => {
                let config = StreamConfig { buffer_size: BufferSize::Default, ..config };
                self.start(&device, config, format)?
            }
            started => started,
        }
        .map_err(|e| refused(&self.name, &e))?;
        let id = device.id().map(|id| id.id().to_owned()).unwrap_or_else(|_| self.name.clone());
        let description = format!("{id}: {rate} Hz, {} channel(s), {format}", config.channels);
        Ok(Stream::new(reader, rate, description, faults, Box::new(stream)))
    }

    fn name(&self) -> &str {
        &self.name
    }
}

fn build(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    writer: Writer,
    faults: FaultSender,
) -> std::result::Result<cpal::Stream, cpal::Error> {
    match format {
        SampleFormat::I8 => build_as::<i8>(device, config, writer, faults),
        SampleFormat::I16 => build_as::<i16>(device, config, writer, faults),
        SampleFormat::I24 => build_as::<I24>(device, config, writer, faults),
        SampleFormat::I32 => build_as::<i32>(device, config, writer, faults),
        SampleFormat::I64 => build_as::<i64>(device, config, writer, faults),
        SampleFormat::U8 => build_as::<u8>(device, config, writer, faults),
        SampleFormat::U16 => build_as::<u16>(device, config, writer, faults),
        SampleFormat::U24 => build_as::<U24>(device, config, writer, faults),
        SampleFormat::U32 => build_as::<u32>(device, config, writer, faults),
        SampleFormat::U64 => build_as::<u64>(device, config, writer, faults),
        SampleFormat::F32 => build_as::<f32>(device, config, writer, faults),
        SampleFormat::F64 => build_as::<f64>(device, config, writer, faults),
        _ => Err(Kind::UnsupportedConfig.into()),
    }
}

fn build_as<T>(
    device: &cpal::Device,
    config: StreamConfig,
    mut writer: Writer,
    mut faults: FaultSender,
) -> std::result::Result<cpal::Stream, cpal::Error>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let flow = Arc::clone(writer.flow());
    device.build_input_stream(
        config,
        move |data: &[T], _| writer.push(data, f32::from_sample),
        move |error| report(error, &flow, &mut faults),
        Some(POLL),
    )
}

/// Passes on what the device says; on the callback's thread, so it neither locks nor formats.
fn report(error: cpal::Error, flow: &Flow, faults: &mut FaultSender) {
    let (message, hint) = match error.kind() {
        Kind::Xrun => return flow.report_xrun(),
        Kind::RealtimeDenied | Kind::DeviceChanged => return,
        Kind::DeviceNotAvailable => ("the device is gone", "plug it in again"),
        Kind::DeviceBusy => ("another program holds the device", BUSY),
        Kind::StreamInvalidated => ("the device changed its form", "it is opened again"),
        _ => ("the device failed", "see the kernel's log with `dmesg`"),
    };
    // A full queue already holds a reason to reopen.
    let _ = faults.push(Fault { fatal: true, message: message.into(), hint });
}

/// The way out of a busy device.
const BUSY: &str = "find the program with `fuser -v /dev/snd/*`, or use a device that can be \
                    shared, such as default";

/// Why a device could not be opened, with the way out.
fn refused(name: &str, error: &cpal::Error) -> Error {
    let (what, hint) = match error.kind() {
        Kind::DeviceBusy => ("is busy", BUSY),
        Kind::DeviceNotAvailable => {
            ("is not there", "plug it in; `wakegate devices` lists what there is")
        }
        Kind::PermissionDenied => {
            ("may not be used", "add the user to the group audio, and log in again")
        }
        Kind::HostUnavailable => ("is not there", "install ALSA and start the sound system"),
        Kind::UnsupportedConfig => {
            ("does not have this form", "`wakegate devices` lists rates, channels and formats")
        }
        Kind::ResourceExhausted => ("can't be opened", "raise the limit on memory or threads"),
        _ => ("can't be opened", "see the kernel's log with `dmesg`"),
    };
    let message = format!("{name} {what}");
    Error::new(ErrorKind::Device, message).found(error.to_string()).hint(hint)
}

/// What a device is called.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    id: String,
    name: String,
}

fn missing(wanted: &str, names: &[&Named]) -> Error {
    let list: Vec<&str> = names.iter().map(|named| named.id.as_str()).collect();
    Error::new(ErrorKind::Device, format!("no input device {wanted:?}"))
        .expected("an identifier, a name or a part of one")
        .found(if list.is_empty() { "no device at all".to_owned() } else { list.join(", ") })
        .hint("`wakegate devices` lists what there is")
}

/// The place of the device that `wanted` means: by its identifier, else its whole name, else a
/// part of either. One card has many identifiers: of those that match, the bare hardware is taken.
fn choose_device(wanted: &str, names: &[&Named]) -> Result<usize> {
    let place = |fits: &dyn Fn(&Named) -> bool| names.iter().position(|named| fits(named));
    let lower = wanted.to_lowercase();
    if let Some(exact) = place(&|named| named.id == wanted) {
        return Ok(exact);
    }
    let part = |text: &str| text.to_lowercase().contains(&lower);
    let mut fitting: Vec<usize> = (0..names.len()).filter(|&i| names[i].name == wanted).collect();
    if fitting.is_empty() {
        fitting =
            (0..names.len()).filter(|&i| part(&names[i].id) || part(&names[i].name)).collect();
    }
    if fitting.iter().any(|&i| names[i].id.starts_with("hw:")) {
        fitting.retain(|&i| names[i].id.starts_with("hw:"));
    }
    let Some(&first) = fitting.first() else { return Err(missing(wanted, names)) };
    let other = fitting.iter().find(|&&i| names[i].name != names[first].name);
    match other {
        None => Ok(first),
        Some(&other) => Err(Error::new(ErrorKind::Device, format!("which {wanted:?}?"))
            .expected("a name that fits one device")
            .found(format!("{} and {}", names[first].id, names[other].id))
            .hint("give the identifier that `wakegate devices` shows")),
    }
}

/// Frames of a period at `rate`. A power of two, as sound servers work in such: with other numbers
/// `PipeWire` gave overruns without end (<https://github.com/RustAudio/cpal/issues/1250>).
fn period(rate: u32, offered: &SupportedBufferSize) -> BufferSize {
    let frames = (rate / PERIODS_PER_S).checked_ilog2().map_or(1, |power| 1 << power);
    match *offered {
        SupportedBufferSize::Range { min, max } => BufferSize::Fixed(frames.max(min).min(max)),
        SupportedBufferSize::Unknown => BufferSize::Default,
    }
}

/// The best of `ranges`, for a device that usually has `usual` channels.
fn choose_form(
    settings: &CardSettings,
    ranges: &[SupportedStreamConfigRange],
    usual: u16,
) -> Result<(StreamConfig, SampleFormat)> {
    let needed = match settings.channel {
        Channel::Mix => 1,
        Channel::One(number) => u16::try_from(number).unwrap_or(u16::MAX),
    };
    let ranked = ranges.iter().filter_map(|range| {
        let format = FORMATS.iter().position(|&f| f == range.sample_format())?;
        let channels = range.channels();
        let rates = range.min_sample_rate().max(MIN_RATE)..=range.max_sample_rate().min(MAX_RATE);
        let rate = match settings.rate {
            Some(rate) => rates.contains(&rate).then_some(rate),
            None if rates.is_empty() => None,
            None => RATES.into_iter().find(|r| rates.contains(r)).or(Some(*rates.end())),
        }?;
        if channels < needed || settings.channels.is_some_and(|wanted| wanted != channels) {
            return None;
        }
        let preferred = RATES.iter().position(|&r| r == rate).unwrap_or(RATES.len());
        let rank = (preferred, channels != usual, channels, format);
        let buffer_size = period(rate, range.buffer_size());
        let config = StreamConfig { channels, sample_rate: rate, buffer_size };
        Some((rank, config, range.sample_format()))
    });
    let best = ranked.min_by_key(|(rank, ..)| *rank);
    best.map(|(_, config, format)| (config, format)).ok_or_else(|| {
        let any = |value: Option<String>| value.unwrap_or_else(|| "any".to_owned());
        Error::new(ErrorKind::Device, "the device does not have this form")
            .expected(format!(
                "{} Hz, {} channels, at least {needed}",
                any(settings.rate.map(|rate| rate.to_string())),
                any(settings.channels.map(|count| count.to_string())),
            ))
            .found(format!("{} other forms", ranges.len()))
            .hint("`wakegate devices` lists rates, channels and formats")
    })
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
