//! Raw PCM from a reader as a capture device: what `arecord -t raw` writes to a pipe.

use std::io::{ErrorKind as Io, Read};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use super::header::Look;
use super::input::{Fault, Input, Stream, faults};
use super::resample::check_rate;
use super::ring::{Channel, Writer, ring};
use crate::{Error, ErrorKind, Result};

/// Bytes of a sample.
const BYTES: usize = 2;
/// Blocks a second.
const BLOCKS: usize = 50;
/// How long a full ring is left alone.
const PAUSE: Duration = Duration::from_millis(1);

/// Signed 16-bit little-endian samples, interleaved, without a header.
///
/// A pipe has no clock of its own: where the ring is full, it waits, so nothing is ever lost.
pub struct Pipe {
    name: String,
    rate: u32,
    channels: usize,
    channel: Channel,
    ring_frames: usize,
    reader: Option<Box<dyn Read + Send>>,
}

impl Pipe {
    /// A device that reads `reader`; `ring_frames` as in [`ring`].
    ///
    /// # Errors
    /// [`ErrorKind::Audio`] for a rate that can't be used.
    pub fn new(
        name: impl Into<String>,
        reader: Box<dyn Read + Send>,
        rate: u32,
        channels: usize,
        channel: Channel,
        ring_frames: usize,
    ) -> Result<Self> {
        check_rate(rate)?;
        let name = name.into();
        Ok(Self { name, rate, channels, channel, ring_frames, reader: Some(reader) })
    }
}

impl Input for Pipe {
    fn open(&mut self) -> Result<Stream> {
        let Some(reader) = self.reader.take() else {
            return Err(Error::new(ErrorKind::Device, format!("cannot reopen {}", self.name))
                .expected("a pipe that is read once")
                .hint("start the program again with a new pipe"));
        };
        let block = (self.rate as usize / BLOCKS).max(1);
        let (mut writer, samples) = ring(self.ring_frames.max(block), self.channels, self.channel)?;
        let (mut fault_in, fault_out) = faults();
        let channels = self.channels;
        let feed = move || {
            if let Err((message, hint)) = feed(reader, &mut writer, block, channels) {
                // Before the writer goes: who sees the end sees why. A full queue already holds
                // a reason to stop.
                let message = message.into();
                let _ = fault_in.push(Fault { fatal: true, message, hint });
            }
            drop(writer);
        };
        // Left to itself: a read that waits for a silent pipe can't be called back.
        thread::Builder::new()
            .name("pipe".to_owned())
            .spawn(feed)
            .map_err(|e| Error::new(ErrorKind::Io, "cannot start a thread").found(e.to_string()))?;
        let form = format!("{}: {} Hz, {} channel(s), s16le", self.name, self.rate, self.channels);
        Ok(Stream::new(samples, self.rate, form, fault_out, Box::new(())).that_ends())
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Moves everything from `reader` to the ring, until its end or until nobody listens; where that
/// fails, says why and what helps.
fn feed(
    mut reader: Box<dyn Read + Send>,
    writer: &mut Writer,
    block: usize,
    channels: usize,
) -> std::result::Result<(), (String, &'static str)> {
    let frame = BYTES * channels;
    let mut look = Look::default();
    let refused =
        |error: Error| (error.to_string(), "have the samples alone written: `arecord -t raw ...`");
    let mut bytes = Zeroizing::new(vec![0; block * frame]);
    let mut samples = Zeroizing::new(Vec::with_capacity(block * channels));
    let mut filled = 0;
    loop {
        let count = match reader.read(&mut bytes[filled..]) {
            Ok(0) => return look.end().map_err(refused),
            Ok(count) => count,
            Err(error) if error.kind() == Io::Interrupted => continue,
            Err(error) => {
                return Err((error.to_string(), "check the program that writes to the pipe"));
            }
        };
        look.take(&bytes[filled..filled + count]).map_err(refused)?;
        filled += count;
        let whole = filled - filled % frame;
        samples.clear();
        samples.extend(
            bytes[..whole].chunks_exact(BYTES).map(|pair| i16::from_le_bytes([pair[0], pair[1]])),
        );
        while writer.room() < whole / frame {
            if writer.is_abandoned() {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        if whole > 0 {
            writer.push(&samples, |sample| f32::from(sample) / 32_768.0);
        }
        bytes.copy_within(whole..filled, 0);
        filled -= whole;
    }
}
