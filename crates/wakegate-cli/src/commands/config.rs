//! `wakegate config`: the daemon's configuration, shown and checked.

use std::path::PathBuf;

use crate::config;
use crate::config::Config;
use crate::daemon;
use clap::Subcommand;
use wakegate::Result;

use super::{Outcome, output};

/// Show or check the configuration of `wakegate listen`
#[derive(Subcommand)]
#[command(after_help = "Examples:\n  \
        wakegate config print > wakegate.toml\n  \
        wakegate config check wakegate.toml")]
pub enum ConfigCommand {
    /// Print the complete configuration with comments: the default, or that of a file
    Print {
        /// Take the values from this file
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Check a file, and the models and certificates that it names, as `listen` does at its start;
    /// what only the daemon's user may read, it looks at itself.
    /// Exit code: 0 it is taken, 2 it is refused, and why
    Check {
        /// The file
        #[arg(value_name = "FILE", required_unless_present = "config")]
        file: Option<PathBuf>,
        /// The same, as every other command calls it
        #[arg(long, value_name = "FILE", conflicts_with = "file")]
        config: Option<PathBuf>,
    },
}

impl ConfigCommand {
    pub fn run(self) -> Result<Outcome> {
        match self {
            Self::Print { config } => {
                let config =
                    config.as_deref().map_or_else(|| Ok(Config::default()), Config::open)?;
                output::line(format_args!("{}", config::print(&config).trim_end()))?;
            }
            Self::Check { file, config } => {
                let file = file.or(config).unwrap_or_default();
                let config = Config::open(&file)?;
                daemon::check(&config).map_err(|error| error.context(file.display()))?;
                let changes = config::changes(&Config::default(), &config);
                output::line(format_args!("{}: taken", file.display()))?;
                for change in changes {
                    output::line(format_args!("  {change}"))?;
                }
            }
        }
        Ok(Outcome::AllWell)
    }
}
