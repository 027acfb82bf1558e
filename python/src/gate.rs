//! A loaded model that scores.

use std::path::PathBuf;

use numpy::PyArray2;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList};
use wakegate::audio::Samples;
use wakegate::model::Runtime;
use wakegate::{Error, ErrorKind};
use wakegate_lab::corpus::{About, Columns, Corpus, Recording, Settings};
use wakegate_lab::decode::RawForm;
use wakegate_lab::scoring::ordered_parallel::caught;

use crate::batch::{Audio, Batch, Scores, records};
use crate::error::Outcome;
use crate::features::{frames, open};
use crate::listener::Listener;
use crate::pool::Pool;
use crate::results;
use crate::rows::{feed_items, feed_rows};
use crate::samples::Block;

/// Most threads that a batch may ask for.
const MOST_THREADS: usize = 1024;

/// A loaded model that judges recordings and streams; `Gate.load` makes one.
///
/// Threads may share a gate: each call works with networks of its own, which are kept for later
/// calls. The interpreter is let go while audio is judged.
#[pyclass(frozen, module = "wakegate")]
pub struct Gate {
    pool: Pool,
    asked: Asked,
}

/// What it was loaded by.
#[derive(Clone)]
struct Asked {
    model: Option<PathBuf>,
    onnxruntime: Option<PathBuf>,
    intended_at: Option<f32>,
    accidental_below: Option<f32>,
    spotter_threshold: Option<f32>,
}

impl Gate {
    /// The score of one recording, or its error.
    fn judge<'py>(
        &self,
        py: Python<'py>,
        about: About,
        audio: Audio,
    ) -> Outcome<Bound<'py, PyAny>> {
        let (record, activations) = py.detach(|| {
            let settings = Settings::default();
            let mut lease = self.pool.lease()?;
            let scored = caught(|| lease.run(|scorer| audio.score(scorer, &about, &settings)))?;
            Ok::<_, Error>(records(self.pool.model().manifest(), &about, &Ok(scored)))
        })?;
        Ok(results::score(py, &record, &activations)?)
    }

    fn batch(
        &self,
        settings: Settings,
        names: bool,
        threads: Option<usize>,
    ) -> Result<Batch, Error> {
        let threads = match threads {
            None => std::thread::available_parallelism().map_or(1, usize::from),
            Some(count) if (1..=MOST_THREADS).contains(&count) => count,
            Some(count) => {
                return Err(Error::new(ErrorKind::Settings, "cannot use this number of threads")
                    .expected(format!("1 to {MOST_THREADS}"))
                    .found(count.to_string()));
            }
        };
        Ok(Batch { pool: self.pool.clone(), settings, names, threads })
    }
}

#[pymethods]
impl Gate {
    /// Loads a model and checks it: hashes, shapes, labels, and both networks on the runtime.
    ///
    /// Args:
    ///     model: folder of a model package; the model in the wheel where none is given.
    ///     onnxruntime: shared library of ONNX Runtime to use instead of the embedded runtime.
    ///         One process uses one runtime, for good, and ORT_DISABLE_TELEMETRY=1 has to be in
    ///         the environment before the process starts.
    ///     intended_at, accidental_below, spotter_threshold: thresholds instead of the model's
    ///         own, 0 to 1.
    ///
    /// Raises:
    ///     FileError: for a file that is missing or can't be read.
    ///     ModelError: for a package that is refused, or a threshold out of range.
    ///     RuntimeFailure: where the runtime can't be loaded, or another is in use.
    #[staticmethod]
    #[pyo3(signature = (model=None, *, onnxruntime=None, intended_at=None, accidental_below=None, spotter_threshold=None))]
    fn load(
        py: Python<'_>,
        model: Option<PathBuf>,
        onnxruntime: Option<PathBuf>,
        intended_at: Option<f32>,
        accidental_below: Option<f32>,
        spotter_threshold: Option<f32>,
    ) -> Outcome<Self> {
        let asked = Asked { model, onnxruntime, intended_at, accidental_below, spotter_threshold };
        let pool = py.detach(|| {
            let library = asked.onnxruntime.clone();
            library.map_or(Runtime::Embedded, Runtime::OnnxRuntime).choose()?;
            let model = open(asked.model.as_deref())?.with_thresholds(
                intended_at,
                accidental_below,
                spotter_threshold,
            )?;
            Pool::new(model)
        })?;
        Ok(Self { pool, asked })
    }

