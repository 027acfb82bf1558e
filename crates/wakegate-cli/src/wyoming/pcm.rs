//! Audio chunks of any form to 16 kHz mono, and back from samples to the client's clock.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::message::milliseconds;
use super::protocol::{Event, found_of};
use wakegate::audio::downmix::{Mixer, SignalSpec, check_channel};
use wakegate::audio::{Channel, Resampler, SAMPLE_RATE};
use wakegate::{Error, ErrorKind, Result};

/// Most channels that are mixed down; no microphone array has more.
const MOST_CHANNELS: u64 = 64;
/// Chunks of which the clock keeps the timestamps.
const MOST_MARKS: usize = 1_024;
/// Least distance between two such chunks, in samples: chunks of a sample each don't push the
/// useful ones out.
const MARK_DISTANCE: u64 = 160;

/// Streams whose channels cancelled each other out.
static CANCELLED: AtomicU64 = AtomicU64::new(0);

/// The form of PCM audio, interleaved, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    /// In Hz.
    pub(super) rate: u32,
    /// Bytes of a sample: 1 is unsigned, 2 to 4 are signed.
    pub(super) width: usize,
    /// Interleaved channels.
    pub(super) channels: usize,
}

impl Format {
    /// What `event` says about its audio; where it says nothing, `default`.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] where a part is missing or no number, [`ErrorKind::Audio`] for a
    /// form that nothing here can read.
    pub(super) fn of(event: &Event, default: Option<Self>) -> Result<Self> {
        let keys = ["rate", "width", "channels"];
        if keys.iter().all(|key| event.get(key).is_none())
            && let Some(default) = default
        {
            return Ok(default);
        }
        let mut values = [0; 3];
        for (key, value) in keys.iter().zip(&mut values) {
            *value = event.get(key).and_then(Value::as_u64).ok_or_else(|| {
                Error::new(ErrorKind::Protocol, format!("cannot read {}'s {key}", event.kind))
                    .expected("a whole number, 0 or more")
                    .found(found_of(event.data.get(*key)))
                    .hint("send rate, width and channels with every chunk")
            })?;
        }
        let [rate, width, channels] = values;
        if !(1..=4).contains(&width) || !(1..=MOST_CHANNELS).contains(&channels) {
            return Err(Error::new(ErrorKind::Audio, "cannot use audio of this form")
                .expected(format!("1 to 4 bytes a sample, 1 to {MOST_CHANNELS} channels"))
                .found(format!("{width} bytes, {channels} channels"))
                .hint("send 16 kHz mono 16-bit audio"));
        }
        let rate = u32::try_from(rate).unwrap_or(u32::MAX);
        Ok(Self { rate, width: width as usize, channels: channels as usize })
    }

    /// Bytes of one sample of every channel.
    pub(super) fn frame_bytes(self) -> usize {
        self.width * self.channels
    }

    fn spec(self) -> SignalSpec {
        SignalSpec { rate: self.rate, channels: self.channels }
    }
}

/// One client's stream: PCM in, samples at 16 kHz of one channel or of all out.
pub(super) struct Converter {
    mixer: Mixer,
    current: Option<(Format, Resampler)>,
    /// Bytes of a frame that is not complete yet.
    rest: Vec<u8>,
    interleaved: Vec<f32>,
    mono: Vec<f32>,
    /// Samples, at 16 kHz, before the current form began.
    base: u64,
    /// Frames taken since it began.
    frames: u64,
    clock: Clock,
}

