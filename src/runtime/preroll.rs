//! The latest audio, for what an intended activation lends. It is wiped as it grows older.

use zeroize::{Zeroize, Zeroizing};

/// The latest samples of a stream, in one piece.
pub struct PreRoll {
    /// Room for twice what is kept, so that moving it is seldom.
    samples: Zeroizing<Vec<f32>>,
    kept: usize,
    /// Place of the first sample here in the stream.
    first: u64,
}

impl PreRoll {
    /// Keeps at least the latest `kept` samples.
    pub fn new(kept: usize) -> Self {
        Self { samples: Zeroizing::new(Vec::with_capacity(2 * kept)), kept, first: 0 }
    }

    /// Adds the stream's next samples.
    pub fn push(&mut self, samples: &[f32]) {
        // More than is kept would only push itself out.
        let skipped = samples.len().saturating_sub(self.kept);
        if skipped > 0 {
            self.drop_all_but(0);
            self.first += skipped as u64;
        }
        let samples = &samples[skipped..];
        if self.samples.len() + samples.len() > 2 * self.kept {
            self.drop_all_but(self.kept - samples.len());
        }
        self.samples.extend_from_slice(samples);
    }

    /// The samples from the stream's sample `first` on, or the oldest that are here, with the
    /// place of the first of them.
    pub fn since(&self, first: u64) -> (u64, &[f32]) {
        let first = first.clamp(self.first, self.first + self.samples.len() as u64);
        (first, &self.samples[(first - self.first) as usize..])
    }

    /// Wipes everything; the next sample is the stream's sample `first`.
    pub fn restart(&mut self, first: u64) {
        self.drop_all_but(0);
        self.first = first;
    }

    /// Moves the latest `count` samples to the front and wipes what they leave.
    fn drop_all_but(&mut self, count: usize) {
        let dropped = self.samples.len() - count.min(self.samples.len());
        self.samples.copy_within(dropped.., 0);
        let left = self.samples.len() - dropped;
        self.samples[left..].zeroize();
        self.samples.truncate(left);
        self.first += dropped as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_samples_stand_at_their_places_and_memory_never_grows() {
        for chunk in [1, 3, 7, 10, 25] {
            let mut preroll = PreRoll::new(10);
            preroll.restart(100);
            let room = preroll.samples.capacity();
            let mut next = 100_u64;
            for _ in 0..40 {
                let samples: Vec<f32> = (0..chunk).map(|n| (next + n) as f32).collect();
                preroll.push(&samples);
                next += chunk;
                let (first, kept) = preroll.since(next.saturating_sub(10).max(100));
                assert_eq!(first + kept.len() as u64, next);
                assert!(kept.iter().enumerate().all(|(n, &s)| s == (first + n as u64) as f32));
                assert!(kept.len() as u64 >= (next - 100).min(10));
                assert_eq!(preroll.samples.capacity(), room);
            }
            assert_eq!(preroll.since(next + 5), (next, [].as_slice()));
        }
    }

    #[test]
    fn what_is_older_than_is_kept_is_gone() {
        let mut preroll = PreRoll::new(4);
        preroll.push(&[1.0, 2.0, 3.0, 4.0]);
        preroll.push(&[5.0, 6.0, 7.0, 8.0]);
        preroll.push(&[9.0]);
        assert_eq!(preroll.since(0), (5, [6.0, 7.0, 8.0, 9.0].as_slice()));
        preroll.restart(50);
        assert_eq!(preroll.since(0), (50, [].as_slice()));
    }
}
