//! A device that captures, whatever it is: a sound card, a pipe, a stand-in in a test.

use std::any::Any;
use std::borrow::Cow;

use rtrb::{Consumer, Producer, RingBuffer};

use super::ring::Reader;
use crate::{Error, ErrorKind, Result};

/// Most problems that wait to be seen; one is enough to reopen the device.
const MOST_FAULTS: usize = 16;

/// Something that can be opened, and opened again after a fault.
pub trait Input: Send {
    /// Opens the device and starts it: blocks come from now on.
    ///
    /// # Errors
    /// [`ErrorKind::Device`] with the way out: no such device, busy, no permission.
    fn open(&mut self) -> Result<Stream>;

    /// How reports call it.
    fn name(&self) -> &str;
}

/// An open device. Dropping it closes the device.
pub struct Stream {
    /// What is captured.
    pub reader: Reader,
    /// Frames a second.
    pub rate: u32,
    /// The device and its form, for people.
    pub description: String,
    faults: FaultReceiver,
    ends: bool,
    _device: Box<dyn Any + Send>,
}

/// What a device says of itself while it is open; made without allocating.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Whether the stream goes on.
    pub fatal: bool,
    /// What happened.
    pub message: Cow<'static, str>,
    /// The way out.
    pub hint: &'static str,
}

impl Fault {
    /// As an error.
    pub fn into_error(self, device: &str) -> Error {
        Error::new(ErrorKind::Device, device.to_owned()).found(self.message).hint(self.hint)
    }
}

/// Where a device leaves its faults.
pub type FaultSender = Producer<Fault>;
/// The end of the queue that is asked.
pub type FaultReceiver = Consumer<Fault>;

/// A place for faults: the device's side, and the stream's.
pub fn faults() -> (FaultSender, FaultReceiver) {
    RingBuffer::new(MOST_FAULTS)
}

impl Stream {
    /// An open device that `device` keeps open; see [`faults`] for the other end.
    pub fn new(
        reader: Reader,
        rate: u32,
        description: String,
        faults: FaultReceiver,
        device: Box<dyn Any + Send>,
    ) -> Self {
        Self { reader, rate, description, faults, ends: false, _device: device }
    }

    /// The same stream, which ends where its writer is gone. One that doesn't end never lacks
    /// a writer, so a missing one is then a fault.
    #[must_use]
    pub fn that_ends(mut self) -> Self {
        self.ends = true;
        self
    }

    /// The next thing that the device said.
    pub fn fault(&mut self) -> Option<Fault> {
        self.faults.pop().ok()
    }

    /// Whether audio comes by a clock of the device's own, so that silence is a fault.
    pub fn is_clocked(&self) -> bool {
        !self.ends
    }

    /// Whether everything has come that will ever come.
    pub fn has_ended(&self) -> bool {
        // In this order: what was written before the writer left is seen.
        self.ends && self.reader.is_abandoned() && self.reader.waiting() == 0
    }
}
