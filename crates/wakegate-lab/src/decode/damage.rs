//! What was lost on the way, counted while decoding and told at the end.

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
    notes: Vec<String>,
}

impl Damage {
    /// A packet at `time` s could not be decoded.
    pub(super) fn packet_failed(&mut self, time: f64, reason: String) {
        self.failed += 1;
        self.first_failed.get_or_insert((time, reason));
    }

    /// `seconds` of audio, about `packets` packets, are missing at `time` s.
    pub(super) fn gap(&mut self, time: f64, seconds: f64, packets: u64) {
        if self.gaps == 0 {
            self.first_gap = time;
        }
        self.gaps += 1;
        self.lost_seconds += seconds;
        self.lost_packets += packets;
    }

    /// Anything else worth a line.
    pub(super) fn note(&mut self, line: String) {
        self.notes.push(line);
    }

    /// The first failure's reason, for an error where nothing could be decoded.
    pub(super) fn reason(&self) -> Option<&str> {
        self.first_failed.as_ref().map(|(_, reason)| reason.as_str())
    }

    /// The warnings, one line each.
    pub(super) fn into_warnings(self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some((time, reason)) = self.first_failed {
            lines.push(format!(
                "{} could not be decoded, the first at {time:.3} s: {reason}",
                counted(self.failed, "packet")
            ));
        }
        if self.gaps > 0 {
            lines.push(format!(
                "about {} lost, {:.3} s in {}, the first at {:.3} s: silence stands in",
                counted(self.lost_packets, "packet"),
                self.lost_seconds,
                counted(self.gaps, "place"),
                self.first_gap
            ));
        }
        lines.extend(self.notes);
        lines
    }
}

fn counted(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}
