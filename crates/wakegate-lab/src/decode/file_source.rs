//! Audio files of every supported format, streamed.

mod end;
mod open;
mod source;

use std::io::ErrorKind as IoKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::packet::Packet;
use symphonia::core::units::TimeBase;

use super::codec::{Codec, Failure, guarded};
use super::cut::Cut;
use super::damage::Damage;
use super::demux::Demuxer;
use wakegate::audio::Warning;
use wakegate::audio::downmix::{Mixer, SignalSpec, check_channel};
use wakegate::audio::resample::Resampler;
use wakegate::error::{Error, Result};

/// Silence put in for one loss is at most this long, in s: a damaged time stamp can ask for years.
const MAX_GAP_SECONDS: f64 = 60.0;
/// A jump shorter than this, in s, is a container's rounding and no loss.
const MIN_GAP_SECONDS: f64 = 0.005;
/// Frames of silence made at once.
const SILENCE_FRAMES: u64 = 4_096;
/// A packet that can't be decoded counts for no more frames than this, or than the longest that
/// could be: its own account of its length may be damaged too.
const USUAL_FRAMES: u64 = 2_048;

/// An audio file as a [`Source`](wakegate::audio::Source), at any rate from 2 to 384 kHz, all channels mixed down to their
/// mean or one of them alone. `docs/formats.md` says which formats there are.
///
/// The file is decoded packet by packet, so that memory does not grow with its length. What can't
/// be decoded in the middle is replaced by silence of the same length and told in the
/// [`warnings`](wakegate::audio::Source::warnings); what comes after keeps its time.
pub struct FileSource {
    path: PathBuf,
    demuxer: Box<dyn Demuxer>,
    /// What decodes the file, if that is another program.
    decoder: Option<&'static str>,
    time_base: Option<TimeBase>,
    /// Frames that a header promises which knows them.
    promised: Option<u64>,
    codec: Codec,
    form: Option<SignalSpec>,
    resampler: Option<Resampler>,
    interleaved: Vec<f32>,
    mono: Vec<f32>,
    mixer: Mixer,
    cut: Cut,
    /// Samples at 16 kHz to hand out, from `ready_from` on.
    ready: Vec<f32>,
    ready_from: usize,
    /// A packet that waits for the silence in front of it.
    held: Option<Packet>,
    /// Frames of silence still to give.
    silence: u64,
    /// When the next packet is due, in s by the container's clock.
    expected: f64,
    /// Frames of the longest packet, and of the last one.
    longest: u64,
    latest: u64,
    /// Whether the packet before could not be decoded.
    was_lost: bool,
    /// Frames given since `seconds_before`, silence included, at the input rate.
    position: u64,
    /// Seconds given in another form, where the form changes in mid-file.
    seconds_before: f64,
    decoded_any: bool,
    broke_off: bool,
    damage: Damage,
    warnings: Vec<Warning>,
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

