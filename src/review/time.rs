//! The queue's own time: it never goes back, and never stands still while the process runs.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::gate::Moment;

/// Milliseconds since 1970 as RFC 3339, UTC, whole seconds.
pub(super) fn stamp(ms: i64) -> String {
    match Timestamp::from_second(ms.div_euclid(1000)) {
        Ok(at) => at.to_string(),
        Err(_) => format!("{ms} ms since 1970"),
    }
}

/// A day since 1970-01-01 as `YYYY-MM-DD`.
pub(super) fn day_name(day: i64) -> String {
    let date = i32::try_from(day).ok().and_then(|day| {
        Date::constant(1970, 1, 1).checked_add(jiff::Span::new().try_days(day).ok()?).ok()
    });
    date.map_or_else(|| format!("day {day}"), |date| date.to_string())
}

/// Turns what the clocks say into a time that only goes forward.
///
/// A wall clock that is set back does not lengthen a clip's life: time goes on from the
/// latest moment ever seen, at the pace of the steady clock. Only where the time on record is
/// earlier than what this process put or found there has an owner set it, and it starts anew.
#[derive(Debug, Default)]
pub(super) struct Timekeeper {
    /// The queue's time at the last look, and the steady clock then.
    last: Option<(i64, u64)>,
    /// The latest time that this process has put on record, or found there.
    recorded: Option<i64>,
}

impl Timekeeper {
    /// The queue's time in milliseconds since 1970; `seen` is the latest one on record.
    pub(super) fn advance(&mut self, moment: &Moment, seen: i64) -> i64 {
        if self.recorded.is_some_and(|recorded| seen < recorded) {
            *self = Self::default();
        }
        self.recorded = self.recorded.max(Some(seen));
        let (last, steady) = self.last.unwrap_or((seen, moment.steady_ms));
        let passed = moment.steady_ms.saturating_sub(steady);
        let run = last.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX));
        let now = run.max(seen).max(moment.unix_ms);
        self.last = Some((now, moment.steady_ms));
        now
    }

    /// Notes that `now` is on record.
    pub(super) fn recorded(&mut self, now: i64) {
        self.recorded = Some(now);
    }
}

/// The local day of the queue's time `ms`, in days since 1970.
pub(super) fn local_day(ms: i64, moment: &Moment) -> i64 {
    Moment { unix_ms: ms, ..*moment }.local_day()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_ms: i64, steady_ms: u64) -> Moment {
        Moment { unix_ms, steady_ms, utc_offset_s: 0 }
    }

    #[test]
    fn time_goes_on_when_the_clock_is_set_back() {
        let mut time = Timekeeper::default();
        assert_eq!(time.advance(&at(1_000_000, 0), 0), 1_000_000);
        assert_eq!(time.advance(&at(1_000_500, 500), 1_000_000), 1_000_500);
        assert_eq!(time.advance(&at(0, 1500), 1_000_500), 1_001_500, "set back");
        assert_eq!(time.advance(&at(2_000, 3500), 1_001_500), 1_003_500);
        assert_eq!(time.advance(&at(9_000_000, 4000), 1_003_500), 9_000_000, "set forward");
        assert_eq!(time.advance(&at(1_004_500, 5000), 9_000_000), 9_001_000, "and back");
    }

    #[test]
    fn a_new_process_starts_at_the_latest_time_on_record() {
        let mut time = Timekeeper::default();
        assert_eq!(time.advance(&at(0, 70), 5_000), 5_000);
        assert_eq!(time.advance(&at(0, 90), 5_000), 5_020);
        assert_eq!(time.advance(&at(0, 100), 8_000), 8_000, "another process saw more");
        assert_eq!(time.advance(&at(0, 100), 7_000), 7_000, "and its owner set the time");
    }

    #[test]
    fn a_time_that_was_set_back_on_record_counts_from_then_on() {
        let mut time = Timekeeper::default();
        assert_eq!(time.advance(&at(9_000_000, 0), 0), 9_000_000, "far ahead");
        // What was not recorded, as on a full disk, is no reason to go back.
        assert_eq!(time.advance(&at(1_000, 10), 0), 9_000_010);
        time.recorded(9_000_010);
        assert_eq!(time.advance(&at(1_000, 20), 9_000_010), 9_000_020);
        assert_eq!(time.advance(&at(1_000, 30), 1_000), 1_000, "set");
        assert_eq!(time.advance(&at(1_000, 50), 1_000), 1_020);
    }

    #[test]
    fn days_and_moments_are_written_as_people_write_them() {
        assert_eq!(stamp(1_764_064_800_999), "2025-11-25T10:00:00Z");
        assert_eq!(day_name(20_417), "2025-11-25");
        assert_eq!(day_name(-1), "1969-12-31");
        assert_eq!(day_name(i64::MAX), format!("day {}", i64::MAX));
    }
}
