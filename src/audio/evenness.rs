//! Whether samples are as even as compressed or encrypted data: every level as frequent as every
//! other, up to full scale, and none like the one before it. No recording is.

/// Samples that are counted.
const COUNTED: u32 = 16_000;
/// Least samples by which anything is said.
const LEAST: u32 = 4_000;
/// How far the frequency of a level may be from that of the others, as a share of it.
const SPREAD: f64 = 0.3;
/// Likeness of neighbours from which they are sound.
const LIKENESS: f64 = 0.1;

/// Counts the levels of the first second.
#[derive(Debug, Default)]
pub(super) struct Evenness {
    levels: [u32; 16],
    count: u32,
    last: f64,
    power: f64,
    product: f64,
}

impl Evenness {
    pub(super) fn take(&mut self, sample: i16) {
        if self.count == COUNTED {
            return;
        }
        self.count += 1;
        self.levels[usize::from((sample as u16) >> 12)] += 1;
        let value = f64::from(sample);
        self.power += value * value;
        self.product += value * self.last;
        self.last = value;
    }

    /// Whether they are no sound, by what has come so far.
    pub(super) fn is_data(&self) -> bool {
        let each = f64::from(self.count) / self.levels.len() as f64;
        let is_usual = |&count: &u32| (f64::from(count) - each).abs() < SPREAD * each;
        self.count >= LEAST
            && self.levels.iter().all(is_usual)
            && self.product.abs() < LIKENESS * self.power
    }
}
