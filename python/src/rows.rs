//! What Python gives to be scored.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyIterator, PyString, PyTuple};
use serde_json::Value;
use wakegate::audio::Samples;
use wakegate::{Error, ErrorKind};
use wakegate_lab::corpus::{About, Recording, Settings};
use wakegate_lab::scoring::ordered_parallel::Give;

use crate::batch::Audio;
use crate::error::{Failure, Outcome};
use crate::samples::Block;

/// Gives the items of `items`: paths, bytes, and pairs of samples and rate. What is none of them
/// is that item's error.
pub fn feed_items(items: &Py<PyIterator>, give: &mut Give<'_, About, Audio>) -> PyResult<()> {
    while let Some((about, audio, held)) = Python::attach(|py| {
        let next = items.bind(py).clone().next().transpose()?;
        next.map(|item| self::item(&item)).transpose()
    })? {
        if !give(about, audio, held) {
            break;
        }
    }
    Ok(())
}

fn item(item: &Bound<'_, PyAny>) -> PyResult<(About, Audio, u64)> {
    if let Ok(bytes) = item.cast::<PyBytes>() {
        let audio = Audio::Recording(Ok(Recording::Memory(bytes.as_bytes().to_vec())));
        let held = audio.held();
        return Ok((About::default(), audio, held));
    }
    if let Ok(pair) = item.cast::<PyTuple>() {
        let (audio, held) = match samples(pair) {
            Ok((samples, held)) => (Ok(samples), held),
            Err(Failure::Ours(error)) => (Err(error), 0),
            Err(Failure::Python(error)) => {
                let error = refused(error.value(pair.py()).to_string());
                (Err(error), 0)
            }
        };
        return Ok((About::default(), Audio::Samples(audio), held));
    }
    let audio = item.extract::<PathBuf>().map(|path| (path.to_string_lossy().into_owned(), path));
    Ok(match audio {
        Ok((name, path)) => {
            let about = About { path: name, ..About::default() };
            (about, Audio::Recording(Ok(Recording::File(path))), 0)
        }
        Err(_) => {
            let found = item.get_type().name()?.to_string();
            (About::default(), Audio::Recording(Err(refused(found))), 0)
        }
    })
}

fn samples(pair: &Bound<'_, PyTuple>) -> Outcome<(Box<Samples>, u64)> {
    let (array, rate): (Bound<'_, PyAny>, u32) = pair.extract()?;
    let block = Block::of(&array)?;
    let held = 4 * block.samples.len() as u64;
    Ok((Box::new(Samples::new(block.samples, rate, block.channels)?), held))
}

fn refused(found: String) -> Error {
    Error::new(ErrorKind::Settings, "cannot score this")
        .expected("a path, the bytes of an audio file, or a pair of samples and rate")
        .found(found)
}

/// Gives the rows of `rows`, mappings by column. With `fetch`, a row's path goes there, and what
/// comes back are the bytes of its recording; what is raised there is the row's error.
pub fn feed_rows(
    rows: &Py<PyIterator>,
    settings: &Settings,
    fetch: Option<&Py<PyAny>>,
    give: &mut Give<'_, About, Audio>,
) -> PyResult<()> {
    for number in 1_u64.. {
        let next = Python::attach(|py| {
            let next = rows.bind(py).clone().next().transpose()?;
            next.map(|row| self::row(&row, number, settings, fetch)).transpose()
        })?;
        let Some((about, audio)) = next else { break };
        let held = audio.held();
        if !give(about, audio, held) {
            break;
        }
    }
    Ok(())
}

fn row(
    row: &Bound<'_, PyAny>,
    number: u64,
    settings: &Settings,
    fetch: Option<&Py<PyAny>>,
) -> PyResult<(About, Audio)> {
    let get = |name: &str| {
        let found = row.call_method1("get", (name,));
        found.and_then(|found| value(&found)).unwrap_or(Value::Null)
    };
    // What is no mapping has no columns: say so once, and not in each row.
    row.getattr("get")?;
    let item = settings.columns.row(&get, settings, format!("row {number}"));
    let audio = match (item.audio, fetch) {
        (Ok(Recording::File(path)), Some(fetch)) => {
            let py = row.py();
            let bytes = fetch.bind(py).call1((path.to_string_lossy().as_ref(),));
            match bytes.and_then(|bytes| Ok(bytes.cast::<PyBytes>()?.as_bytes().to_vec())) {
                Ok(bytes) => Ok(Recording::Memory(bytes)),
                Err(error) if error.is_instance_of::<pyo3::exceptions::PyException>(py) => {
                    let found = error.value(py).to_string();
                    let found = found.split_whitespace().collect::<Vec<_>>().join(" ");
                    Err(Error::new(ErrorKind::Io, format!("cannot read {}", path.display()))
                        .found(if found.is_empty() { error.to_string() } else { found }))
                }
                Err(error) => return Err(error),
            }
        }
        (audio, _) => audio,
    };
    Ok((item.about, Audio::Recording(audio)))
}

/// A value of Python as JSON has it: what JSON has no form for is its text, and a number that is
/// none is null.
pub fn value(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = object.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Value::String(text.to_string()));
    }
    if let Ok(number) = object.cast::<PyFloat>() {
        return Ok(Value::from(number.value()));
    }
    if let Ok(number) = object.extract::<i64>() {
        return Ok(Value::from(number));
    }
    Ok(Value::String(object.str()?.to_string()))
}
