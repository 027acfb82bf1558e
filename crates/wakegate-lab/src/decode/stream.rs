//! Elementary streams: MPEG audio (MP3 and its elder layers) and AAC in ADTS frames.
//!
//! Such a file has no header and no length of its own; it is the frames that are there. Where bytes
//! between two frames are none, their share of the stream's time is a gap, so that what follows
//! keeps its place. A frame in another form starts a new decoder.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::Track;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, TimeBase, Timestamp};

use super::demux::Demuxer;
use super::mpeg::{Frame, HEADER, Info, StreamFormat};
use super::view::View;
use wakegate::audio::Warning;

/// How far the first frame may lie behind the start: recordings cut out of a stream begin with
/// the rest of a frame.
const REACH: u64 = 16 * 1_024;
/// How many frames have to follow each other there.
const SURE: usize = 4;
/// Bytes in memory at a time.
const WINDOW: usize = 1 << 16;
/// Bytes at the end without a frame that are worth a word.
const WORD: u64 = 2_048;

/// The demuxer of an elementary stream.
pub(super) struct StreamReader {
    bytes: Window,
    at: u64,
    form: StreamFormat,
    track: Track,
    info: Info,
    /// Time stamp of the next frame; below 0 what the encoder put in front.
    next: i64,
    /// Frames and their bytes so far, and frames that were lost.
    frames: u64,
    frame_bytes: u64,
    lost: u64,
    warnings: Vec<Warning>,
}

/// Where the first frame of `view` is, if it holds an elementary stream.
pub(super) fn first_frame(view: View) -> io::Result<(Option<u64>, View)> {
    let mut bytes = Window::new(view);
    let mut found = None;
    for at in 0..REACH.min(bytes.length) {
        let sure = if at == 0 { 2 } else { SURE };
        if bytes.chain(at, sure, at == 0)? {
            found = Some(at);
            break;
        }
    }
    Ok((found, bytes.file))
}

/// Whether `view` begins with a frame of MPEG audio whose bit rate is left open.
pub(super) fn has_free_bit_rate(view: View) -> io::Result<(bool, View)> {
    let mut bytes = Window::new(view);
    let free = bytes.peek(0, HEADER)?.is_some_and(Frame::has_free_bit_rate);
    Ok((free, bytes.file))
}

impl StreamReader {
    /// A reader of `view`, whose first frame lies at `at`.
    pub(super) fn new(view: View, at: u64) -> io::Result<Option<Self>> {
        let mut bytes = Window::new(view);
        let Some(frame) = bytes.frame(at)? else { return Ok(None) };
        let info = match bytes.peek(at, frame.bytes)? {
            Some(whole) => Info::of(&frame, whole),
            None => None,
        };
        let first = if info.is_some() { at + frame.bytes as u64 } else { at };
        let info = info.unwrap_or_default();
        let form = frame.form;
        Ok(Some(Self {
            bytes,
            at: first,
            form,
            track: track(&form),
            info,
            next: -i64::from(info.delay),
            frames: 0,
            frame_bytes: 0,
            lost: 0,
            warnings: Vec::new(),
        }))
    }

    /// The frame at the present place, or the next one behind what is no frame.
    fn find(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.bytes.frame(self.at)? {
                let is_same = frame.form == self.form;
                if is_same || self.bytes.chain(self.at, SURE, true)? {
                    return Ok(Some(frame));
                }
            }
            if let Some(tag) = self.bytes.tag(self.at)? {
                self.at += tag;
                continue;
            }
            let from = self.at;
            let Some(found) = self.bytes.search(from + 1, &self.form)? else {
                let left = self.bytes.length.saturating_sub(from);
                if left >= WORD.max(2 * self.mean()) {
                    self.warnings.push(Warning::new(
                        "unread_bytes",
                        format!("the last {left} bytes hold no frame: they are not read"),
                    ));
                }
                return Ok(None);
            };
            let mean = self.mean();
            let lost = (found - from + mean / 2).checked_div(mean).unwrap_or(0);
            let Some(frame) = self.bytes.frame(found)? else { return Ok(None) };
            self.lost += lost;
            self.next =
                self.next.saturating_add_unsigned(lost.saturating_mul(u64::from(frame.samples)));
            self.at = found;
        }
    }

    /// Bytes of a frame on average.
    fn mean(&self) -> u64 {
        self.frame_bytes.checked_div(self.frames).unwrap_or(0)
    }

    /// Samples of the recording by its first frame.
    fn promised(&self, frame: &Frame) -> Option<i64> {
        let all = i64::from(self.info.frames?) * i64::from(frame.samples);
        Some(all - i64::from(self.info.delay) - i64::from(self.info.padding))
    }

    /// Tells where the frames are not those that the first one promised.
    fn compare(&mut self) {
        let Some(promised) = self.info.frames.take() else { return };
        let held = self.frames + self.lost;
        let seconds = |frames: u64| {
            let samples = if self.form.rate > 24_000 { 1_152 } else { 576 };
            frames as f64 * f64::from(samples) / f64::from(self.form.rate)
        };
        let (said, is) = (seconds(u64::from(promised)), seconds(held));
        if held + 1 < u64::from(promised) {
            self.warnings.push(Warning::new(
                "cut_short",
                format!(
                    "the file is cut short: its header promises {said:.3} s, it holds {is:.3} s"
                ),
            ));
        } else if held > u64::from(promised) + 1 {
            self.warnings.push(Warning::new(
                "more_than_promised",
                format!("its header promises {said:.3} s, it holds {is:.3} s: all of it is read"),
            ));
        }
    }
}

