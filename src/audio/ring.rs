//! The lock-free ring between a sound card's callback and the thread that judges.
//!
//! The callback's side converts, mixes to mono, pushes and counts; it never allocates, locks,
//! calls the system or panics. Blocks carry the absolute number of their first frame, so that
//! what is lost is known by its place and length. What was read is overwritten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};
use zeroize::Zeroize;

use crate::{Error, ErrorKind, Result};

/// Least frames that a block is reckoned to have: it bounds the number of block records.
const SHORTEST_BLOCK: usize = 16;
/// Least number of block records, for rings that are short.
const FEWEST_BLOCKS: usize = 32;
/// Most channels of a device.
const MOST_CHANNELS: usize = 64;

/// Which channel of a device is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// The mean of all.
    Mix,
    /// One of them, from 1.
    One(usize),
}

/// What one side counts and the other reads. Every number only goes up.
#[derive(Debug, Default)]
pub struct Flow {
    callbacks: AtomicU64,
    frames: AtomicU64,
    overruns: AtomicU64,
    lost_frames: AtomicU64,
    xruns: AtomicU64,
    /// The next block does not follow on the one before, by a gap of unknown length.
    broken: AtomicBool,
}

impl Flow {
    /// Blocks that came from the device, lost ones included.
    pub fn callbacks(&self) -> u64 {
        self.callbacks.load(Ordering::Relaxed)
    }

    /// Frames that came from the device, lost ones included.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Blocks that found no room in the ring.
    pub fn overruns(&self) -> u64 {
        self.overruns.load(Ordering::Relaxed)
    }

    /// Frames in those blocks.
    pub fn lost_frames(&self) -> u64 {
        self.lost_frames.load(Ordering::Relaxed)
    }

    /// Overruns that the device itself reported; how much they lost is not known.
    pub fn xruns(&self) -> u64 {
        self.xruns.load(Ordering::Relaxed)
    }

    /// The device lost samples of its own: the next block stands after a gap.
    pub fn report_xrun(&self) {
        self.xruns.fetch_add(1, Ordering::Relaxed);
        self.broken.store(true, Ordering::Relaxed);
    }
}

/// One callback's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Number of the first frame since the device was opened, lost frames included.
    pub first: u64,
    /// Frames in it.
    pub frames: usize,
    /// Whether the device reported that it lost frames right before this block.
    pub after_xrun: bool,
}

/// The callback's side.
pub struct Writer {
    samples: Producer<f32>,
    blocks: Producer<Block>,
    flow: Arc<Flow>,
    channels: usize,
    channel: Channel,
    next: u64,
}

/// The judging thread's side.
pub struct Reader {
    samples: Consumer<f32>,
    blocks: Consumer<Block>,
    flow: Arc<Flow>,
}

/// A ring for `capacity` frames of a device with `channels` channels.
///
/// # Errors
/// [`ErrorKind::Settings`] for a channel that the device has not, or no capacity.
pub fn ring(capacity: usize, channels: usize, channel: Channel) -> Result<(Writer, Reader)> {
    if !(1..=MOST_CHANNELS).contains(&channels) {
        return Err(Error::new(ErrorKind::Settings, "cannot capture this many channels")
            .expected(format!("1 to {MOST_CHANNELS}"))
            .found(channels.to_string()));
    }
    if let Channel::One(number) = channel
        && !(1..=channels).contains(&number)
    {
        return Err(Error::new(ErrorKind::Settings, "the device has no such channel")
            .expected(format!("1 to {channels}"))
            .found(number.to_string())
            .hint("list the devices with `wakegate devices`; leave `channel` out to mix them"));
    }
    if capacity == 0 {
        return Err(Error::new(ErrorKind::Settings, "the ring is refused")
            .expected("room for at least one frame")
            .found("none"));
    }
    let (sample_in, sample_out) = RingBuffer::new(capacity);
    let (block_in, block_out) =
        RingBuffer::new(capacity.div_ceil(SHORTEST_BLOCK).max(FEWEST_BLOCKS));
    let flow = Arc::new(Flow::default());
    let writer = Writer {
        samples: sample_in,
        blocks: block_in,
        flow: Arc::clone(&flow),
        channels,
        channel,
        next: 0,
    };
    Ok((writer, Reader { samples: sample_out, blocks: block_out, flow }))
}