    /// What the model says about itself.
    #[getter]
    fn model<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        results::model_info(py, self.pool.model())
    }

    /// Scores samples.
    ///
    /// Args:
    ///     samples: float32 (full scale at 1) or int16, shape [n] or [n, channels]; channels are
    ///         mixed to their mean. The array is copied.
    ///     rate: samples a second, 2000 to 384000 Hz; converted to 16 kHz as the command line does.
    ///     trigger_s: seconds from the start at which the word ended by another engine's account;
    ///         that moment is judged and no spotter runs.
    ///     path: what the score calls the recording.
    ///
    /// Returns:
    ///     Score: the fields of a line of `wakegate score`, and the activations.
    ///
    /// Raises:
    ///     SettingsError: for an array of another form, or a trigger that is no moment of it.
    ///     AudioError: for no samples, a rate out of range, a sample that is not finite.
    #[pyo3(signature = (samples, rate, *, trigger_s=None, path=""))]
    fn score<'py>(
        &self,
        py: Python<'py>,
        samples: &Bound<'py, PyAny>,
        rate: u32,
        trigger_s: Option<f64>,
        path: &str,
    ) -> Outcome<Bound<'py, PyAny>> {
        let block = Block::of(samples)?;
        let source = Samples::new(block.samples, rate, block.channels).map(Box::new);
        let about = About { path: path.to_owned(), trigger_s, ..About::default() };
        self.judge(py, about, Audio::Samples(source))
    }

    /// Scores an audio file of any supported format; see `wakegate score` for what they are.
    ///
    /// Args:
    ///     path: the file.
    ///     trigger_s: as for `score`.
    ///
    /// Raises:
    ///     FileError: for a file that is missing or can't be read.
    ///     AudioError: for a file that can't be decoded or holds no samples.
    ///     SettingsError: for a trigger that is no moment of it.
    #[pyo3(signature = (path, *, trigger_s=None))]
    fn score_file<'py>(
        &self,
        py: Python<'py>,
        path: PathBuf,
        trigger_s: Option<f64>,
    ) -> Outcome<Bound<'py, PyAny>> {
        let name = path.to_string_lossy().into_owned();
        let about = About { path: name, trigger_s, ..About::default() };
        self.judge(py, about, Audio::Recording(Ok(Recording::File(path))))
    }

    /// Scores the bytes of an audio file.
    ///
    /// Args:
    ///     data: the whole file.
    ///     trigger_s, path: as for `score`.
    ///
    /// Raises:
    ///     AudioError, SettingsError: as for `score_file`.
    #[pyo3(signature = (data, *, trigger_s=None, path=""))]
    fn score_bytes<'py>(
        &self,
        py: Python<'py>,
        data: &[u8],
        trigger_s: Option<f64>,
        path: &str,
    ) -> Outcome<Bound<'py, PyAny>> {
        let about = About { path: path.to_owned(), trigger_s, ..About::default() };
        self.judge(py, about, Audio::Recording(Ok(Recording::Memory(data.to_vec()))))
    }

    /// Scores many recordings on many threads.
    ///
    /// Args:
    ///     items: an iterable of paths, bytes of audio files, and pairs (samples, rate) as for
    ///         `score`; read as far ahead as the threads need.
    ///     threads: 1 to 1024; one a core where none are given.
    ///
    /// Returns:
    ///     list[Score]: one an item, in their order. An item that can't be scored has its reason
    ///         in `error`, and no verdict.
    ///
    /// Raises:
    ///     SettingsError: for a number of threads out of range.
    ///     Whatever the iterable raises.
    #[pyo3(signature = (items, *, threads=None))]
    fn score_batch<'py>(
        &self,
        py: Python<'py>,
        items: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> Outcome<Bound<'py, PyList>> {
        let items = items.try_iter()?.unbind();
        let batch = self.batch(Settings::default(), false, threads)?;
        let scores = batch.start(move |give| feed_items(&items, give))?;
        let list = PyList::empty(py);
        while let Some(score) = scores.__next__(py)? {
            list.append(score)?;
        }
        Ok(list)
    }

    /// Scores the rows of a manifest.
    ///
    /// Args:
    ///     rows: an iterable of mappings from column to value.
    ///     columns: which columns mean what: path, id, trigger_s, label, group, each its own name
    ///         unless given here, {"path": "file"}.
    ///     carry: further columns for `Score.carried`.
    ///     root: what relative paths start at.
    ///     fetch: a function from a row's path (behind root) to the bytes of its audio file, for
    ///         what is on no local disk; what it raises is the row's error.
    ///     threads: as for `score_batch`.
    ///
    /// Returns:
    ///     Iterator[Score]: one a row, in their order, with errors as in `score_batch`.
    ///
    /// Raises:
    ///     SettingsError: for a column that means nothing here, or threads out of range.
    #[pyo3(signature = (rows, *, columns=None, carry=Vec::new(), root=None, fetch=None, threads=None))]
    fn score_rows(
        &self,
        rows: &Bound<'_, PyAny>,
        columns: Option<&Bound<'_, PyDict>>,
        carry: Vec<String>,
        root: Option<PathBuf>,
        fetch: Option<Py<PyAny>>,
        threads: Option<usize>,
    ) -> Outcome<Scores> {
        let rows: Py<PyIterator> = rows.try_iter()?.unbind();
        let columns = self::columns(columns, &carry)?;
        let settings = Settings { columns, root, ..Settings::default() };
        let batch = self.batch(settings.clone(), true, threads)?;
        Ok(batch.start(move |give| feed_rows(&rows, &settings, fetch.as_ref(), give))?)
    }

    /// Scores a corpus as `wakegate score` does: files, folders, tar and zip archives, patterns,
    /// and manifests.
    ///
    /// Args:
    ///     paths: paths or patterns.
    ///     manifests: tables with a recording a row: .csv, .tsv, .jsonl, .parquet.
    ///     columns, carry, root, threads: as for `score_rows`; in an archive, columns are keys of
    ///         the .json beside a recording, and the endings of other files beside it.
    ///     raw: (encoding, rate, channels) of headerless files, ("ulaw", 8000, 1).
    ///
    /// Returns:
    ///     Iterator[Score]: one a recording, in their order, with errors as in `score_batch`.
    ///
    /// Raises:
    ///     FileError, SettingsError: for a manifest that can't be read or lacks a column.
    #[pyo3(signature = (*paths, manifests=Vec::new(), columns=None, carry=Vec::new(), root=None, raw=None, threads=None))]
    #[expect(clippy::too_many_arguments, reason = "Python's keywords")]
    fn score_corpus(
        &self,
        py: Python<'_>,
        paths: Vec<PathBuf>,
        manifests: Vec<PathBuf>,
        columns: Option<&Bound<'_, PyDict>>,
        carry: Vec<String>,
        root: Option<PathBuf>,
        raw: Option<(String, u32, u16)>,
        threads: Option<usize>,
    ) -> Outcome<Scores> {
        let raw = raw.map(|(encoding, rate, channels)| {
            encoding.parse().and_then(|encoding| RawForm::new(encoding, rate, channels))
        });
        let settings = Settings {
            columns: self::columns(columns, &carry)?,
            root,
            raw: raw.transpose()?,
            ..Settings::default()
        };
        let mut corpus = Corpus::new(settings.clone());
        py.detach(|| {
            paths.iter().for_each(|path| corpus.add_path(path));
            manifests.iter().try_for_each(|manifest| corpus.add_manifest(manifest))
        })?;
        let batch = self.batch(settings, corpus.has_columns(), threads)?;
        let scores = batch.start(move |give| {
            corpus.visit(&mut |item| {
                let audio = Audio::Recording(item.audio);
                let held = audio.held();
                give(item.about, audio, held)
            });
            Ok(())
        })?;
        Ok(scores)
    }

    /// A stream to be judged as it comes.
    ///
    /// Args:
    ///     rate: samples a second of its chunks, 2000 to 384000 Hz.
    ///     channels: of its chunks, 1 to 255; mixed to their mean.
    ///     path: what the activations call the stream.
    ///
    /// Raises:
    ///     AudioError: for a rate or number of channels that can't be used.
    #[pyo3(signature = (rate=16_000, *, channels=1, path=""))]
    fn listener(
        &self,
        py: Python<'_>,
        rate: u32,
        channels: usize,
        path: &str,
    ) -> Outcome<Listener> {
        Ok(py.detach(|| Listener::new(self.pool.model(), rate, channels, path.to_owned()))?)
    }

    /// The front end's log-mel frames of samples, as `wakegate features` writes them.
    ///
    /// Args:
    ///     samples, rate: as for `score`.
    ///
    /// Returns:
    ///     numpy.ndarray: float32, shape [frames, mel_bands], natural logarithm of mel power. Frame
    ///         i covers hop_ms * i to hop_ms * i + window_ms; fewer samples than a window give
    ///         shape [0, mel_bands].
    ///
    /// Raises:
    ///     SettingsError, AudioError: as for `score`.
    fn features<'py>(
        &self,
        py: Python<'py>,
        samples: &Bound<'py, PyAny>,
        rate: u32,
    ) -> Outcome<Bound<'py, PyArray2<f32>>> {
        frames(py, self.pool.model(), samples, rate)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let Asked { model, onnxruntime, intended_at, accidental_below, spotter_threshold } =
            self.asked.clone();
        let load = py.import("wakegate._results")?.getattr("load_gate")?;
        let asked = (model, onnxruntime, intended_at, accidental_below, spotter_threshold);
        Ok((load, asked.into_pyobject(py)?.into_any()))
    }

    fn __repr__(&self) -> String {
        let manifest = self.pool.model().manifest();
        format!("Gate(model='{}', wake_word='{}')", manifest.id(), manifest.wake_word)
    }
}

/// The columns that `names` gives meanings, and those that are carried.
fn columns(names: Option<&Bound<'_, PyDict>>, carry: &[String]) -> Outcome<Columns> {
    let mut pairs = Vec::new();
    for (meaning, name) in names.into_iter().flat_map(|names| names.iter()) {
        pairs.push(format!("{meaning}={name}"));
    }
    let columns = Columns::new(&pairs, carry)?;
    Ok(columns)
}