fn track(form: &StreamFormat) -> Track {
    let mut params = AudioCodecParameters::new();
    params
        .for_codec(form.codec)
        .with_sample_rate(form.rate)
        .with_channels(Channels::Discrete(form.channels));
    if let Some(configuration) = form.configuration() {
        params.with_extra_data(configuration);
    }
    let mut track = Track::new(0);
    track.with_codec_params(CodecParameters::Audio(params));
    if let Some(rate) = std::num::NonZero::new(form.rate) {
        track.with_time_base(TimeBase::from_recip(rate));
    }
    track
}

impl Demuxer for StreamReader {
    fn track(&self) -> Option<&Track> {
        Some(&self.track)
    }

    fn next_packet(&mut self) -> symphonia::core::errors::Result<Option<Packet>> {
        loop {
            let Some(frame) = self.find()? else {
                self.compare();
                return Ok(None);
            };
            if frame.form != self.form {
                // Only of the first form is anything promised.
                self.compare();
                self.form = frame.form;
                self.track = track(&frame.form);
                self.next = 0;
                return Err(SymphoniaError::ResetRequired);
            }
            let end = self.at + frame.bytes as u64;
            let Some(whole) = self.bytes.peek(self.at, frame.bytes)? else {
                self.at = self.bytes.length;
                self.compare();
                return Ok(None);
            };
            // In the middle, of a file that was joined to another.
            if Info::of(&frame, whole).is_some() {
                self.at = end;
                continue;
            }
            let data: Box<[u8]> = whole[frame.head..].into();
            self.at = end;
            self.frames += 1;
            self.frame_bytes += frame.bytes as u64;
            let samples = i64::from(frame.samples);
            let (start, stop) = (self.next, self.next.saturating_add(samples));
            self.next = stop;
            let before = (-start).clamp(0, samples);
            let behind = match self.promised(&frame) {
                Some(promised) if stop > promised && self.bytes.frame(end)?.is_none() => {
                    (stop - promised).clamp(0, samples - before)
                }
                _ => 0,
            };
            let valid = (samples - before - behind).unsigned_abs();
            let mut packet = Packet::new(0, Timestamp::new(start), Duration::from(valid), data);
            packet.trim_start = Duration::from(before.unsigned_abs());
            packet.trim_end = Duration::from(behind.unsigned_abs());
            return Ok(Some(packet));
        }
    }

    fn warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }
}

/// A file of which a part is in memory.
struct Window {
    file: View,
    length: u64,
    held: Vec<u8>,
    held_at: u64,
}

impl Window {
    fn new(file: View) -> Self {
        let length = file.length();
        Self { file, length, held: Vec::new(), held_at: 0 }
    }

    /// The `count` bytes at `at`; none where the file ends before.
    fn peek(&mut self, at: u64, count: usize) -> io::Result<Option<&[u8]>> {
        let end = at.saturating_add(count as u64);
        if end > self.length {
            return Ok(None);
        }
        let inside = at >= self.held_at && end <= self.held_at + self.held.len() as u64;
        if !inside {
            self.file.seek(SeekFrom::Start(at))?;
            self.held.clear();
            self.held_at = at;
            Read::by_ref(&mut self.file)
                .take(WINDOW.max(count) as u64)
                .read_to_end(&mut self.held)?;
        }
        let from = usize::try_from(at - self.held_at).unwrap_or(usize::MAX);
        Ok(self.held.get(from..).and_then(|held| held.get(..count)))
    }

    /// The header of the frame at `at`, if there is one.
    fn frame(&mut self, at: u64) -> io::Result<Option<Frame>> {
        Ok(self.peek(at, HEADER)?.and_then(Frame::at))
    }

    /// Whether `count` frames of one form follow each other from `at` on, or as many as there are
    /// up to the end where that `may_end` it.
    fn chain(&mut self, mut at: u64, count: usize, may_end: bool) -> io::Result<bool> {
        let mut form = None;
        for _ in 0..count {
            let ends = at.saturating_add(HEADER as u64) > self.length;
            let tagged = form.is_some() && self.tag(at)?.is_some();
            if form.is_some() && may_end && (ends || tagged) {
                return Ok(true);
            }
            match self.frame(at)? {
                Some(frame) if form.is_none_or(|form| form == frame.form) => {
                    form = Some(frame.form);
                    at += frame.bytes as u64;
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The next place from `at` on where a frame of `form` begins that another follows, or frames
    /// of another form that are surely some.
    fn search(&mut self, mut at: u64, form: &StreamFormat) -> io::Result<Option<u64>> {
        while at < self.length {
            let count = usize::try_from(self.length - at).unwrap_or(WINDOW).min(WINDOW);
            let Some(bytes) = self.peek(at, count)? else { return Ok(None) };
            let Some(step) = bytes.iter().position(|byte| *byte == 0xff) else {
                at += count as u64;
                continue;
            };
            at += step as u64;
            if let Some(frame) = self.frame(at)? {
                let enough = if frame.form == *form { 2 } else { SURE };
                if self.chain(at, enough, frame.form == *form)? {
                    return Ok(Some(at));
                }
            }
            at += 1;
        }
        Ok(None)
    }

    /// Length of the tag at `at`, if one is there.
    fn tag(&mut self, at: u64) -> io::Result<Option<u64>> {
        let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let Some(head) = self.peek(at, left.min(32))? else { return Ok(None) };
        Ok(super::tags::length(head))
    }
}
