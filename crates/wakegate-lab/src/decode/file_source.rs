//! Audio files of every supported format, streamed.

mod open;

use std::io::ErrorKind as IoKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::{FormatReader, Track, TrackType};
use symphonia::core::packet::Packet;
use symphonia::core::units::TimeBase;

use super::codec::{Codec, Failure, guarded};
use super::damage::Damage;
use super::sniff::cannot_decode;
use wakegate::audio::downmix::SignalSpec;
use wakegate::audio::downmix::{Unusable, mix};
use wakegate::audio::resample::Resampler;
use wakegate::audio::{SAMPLE_RATE, Source};
use wakegate::error::{Error, ErrorKind, Result};

/// Silence put in for one loss is at most this long, in s: a damaged time stamp can ask for years.
const MAX_GAP_SECONDS: f64 = 60.0;
/// A jump shorter than this, in s, is a container's rounding and no loss.
const MIN_GAP_SECONDS: f64 = 0.005;
/// Frames of silence made at once.
const SILENCE_FRAMES: u64 = 4_096;

/// An audio file as a [`Source`]: WAV, AIFF, FLAC, MP3, AAC, M4A, Ogg Vorbis or Ogg Opus, at any
/// rate from 2 to 384 kHz, all channels mixed down to their mean.
///
/// The file is decoded packet by packet, so that memory does not grow with its length. What can't
/// be decoded in the middle is replaced by silence of the same length and told in the
/// [`warnings`](Source::warnings); what comes after keeps its time.
pub struct FileSource {
    path: PathBuf,
    reader: Box<dyn FormatReader>,
    track: u32,
    time_base: Option<TimeBase>,
    /// Frames that a lossless header promises.
    promised: Option<u64>,
    codec: Codec,
    form: Option<SignalSpec>,
    resampler: Option<Resampler>,
    interleaved: Vec<f32>,
    mono: Vec<f32>,
    /// Samples at 16 kHz to hand out, from `ready_from` on.
    ready: Vec<f32>,
    ready_from: usize,
    /// A packet that waits for the silence in front of it.
    held: Option<Packet>,
    /// Frames of silence still to give.
    silence: u64,
    /// Time stamp after the last decoded packet, in units of the time base.
    expected: i64,
    /// Frames given since `seconds_before`, silence included, at the input rate.
    position: u64,
    /// Seconds given in another form, where the form changes in mid-file.
    seconds_before: f64,
    decoded_any: bool,
    broke_off: bool,
    damage: Damage,
    warnings: Vec<String>,
    state: State,
    resampling: Duration,
}

enum State {
    Reading,
    Ended,
    Failed(Error),
}

impl FileSource {
    /// The file's own rate in Hz (16000 for Opus, which is decoded at that rate); `None` until the
    /// first read where only the packets tell it.
    pub fn input_rate(&self) -> Option<u32> {
        self.form.map(|form| form.rate)
    }

    /// The file's channels before they are mixed; `None` as for
    /// [`input_rate`](FileSource::input_rate).
    pub fn channels(&self) -> Option<usize> {
        self.form.map(|form| form.channels)
    }

    /// Seconds given so far, silence included.
    fn time(&self) -> f64 {
        let rate = self.form.map_or(f64::INFINITY, |form| f64::from(form.rate));
        self.seconds_before + self.position as f64 / rate
    }

    /// Takes `form` for what follows: the samples of another rate so far are finished first.
    fn set_form(&mut self, form: SignalSpec) -> Result<()> {
        if self.form.map(|old| old.rate) != Some(form.rate) {
            if let Some(old) = &mut self.resampler {
                old.finish(&mut self.ready)?;
            }
            self.seconds_before = self.time();
            self.position = 0;
            self.resampler = Some(Resampler::new(form.rate)?);
        }
        self.form = Some(form);
        Ok(())
    }

    /// Makes more samples ready, or ends the stream.
    fn advance(&mut self) -> Result<()> {
        if self.silence > 0 {
            let frames = self.silence.min(SILENCE_FRAMES);
            self.silence -= frames;
            self.mono.clear();
            self.mono.resize(frames as usize, 0.0);
            return self.give_mono();
        }
        let packet = match self.held.take() {
            Some(packet) => packet,
            None => match self.next_packet()? {
                Some(packet) => {
                    if self.lost_before(&packet) {
                        self.held = Some(packet);
                        return Ok(());
                    }
                    packet
                }
                None => return self.end(),
            },
        };
        match self.codec.decode(&packet, &mut self.interleaved) {
            Ok(form) => {
                self.expected = packet.pts.saturating_add(packet.block_dur()).get();
                self.set_form(form)?;
                self.mix(form)?;
                self.give_mono()
            }
            // The time stamp of the next packet that decodes shows how much silence to put in.
            Err(Failure::Packet(reason)) => {
                self.damage.packet_failed(self.time(), reason);
                Ok(())
            }
            Err(Failure::Stream(reason)) => {
                self.stopped(&reason);
                self.end()
            }
        }
    }

    /// The track's next packet; `None` at the end, and where the rest can't be read.
    fn next_packet(&mut self) -> Result<Option<Packet>> {
        loop {
            let reader = &mut self.reader;
            match guarded(|| reader.next_packet()) {
                Ok(Ok(Some(packet))) if packet.track_id != self.track => {}
                Ok(Ok(packet)) => return Ok(packet),
                Ok(Err(SymphoniaError::ResetRequired)) => {
                    if let Err(reason) = self.restart() {
                        self.stopped(&reason);
                        return Ok(None);
                    }
                }
                Ok(Err(SymphoniaError::IoError(e))) if e.kind() == IoKind::UnexpectedEof => {
                    self.broke_off = true;
                    return Ok(None);
                }
                Ok(Err(SymphoniaError::IoError(e))) if e.raw_os_error().is_some() => {
                    return Err(Error::io("read", &self.path, &e));
                }
                Ok(Err(e)) => {
                    self.stopped(&e.to_string());
                    return Ok(None);
                }
                Err(panic) => {
                    self.stopped(&panic);
                    return Ok(None);
                }
            }
        }
    }

