//! Lines on stdout, talk on stderr.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};
#[cfg(feature = "corpora")]
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
#[cfg(feature = "corpora")]
use clap::builder::{PathBufValueParser, TypedValueParser};
#[cfg(feature = "corpora")]
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use wakegate::{Error, ErrorKind, Result};

/// Style of the word `error:`.
const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Style of the word `warning:`.
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Whether only errors and warnings are said.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Chooses whether only errors and warnings are said on stderr.
pub fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Whether only errors and warnings are said.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Says something on stderr that is neither an error nor a warning.
pub fn talk(text: fmt::Arguments<'_>) {
    if !is_quiet() {
        anstream::eprintln!("{text}");
    }
}

/// `text` without characters that command a terminal: names of files are whoever's who made them.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let shown = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect::<String>().into()
}

/// Says on stderr what could not be done.
pub fn error(error: &Error) {
    anstream::eprintln!("{ERROR}error:{ERROR:#} {}", plain(&error.to_string()));
}

/// Says on stderr why `subject` could not be scored, which the text may name itself.
#[cfg(feature = "corpora")]
pub fn failure(subject: &str, text: &str) {
    let [subject, text] = [plain(subject), plain(text)];
    if text.contains(&*subject) {
        anstream::eprintln!("{ERROR}error:{ERROR:#} {text}");
    } else {
        anstream::eprintln!("{ERROR}error:{ERROR:#} {subject}: {text}");
    }
}

/// Says on stderr what was odd about `subject`.
pub fn warning(subject: &str, text: &str) {
    let [subject, text] = [plain(subject), plain(text)];
    anstream::eprintln!("{WARNING}warning:{WARNING:#} {subject}: {text}");
}

/// Prints one line of a table on stdout. A reader that has gone is no error.
pub fn line(text: fmt::Arguments<'_>) -> Result<()> {
    match writeln!(anstream::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unwritten(&error)),
        _ => Ok(()),
    }
}

/// Why stdout could not be written.
pub fn unwritten(error: &io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot write to stdout").found(error.to_string())
}

/// Cells of the bar of a posterior.
#[cfg(feature = "corpora")]
const BAR_CELLS: usize = 20;

/// `value`, 0 to 1, as a bar.
#[cfg(feature = "corpora")]
pub fn bar(value: f32) -> String {
    let full = (value * BAR_CELLS as f32).round() as usize;
    (0..BAR_CELLS).map(|cell| if cell < full { '█' } else { '·' }).collect()
}

/// How a verdict looks.
#[cfg(feature = "corpora")]
pub fn verdict_style(verdict: &str) -> Style {
    match verdict {
        "intended" => AnsiColor::Green.on_default(),
        "unsure" => AnsiColor::Yellow.on_default(),
        "error" => ERROR,
        _ => Style::new(),
    }
}

/// Reads the file of an `--output`. `-` is none: a file of that name is not what anybody means.
#[cfg(feature = "corpora")]
pub fn file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path: PathBuf| match path.to_str() {
        Some("-") => Err("expected the name of a file; without --output, stdout is written"),
        _ => Ok(path),
    })
}

/// JSON lines on stdout.
pub struct JsonLines {
    out: BufWriter<StdoutLock<'static>>,
    closed: bool,
}

impl JsonLines {
    /// Takes stdout for as long as it lives.
    pub fn stdout() -> Self {
        Self { out: BufWriter::new(io::stdout().lock()), closed: false }
    }

    /// Writes one object as one line, and flushes it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where stdout can't be written. A reader that has gone is none.
    pub fn print(&mut self, object: &impl Serialize) -> Result<()> {
        let result = serde_json::to_writer(&mut self.out, object)
            .map_err(io::Error::from)
            .and_then(|()| self.out.write_all(b"\n"))
            .and_then(|()| self.out.flush());
        match result {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(unwritten(&error)),
        }
    }

    /// Whether the reader of stdout has gone, so that further work is for nobody.
    #[cfg(feature = "corpora")]
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

/// A progress bar on stderr; draws nothing where that is no terminal.
#[cfg(feature = "corpora")]
pub fn progress(count: usize, unit: &str) -> ProgressBar {
    if is_quiet() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(count as u64);
    let template = format!("{{bar:30}} {{pos}}/{{len}} {unit} {{eta}}");
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// `count` with `noun`, in the plural where it is not one.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
