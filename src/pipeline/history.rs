//! The latest frames of a stream, for windows that reach back.

/// Ring of the latest frames; frames are numbered from the start of the stream.
pub(super) struct History {
    frames: Vec<f32>,
    bands: usize,
    capacity: usize,
    count: u64,
    silence: f32,
}

impl History {
    /// Room for `capacity` frames of `bands` values; `silence` is what frames before the
    /// stream's start hold.
    pub(super) fn new(capacity: usize, bands: usize, silence: f32) -> Self {
        Self { frames: vec![silence; capacity * bands], bands, capacity, count: 0, silence }
    }

    /// Frames seen since the start.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Adds the next frame and drops the oldest one.
    pub(super) fn push(&mut self, frame: &[f32]) {
        let row = self.row(self.count);
        self.frames[row..row + self.bands].copy_from_slice(frame);
        self.count += 1;
    }

    /// Whether the frames from `first` on are still here; those before the start always are.
    pub(super) fn holds(&self, first: i64) -> bool {
        let oldest = self.count.saturating_sub(self.capacity as u64);
        oldest == 0 || u64::try_from(first).is_ok_and(|first| first >= oldest)
    }

    /// Copies the frames from `first` to before `end` to the start of `window`, `[frames, bands]`
    /// row-major, and the last of them to every frame of the rest.
    ///
    /// Gives `false`, and a window of no use, unless there are any and all of them are here.
    #[must_use]
    pub(super) fn copy_part(&self, first: i64, end: i64, window: &mut [f32]) -> bool {
        let length = usize::try_from(end - first).unwrap_or(0) * self.bands;
        let Some((heard, rest)) = window.split_at_mut_checked(length) else { return false };
        if heard.is_empty() || !self.copy_window(first, heard) {
            return false;
        }
        let last = &heard[length - self.bands..];
        rest.chunks_exact_mut(self.bands).for_each(|frame| frame.copy_from_slice(last));
        true
    }

    /// Copies the frames from `first` on to `window`, `[frames, bands]` row-major.
    ///
    /// Gives `false`, and a window of no use, unless all of them are here.
    #[must_use]
    pub(super) fn copy_window(&self, first: i64, window: &mut [f32]) -> bool {
        let end = first + (window.len() / self.bands) as i64;
        if !self.holds(first) || end > self.count as i64 {
            return false;
        }
        for (index, target) in (first..).zip(window.chunks_exact_mut(self.bands)) {
            match u64::try_from(index) {
                Ok(index) => {
                    let row = self.row(index);
                    target.copy_from_slice(&self.frames[row..row + self.bands]);
                }
                Err(_) => target.fill(self.silence),
            }
        }
        true
    }

    /// Forgets the stream, and overwrites what it left.
    pub(super) fn reset(&mut self) {
        self.frames.fill(self.silence);
        self.count = 0;
    }

    fn row(&self, index: u64) -> usize {
        (index % self.capacity as u64) as usize * self.bands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: usize) -> History {
        let mut history = History::new(5, 2, -9.0);
        (0..count).for_each(|i| history.push(&[i as f32, i as f32 + 0.5]));
        history
    }

    #[test]
    fn a_window_before_the_start_is_silence() {
        let mut window = [0.0; 6];
        assert!(filled(2).copy_window(-1, &mut window));
        assert_eq!(window, [-9.0, -9.0, 0.0, 0.5, 1.0, 1.5]);
    }

    #[test]
    fn a_window_wraps_around_the_ring() {
        let mut window = [0.0; 10];
        assert!(filled(8).copy_window(3, &mut window));
        assert_eq!(window, [3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5]);
    }

    #[test]
    fn frames_dropped_or_not_there_yet_give_no_window() {
        let mut window = [0.0; 4];
        assert!(!filled(8).copy_window(2, &mut window));
        assert!(!filled(8).copy_window(-1, &mut window));
        assert!(!filled(8).copy_window(7, &mut window));
        assert!(filled(8).copy_window(6, &mut window));
    }

    #[test]
    fn the_rest_of_a_part_repeats_its_last_frame() {
        let mut window = [0.0; 8];
        assert!(filled(2).copy_part(-1, 1, &mut window));
        assert_eq!(window, [-9.0, -9.0, 0.0, 0.5, 0.0, 0.5, 0.0, 0.5]);
        assert!(filled(8).copy_part(4, 8, &mut window));
        assert_eq!(window, [4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5]);
        for (first, end) in [(7, 9), (2, 4), (4, 4), (4, 9), (5, 4)] {
            assert!(!filled(8).copy_part(first, end, &mut window), "{first} to {end}");
        }
    }

    #[test]
    fn reset_leaves_nothing() {
        let mut history = filled(8);
        history.reset();
        assert_eq!(history.count(), 0);
        assert!(history.frames.iter().all(|&value| value == -9.0));
    }
}
