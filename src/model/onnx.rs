//! ONNX networks behind one of two runtimes.

mod embedded;
mod heap;
#[cfg(feature = "onnxruntime")]
mod library;

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "onnxruntime")]
use ort::environment::Environment;

use super::weights::check_finite;
use crate::error::caught;
use crate::{Error, ErrorKind, Result};

/// Without ONNX Runtime there is never one.
#[cfg(not(feature = "onnxruntime"))]
type Environment = std::convert::Infallible;

/// The variable that keeps ONNX Runtime from writing a device id and from calling home.
pub const TELEMETRY_VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// Which code runs the networks. One process uses one of them, for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runtime {
    /// The pure Rust runtime inside this binary; the default.
    Embedded,
    /// ONNX Runtime from this shared library.
    OnnxRuntime(PathBuf),
}

/// The runtime in use; ONNX Runtime with its environment.
static CHOSEN: Mutex<Option<(Runtime, Option<Environment>)>> = Mutex::new(None);

impl Runtime {
    /// Makes this the process's runtime. Without a call, the first session takes
    /// [`Runtime::Embedded`].
    ///
    /// ONNX Runtime is only loaded where [`TELEMETRY_VARIABLE`] is `1` already. It is not set
    /// here: changing the environment is sound only while no other thread runs, which `main`
    /// can know and a library can't.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] if another runtime is in use, the variable is not set, or the
    /// library cannot be loaded.
    pub fn choose(self) -> Result<()> {
        in_use(Some(self)).map(drop)
    }

    /// What reports call it.
    pub fn describe(&self) -> String {
        match self {
            Self::Embedded => "embedded (tract)".to_owned(),
            Self::OnnxRuntime(path) => format!("ONNX Runtime ({})", path.display()),
        }
    }

    /// The runtime in use, if a choice was made.
    pub fn chosen() -> Option<Self> {
        let chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.as_ref().map(|(runtime, _)| runtime.clone())
    }
}

/// The runtime in use, after choosing `wanted` or the default.
fn in_use(wanted: Option<Runtime>) -> Result<(Runtime, Option<Environment>)> {
    let mut chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((runtime, environment)) = chosen.as_ref() {
        return match wanted {
            Some(wanted) if wanted != *runtime => {
                Err(Error::new(ErrorKind::Runtime, "the runtime cannot be changed")
                    .expected(runtime.describe())
                    .found(wanted.describe())
                    .hint("choose it once, before the first model is loaded"))
            }
            _ => Ok((runtime.clone(), environment.clone())),
        };
    }
    let runtime = wanted.unwrap_or(Runtime::Embedded);
    let environment = match &runtime {
        Runtime::Embedded => None,
        Runtime::OnnxRuntime(path) => Some(start(path)?),
    };
    *chosen = Some((runtime.clone(), environment.clone()));
    Ok((runtime, environment))
}

#[cfg(feature = "onnxruntime")]
use self::library::start;

#[cfg(not(feature = "onnxruntime"))]
fn start(path: &std::path::Path) -> Result<Environment> {
    Err(Error::new(ErrorKind::Runtime, "ONNX Runtime is not loaded")
        .expected("the built-in runtime")
        .found(path.display().to_string())
        .hint("build with the feature onnxruntime"))
}

/// Name and shape of a network's input or output; all of them are f32.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
}

/// What a session hands the outputs of a run to: index, shape, values.
type OnOutput<'t> = dyn FnMut(usize, &[usize], &[f32]) -> Result<()> + 't;

enum Session {
    Embedded(embedded::Session),
    #[cfg(feature = "onnxruntime")]
    Library(library::Session),
}

/// A network with its input tensors, made once and used for every run.
pub(super) struct Network {
    file: String,
    session: Session,
    input_ports: Vec<Port>,
    output_ports: Vec<Port>,
}

