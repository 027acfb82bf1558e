//! The times of the fragments of an MP4 file.

use super::mp4_boxes::{be32, be64, boxes, inner};

/// When the fragments of a track are due, against the sum of those before.
pub(super) struct Fragments {
    track: u32,
    default_duration: u32,
    /// The sum of all durations so far, and the time of the first fragment.
    sum: u64,
    first: Option<u64>,
    pub(super) shifts: Vec<(i64, i64)>,
}

impl Fragments {
    pub(super) fn new(track: u32, movie: &[u8]) -> Self {
        let extends = inner(movie, &[b"mvex"]).unwrap_or_default();
        let own = boxes(extends)
            .find(|(name, body)| name == b"trex" && be32(body, 4) == Some(track))
            .and_then(|(_, body)| be32(body, 12));
        Self { track, default_duration: own.unwrap_or(0), sum: 0, first: None, shifts: Vec::new() }
    }

    pub(super) fn add(&mut self, fragment: &[u8]) {
        for (_, part) in boxes(fragment).filter(|(name, _)| name == b"traf") {
            let Some(head) = inner(part, &[b"tfhd"]) else { continue };
            if be32(head, 4) != Some(self.track) {
                continue;
            }
            if let Some(time) = inner(part, &[b"tfdt"]) {
                let wide = time.first() == Some(&1);
                let due = if wide { be64(time, 4) } else { be32(time, 4).map(u64::from) };
                let due = due.unwrap_or(0);
                let first = *self.first.get_or_insert(due.saturating_sub(self.sum));
                let late = due.saturating_sub(first).saturating_sub(self.sum);
                if let (Ok(from), Ok(late)) = (i64::try_from(self.sum), i64::try_from(late))
                    && self.shifts.last().map_or(late > 0, |last| last.1 != late)
                {
                    self.shifts.push((from, late));
                }
            }
            let flags = be32(head, 0).unwrap_or(0);
            let at = 8 + 8 * usize::from(flags & 1 != 0) + 4 * usize::from(flags & 2 != 0);
            let default = (flags & 8 != 0).then(|| be32(head, at)).flatten();
            let default = default.unwrap_or(self.default_duration);
            for (_, run) in boxes(part).filter(|(name, _)| name == b"trun") {
                self.sum = self.sum.saturating_add(duration(run, default));
            }
        }
    }
}

/// Samples of all runs of a fragment.
pub(super) fn run_samples(fragment: &[u8]) -> u64 {
    let parts = boxes(fragment).filter(|(name, _)| name == b"traf");
    let runs = parts.flat_map(|(_, part)| boxes(part)).filter(|(name, _)| name == b"trun");
    runs.filter_map(|(_, run)| be32(run, 4)).map(u64::from).sum()
}

/// The durations of the samples of a `trun` box.
fn duration(run: &[u8], default: u32) -> u64 {
    let (Some(flags), Some(count)) = (be32(run, 0), be32(run, 4)) else { return 0 };
    if flags & 0x100 == 0 {
        return u64::from(count) * u64::from(default);
    }
    let first = 8 + 4 * usize::from(flags & 1 != 0) + 4 * usize::from(flags & 4 != 0);
    let step = 4 * (flags >> 8 & 0xf).count_ones() as usize;
    (0..count as usize).map_while(|n| be32(run, first + step * n)).map(u64::from).sum()
}
