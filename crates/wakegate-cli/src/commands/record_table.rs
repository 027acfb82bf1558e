//! Records as a table for people.

use std::io::{self, IsTerminal, Write};

use anstyle::Style;
use wakegate_lab::scoring::Record;

use super::output::{bar, plain, verdict_style};

/// Writes a line for each record as it comes: so the path, whose length nobody knows before,
/// is last.
pub struct TableWriter<W> {
    out: W,
    colours: bool,
}

impl<W: Write> TableWriter<W> {
    /// Begins a table with its header.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W) -> io::Result<Self> {
        let colours = io::stdout().is_terminal()
            && anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        let bold = if colours { Style::new().bold() } else { Style::new() };
        let heads = ["verdict", "reason", "p_intended", "word at s", "recording"];
        let [verdict, reason, p_intended, at, path] = heads;
        let line = format!("{verdict:<10}  {reason:<13}  {p_intended:<26}  {at:<15}  {path}");
        writeln!(out, "{bold}{line}{bold:#}")?;
        Ok(Self { out, colours })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        let verdict = record.verdict.as_deref().unwrap_or("error");
        let style = if self.colours { verdict_style(verdict) } else { Style::new() };
        let posterior = record.p_intended.map_or(String::new(), |p| format!("{} {p:.3}", bar(p)));
        let word = match (record.start_s, record.end_s) {
            (Some(start), Some(end)) => format!("{start:.2} to {end:.2}"),
            _ => String::new(),
        };
        let mut about = record.path.clone();
        match &record.error {
            Some(text) if text.contains(&record.path) => about.clone_from(text),
            Some(text) => about += &format!(": {text}"),
            None => {}
        }
        if let Some(channel) = record.channel {
            about += &format!(", channel {channel}");
        }
        // Each is `code: text`; the texts are said at the end.
        let codes = record.warnings.iter().filter_map(|text| text.split(':').next());
        let codes: Vec<&str> = codes.collect();
        if !codes.is_empty() {
            about += &format!("  ({})", codes.join(", "));
        }
        let reason = record.reason.as_deref().unwrap_or_default();
        writeln!(
            self.out,
            "{style}{verdict:<10}{style:#}  {reason:<13}  {posterior:<26}  {word:<15}  {}",
            plain(&about),
        )
    }

    /// Passes on what is written.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// What it writes to.
    pub fn into_inner(self) -> W {
        self.out
    }
}
