//! Which review queue a command means, and by which settings.

use std::path::PathBuf;

use clap::Args;
use wakegate::Result;
use wakegate::review::Settings;

use crate::config::Config;

/// Which queue, and by which settings.
#[derive(Args)]
pub struct Place {
    /// Settings file; its [review] section counts here
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Folder of the queue, in place of the settings' own
    #[arg(long, value_name = "DIR", global = true)]
    queue: Option<PathBuf>,
    /// File with the device key, in place of the settings' own
    #[arg(long, value_name = "FILE", global = true)]
    key_file: Option<PathBuf>,
}

impl Place {
    /// Whether the command line names a queue.
    pub fn names_a_queue(&self) -> bool {
        self.queue.is_some()
    }

    /// Whether the command line names settings.
    pub fn has_settings(&self) -> bool {
        self.config.is_some()
    }

    /// The settings, with the folder and key file of the command line.
    pub fn settings(&self) -> Result<Settings> {
        let mut settings = match &self.config {
            Some(path) => Config::open(path)?.review,
            None => Settings::default(),
        };
        if let Some(directory) = &self.queue {
            settings.directory.clone_from(directory);
        }
        if self.key_file.is_some() {
            settings.key_file.clone_from(&self.key_file);
        }
        settings.validate()?;
        Ok(settings)
    }
}
