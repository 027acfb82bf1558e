//! Records as the frozen objects of `wakegate._results`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use wakegate::audio::seconds;
use wakegate::model::{Manifest, Model};
use wakegate::pipeline::WordDecision;
use wakegate_lab::scoring::Record;

static SCORE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static ACTIVATION: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static WORD: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// The `Score` of a recording with its activations.
pub fn score<'py>(
    py: Python<'py>,
    record: &Record,
    activations: &[Record],
) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields(py, record)?;
    let activations: Vec<_> =
        activations.iter().map(|record| activation(py, record)).collect::<PyResult<_>>()?;
    fields.set_item("activations", PyTuple::new(py, activations)?)?;
    fields.set_item("named", record.named.is_some())?;
    if let Some(named) = &record.named {
        fields.set_item("id", named.id.as_deref())?;
        fields.set_item("label", named.label.as_deref())?;
        fields.set_item("group", named.group.as_deref())?;
    }
    if !record.carried.0.is_empty() {
        // Cannot fail: it is made of JSON.
        let text = serde_json::to_string(&record.carried).unwrap_or_default();
        fields.set_item("carried", py.import("json")?.call_method1("loads", (text,))?)?;
    }
    SCORE.import(py, "wakegate._results", "Score")?.call((), Some(&fields))
}

/// The `Activation` of a record.
pub fn activation<'py>(py: Python<'py>, record: &Record) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields(py, record)?;
    fields.set_item("activation", record.activation.flatten())?;
    ACTIVATION.import(py, "wakegate._results", "Activation")?.call((), Some(&fields))
}

/// The `Word` of a decision.
pub fn word<'py>(
    py: Python<'py>,
    path: &str,
    manifest: &Manifest,
    word: &WordDecision,
) -> PyResult<Bound<'py, PyAny>> {
    let fields = PyDict::new(py);
    fields.set_item("path", path)?;
    fields.set_item("activation", word.number)?;
    fields.set_item("p_wake_word", word.p_wake_word)?;
    fields.set_item("wake_word", &manifest.wake_word)?;
    fields.set_item("start_s", seconds(word.start_sample))?;
    fields.set_item("end_s", seconds(word.end_sample))?;
    fields.set_item("word_decided_s", seconds(word.decided_sample))?;
    fields.set_item("model", manifest.id())?;
    WORD.import(py, "wakegate._results", "Word")?.call((), Some(&fields))
}

fn fields<'py>(py: Python<'py>, record: &Record) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("path", &record.path)?;
    fields.set_item("audio_s", record.audio_s)?;
    fields.set_item("verdict", record.verdict.as_deref())?;
    fields.set_item("reason", record.reason.as_deref())?;
    fields.set_item("p_intended", record.p_intended)?;
    fields.set_item("p_wake_word", record.p_wake_word)?;
    fields.set_item("p_addressed", record.p_addressed)?;
    fields.set_item("wake_word", &record.wake_word)?;
    fields.set_item("start_s", record.start_s)?;
    fields.set_item("end_s", record.end_s)?;
    fields.set_item("decided_s", record.decided_s)?;
    fields.set_item("word_decided_s", record.word_decided_s)?;
    fields.set_item("model", &record.model)?;
    fields.set_item("schema", record.schema)?;
    fields.set_item("error", record.error.as_deref())?;
    fields.set_item("warnings", PyTuple::new(py, &record.warnings)?)?;
    Ok(fields)
}

/// The `ModelInfo` of a model.
pub fn model_info<'py>(py: Python<'py>, model: &Model) -> PyResult<Bound<'py, PyAny>> {
    let manifest = model.manifest();
    let fields = PyDict::new(py);
    fields.set_item("id", manifest.id())?;
    fields.set_item("wake_word", &manifest.wake_word)?;
    fields.set_item("licence", &manifest.licence)?;
    fields.set_item("origin", model.origin())?;
    fields.set_item("card", model.card())?;
    fields.set_item("intended_at", manifest.decision.intended_at)?;
    fields.set_item("accidental_below", manifest.decision.accidental_below)?;
    fields.set_item("spotter_threshold", manifest.spotter.threshold)?;
    fields.set_item("mel_bands", manifest.frontend.mel_bands)?;
    fields.set_item("window_ms", manifest.frontend.window_ms)?;
    fields.set_item("hop_ms", manifest.frontend.hop_ms)?;
    fields.set_item("before_s", manifest.verifier.before_s)?;
    fields.set_item("after_s", manifest.verifier.after_s)?;
    fields.set_item("spotter_sha256", &manifest.spotter.sha256)?;
    fields.set_item("verifier_sha256", &manifest.verifier.sha256)?;
    fields.set_item("manifest_sha256", manifest.sha256())?;
    py.import("wakegate._results")?.getattr("ModelInfo")?.call((), Some(&fields))
}
