//! What was lost on the way, counted while decoding and told at the end.

use wakegate::audio::Warning;

/// Seconds of silence that packets which can't be decoded get whatever their size, all of them
/// together, and the bytes for each second beyond: no codec of speech takes fewer.
const MOST_FREE_SECONDS: f64 = 60.0;
const LEAST_BYTES_A_SECOND: f64 = 250.0;

/// Losses in a stream that did not stop it.
#[derive(Debug, Default)]
pub(super) struct Damage {
    failed: u64,
    /// Time in s of the first packet that failed, and the decoder's reason.
    first_failed: Option<(f64, String)>,
    gaps: u64,
    lost_packets: u64,
    lost_seconds: f64,
    first_gap: f64,
    /// Bytes of the packets that failed, seconds of silence in their place, and seconds that they
    /// claimed beyond what so few bytes can be.
    failed_bytes: u64,
    failed_seconds: f64,
    unfilled_seconds: f64,
    jumps: u64,
    /// Time in s of the first jump, and its length.
    first_jump: (f64, f64),
    notes: Vec<Warning>,
}

impl Damage {
    /// A packet at `time` s could not be decoded.
    pub(super) fn packet_failed(&mut self, time: f64, reason: String) {
        self.failed += 1;
        self.first_failed.get_or_insert((time, reason));
    }

    /// Of the `seconds` that a packet of `bytes` which failed says it has, those that silence may
    /// stand in for: a few bytes can claim hours, thousands of times.
    pub(super) fn silence_for(&mut self, bytes: usize, seconds: f64) -> f64 {
        self.failed_bytes += bytes as u64;
        let most = MOST_FREE_SECONDS + self.failed_bytes as f64 / LEAST_BYTES_A_SECOND;
        let filled = seconds.min((most - self.failed_seconds).max(0.0));
        self.failed_seconds += filled;
        self.unfilled_seconds += seconds - filled;
        filled
    }

    /// `seconds` of audio, about `packets` packets, are missing at `time` s; in a place of its own
    /// unless it `follows` the one before.
    pub(super) fn gap(&mut self, time: f64, seconds: f64, packets: u64, follows: bool) {
        if self.gaps == 0 {
            self.first_gap = time;
        }
        self.gaps += u64::from(!follows || self.gaps == 0);
        self.lost_seconds += seconds;
        self.lost_packets += packets;
    }

    /// The time stamps jump ahead by `seconds` at `time` s, further than is filled.
    pub(super) fn jump(&mut self, time: f64, seconds: f64) {
        if self.jumps == 0 {
            self.first_jump = (time, seconds);
        }
        self.jumps += 1;
    }

    /// Anything else worth a word.
    pub(super) fn note(&mut self, warning: Warning) {
        self.notes.push(warning);
    }

    /// Whether something with this code was noted.
    pub(super) fn has_note(&self, code: &str) -> bool {
        self.notes.iter().any(|note| note.code == code)
    }

    /// The first failure's reason, for an error where nothing could be decoded.
    pub(super) fn reason(&self) -> Option<&str> {
        self.first_failed.as_ref().map(|(_, reason)| reason.as_str())
    }

    /// Seconds of silence that stand in for what was lost.
    pub(super) fn lost_seconds(&self) -> f64 {
        self.lost_seconds
    }

    /// The warnings.
    pub(super) fn into_warnings(self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if let Some((time, reason)) = self.first_failed {
            let text = format!(
                "{} could not be decoded, the first at {time:.3} s: {reason}",
                counted(self.failed, "packet")
            );
            warnings.push(Warning::new("undecodable", text));
        }
        if self.gaps > 0 {
            let text = format!(
                "about {} lost, {:.3} s in {}, the first at {:.3} s: silence stands in",
                counted(self.lost_packets, "packet"),
                self.lost_seconds,
                counted(self.gaps, "place"),
                self.first_gap
            );
            warnings.push(Warning::new("lost", text));
        }
        if self.unfilled_seconds > 0.0 {
            let text = format!(
                "packets that could not be decoded claim {:.3} s more than so few bytes can hold: \
                 what follows is that much early",
                self.unfilled_seconds
            );
            warnings.push(Warning::new("jump", text));
        }
        if self.jumps > 0 {
            let (time, seconds) = self.first_jump;
            let more = match self.jumps {
                1 => String::new(),
                jumps => format!(", and in {} more", counted(jumps - 1, "place")),
            };
            let text = format!(
                "the time stamps jump ahead by {seconds:.0} s at {time:.3} s{more}: not filled"
            );
            warnings.push(Warning::new("jump", text));
        }
        warnings.extend(self.notes);
        warnings
    }
}

fn counted(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}
