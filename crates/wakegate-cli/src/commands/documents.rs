//! `wakegate completions` and `wakegate manual`: what a package brings beside the program.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use wakegate::{Error, Result};

use super::output::{self, counted};
use super::{Arguments, Outcome};

/// Print the completions for a shell
///
/// The Debian package installs them.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
        wakegate completions bash > ~/.local/share/bash-completion/completions/wakegate\n  \
        wakegate completions zsh > ~/.zfunc/_wakegate")]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<Outcome> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "wakegate", &mut text);
        match io::stdout().lock().write_all(&text) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(output::unwritten(&error))
            }
            _ => Ok(Outcome::AllWell),
        }
    }
}

/// Write the man pages, one for each command, to a folder
#[derive(Args)]
#[command(after_help = "Examples:\n  \
        wakegate manual man && man man/wakegate-score.1")]
pub struct Manual {
    /// The folder; made if it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Manual {
    pub fn run(self) -> Result<Outcome> {
        let unwritten = |error: io::Error| Error::io("write", &self.folder, &error);
        fs::create_dir_all(&self.folder).map_err(unwritten)?;
        clap_mangen::generate_to(Arguments::command(), &self.folder).map_err(unwritten)?;
        let pages = fs::read_dir(&self.folder).map_err(unwritten)?.count();
        anstream::eprintln!("{} in {}", counted(pages, "page"), self.folder.display());
        Ok(Outcome::AllWell)
    }
}