impl Writer {
    /// Takes one callback's interleaved samples; a frame that is not whole is left out.
    ///
    /// A block without room is lost as a whole, and counted.
    pub fn push<T: Copy>(&mut self, interleaved: &[T], convert: impl Fn(T) -> f32) {
        let frames = interleaved.len() / self.channels;
        let after_xrun = self.flow.broken.swap(false, Ordering::Relaxed);
        let block = Block { first: self.next, frames, after_xrun };
        self.next += frames as u64;
        if !self.store(block, interleaved, convert) {
            self.flow.overruns.fetch_add(1, Ordering::Relaxed);
            self.flow.lost_frames.fetch_add(frames as u64, Ordering::Relaxed);
            if after_xrun {
                self.flow.broken.store(true, Ordering::Relaxed);
            }
        }
        self.flow.frames.fetch_add(frames as u64, Ordering::Relaxed);
        // Last, so that who sees the callback counted sees what it brought.
        self.flow.callbacks.fetch_add(1, Ordering::Release);
    }

    /// Frames for which there is room.
    pub fn room(&self) -> usize {
        if self.blocks.is_full() { 0 } else { self.samples.slots() }
    }

    /// Whether nobody reads any more.
    pub fn is_abandoned(&self) -> bool {
        self.samples.is_abandoned()
    }

    /// What is counted.
    pub fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    fn store<T: Copy>(
        &mut self,
        block: Block,
        interleaved: &[T],
        convert: impl Fn(T) -> f32,
    ) -> bool {
        if self.blocks.is_full() {
            return false;
        }
        let Ok(chunk) = self.samples.write_chunk_uninit(block.frames) else { return false };
        let frames = interleaved.chunks_exact(self.channels);
        match (self.channel, self.channels) {
            (Channel::Mix, 1) => chunk.fill_from_iter(interleaved.iter().map(|&s| convert(s))),
            (Channel::Mix, channels) => {
                let scale = 1.0 / channels as f64;
                let sum = |frame: &[T]| frame.iter().map(|&s| f64::from(convert(s))).sum::<f64>();
                chunk.fill_from_iter(frames.map(|frame| (sum(frame) * scale) as f32))
            }
            // `ring` has checked that the channel is there.
            (Channel::One(number), _) => {
                chunk.fill_from_iter(frames.map(|frame| convert(frame[number - 1])))
            }
        };
        self.blocks.push(block).is_ok()
    }
}

impl Reader {
    /// Moves the next block's samples to `out`, instead of what was there; `None` where there
    /// is none yet.
    pub fn pop(&mut self, out: &mut Vec<f32>) -> Option<Block> {
        let block = self.blocks.pop().ok()?;
        out.clear();
        if let Ok(mut chunk) = self.samples.read_chunk(block.frames) {
            let (first, second) = chunk.as_mut_slices();
            out.extend_from_slice(first);
            out.extend_from_slice(second);
            first.zeroize();
            second.zeroize();
            chunk.commit_all();
        }
        Some(block)
    }

    /// Frames that wait.
    pub fn waiting(&self) -> usize {
        self.samples.slots()
    }

    /// Whether nobody writes any more.
    pub fn is_abandoned(&self) -> bool {
        self.blocks.is_abandoned()
    }

    /// What is counted.
    pub fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let waiting = self.samples.slots();
        if let Ok(mut chunk) = self.samples.read_chunk(waiting) {
            let (first, second) = chunk.as_mut_slices();
            first.zeroize();
            second.zeroize();
            chunk.commit_all();
        }
    }
}
