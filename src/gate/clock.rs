//! Time as the gate and the queue see it: handed in, so that a test can turn it.

use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;

/// One moment, by three clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since 1970, UTC, by the wall clock; it may jump either way.
    pub unix_ms: i64,
    /// Milliseconds since some start; it never goes back while the process runs.
    pub steady_ms: u64,
    /// Local time's distance from UTC in seconds, positive east of Greenwich.
    pub utc_offset_s: i32,
}

impl Moment {
    /// The local calendar day, in days since 1970-01-01.
    pub fn local_day(&self) -> i64 {
        self.local_ms().div_euclid(DAY_MS)
    }

    /// The minute of the local day, 0 to 1439.
    pub fn local_minute(&self) -> u16 {
        (self.local_ms().rem_euclid(DAY_MS) / 60_000) as u16
    }

    fn local_ms(&self) -> i64 {
        self.unix_ms.saturating_add(i64::from(self.utc_offset_s) * 1000)
    }
}

/// Where moments come from.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Moment;
}

/// The machine's own clocks and time zone.
pub struct SystemClock {
    start: Instant,
    zone: TimeZone,
}

impl SystemClock {
    /// Reads the system's time zone once.
    pub fn new() -> Self {
        Self { start: Instant::now(), zone: TimeZone::system() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let now = Timestamp::now();
        Moment {
            unix_ms: now.as_millisecond(),
            steady_ms: self.start.elapsed().as_millis() as u64,
            utc_offset_s: self.zone.to_offset(now).seconds(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_day_follows_the_offset() {
        let at = |utc_offset_s| Moment { unix_ms: 1_500_000, steady_ms: 0, utc_offset_s };
        assert_eq!((at(0).local_day(), at(0).local_minute()), (0, 25));
        assert_eq!((at(-1800).local_day(), at(-1800).local_minute()), (-1, 1435));
        assert_eq!((at(86_400).local_day(), at(86_400).local_minute()), (1, 25));
    }
}
