//! The one error type: what went wrong, what was expected, what came, and a way out.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Result of a fallible wakegate operation.
pub type Result<T> = std::result::Result<T, Error>;

thread_local! {
    /// How many calls of [`caught`] this thread is in.
    static CATCHING: Cell<u32> = const { Cell::new(0) };
}

/// Runs a step of a decoder or a runtime that panics on hostile input; `None` where it did. What
/// it was working on may be in any state and must not be used again.
pub fn caught<T>(step: impl FnOnce() -> T) -> Option<T> {
    CATCHING.with(|count| count.set(count.get() + 1));
    let result = catch_unwind(AssertUnwindSafe(step));
    CATCHING.with(|count| count.set(count.get() - 1));
    result.ok()
}

/// Whether a panic of this thread would be [`caught`] now. A program's panic hook then says
/// nothing: the error that follows does.
pub fn is_catching() -> bool {
    CATCHING.with(|count| count.get() > 0)
}

/// What a caller may want to tell apart without reading the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file or folder is missing or can't be read or written.
    Io,
    /// Audio that can't be decoded, or that holds no usable samples.
    Audio,
    /// A sound card that is missing, busy, refused or gone.
    Device,
    /// A setting or argument outside its range.
    Settings,
    /// A model package that is missing, altered, or not of the expected form.
    Model,
    /// The ONNX runtime could not be loaded or refused an operation.
    Runtime,
    /// A posterior that is not a number or not a probability: never a verdict.
    Posterior,
    /// The review queue is altered, locked, not allowed, or refuses an operation.
    Review,
    /// Bytes from a peer that are not the protocol it is to speak.
    Protocol,
    /// A peer or a file that wants more than a limit of the settings gives it.
    Limit,
}

/// An error that names what was expected, what came instead, and a hint for the way out.
///
/// Its `Display` form is one line, so that it fits a JSON field and a log line alike:
/// `message: expected X, found Y (hint: Z)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    expected: Option<String>,
    found: Option<String>,
    hint: Option<String>,
}

impl Error {
    /// A new error of `kind`; `message` says what could not be done, without a final full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), expected: None, found: None, hint: None }
    }

    /// An I/O error on `path`.
    pub fn io(action: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("cannot {action} {}", path.display()))
            .found(error.to_string())
    }

    /// Says what was expected.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Says what came instead.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self
    }

    /// Says how to get out of it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error with the message put behind `context` (`context: message`).
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message alone.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What was expected alone, if it is said.
    pub fn expected_text(&self) -> Option<&str> {
        self.expected.as_deref()
    }

    /// What came instead alone, if it is said.
    pub fn found_text(&self) -> Option<&str> {
        self.found.as_deref()
    }

    /// The hint alone, if there is one.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => write!(f, ": expected {expected}, found {found}")?,
            (Some(expected), None) => write!(f, ": expected {expected}")?,
            (None, Some(found)) => write!(f, ": {found}")?,
            (None, None) => {}
        }
        if let Some(hint) = &self.hint {
            write!(f, " (hint: {hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_expected_found_and_hint_on_one_line() {
        let error = Error::new(ErrorKind::Audio, "cannot decode a.wav")
            .expected("a WAV or FLAC file")
            .found("text")
            .hint("check the file with `file a.wav`");
        assert_eq!(
            error.to_string(),
            "cannot decode a.wav: expected a WAV or FLAC file, found text (hint: check the file with `file a.wav`)"
        );
        assert_eq!(error.kind(), ErrorKind::Audio);
    }

    #[test]
    fn a_panic_that_is_caught_is_known_as_such_while_it_happens() {
        assert!(!is_catching());
        assert_eq!(caught(|| caught(is_catching)), Some(Some(true)));
        assert_eq!(caught(|| -> u8 { std::panic::resume_unwind(Box::new("fault")) }), None);
        assert!(!is_catching());
    }

    #[test]
    fn context_goes_in_front() {
        let error = Error::new(ErrorKind::Model, "wrong sha256").context("spotter.onnx");
        assert_eq!(error.to_string(), "spotter.onnx: wrong sha256");
    }
}