impl Converter {
    /// A converter that takes `channel` of a client's audio.
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            mixer: Mixer::new(channel),
            current: None,
            rest: Vec::new(),
            interleaved: Vec::new(),
            mono: Vec::new(),
            base: 0,
            frames: 0,
            clock: Clock::default(),
        }
    }

    /// Takes a chunk with its timestamp as the client gave it, and appends the samples that are
    /// ready to `out`.
    ///
    /// # Errors
    /// [`ErrorKind::Audio`] for a rate outside 2 to 384 kHz, and for audio without the channel.
    pub(super) fn push(
        &mut self,
        format: Format,
        bytes: &[u8],
        timestamp: Option<&Value>,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        if self.current.as_ref().is_none_or(|(current, _)| *current != format) {
            self.change(format, out)?;
        }
        self.clock.mark(self.position(), timestamp);
        let frame = format.frame_bytes();
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() / frame * frame;
        self.interleaved.clear();
        self.interleaved.extend(self.rest[..whole].chunks_exact(format.width).map(sample));
        self.rest.drain(..whole);
        let mixed = self.mixer.mix(&self.interleaved, format.spec(), &mut self.mono);
        mixed.map_err(|s| s.into_error("", "made the samples", format.spec(), self.frames))?;
        self.frames += self.mono.len() as u64;
        match &mut self.current {
            Some((_, resampler)) => resampler.push(&self.mono, out),
            None => Ok(()),
        }
    }

    /// Ends the stream: appends what the resampler still holds to `out`.
    ///
    /// # Errors
    /// [`ErrorKind::Audio`] where the conversion fails; it never does.
    pub(super) fn finish(&mut self, out: &mut Vec<f32>) -> Result<()> {
        if let Some((_, resampler)) = &mut self.current {
            resampler.finish(out)?;
        }
        if let Some(warning) = self.mixer.warning() {
            // A client may begin a stream a thousand times a second: said more and more seldom.
            let times = CANCELLED.fetch_add(1, Ordering::Relaxed) + 1;
            if times.is_power_of_two() {
                tracing::warn!(times, "{} (hint: wyoming.channel)", warning.text);
            }
        }
        self.mixer = Mixer::new(self.mixer.channel());
        self.base = self.position();
        self.frames = 0;
        self.current = None;
        self.rest.clear();
        Ok(())
    }

    /// Samples at 16 kHz that all audio up to now stands for, in the resampler or out of it.
    pub(super) fn position(&self) -> u64 {
        let rate = self.current.as_ref().map_or(SAMPLE_RATE, |(format, _)| format.rate);
        let rate = u64::from(rate);
        self.base + (self.frames * u64::from(SAMPLE_RATE) + rate / 2) / rate
    }

    /// The timestamp of the client's chunk in which `sample` lies: as the client gave it, or in
    /// ms from the start where it gave none.
    pub(super) fn timestamp(&self, sample: u64) -> Value {
        self.clock.at(sample)
    }

    fn change(&mut self, format: Format, out: &mut Vec<f32>) -> Result<()> {
        check_channel(self.mixer.channel(), format.spec()).map_err(|error| {
            error.hint("wyoming.channel names the one that is heard; without it all are mixed")
        })?;
        let resampler = Resampler::new(format.rate).map_err(|error| {
            error.hint("send audio at 16000 Hz, or at a rate that microphones have")
        })?;
        self.finish(out)?;
        self.current = Some((format, resampler));
        Ok(())
    }
}

/// One sample, full scale at 1.
fn sample(bytes: &[u8]) -> f32 {
    match *bytes {
        [byte] => (f32::from(byte) - 128.0) / 128.0,
        [low, high] => f32::from(i16::from_le_bytes([low, high])) / 32_768.0,
        [low, middle, high] => {
            (i32::from_le_bytes([0, low, middle, high]) >> 8) as f32 / 8_388_608.0
        }
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]) as f32 / 2_147_483_648.0,
        _ => 0.0,
    }
}

/// Where the latest chunks begin, and what the client's clock said there.
#[derive(Default)]
struct Clock {
    marks: VecDeque<(u64, Option<Value>)>,
}

impl Clock {
    fn mark(&mut self, sample: u64, timestamp: Option<&Value>) {
        if self.marks.back().is_some_and(|(last, _)| sample < last + MARK_DISTANCE) {
            return;
        }
        if self.marks.len() == MOST_MARKS {
            self.marks.pop_front();
        }
        let number = timestamp.filter(|value| value.is_number());
        self.marks.push_back((sample, number.cloned()));
    }

