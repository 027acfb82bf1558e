//! wakegate for Python: the extension module behind the package `wakegate`.
#![deny(clippy::unwrap_used, clippy::expect_used)]
// The docstrings are for Python: "[n]" is a shape.
#![allow(rustdoc::broken_intra_doc_links)]

mod batch;
mod error;
mod features;
mod gate;
mod listener;
mod pool;
mod results;
mod rows;
mod samples;

use pyo3::prelude::*;
use wakegate::pipeline::SCHEMA;
use wakegate_lab::scoring::Shape;

use crate::error::Outcome;

/// The gate, its scores and its stream; imported as `wakegate`.
#[pymodule]
mod _wakegate {
    #[pymodule_export]
    use crate::batch::Scores;
    #[pymodule_export]
    use crate::features::features;
    #[pymodule_export]
    use crate::gate::Gate;
    #[pymodule_export]
    use crate::listener::Listener;
    #[pymodule_export]
    use crate::{check_carry, json_text};

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("SCHEMA", super::SCHEMA)?;
        module.add("AUDIO_EXTENSIONS", wakegate_lab::decode::AUDIO_EXTENSIONS)
    }
}

/// A value as it stands in a table's column of text: None for None, text as it is, anything else
/// as JSON.
#[pyfunction]
fn json_text(object: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    Ok(match rows::value(object)? {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    })
}

/// Refuses columns to carry that a table of scores has anyway.
#[pyfunction]
fn check_carry(carry: Vec<String>) -> Outcome<()> {
    Ok(Shape { carried: carry, ..Shape::default() }.check()?)
}