impl Network {
    /// Loads a network from the bytes of `file`, on one thread. Inputs start as zeros.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if the runtime refuses it or a port is not an f32 tensor of fixed
    /// shape.
    pub(super) fn load(file: &str, bytes: &[u8]) -> Result<Self> {
        check_finite(file, bytes)?;
        let (runtime, environment) = in_use(None)?;
        let refused = |found: String| {
            Error::new(ErrorKind::Model, format!("cannot load {file}"))
                .expected(format!("an ONNX network that {} runs", runtime.describe()))
                .found(found)
                .hint("check the package with `wakegate model check`")
        };
        let gave_up = || refused("the runtime gave up on it".to_owned());
        let (session, (input_ports, output_ports)) = match environment {
            None => caught(|| -> Result<_> {
                let loaded =
                    embedded::Loaded::read(bytes).map_err(|error| refused(one_line(&error)))?;
                let ports = loaded.ports(file)?;
                let planned = loaded.plan(&ports.0).map_err(|error| refused(one_line(&error)))?;
                Ok((Session::Embedded(planned), ports))
            })
            .ok_or_else(gave_up)??,
            #[cfg(not(feature = "onnxruntime"))]
            Some(never) => match never {},
            #[cfg(feature = "onnxruntime")]
            Some(environment) => {
                let loaded = library::Loaded::read(&environment, bytes)
                    .map_err(|error| refused(one_line(&error)))?;
                let ports = loaded.ports(file)?;
                let planned = loaded.plan(&ports.0).map_err(|error| refused(one_line(&error)))?;
                (Session::Library(planned), ports)
            }
        };
        heap::give_back();
        Ok(Self { file: file.to_owned(), session, input_ports, output_ports })
    }

    /// Its inputs, in order.
    pub(super) fn input_ports(&self) -> &[Port] {
        &self.input_ports
    }

    /// Its outputs, in order.
    pub(super) fn output_ports(&self) -> &[Port] {
        &self.output_ports
    }

    /// Copies `values` into input `index`.
    pub(super) fn set_input(&mut self, index: usize, values: &[f32]) -> Result<()> {
        let file = &self.file;
        self.session.write(index, |target| {
            if target.len() != values.len() {
                let (expected, found) = (target.len(), values.len());
                return Err(Error::new(ErrorKind::Model, format!("wrong input for {file}"))
                    .expected(format!("{expected} values"))
                    .found(found.to_string()));
            }
            target.copy_from_slice(values);
            Ok(())
        })
    }

    /// Sets every value of input `index` to 0.
    pub(super) fn clear_input(&mut self, index: usize) -> Result<()> {
        self.session.write(index, |target| {
            target.fill(0.0);
            Ok(())
        })
    }

    /// Runs the network. Output `o` becomes the next run's input `i`, of the same shape, where
    /// `feedback[o]` is `Some(i)`; the others are handed to `read` with their index.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] if the run fails, [`ErrorKind::Model`] if an output has not the
    /// declared shape, [`ErrorKind::Posterior`] if one that is fed back is not finite, and what
    /// `read` returns.
    pub(super) fn run(
        &mut self,
        feedback: &[Option<usize>],
        mut read: impl FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<()> {
        let Self { file, session, output_ports, .. } = self;
        session.run(feedback, &mut |index, shape, values| {
            let port = &output_ports[index];
            if shape != port.shape {
                return Err(Error::new(
                    ErrorKind::Model,
                    format!("{file}: output {} has another shape than declared", port.name),
                )
                .expected(format!("{:?}", port.shape))
                .found(format!("{shape:?}")));
            }
            if feedback[index].is_none() {
                return read(index, values);
            }
            // The outputs may look sound for a while after a state is not.
            if values.iter().all(|value| value.is_finite()) {
                return Ok(());
            }
            Err(Error::new(ErrorKind::Posterior, format!("{file}: {} is refused", port.name))
                .expected("finite values"))
        })
    }
}

impl Session {
    fn write<T>(&mut self, index: usize, write: impl FnOnce(&mut [f32]) -> Result<T>) -> Result<T> {
        match self {
            Self::Embedded(session) => session.write(index, write),
            #[cfg(feature = "onnxruntime")]
            Self::Library(session) => session.write(index, write),
        }
    }

    fn run(&mut self, feedback: &[Option<usize>], take: &mut OnOutput) -> Result<()> {
        match self {
            // A network can be planned and still make the runtime panic.
            Self::Embedded(session) => {
                caught(|| session.run(feedback, take)).unwrap_or_else(|| {
                    Err(Error::new(ErrorKind::Runtime, "a network failed to run")
                        .found("the runtime gave up on it"))
                })
            }
            #[cfg(feature = "onnxruntime")]
            Self::Library(session) => session.run(feedback, take),
        }
    }
}

/// The refusal of an input or output of `file`.
fn refused_port(file: &str, name: &str, found: String) -> Error {
    Error::new(ErrorKind::Model, format!("{file}: {name} is refused"))
        .expected("an f32 tensor of fixed shape")
        .found(found)
}

fn failed(what: &str, error: &impl Display) -> Error {
    Error::new(ErrorKind::Runtime, what).found(one_line(error))
}

/// An error with all its causes, where its `{:#}` has them.
fn one_line(error: &impl Display) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}
