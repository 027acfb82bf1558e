//! Which review queue a command means, and by which settings.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use wakegate::review::Settings;
use wakegate::{Error, ErrorKind, Result};

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
            Some(path) => read(path)?,
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

/// The `[review]` section of a settings file.
fn read(path: &Path) -> Result<Settings> {
    let text = fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
    let refused = |error: toml::de::Error| {
        Error::new(ErrorKind::Settings, format!("cannot read {}", path.display()))
            .found(error.message().to_owned())
    };
    let mut table: toml::Table = text.parse().map_err(refused)?;
    let section = table.remove("review").unwrap_or_else(|| toml::Table::new().into());
    section.try_into().map_err(|error| refused(error).context("[review]"))
}
