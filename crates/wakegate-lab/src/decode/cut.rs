//! The part of a track that is the recording.

use super::mp4::Edit;
use wakegate::audio::Warning;

/// Silence in front is at most this long, in s; nobody edits more in.
const MOST_SILENCE: f64 = 600.0;
/// What is left out behind the recording is worth a word from this length on, in s.
const WORD: f64 = 0.5;

/// Leaves out what does not belong to the recording.
#[derive(Debug, Default)]
pub(super) struct Cut {
    edit: Edit,
    started: bool,
    /// Frames still to leave out, and frames still to keep.
    skip: u64,
    keep: Option<u64>,
    skipped: u64,
    /// Frames that were left out behind the recording.
    dropped: u64,
}

impl Cut {
    pub(super) fn new(edit: Edit) -> Self {
        Self { edit, ..Self::default() }
    }

    /// Leaves out `seconds` in front, unless the container says something else.
    pub(super) fn skip_seconds(&mut self, seconds: f64) {
        if self.edit.skip == 0.0 && seconds > 0.0 {
            self.edit.skip = seconds;
        }
    }

    pub(super) fn has_started(&self) -> bool {
        self.started
    }

    /// Begins at a rate, and gives the frames of silence that are due first.
    pub(super) fn start(&mut self, rate: u32) -> u64 {
        self.started = true;
        let frames = |seconds: f64| (seconds * f64::from(rate)).round() as u64;
        self.skip = frames(self.edit.skip);
        self.keep = self.edit.keep.map(frames);
        frames(self.edit.silence.clamp(0.0, MOST_SILENCE))
    }

    /// Takes from `mono` what belongs to the recording.
    pub(super) fn apply(&mut self, mono: &mut Vec<f32>) {
        let skip = self.skip.min(mono.len() as u64);
        self.skip -= skip;
        self.skipped += skip;
        mono.drain(..skip as usize);
        if let Some(keep) = &mut self.keep {
            let kept = (*keep).min(mono.len() as u64);
            *keep -= kept;
            self.dropped += mono.len() as u64 - kept;
            mono.truncate(kept as usize);
        }
    }

    /// Frames that were left out on both sides.
    pub(super) fn left_out(&self) -> u64 {
        self.skipped + self.dropped
    }

    /// A warning where more was left out at the end than encoders fill up.
    pub(super) fn warning(&self, rate: u32) -> Option<Warning> {
        let seconds = self.dropped as f64 / f64::from(rate);
        (seconds > WORD).then(|| {
            let text = format!("the edit list leaves out the last {seconds:.3} s of the track");
            Warning::new("edit_list", text)
        })
    }
}
