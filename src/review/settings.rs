//! The `[review]` section of the settings.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::gate::{Policy, in_range};
use crate::{Error, ErrorKind, Result};

/// Everything about review; the `[review]` section of the daemon's TOML. Unknown keys are
/// refused. As it is by default, nothing is ever kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether intended clips may be kept for review. Also needs a recorded consent.
    /// Default: false.
    pub enabled: bool,
    /// Folder of the queue; made with mode 0700 where it is missing.
    /// Default: "/var/lib/wakegate/review".
    pub directory: PathBuf,
    /// File with the device key, mode 0600 or tighter. Put it on another medium than the queue
    /// where you can. Default: "device.key" in the queue's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Share of the intended activations that is kept, 0 to 1. Default: 1.0.
    pub sampling_rate: f64,
    /// Most clips kept a local day, 0 to 100000. Default: 50.
    pub daily_cap: u32,
    /// Least free space on the queue's file system in megabytes (10^6 bytes), 0 to 1000000;
    /// below it nothing is kept. Default: 500.
    pub min_free_mb: u32,
    /// Local times in which nothing is kept, as in ["22:00-07:00"]. Default: none.
    pub quiet_hours: Vec<String>,
    /// Seconds kept before the word, 0 to 10; the rest is cut. Default: 1.0.
    pub before_s: f64,
    /// Seconds kept after the word, 0 to 30; the rest is cut. Default: 4.0.
    pub after_s: f64,
    /// Least posterior of intended that is kept, 0 to 1; `wakegate calibrate` finds one. The
    /// model's own threshold holds beside it. Default: 0.0.
    pub min_p_intended: f32,
    /// Days until a clip is deleted, reviewed or not, 0.001 to 365. Default: 7.0.
    pub retention_days: f64,
    /// Most clips in the queue, 1 to 100000; further ones are dropped. Default: 500.
    pub max_clips: u32,
    /// Most megabytes (10^6 bytes) of clips in the queue, 1 to 100000; further ones are
    /// dropped. Default: 100.
    pub max_mb: u32,
    /// Whether the audio of a labelled clip stays until it expires. A clip labelled accidental
    /// never does. Default: false, deleted as soon as it has its label.
    pub keep_labelled: bool,
    /// Minutes for which a clip that a reviewer was given is given to nobody else, 1 to 1440.
    /// Default: 15.
    pub lease_min: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: false,
            directory: PathBuf::from("/var/lib/wakegate/review"),
            key_file: None,
            sampling_rate: 1.0,
            daily_cap: 50,
            min_free_mb: 500,
            quiet_hours: Vec::new(),
            before_s: 1.0,
            after_s: 4.0,
            min_p_intended: 0.0,
            retention_days: 7.0,
            max_clips: 500,
            max_mb: 100,
            keep_labelled: false,
            lease_min: 15,
        }
    }
}

impl Settings {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] names the first one that is out of it.
    pub fn validate(&self) -> Result<()> {
        self.policy()?;
        in_range("min_free_mb", f64::from(self.min_free_mb), 0.0..=1e6)?;
        in_range("retention_days", self.retention_days, 0.001..=365.0)?;
        in_range("max_clips", f64::from(self.max_clips), 1.0..=1e5)?;
        in_range("max_mb", f64::from(self.max_mb), 1.0..=1e5)?;
        in_range("lease_min", f64::from(self.lease_min), 1.0..=1440.0)?;
        if self.directory.as_os_str().is_empty() {
            return Err(Error::new(ErrorKind::Settings, "review setting directory is refused")
                .expected("a folder")
                .found("an empty path"));
        }
        Ok(())
    }

    /// The gate's part of the settings.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for a value out of its range.
    pub fn policy(&self) -> Result<Policy> {
        let quiet = self.quiet_hours.iter().map(|hours| hours.parse());
        let policy = Policy {
            enabled: self.enabled,
            sampling_rate: self.sampling_rate,
            daily_cap: self.daily_cap,
            min_free_bytes: u64::from(self.min_free_mb) * 1_000_000,
            quiet_hours: quiet.collect::<Result<_>>()?,
            before_s: self.before_s,
            after_s: self.after_s,
            min_p_intended: self.min_p_intended,
        };
        policy.validate()?;
        Ok(policy)
    }

    /// Where the device key lies.
    pub fn key_path(&self) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| self.directory.join("device.key"))
    }

    pub(super) fn retention_ms(&self) -> i64 {
        (self.retention_days * 86_400_000.0) as i64
    }

    pub(super) fn lease_ms(&self) -> i64 {
        i64::from(self.lease_min) * 60_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_nothing_is_kept_and_an_unknown_key_is_refused() {
        let settings: Settings = toml::from_str("").unwrap();
        assert_eq!(settings, Settings::default());
        assert!(!settings.enabled);
        settings.validate().unwrap();
        let error = toml::from_str::<Settings>("enable = true").unwrap_err();
        assert!(error.to_string().contains("unknown field `enable`"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        for (text, key) in [
            ("retention_days = 0.0", "retention_days"),
            ("retention_days = nan", "retention_days"),
            ("max_clips = 0", "max_clips"),
            ("max_mb = 100001", "max_mb"),
            ("lease_min = 0", "lease_min"),
            ("sampling_rate = 1.5", "sampling_rate"),
            ("quiet_hours = [\"10-11\"]", "quiet_hours"),
            ("min_free_mb = 1000001", "min_free_mb"),
            ("directory = \"\"", "directory"),
        ] {
            let settings: Settings = toml::from_str(text).unwrap();
            let error = settings.validate().unwrap_err();
            assert!(error.to_string().contains(key), "{text}: {error}");
        }
    }
}
