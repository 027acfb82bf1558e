//! Where the records of `score` go: to stdout as they come, or to a file that is there when all
//! of them are.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use serde_json::Value;
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::corpus::About;
use wakegate_lab::scoring::{Record, Shape};
use wakegate_lab::table::WholeFile;

use super::output;
use super::output_formats::{Format, RecordWriter};
use super::resume_journal::Journal;
use super::run_summary::RunSummary;

/// The options of the output.
#[derive(Args)]
pub struct OutputOptions {
    /// Write the records to this file, which appears when all are scored; what is scored so far
    /// is in FILE.journal
    #[arg(long, value_name = "FILE", value_parser = output::file())]
    output: Option<PathBuf>,
    /// How they are written [default: by the file's ending; a table on a terminal, else jsonl]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Go on with the run that was to write the output and ended early, if there is one
    #[arg(long, requires = "output")]
    resume: bool,
}

/// Where records go.
pub enum Destination {
    /// At once, until the reader has gone.
    Stdout(RecordWriter<Pipe>, Arc<AtomicBool>),
    /// To the journal, and from there to the file.
    File(Journal, Unwritten),
}

/// The file that is made at the end.
pub struct Unwritten {
    path: PathBuf,
    format: Format,
    shape: Shape,
}

impl OutputOptions {
    /// Whether a run before this one may have done a part.
    pub fn resumes(&self) -> bool {
        self.resume
    }

    /// Refuses an output that would take the place of one of `inputs`.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] where it is one of them.
    pub fn spares<'i>(&self, mut inputs: impl Iterator<Item = &'i Path>) -> Result<()> {
        let Some(there) = self.output.as_ref().and_then(|path| path.canonicalize().ok()) else {
            return Ok(());
        };
        match inputs.find(|input| input.canonicalize().is_ok_and(|input| input == there)) {
            None => Ok(()),
            Some(input) => Err(Error::new(ErrorKind::Settings, "--output is refused")
                .expected("another file than those that are read")
                .found(input.display().to_string())),
        }
    }

    /// Opens the destination of a `run`, and adds what is done already to `tally`; nothing where
    /// a run before this one has done all of it.
    pub fn open(
        &self,
        shape: Shape,
        run: &Value,
        tally: &mut RunSummary,
    ) -> Result<Option<Destination>> {
        shape.check()?;
        let Some(path) = &self.output else {
            let seen = if io::stdout().is_terminal() { Format::Table } else { Format::Jsonl };
            return stdout(self.format.unwrap_or(seen), shape).map(Some);
        };
        let format = self.format.map_or_else(|| Format::of(path), Ok)?;
        let journal = match Journal::path_of(path).exists() {
            true if self.resume => Journal::resume(path, run, tally)?,
            false if self.resume && path.exists() => return Ok(None),
            _ => Journal::create(path, run)?,
        };
        let file = Unwritten { path: path.clone(), format, shape };
        Ok(Some(Destination::File(journal, file)))
    }

    /// The output's name, for people.
    pub fn name(&self) -> String {
        self.output.as_deref().map_or("stdout".into(), Path::to_string_lossy).into_owned()
    }
}

fn stdout(format: Format, shape: Shape) -> Result<Destination> {
    if format == Format::Parquet && io::stdout().is_terminal() {
        return Err(Error::new(ErrorKind::Settings, "a terminal can't show Parquet")
            .expected("a file or a pipe")
            .found("a terminal")
            .hint("name a file with --output"));
    }
    let gone = Arc::new(AtomicBool::new(false));
    let pipe = Pipe { out: BufWriter::new(io::stdout()), gone: Arc::clone(&gone) };
    Ok(Destination::Stdout(RecordWriter::new(pipe, format, shape)?, gone))
}

impl Destination {
    /// Fingerprints of what a run before this one has done.
    pub fn take_done(&mut self) -> Vec<[u8; 8]> {
        match self {
            Self::Stdout(..) => Vec::new(),
            Self::File(journal, _) => journal.take_done(),
        }
    }

    /// Takes the records of a recording, and its length or the kind of error that it ended with;
    /// `false` when nobody reads them any more.
    pub fn put(
        &mut self,
        about: &About,
        length: std::result::Result<u64, &str>,
        records: &[Record],
    ) -> Result<bool> {
        match self {
            Self::Stdout(writer, gone) => {
                records.iter().try_for_each(|record| writer.write(record))?;
                writer.flush()?;
                Ok(!gone.load(Ordering::Relaxed))
            }
            Self::File(journal, _) => journal.append(about, length, records).map(|()| true),
        }
    }

    /// Ends the output: a file is there whole, or as it was.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Stdout(writer, _) => {
                let flushed = writer.finish()?.flush();
                flushed.map_err(|error| {
                    Error::new(ErrorKind::Io, "cannot write to stdout").found(error.to_string())
                })
            }
            Self::File(mut journal, file) => {
                let out = BufWriter::with_capacity(1 << 16, WholeFile::create(&file.path)?);
                let mut writer = RecordWriter::new(out, file.format, file.shape)?;
                journal.read(&mut |line| writer.write_json(line))?;
                let whole = writer
                    .finish()?
                    .into_inner()
                    .map_err(|error| Error::io("write", &file.path, error.error()))?;
                whole.commit()?;
                journal.remove()
            }
        }
    }
}

/// Stdout, whose reader may go without that being an error.
pub struct Pipe {
    out: BufWriter<io::Stdout>,
    gone: Arc<AtomicBool>,
}

impl Pipe {
    fn unless_gone<T>(&self, result: io::Result<T>, instead: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.gone.store(true, Ordering::Relaxed);
                Ok(instead)
            }
            other => other,
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.out.write(bytes);
        self.unless_gone(result, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        self.unless_gone(result, ())
    }
}
