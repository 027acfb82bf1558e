//! NumPy arrays to interleaved samples.

use numpy::{PyArrayDyn, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use wakegate::{Error, ErrorKind};

use crate::error::Outcome;

/// Full scale of 16-bit samples.
const FULL_SCALE: f32 = 32_768.0;

/// Interleaved samples, shape `[frames, channels]`.
pub struct Block {
    pub samples: Vec<f32>,
    pub channels: usize,
}

impl Block {
    /// Copies a float32 or int16 array of shape `[n]` or `[n, channels]`: once the interpreter is
    /// let go, other threads may write to it.
    pub fn of(array: &Bound<'_, PyAny>) -> Outcome<Self> {
        if let Ok(array) = array.cast::<PyArrayDyn<f32>>() {
            let read = array.try_readonly().map_err(|error| refused(error.to_string()))?;
            let samples = read.as_array().iter().copied().collect();
            return Ok(Self { samples, channels: channels(array.shape())? });
        }
        if let Ok(array) = array.cast::<PyArrayDyn<i16>>() {
            let read = array.try_readonly().map_err(|error| refused(error.to_string()))?;
            let samples = read.as_array().iter().map(|&s| f32::from(s) / FULL_SCALE).collect();
            return Ok(Self { samples, channels: channels(array.shape())? });
        }
        let found = match array.cast::<PyUntypedArray>() {
            Ok(array) => format!("{} {:?}", array.dtype(), array.shape()),
            Err(_) => array.get_type().name()?.to_string(),
        };
        Err(refused(found).into())
    }
}

fn channels(shape: &[usize]) -> Result<usize, Error> {
    match shape {
        [_] => Ok(1),
        [_, channels] => Ok(*channels),
        _ => Err(refused(format!("shape {shape:?}"))),
    }
}

fn refused(found: String) -> Error {
    Error::new(ErrorKind::Settings, "cannot use these samples")
        .expected("a float32 or int16 array of shape [n] or [n, channels]")
        .found(found)
        .hint("samples.astype(\"float32\"), full scale at 1")
}
