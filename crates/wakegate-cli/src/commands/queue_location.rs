//! The settings of every command that can end in a clip: one file, read in one way.

use std::path::{Path, PathBuf};

use clap::Args;
#[cfg(feature = "corpora")]
use wakegate::model::Model;
use wakegate::{Error, ErrorKind, Result};

use crate::config::Config;

#[cfg(feature = "corpora")]
use super::open_model;
use super::{Engine, output};

/// Which settings, and which queue.
#[derive(Args)]
pub struct QueueLocation {
    /// The settings; `wakegate config print` shows all of them. Of a recording only its wake word
    /// and its `[review]` count
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Folder of the queue, instead of the settings' own. That alone keeps nothing: the settings
    /// have to say `enabled = true`, and `wakegate review consent` comes first
    #[arg(long, value_name = "DIR", global = true)]
    queue: Option<PathBuf>,
    /// File with the device key, instead of the settings' own
    #[arg(long, value_name = "FILE", global = true)]
    key_file: Option<PathBuf>,
}

impl QueueLocation {
    /// Whether the command line names a queue.
    pub fn names_a_queue(&self) -> bool {
        self.queue.is_some()
    }

    /// Refuses a key without the queue that it would open.
    #[cfg(feature = "corpora")]
    pub fn key_needs_a_queue(&self) -> Result<()> {
        if self.key_file.is_none() || self.names_a_queue() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Settings, "--key-file is refused")
            .expected("--queue DIR too, whose key it is")
            .found("no queue"))
    }

    /// The settings file, where the command line names one.
    pub fn file(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Refuses a settings file that a program which runs on can't read again: a pipe would hold
    /// it up.
    pub fn is_plain(&self) -> Result<()> {
        let Some(file) = self.file() else { return Ok(()) };
        let about = std::fs::metadata(file).map_err(|e| Error::io("examine", file, &e))?;
        if about.is_file() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Settings, format!("cannot read {} again", file.display()))
            .expected("a plain file")
            .found("something else"))
    }

    /// The settings, with the folder and the key file of the command line, and with what `engine`
    /// says instead.
    pub fn config(&self, engine: Option<&Engine>) -> Result<Config> {
        let mut config = settings(self.file(), engine)?;
        if let Some(directory) = &self.queue {
            config.review.directory.clone_from(directory);
        }
        if self.key_file.is_some() {
            config.review.key_file.clone_from(&self.key_file);
        }
        config.validate()?;
        Ok(config)
    }

    /// Says that nothing will be kept where a queue or its key is named and the settings do not enable it.
    pub fn warn_if_off(&self, config: &Config) {
        let named = self.names_a_queue() || self.key_file.is_some();
        if named && !config.review.enabled {
            let why = match self.file() {
                Some(file) => format!("{} says `enabled = false`", file.display()),
                None => "no settings file says `enabled = true`".to_owned(),
            };
            let hint = "(hint: --config FILE with that line under [review])";
            output::warning("review", &format!("nothing will be kept: {why} {hint}"));
        }
    }
}

/// The settings of `file`, with the model and the operating point of `engine`. Without a point, the
/// thresholds stay the owner's, whichever model they are held against.
pub fn settings(file: Option<&Path>, engine: Option<&Engine>) -> Result<Config> {
    let mut config = file.map(Config::open).transpose()?.unwrap_or_default();
    if let Some(model) = engine.and_then(|engine| engine.model.as_ref()) {
        let [word] = config.wake_word.as_mut_slice() else {
            return Err(several(&config, "--model names the model of one wake word"));
        };
        word.model = Some(model.clone());
    }
    let point = engine.map(|engine| (engine.sensitivity, engine.intended_at));
    if let Some(point) = point.filter(|point| *point != (None, None)) {
        for word in &mut config.wake_word {
            (word.sensitivity, word.intended_at) = point;
        }
    }
    config.validate()?;
    Ok(config)
}

/// The one model that the settings name, with their thresholds.
#[cfg(feature = "corpora")]
pub fn only_model(config: &Config) -> Result<Model> {
    let [word] = config.wake_word.as_slice() else {
        return Err(several(config, "recordings are judged for one wake word"));
    };
    word.applied(open_model(word.model.as_deref())?)
}

fn several(config: &Config, what: &str) -> Error {
    Error::new(ErrorKind::Settings, what)
        .expected("one [[wake_word]] in the settings")
        .found(config.wake_word.len().to_string())
        .hint("name a settings file with one")
}
