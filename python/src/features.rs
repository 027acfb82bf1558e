//! Samples to the front end's frames.

use std::path::{Path, PathBuf};

use numpy::{IntoPyArray, PyArray2};
use pyo3::prelude::*;
use wakegate::Error;
use wakegate::audio::{Samples, read_all};
use wakegate::frontend::FrontEnd;
use wakegate::model::Model;

use crate::error::Outcome;
use crate::samples::Block;

/// The front end's log-mel frames of samples, without loading the networks; see `Gate.features`.
///
/// Args:
///     samples, rate: as for `Gate.score`.
///     model: as for `Gate.load`; its front end's settings count.
///
/// Returns:
///     numpy.ndarray: float32, shape [frames, mel_bands].
///
/// Raises:
///     As `Gate.features` and `Gate.load`.
#[pyfunction]
#[pyo3(signature = (samples, rate, *, model=None))]
pub fn features<'py>(
    py: Python<'py>,
    samples: &Bound<'py, PyAny>,
    rate: u32,
    model: Option<PathBuf>,
) -> Outcome<Bound<'py, PyArray2<f32>>> {
    let model = py.detach(|| open(model.as_deref()))?;
    frames(py, &model, samples, rate)
}

/// The frames of `model`.
pub fn frames<'py>(
    py: Python<'py>,
    model: &Model,
    samples: &Bound<'py, PyAny>,
    rate: u32,
) -> Outcome<Bound<'py, PyArray2<f32>>> {
    let block = Block::of(samples)?;
    let frames = py.detach(|| {
        let mut source = Samples::new(block.samples, rate, block.channels)?;
        let samples = read_all(&mut source)?;
        Ok::<_, Error>(FrontEnd::new(&model.manifest().frontend)?.process(&samples))
    })?;
    Ok(frames.into_pyarray(py))
}

/// The model in `directory`, or the wheel's own.
pub fn open(directory: Option<&Path>) -> wakegate::Result<Model> {
    directory.map_or_else(Model::embedded, Model::open)
}
