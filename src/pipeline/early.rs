//! The moments before the end of a candidate's window at which its verdict may already come.

use super::activation::Pending;
use crate::Result;
use crate::decision::Early;
use crate::model::Manifest;

/// When a candidate is judged before the end of its window, and what has to hold then.
pub(super) struct EarlyMoments {
    pub(super) rule: Early,
    /// Frames of the window that are heard by each moment, rising.
    heard: Vec<i64>,
    /// Frames that the pause before an intended verdict lasts.
    pause: usize,
    quiet_within: f32,
    bands: usize,
    /// Loudness of the frames heard, instead of an allocation for each moment.
    levels: Vec<f32>,
}

impl EarlyMoments {
    /// As the manifest says; `None` where it has no early verdicts.
    pub(super) fn new(manifest: &Manifest) -> Result<Option<Self>> {
        let Some(early) = &manifest.verifier.early else { return Ok(None) };
        let rule = Early::new(
            early.intended_at,
            early.moved_at,
            early.accidental_below,
            early.consecutive,
        )?;
        Ok(Some(Self {
            rule,
            heard: manifest.early_frames().into_iter().map(|frames| frames as i64).collect(),
            pause: manifest.pause_frames(),
            quiet_within: early.quiet_within,
            bands: manifest.frontend.mel_bands,
            levels: Vec::with_capacity(manifest.window_frames()),
        }))
    }

    /// Frames of the window heard by the candidate's next moment; `None` where none that is left
    /// can bring a verdict.
    pub(super) fn next(&self, pending: &Pending) -> Option<i64> {
        let left = self.heard.get(pending.moment..)?;
        if !self.rule.may_settle(&pending.streak, left.len()) {
            return None;
        }
        left.first().copied()
    }

    /// Whether the last of the frames `heard`, `[frames, bands]` row-major, are a pause: on
    /// average no more than the margin louder than the quiet of them all, which is the frame at
    /// a tenth of their ranks. Loudness is the mean log-mel power of a frame.
    pub(super) fn is_pause(&mut self, heard: &[f32]) -> bool {
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
        self.levels.clear();
        self.levels.extend(heard.chunks_exact(self.bands).map(mean));
        let Some(first) = self.levels.len().checked_sub(self.pause) else { return false };
        let last = mean(&self.levels[first..]);
        self.levels.sort_unstable_by(f32::total_cmp);
        self.levels.get(self.levels.len() / 10).is_some_and(|q| last - q <= self.quiet_within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Streak, Verdict};
    use crate::pipeline::activation::Window;
    use crate::pipeline::word::Watch;

    fn moments() -> EarlyMoments {
        EarlyMoments {
            rule: Early::new(0.9, 0.8, 0.1, 2).unwrap(),
            heard: vec![230, 250],
            pause: 2,
            quiet_within: 1.5,
            bands: 2,
            levels: Vec::new(),
        }
    }

    /// Frames of two bands with these means.
    fn frames(levels: &[f32]) -> Vec<f32> {
        levels.iter().flat_map(|level| [level - 0.5, level + 0.5]).collect()
    }

    #[test]
    fn a_pause_is_as_quiet_as_the_window_was() {
        let mut moments = moments();
        let mut is_pause = |levels: &[f32]| moments.is_pause(&frames(levels));
        assert!(is_pause(&[-9.0, -9.0, -2.0, -1.0, -9.0, -8.0]));
        assert!(!is_pause(&[-9.0, -9.0, -2.0, -1.0, -9.0, -5.9]), "on average 1.55 louder");
        assert!(!is_pause(&[-9.0, -9.0, -2.0, -9.0, -9.0, -1.0, -1.0]));
        assert!(is_pause(&[-3.0, -3.0, -3.0, -3.0]), "steady noise");
    }

    #[test]
    fn one_quiet_frame_in_twenty_is_not_the_quiet() {
        let mut moments = moments();
        let mut levels = vec![-3.0; 20];
        levels[4] = -11.0;
        assert!(moments.is_pause(&frames(&levels)));
        levels[5..8].fill(-11.0);
        assert!(!moments.is_pause(&frames(&levels)));
    }

    #[test]
    fn too_few_frames_are_no_pause() {
        let mut moments = moments();
        assert!(!moments.is_pause(&frames(&[-9.0])));
        assert!(!moments.is_pause(&[]));
    }

    #[test]
    fn moments_come_as_long_as_they_can_bring_a_verdict() {
        let mut moments = moments();
        moments.heard = vec![230, 240, 250];
        let streak = Streak::default();
        let window = Window { anchor: 0, first: 0, end: 280 };
        let word = Watch::of_number(1);
        let mut pending = Pending { window, found: 0, peak: None, moment: 0, streak, word };
        assert_eq!(moments.next(&pending), Some(230));
        pending.moment = 2;
        assert_eq!(moments.next(&pending), None, "one moment is not two in a row");
        assert!(!moments.rule.settles(&mut pending.streak, Some(Verdict::Intended)));
        assert_eq!(moments.next(&pending), Some(250));
        pending.moment = 3;
        assert_eq!(moments.next(&pending), None);
    }
}
