//! Channels to one.

use super::ring::Channel;
use super::warning::Warning;
use crate::error::{Error, ErrorKind, Result};

/// The most channels that are mixed down; no recorder has more.
const MAX_CHANNELS: usize = 255;

/// Largest sample taken for audio, of which full scale is ±1: what is above has another scale,
/// such as that of 16-bit integers.
const MAX_SAMPLE: f32 = 8.0;
/// Largest sample that another scale explains.
const MAX_SCALED: f32 = 2_147_483_648.0;

/// Sum of squares of the mix, in parts of that of the channels, below which they cancel out: 13 dB.
/// What has nothing to do with each other loses 3 dB for each doubling of the channels.
const CANCELLED: f64 = 0.05;

/// Rate and channels of interleaved samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalSpec {
    /// In Hz.
    pub rate: u32,
    /// Interleaved channels.
    pub channels: usize,
}

/// A sample that is no audio: its index among the interleaved ones, and its value.
#[derive(Debug, Clone, Copy)]
pub struct Unusable {
    /// Its index.
    pub at: usize,
    /// Its value.
    pub value: f32,
}

impl Unusable {
    /// As an error about `subject`; the samples begin at frame `frame` of a stream of this form,
    /// which came about by what `origin` says: `wrote the file`.
    pub fn into_error(self, subject: &str, origin: &str, form: SignalSpec, frame: u64) -> Error {
        let index = frame + (self.at / form.channels) as u64;
        let scaled = self.value.is_finite() && self.value.abs() <= MAX_SCALED;
        Error::new(ErrorKind::Audio, format!("unusable sample{subject}"))
            .expected("finite samples in range about ±1")
            .found(format!(
                "{} at sample {index} ({:.4} s) of channel {} of {}",
                self.value,
                index as f64 / f64::from(form.rate),
                self.at % form.channels + 1,
                form.channels
            ))
            .hint(if scaled {
                "these may be integers written as floats: divide those of 16 bits by 32768"
                    .to_owned()
            } else {
                format!("the program that {origin} divided by zero or overflowed")
            })
    }
}

/// Refuses a number of channels that no recording has.
///
/// # Errors
/// [`ErrorKind::Audio`] for 0 and more than 255.
pub fn check_channels(channels: usize) -> Result<()> {
    if (1..=MAX_CHANNELS).contains(&channels) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Audio, "unusable channel count")
        .expected(format!("1 to {MAX_CHANNELS}"))
        .found(channels.to_string()))
}

/// Refuses a channel that a recording of this form lacks.
///
/// # Errors
/// [`ErrorKind::Audio`] for a channel beyond them.
pub fn check_channel(channel: Channel, form: SignalSpec) -> Result<()> {
    match channel {
        Channel::One(number) if !(1..=form.channels).contains(&number) => {
            Err(Error::new(ErrorKind::Audio, "there is no such channel")
                .expected(format!("channel 1 to {}", form.channels))
                .found(number.to_string()))
        }
        _ => Ok(()),
    }
}

/// Makes one channel of several.
#[derive(Debug)]
pub struct Mixer {
    channel: Channel,
    /// Sums of squares, of the mix and of the channels' mean.
    mixed: f64,
    heard: f64,
}

impl Mixer {
    /// A mixer that takes `channel` of several.
    pub fn new(channel: Channel) -> Self {
        Self { channel, mixed: 0.0, heard: 0.0 }
    }

    /// The channel that is taken.
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// Fills `mono`, shape `[frames]`, with the chosen channel of `interleaved`, shape
    /// `[frames, channels]`, or with the mean over all of them.
    ///
    /// # Errors
    /// The first sample that is no number or far out of range; `mono` is then as it was.
    pub fn mix(
        &mut self,
        interleaved: &[f32],
        form: SignalSpec,
        mono: &mut Vec<f32>,
    ) -> std::result::Result<(), Unusable> {
        // Also false for what is not a number.
        let usable = |s: &f32| s.abs() <= MAX_SAMPLE;
        if let Some(at) = interleaved.iter().position(|s| !usable(s)) {
            return Err(Unusable { at, value: interleaved[at] });
        }
        mono.clear();
        if form.channels == 1 {
            mono.extend_from_slice(interleaved);
            return Ok(());
        }
        let frames = interleaved.chunks_exact(form.channels);
        if let Channel::One(number) = self.channel {
            mono.extend(frames.filter_map(|frame| frame.get(number.wrapping_sub(1))));
            return Ok(());
        }
        let scale = 1.0 / form.channels as f64;
        for frame in frames {
            let (sum, squares) = frame.iter().fold((0.0, 0.0), |(sum, squares), &s| {
                let s = f64::from(s);
                (sum + s, squares + s * s)
            });
            let mean = sum * scale;
            self.mixed += mean * mean;
            self.heard += squares * scale;
            mono.push(mean as f32);
        }
        Ok(())
    }

    /// A warning where the channels cancelled each other out.
    pub fn warning(&self) -> Option<Warning> {
        (self.mixed < CANCELLED * self.heard).then(|| {
            Warning::new(
                "channels_cancel",
                format!(
                    "the channels cancel out: their mix is {:.0} dB below them; choose one of them",
                    10.0 * (self.heard / self.mixed.max(f64::MIN_POSITIVE)).log10().min(20.0)
                ),
            )
        })
    }
}
