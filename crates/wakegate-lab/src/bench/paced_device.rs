//! The sound card of the measurement.

use super::Workload;
use super::harness::BLOCK;
use wakegate::audio::SAMPLE_RATE;

/// A sound card that plays the workload again and again.
pub(super) struct Device<'w> {
    samples: &'w [i16],
    /// Device samples for each of 16 kHz.
    factor: usize,
    pub(super) block: Vec<i16>,
    /// Blocks so far.
    pub(super) blocks: u64,
}

impl<'w> Device<'w> {
    pub(super) fn new(workload: &'w Workload, rate: u32) -> Self {
        let factor = (rate / SAMPLE_RATE) as usize;
        let block = vec![0; BLOCK * factor];
        Self { samples: workload.samples(), factor, block, blocks: 0 }
    }

    /// Samples at 16 kHz up to the end of the latest block.
    pub(super) fn recorded(&self) -> u64 {
        self.blocks * BLOCK as u64
    }

    /// Records the next block. Between the samples of 16 kHz lie zeros: what is converted back is the
    /// same signal, because the resampler takes away all that the zeros brought.
    pub(super) fn record(&mut self) {
        let start = (self.recorded() % self.samples.len() as u64) as usize;
        let round = self.samples[start..].iter().chain(self.samples.iter().cycle());
        for (frame, &sample) in self.block.chunks_exact_mut(self.factor).zip(round) {
            frame[0] = sample;
        }
        self.blocks += 1;
    }
}
