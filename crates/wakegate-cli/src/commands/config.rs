//! `wakegate config`: the daemon's configuration, shown and checked.

use std::path::PathBuf;

use crate::config;
use crate::config::Config;
use clap::Subcommand;
use wakegate::Result;

use super::{Outcome, output};

/// Show or check the configuration of `wakegate listen`
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Print the complete configuration with comments: the default, or that of a file
    Print {
        /// Take the values from this file
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Check a file. Exit code: 0 it is taken, 2 it is refused, and why
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
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
            Self::Check { file } => {
                let config = Config::open(&file)?;
                config.has_a_source().map_err(|error| error.context(file.display()))?;
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