    /// What decodes the file, where that is another program.
    pub fn decoder(&self) -> Option<&'static str> {
        self.decoder
    }

    /// As [`channels`](FileSource::channels), decoding as far as is needed to know.
    ///
    /// # Errors
    /// As [`read`](wakegate::audio::Source::read).
    pub fn wait_for_channels(&mut self) -> Result<usize> {
        loop {
            match (self.channels(), &self.state) {
                (Some(channels), _) => return Ok(channels),
                (None, State::Failed(error)) => return Err(error.clone()),
                (None, State::Ended) => return Ok(1),
                (None, State::Reading) => {
                    if let Err(error) = self.advance() {
                        self.state = State::Failed(error);
                    }
                }
            }
        }
    }

    /// Seconds given so far, silence included.
    fn time(&self) -> f64 {
        let rate = self.form.map_or(f64::INFINITY, |form| f64::from(form.rate));
        self.seconds_before + self.position as f64 / rate
    }

    /// Takes `form` for what follows: the samples of another rate so far are finished first.
    fn set_form(&mut self, form: SignalSpec) -> Result<()> {
        check_channel(self.mixer.channel(), form)
            .map_err(|error| error.context(self.path.display()))?;
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
        let start = self.seconds(packet.pts.get());
        if let Some(rate) = self.form.map(|form| form.rate).filter(|_| !self.cut.has_started()) {
            if packet.trim_start.get() == 0 && !self.codec.skips_by_itself() {
                self.cut.skip_seconds(-start);
            }
            self.silence = self.cut.start(rate);
            if self.silence > 0 {
                self.held = Some(packet);
                return Ok(());
            }
        }
        let outcome = self.codec.decode(&packet, &mut self.interleaved);
        let failure = match outcome {
            Ok(form) => match self.take(form, &packet, start) {
                Ok(()) => return self.give_mono(),
                Err(Unfit::Recording(error)) => return Err(error),
                Err(Unfit::Packet(reason)) => Failure::Packet(reason),
            },
            Err(failure) => failure,
        };
        match failure {
            Failure::Packet(reason) => {
                self.lose(&packet, start, reason);
                Ok(())
            }
            Failure::Stream(reason) => {
                self.stopped(&reason);
                self.end()
            }
        }
    }

    /// Takes what `packet`, which is due at `start` s, was decoded to.
    fn take(
        &mut self,
        form: SignalSpec,
        packet: &Packet,
        start: f64,
    ) -> std::result::Result<(), Unfit> {
        let mixed = self.mixer.mix(&self.interleaved, form, &mut self.mono);
        if let Err(sample) = mixed {
            // A codec makes no such samples but of damaged packets; a file's own are refused.
            if !self.codec.is_float() {
                return Err(Unfit::Packet("its samples are out of range".to_owned()));
            }
            let subject = format!(" in {}", self.path.display());
            let error = sample.into_error(&subject, "wrote the file", form, self.position);
            return Err(Unfit::Recording(error));
        }
        let frames = (self.interleaved.len() / form.channels) as u64;
        if frames == 0 && packet.dur.get() > 0 && !self.codec.skips_by_itself() {
            return Err(Unfit::Packet("it gave no samples".to_owned()));
        }
        self.set_form(form).map_err(Unfit::Recording)?;
        let whole = frames + self.codec.skipped();
        self.latest = whole;
        self.longest = self.longest.max(whole);
        let block = self.seconds_of(packet.block_dur().get());
        self.expected = start + block.max(whole as f64 / f64::from(form.rate));
        self.was_lost = false;
        self.decoded_any |= frames > 0;
        self.cut.apply(&mut self.mono);
        Ok(())
    }

    /// Puts one packet of silence in the place of a packet that can't be decoded.
    fn lose(&mut self, packet: &Packet, start: f64, reason: String) {
        let time = self.time();
        self.damage.packet_failed(time, reason);
        let Some(form) = self.form else { return };
        let own = (self.seconds_of(packet.block_dur().get()) * f64::from(form.rate)).round() as u64;
        let frames = if own > 0 { own } else { self.latest };
        let frames = frames.min(self.longest.max(USUAL_FRAMES));
        let rate = f64::from(form.rate);
        let seconds = frames as f64 / rate;
        self.expected = start + seconds;
        let filled = self.damage.silence_for(packet.data.len(), seconds);
        self.silence = (filled * rate).round() as u64;
        self.damage.gap(time, filled, 1, self.was_lost);
        self.was_lost = true;
    }

    /// `ticks` of the container's clock in s; 0 where it has none.
    fn seconds(&self, ticks: i64) -> f64 {
        let tick = |base: TimeBase| f64::from(base.numer.get()) / f64::from(base.denom.get());
        self.time_base.map_or(0.0, |base| ticks as f64 * tick(base))
    }

    fn seconds_of(&self, ticks: u64) -> f64 {
        self.seconds(i64::try_from(ticks).unwrap_or(i64::MAX))
    }

    /// The track's next packet; `None` at the end, and where the rest can't be read.
    fn next_packet(&mut self) -> Result<Option<Packet>> {
        loop {
            let demuxer = &mut self.demuxer;
            match guarded(|| demuxer.next_packet()) {
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

    /// Goes on with the next stream of a chain (a recording appended to another), or with frames
    /// of another form.
    fn restart(&mut self) -> std::result::Result<(), String> {
        let track = self.demuxer.track().ok_or("the next part of the chain holds no audio")?;
        let (codec, _) = Codec::new(track)?;
        let start = track.start_ts.get();
        self.time_base = track.time_base;
        self.codec = codec;
        self.expected = self.seconds(start);
        Ok(())
    }

    /// Whether audio is missing in front of `packet`: its silence is then due first.
    fn lost_before(&mut self, packet: &Packet) -> bool {
        let (Some(_), Some(form)) = (self.time_base, self.form) else { return false };
        let due = self.seconds(packet.pts.get());
        let seconds = due - self.expected;
        // Before the first packet, time stamps may count from anywhere.
        if seconds < MIN_GAP_SECONDS || !(self.decoded_any || self.promised.is_some()) {
            return false;
        }
        self.expected = due;
        let time = self.time();
        // No more silence than there is sound, but for what one loss may take.
        let left = MAX_GAP_SECONDS + time - 2.0 * self.damage.lost_seconds();
        if seconds > MAX_GAP_SECONDS.min(left) {
            self.damage.jump(time, seconds);
            return false;
        }
        let block = self.seconds_of(packet.block_dur().get());
        let block = if block > 0.0 { block } else { self.latest as f64 / f64::from(form.rate) };
        let packets = if block > 0.0 { (seconds / block - 1e-6).ceil() as u64 } else { 1 };
        self.damage.gap(time, seconds, packets, self.was_lost);
        self.silence = (seconds * f64::from(form.rate)).round() as u64;
        true
    }

    fn give_mono(&mut self) -> Result<()> {
        self.position += self.mono.len() as u64;
        let Some(resampler) = &mut self.resampler else { return Ok(()) };
        let start = Instant::now();
        let result = resampler.push(&self.mono, &mut self.ready);
        self.resampling += start.elapsed();
        result
    }
}

/// Why samples are not taken.
enum Unfit {
    /// They are those of a damaged packet.
    Packet(String),
    /// All of the recording is of no use.
    Recording(Error),
}