    /// Goes on with the next stream of a chain (a recording appended to another).
    fn restart(&mut self) -> std::result::Result<(), String> {
        let track: &Track = self
            .reader
            .default_track(TrackType::Audio)
            .ok_or("the next part of the chain holds no audio")?;
        let (codec, _) = Codec::new(track)?;
        self.track = track.id;
        self.time_base = track.time_base;
        self.expected = track.start_ts.get();
        self.codec = codec;
        Ok(())
    }

    /// Whether audio is missing in front of `packet`: its silence is then due first.
    fn lost_before(&mut self, packet: &Packet) -> bool {
        let (Some(base), Some(form)) = (self.time_base, self.form) else { return false };
        let tick = f64::from(base.numer.get()) / f64::from(base.denom.get());
        let ticks = packet.pts.get().saturating_sub(self.expected);
        let seconds = ticks as f64 * tick;
        if seconds < MIN_GAP_SECONDS || !self.comparable() {
            return false;
        }
        let time = self.time();
        if seconds > MAX_GAP_SECONDS {
            self.damage.note(format!(
                "the time stamps jump ahead by {seconds:.0} s at {time:.3} s: not filled"
            ));
            return false;
        }
        let packets = (ticks as u64).div_ceil(packet.block_dur().get().max(1));
        self.damage.gap(time, seconds, packets);
        self.silence = (seconds * f64::from(form.rate)).round() as u64;
        true
    }

    /// Whether the time stamps count from where this source counts.
    fn comparable(&self) -> bool {
        self.decoded_any || self.promised.is_some()
    }

    /// Fills `mono` with the mean over the channels of `interleaved`.
    fn mix(&mut self, form: SignalSpec) -> Result<()> {
        mix(&self.interleaved, form, &mut self.mono).map_err(|Unusable(at)| {
            let frame = at / form.channels;
            let index = self.position + frame as u64;
            let time = self.time() + frame as f64 / f64::from(form.rate);
            Error::new(ErrorKind::Audio, format!("unusable sample in {}", self.path.display()))
                .expected("finite samples in range about ±1")
                .found(format!(
                    "{} at sample {index} ({time:.4} s) of channel {} of {}",
                    self.interleaved[at],
                    at % form.channels + 1,
                    form.channels
                ))
                .hint("the program that wrote the file divided by zero or overflowed")
        })?;
        self.decoded_any |= !self.mono.is_empty();
        Ok(())
    }

    fn give_mono(&mut self) -> Result<()> {
        self.position += self.mono.len() as u64;
        let Some(resampler) = &mut self.resampler else { return Ok(()) };
        let start = Instant::now();
        let result = resampler.push(&self.mono, &mut self.ready);
        self.resampling += start.elapsed();
        result
    }

    fn stopped(&mut self, reason: &str) {
        let time = self.time();
        if self.decoded_any {
            self.damage.note(format!("decoding stopped at {time:.3} s: {reason}"));
        } else {
            self.damage.packet_failed(time, reason.to_owned());
        }
    }

    /// Flushes what is inside and draws up the warnings.
    fn end(&mut self) -> Result<()> {
        if !self.decoded_any {
            return Err(match self.damage.reason() {
                Some(reason) => {
                    cannot_decode(&self.path).expected("at least 1 sample").found(reason)
                }
                None => cannot_decode(&self.path)
                    .expected("at least 1 sample")
                    .found("a file that holds no samples")
                    .hint("the recording may have been stopped before it was written"),
            });
        }
        if let Some(resampler) = &mut self.resampler {
            resampler.finish(&mut self.ready)?;
        }
        let (time, rate) = (self.time(), self.form.map_or(SAMPLE_RATE, |form| form.rate));
        match self.promised {
            Some(promised) if promised > self.position => self.damage.note(format!(
                "the file is cut short: its header promises {:.3} s, it holds {time:.3} s",
                promised as f64 / f64::from(rate)
            )),
            None if self.broke_off => self.damage.note(format!(
                "the file is cut short: it breaks off at {time:.3} s, before its end"
            )),
            _ => {}
        }
        self.warnings = std::mem::take(&mut self.damage).into_warnings();
        self.state = State::Ended;
        Ok(())
    }
}

impl Source for FileSource {
    fn read(&mut self, out: &mut [f32]) -> Result<usize> {
        let mut written = 0;
        loop {
            let ready = &self.ready[self.ready_from..];
            let taken = ready.len().min(out.len() - written);
            out[written..written + taken].copy_from_slice(&ready[..taken]);
            self.ready_from += taken;
            written += taken;
            if written == out.len() {
                return Ok(written);
            }
            self.ready.clear();
            self.ready_from = 0;
            match &self.state {
                State::Ended => return Ok(written),
                // What came before an error is handed out first, whatever length is asked for.
                State::Failed(_) if written > 0 => return Ok(written),
                State::Failed(error) => return Err(error.clone()),
                State::Reading => {
                    if let Err(error) = self.advance() {
                        self.state = State::Failed(error);
                    }
                }
            }
        }
    }

    fn resampling(&self) -> Duration {
        self.resampling
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
