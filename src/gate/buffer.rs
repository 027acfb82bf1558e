//! The one kind of memory that audio near the gate lives in.

use zeroize::{DefaultIsZeroes, Zeroize};

/// Memory that is overwritten when dropped, and kept out of swap where the system allows it.
///
/// It can't be cloned, compared, serialised or printed: there is one copy, and it ends here.
pub struct Guarded<T: DefaultIsZeroes> {
    /// Before `memory`: the pages are unlocked only after [`Drop`] has overwritten them.
    lock: Option<region::LockGuard>,
    /// Whole pages around the values, so that a lock never covers anything else's memory.
    memory: Vec<T>,
    /// Index of the first value in `memory`.
    start: usize,
    length: usize,
}

impl<T: DefaultIsZeroes> Guarded<T> {
    /// `length` zeros.
    pub fn new(length: usize) -> Self {
        let page = region::page::size() / size_of::<T>();
        let pages = length.div_ceil(page);
        // One page more than needed, so that a page boundary can be found inside.
        let memory = vec![T::default(); (pages + 1) * page];
        let start = memory.as_ptr().align_offset(region::page::size()).min(page);
        let pages = &memory[start..start + pages * page];
        let lock = match pages.is_empty() {
            true => None,
            false => region::lock(pages.as_ptr(), size_of_val(pages)).ok(),
        };
        Self { lock, memory, start, length }
    }

    /// The values.
    pub fn as_slice(&self) -> &[T] {
        &self.memory[self.start..self.start + self.length]
    }

    /// The values, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.memory[self.start..self.start + self.length]
    }

    /// Overwrites the values in a way that the compiler does not leave out.
    pub fn wipe(&mut self) {
        self.memory.as_mut_slice().zeroize();
    }
}

impl<T: DefaultIsZeroes> Drop for Guarded<T> {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// Samples in `f32` that are overwritten when dropped, and kept out of swap where the system
/// allows it.
///
/// It can't be cloned, compared, serialised or printed: there is one copy, and it ends here.
pub struct AudioBuffer(Guarded<f32>);

impl AudioBuffer {
    /// `samples` of silence.
    pub fn silent(samples: usize) -> Self {
        Self(Guarded::new(samples))
    }

    /// A copy of `samples`. The original is the caller's to wipe.
    pub fn copy_of(samples: &[f32]) -> Self {
        let mut buffer = Self::silent(samples.len());
        buffer.samples_mut().copy_from_slice(samples);
        buffer
    }

    /// The samples, 16 kHz mono, full scale at ±1.
    pub fn samples(&self) -> &[f32] {
        self.0.as_slice()
    }

    /// The samples, to be written.
    pub fn samples_mut(&mut self) -> &mut [f32] {
        self.0.as_mut_slice()
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.0.length
    }

    /// Whether it holds no sample.
    pub fn is_empty(&self) -> bool {
        self.0.length == 0
    }

    /// Whether the samples can't reach swap.
    pub fn is_locked(&self) -> bool {
        self.0.lock.is_some() || self.is_empty()
    }

    /// Overwrites the samples with silence in a way that the compiler does not leave out.
    pub fn wipe(&mut self) {
        self.0.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_pages<T: DefaultIsZeroes>(length: usize) {
        let buffer = Guarded::<T>::new(length);
        let page = region::page::size();
        assert_eq!(buffer.as_slice().as_ptr() as usize % page, 0);
        let whole = length.div_ceil(page / size_of::<T>()) * (page / size_of::<T>());
        assert!(buffer.start + whole <= buffer.memory.len());
        assert_eq!(buffer.as_slice().len(), length);
    }

    #[test]
    fn a_buffer_lies_on_whole_pages_of_its_own() {
        for length in [1, 1023, 1024, 1025, 4096, 80_000] {
            check_pages::<f32>(length);
            check_pages::<u8>(length);
        }
        assert!(AudioBuffer::silent(0).is_empty());
    }

    #[test]
    fn a_wipe_leaves_nothing() {
        let mut buffer = AudioBuffer::copy_of(&[0.25; 5000]);
        assert!(buffer.samples().iter().all(|&sample| sample == 0.25));
        buffer.wipe();
        assert!(buffer.0.memory.iter().all(|sample| sample.to_bits() == 0));
    }
}