    fn at(&self, sample: u64) -> Value {
        let after = self.marks.partition_point(|(start, _)| *start <= sample);
        match after.checked_sub(1).and_then(|index| self.marks.get(index)) {
            Some((_, Some(timestamp))) => timestamp.clone(),
            _ => milliseconds(sample).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONO: Format = Format { rate: 16_000, width: 2, channels: 1 };

    fn convert(format: Format, bytes: &[u8]) -> Vec<f32> {
        let mut out = Vec::new();
        Converter::new(Channel::Mix).push(format, bytes, None, &mut out).unwrap();
        out
    }

    #[test]
    fn every_width_has_its_full_scale() {
        let wide = |width| Format { width, ..MONO };
        assert_eq!(convert(wide(1), &[0, 128, 192]), [-1.0, 0.0, 0.5]);
        assert_eq!(convert(wide(2), &[0, 0x80, 0, 0x40]), [-1.0, 0.5]);
        assert_eq!(convert(wide(3), &[0, 0, 0x80, 0, 0, 0x40, 0xff, 0xff, 0xff])[..2], [-1.0, 0.5]);
        assert_eq!(convert(wide(4), &[0, 0, 0, 0x80, 0, 0, 0, 0x40]), [-1.0, 0.5]);
    }

    #[test]
    fn channels_are_mixed_to_their_mean() {
        let stereo = Format { channels: 2, ..MONO };
        assert_eq!(convert(stereo, &[0, 0x40, 0, 0, 0, 0x40, 0, 0xc0]), [0.25, 0.0]);
    }

    #[test]
    fn one_channel_is_heard_alone_and_must_be_there() {
        let stereo = Format { channels: 2, ..MONO };
        let bytes = [0, 0x40, 0, 0x20, 0, 0xc0, 0, 0xe0];
        for (channel, expected) in [(1, [0.5, -0.5]), (2, [0.25, -0.25])] {
            let mut out = Vec::new();
            let mut converter = Converter::new(Channel::One(channel));
            converter.push(stereo, &bytes, None, &mut out).unwrap();
            assert_eq!(out, expected);
        }
        let mut converter = Converter::new(Channel::One(2));
        let error = converter.push(MONO, &bytes, None, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("expected channel 1 to 1, found 2"), "{error}");
        assert!(error.contains("wyoming.channel"), "{error}");
    }

    #[test]
    fn a_frame_cut_anywhere_is_the_same_frame() {
        let format = Format { width: 3, channels: 2, ..MONO };
        let bytes: Vec<u8> = (0..60_u32).map(|n| (n * 37 % 251) as u8).collect();
        let whole = convert(format, &bytes);
        assert_eq!(whole.len(), 10);
        for length in 1..12 {
            let (mut converter, mut out) = (Converter::new(Channel::Mix), Vec::new());
            for piece in bytes.chunks(length) {
                converter.push(format, piece, None, &mut out).unwrap();
            }
            assert_eq!(out, whole, "pieces of {length}");
        }
    }

    #[test]
    fn a_rate_that_changes_loses_no_time() {
        let (mut converter, mut out) = (Converter::new(Channel::Mix), Vec::new());
        for rate in [16_000, 48_000, 22_050, 16_000] {
            let second = vec![0; 2 * rate as usize];
            converter.push(Format { rate, ..MONO }, &second, None, &mut out).unwrap();
        }
        converter.finish(&mut out).unwrap();
        assert_eq!((out.len(), converter.position()), (64_000, 64_000));
    }

    #[test]
    fn the_clock_is_the_clients_where_it_has_one() {
        let (mut converter, mut out) = (Converter::new(Channel::Mix), Vec::new());
        let mut push = |converter: &mut Converter, timestamp: Value| {
            converter.push(MONO, &[0; 2_048], Some(&timestamp), &mut out).unwrap();
        };
        push(&mut converter, 9_000_000_000_000_000_u64.into());
        push(&mut converter, Value::Null);
        push(&mut converter, 77.into());
        let at = |sample| converter.timestamp(sample);
        assert_eq!(at(0), Value::from(9_000_000_000_000_000_u64));
        assert_eq!(at(1_023), at(0));
        assert_eq!(at(1_100), Value::from(68), "ms from the start");
        assert_eq!((at(2_048), at(99_999)), (77.into(), 77.into()));
    }

    #[test]
    fn the_clock_never_grows_without_end() {
        let mut clock = Clock::default();
        (0..1_000_000).for_each(|sample| clock.mark(sample, Some(&sample.into())));
        assert_eq!(clock.marks.len(), MOST_MARKS);
        assert_eq!(clock.at(999_999), Value::from(999_999 / 160 * 160));
        assert_eq!(clock.at(0), Value::from(0), "a sample before the oldest mark");
    }

    #[test]
    fn a_form_is_read_from_the_chunk_or_from_the_start() {
        let chunk = Event::new("audio-chunk");
        assert_eq!(Format::of(&chunk, Some(MONO)).unwrap(), MONO);
        assert_eq!(Format::of(&chunk, None).unwrap_err().kind(), ErrorKind::Protocol);
        let chunk = chunk.with("rate", 16_000).with("width", 2);
        assert!(Format::of(&chunk, Some(MONO)).is_err(), "two of three say nothing");
        let chunk = chunk.with("channels", 1);
        assert_eq!(Format::of(&chunk, None).unwrap(), MONO);
        for (key, value) in [("width", 5), ("width", 0), ("channels", 0), ("channels", 65)] {
            let error = Format::of(&chunk.clone().with(key, value), None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Audio, "{key} {value}");
        }
        for rate in [0_u64, 1_999, 384_001, u64::MAX] {
            let format = Format::of(&chunk.clone().with("rate", rate), None).unwrap();
            let error = Converter::new(Channel::Mix).push(format, &[0; 8], None, &mut Vec::new());
            assert_eq!(error.unwrap_err().kind(), ErrorKind::Audio, "{rate}");
        }
    }
}
