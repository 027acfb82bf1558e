//! How far a run of `score` is, on a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use wakegate_lab::corpus::Corpus;

use super::output::{self, counted};
use super::run_summary::RunSummary;

/// How often the numbers change.
const PAUSE: Duration = Duration::from_millis(200);

/// A bar on stderr; nothing where that is no terminal.
pub struct Progress {
    bar: ProgressBar,
    start: Instant,
    shown: Instant,
}

impl Progress {
    /// Begins with nothing done. On a terminal it looks at the files of the corpus first, for the
    /// time that is left goes by their lengths.
    pub fn new(corpus: &Corpus) -> Self {
        let bar = if output::is_quiet() { ProgressBar::hidden() } else { ProgressBar::no_length() };
        if !bar.is_hidden() {
            let bytes = corpus.bytes();
            let template = match bytes {
                Some(_) => "{bar:30} {percent:>3} % {msg}, {eta} left",
                None => "{spinner} {msg}, {elapsed}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message("nothing yet");
            if let Some(bytes) = bytes {
                bar.set_length(bytes);
            }
        }
        let start = Instant::now();
        Self { bar, start, shown: start }
    }

    /// Whether anybody sees it.
    pub fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// `bytes` more of the corpus are done.
    pub fn step(&mut self, bytes: u64, tally: &RunSummary) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.inc(bytes);
        if self.shown.elapsed() > PAUSE {
            self.shown = Instant::now();
            let speed = tally.new_seconds() / self.elapsed().as_secs_f64();
            let done = counted(tally.recordings(), "recording");
            self.bar.set_message(format!("{done}, {speed:.0} times real time"));
        }
    }

    /// Runs `print` with the bar out of the way.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
