//! What the owner allows to be kept.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::Moment;
use crate::{Error, ErrorKind, Result};

/// Which intended activations may become clips, and how much of the audio around the word.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Whether anything may be kept at all.
    pub enabled: bool,
    /// Share of the intended activations to draw, 0 to 1.
    pub sampling_rate: f64,
    /// Most clips a local day, 0 to 100,000.
    pub daily_cap: u32,
    /// Least free space on the queue's file system in bytes; below it nothing is kept.
    pub min_free_bytes: u64,
    /// Local times in which nothing is kept.
    pub quiet_hours: Vec<QuietHours>,
    /// Seconds kept before the word, 0 to 10.
    pub before_s: f64,
    /// Seconds kept after the word, 0 to 30.
    pub after_s: f64,
    /// Least posterior of intended that may be kept, 0 to 1; the model's own threshold holds
    /// beside it.
    pub min_p_intended: f32,
}

impl Default for Policy {
    /// Nothing is kept.
    fn default() -> Self {
        Self {
            enabled: false,
            sampling_rate: 1.0,
            daily_cap: 50,
            min_free_bytes: 500_000_000,
            quiet_hours: Vec::new(),
            before_s: 1.0,
            after_s: 4.0,
            min_p_intended: 0.0,
        }
    }
}

impl Policy {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] names the first one that is out of it.
    pub fn validate(&self) -> Result<()> {
        in_range("sampling_rate", self.sampling_rate, 0.0..=1.0)?;
        in_range("daily_cap", f64::from(self.daily_cap), 0.0..=100_000.0)?;
        in_range("before_s", self.before_s, 0.0..=10.0)?;
        in_range("after_s", self.after_s, 0.0..=30.0)?;
        in_range("min_p_intended", f64::from(self.min_p_intended), 0.0..=1.0)
    }

    /// Whether `now` lies in the quiet hours.
    pub fn is_quiet(&self, now: &Moment) -> bool {
        self.quiet_hours.iter().any(|hours| hours.contain(now.local_minute()))
    }
}

/// Refuses a review setting outside of its range.
///
/// # Errors
/// [`ErrorKind::Settings`]; a NaN lies in no range, so it is refused too.
pub(crate) fn in_range(key: &str, value: f64, range: RangeInclusive<f64>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Settings, format!("review setting {key} is refused"))
        .expected(format!("{} to {}", range.start(), range.end()))
        .found(value.to_string()))
}

/// A part of the local day, `HH:MM-HH:MM`; it may reach over midnight. The end is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// First minute of the day, 0 to 1439.
    from: u16,
    /// Minute after the last, 0 to 1439; equal to `from` for the whole day.
    to: u16,
}

impl QuietHours {
    fn contain(self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

impl FromStr for QuietHours {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let two = |text: &str| {
                let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
                if digits { text.parse::<u16>().ok() } else { None }
            };
            let (hour, minute) = (two(hour)?, two(minute)?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        text.split_once('-')
            .and_then(|(from, to)| Some(Self { from: minute(from)?, to: minute(to)? }))
            .ok_or_else(|| {
                Error::new(ErrorKind::Settings, "review setting quiet_hours is refused")
                    .expected("two times of the day as in 22:00-07:00")
                    .found(format!("{text:?}"))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> QuietHours {
        text.parse().unwrap()
    }

    #[test]
    fn quiet_hours_reach_over_midnight() {
        let night = hours("22:00-07:00");
        assert!(night.contain(22 * 60) && night.contain(0) && night.contain(419));
        assert!(!night.contain(420) && !night.contain(1319));
        let noon = hours("12:00-13:30");
        assert!(noon.contain(720) && !noon.contain(810) && !noon.contain(0));
        assert!((0..1440).all(|minute| hours("08:00-08:00").contain(minute)));
    }

    #[test]
    fn what_is_no_time_of_the_day_is_refused() {
        for bad in ["", "22:00", "24:00-07:00", "22:60-07:00", "2:00-7:00", "+1:00-07:00", "a-b"] {
            let error = bad.parse::<QuietHours>().unwrap_err();
            assert!(error.to_string().contains("22:00-07:00"), "{bad}: {error}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        type Change = fn(&mut Policy);
        let changes: [(&str, Change); 5] = [
            ("sampling_rate", |p| p.sampling_rate = f64::NAN),
            ("daily_cap", |p| p.daily_cap = 100_001),
            ("before_s", |p| p.before_s = -0.1),
            ("after_s", |p| p.after_s = 30.1),
            ("min_p_intended", |p| p.min_p_intended = 1.1),
        ];
        for (key, change) in changes {
            let mut policy = Policy::default();
            change(&mut policy);
            assert!(policy.validate().unwrap_err().to_string().contains(key), "{key}");
        }
        Policy::default().validate().unwrap();
    }
}
