//! The device as the judging thread sees it: opened, watched, and opened again after a fault.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};
use zeroize::{Zeroize, Zeroizing};

use super::metrics::Counters;
use crate::config::Audio;
use wakegate::audio::ring::{Block, Flow};
use wakegate::audio::{Input, Stream};
use wakegate::metric::Counter;
use wakegate::{Error, ErrorKind};

/// First pause after a fault; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// What a look at the device brought.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// A block, at this rate; its samples are in [`Device::samples`].
    Block(Block, u32),
    /// Nothing yet.
    Nothing,
    /// It was opened, at this rate.
    Opened(u32),
    /// It failed and was closed.
    Lost,
    /// It is closed, and will be for so long.
    Closed(Duration),
    /// It came to its end.
    End,
    /// It failed, and there is no use in opening it again.
    Failed(Error),
}

/// A device that is kept open.
pub struct Device {
    input: Box<dyn Input>,
    stream: Option<Watched>,
    samples: Zeroizing<Vec<f32>>,
    counters: Arc<Counters>,
    stall: Duration,
    longest_pause: Duration,
    pause: Duration,
    retry_at: Instant,
    /// Whether one that can't be opened is tried again.
    patient: bool,
}

/// An open stream, with what was last seen of it.
struct Watched {
    stream: Stream,
    callbacks: u64,
    last_callback: Instant,
    opened: Instant,
    seen: Seen,
}

/// The stream's own counters as they were when they were last added up.
#[derive(Default)]
struct Seen {
    frames: u64,
    lost_frames: u64,
    overruns: u64,
    xruns: u64,
}

impl Device {
    /// One that is not `patient` gives up where the first attempt fails.
    pub fn new(
        input: Box<dyn Input>,
        audio: &Audio,
        counters: Arc<Counters>,
        patient: bool,
    ) -> Self {
        Self {
            input,
            stream: None,
            samples: Zeroizing::new(Vec::new()),
            counters,
            stall: Duration::from_secs_f64(audio.stall_s),
            longest_pause: Duration::from_secs_f64(audio.retry_max_s),
            pause: FIRST_PAUSE,
            retry_at: Instant::now(),
            patient,
        }
    }

    /// The samples of the last block: mono, at the device's rate.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// Frames that wait in the ring.
    pub fn waiting(&self) -> usize {
        self.stream.as_ref().map_or(0, |watched| watched.stream.reader.waiting())
    }

    /// Looks at the device, and opens it where it is time to.
    pub fn next(&mut self) -> Found {
        let Some(watched) = &mut self.stream else { return self.open() };
        let stream = &mut watched.stream;
        watched.seen.add_up(stream.reader.flow(), &self.counters);
        self.counters.waiting_frames.set(stream.reader.waiting() as u64);
        let fault = std::iter::from_fn(|| stream.fault()).find(|fault| fault.fatal);
        if let Some(fault) = fault {
            let name = self.input.name().to_owned();
            return self.close(fault.into_error(&name));
        }
        // Before the pop, so that an end is only seen where nothing came before it.
        let ended = stream.has_ended();
        let now = Instant::now();
        if let Some(block) = stream.reader.pop(&mut self.samples) {
            (watched.callbacks, watched.last_callback) = (stream.reader.flow().callbacks(), now);
            if now.duration_since(watched.opened) > self.stall {
                self.pause = FIRST_PAUSE;
            }
            return Found::Block(block, stream.rate);
        }
        if ended {
            watched.seen.add_up(stream.reader.flow(), &self.counters);
            return Found::End;
        }
        let callbacks = stream.reader.flow().callbacks();
        if callbacks != watched.callbacks {
            (watched.callbacks, watched.last_callback) = (callbacks, now);
        }
        if stream.is_clocked() && now.duration_since(watched.last_callback) >= self.stall {
            let message = format!("{} is silent", self.input.name());
            return self.close(
                Error::new(ErrorKind::Device, message)
                    .expected("audio all the time")
                    .found(format!("none for {} s", self.stall.as_secs_f64()))
                    .hint("check the cable and the card's capture switch with alsamixer"),
            );
        }
        Found::Nothing
    }

    fn open(&mut self) -> Found {
        let now = Instant::now();
        if now < self.retry_at {
            return Found::Closed(self.retry_at - now);
        }
        match self.input.open() {
            Ok(stream) => {
                info!(device = stream.description, "listening");
                self.counters.opened.inc();
                self.patient = true;
                let (rate, now) = (stream.rate, Instant::now());
                let seen = Seen::default();
                let watched =
                    Watched { stream, callbacks: 0, last_callback: now, opened: now, seen };
                self.stream = Some(watched);
                Found::Opened(rate)
            }
            Err(error) => self.close(error),
        }
    }

    /// Closes the device because of `error`, until the next attempt.
    fn close(&mut self, error: Error) -> Found {
        self.counters.device_faults.inc();
        let ended = self.stream.take().is_some_and(|watched| !watched.stream.is_clocked());
        self.samples.zeroize();
        if ended || !self.patient {
            return Found::Failed(error);
        }
        warn!(%error, next_attempt_s = self.pause.as_secs_f64(), "no audio");
        self.retry_at = Instant::now() + self.pause;
        self.pause = (2 * self.pause).min(self.longest_pause);
        Found::Lost
    }
}

impl Seen {
    fn add_up(&mut self, flow: &Flow, counters: &Counters) {
        let add = |seen: &mut u64, now: u64, count: &Counter| {
            count.add(now - *seen);
            *seen = now;
        };
        add(&mut self.frames, flow.frames(), &counters.frames);
        add(&mut self.lost_frames, flow.lost_frames(), &counters.lost_frames);
        add(&mut self.overruns, flow.overruns(), &counters.overruns);
        add(&mut self.xruns, flow.xruns(), &counters.xruns);
    }
}
