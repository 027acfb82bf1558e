//! Errors of the library as Python's exceptions.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use wakegate::{Error, ErrorKind};

/// What a call from Python can end with: the library's error, or Python's own.
pub enum Failure {
    Ours(Error),
    Python(PyErr),
}

/// Result of a call from Python.
pub type Outcome<T> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Python(error) => error,
            Failure::Ours(error) => {
                Python::attach(|py| exception(py, &error).unwrap_or_else(|problem| problem))
            }
        }
    }
}

/// The exception that says what `error` says.
fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let class = py.import("wakegate._errors")?.getattr(class(error.kind()))?;
    let said = PyDict::new(py);
    said.set_item("expected", error.expected_text())?;
    said.set_item("found", error.found_text())?;
    said.set_item("hint", error.hint_text())?;
    Ok(PyErr::from_value(class.call((error.message(),), Some(&said))?))
}

/// Its class in `wakegate._errors`.
fn class(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Io => "FileError",
        ErrorKind::Audio => "AudioError",
        ErrorKind::Settings => "SettingsError",
        ErrorKind::Model => "ModelError",
        ErrorKind::Runtime => "RuntimeFailure",
        ErrorKind::Posterior => "PosteriorError",
        ErrorKind::Limit => "LimitError",
        _ => "Error",
    }
}
