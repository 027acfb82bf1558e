//! ONNX networks behind one of two runtimes. The only module that names `ort`.

mod run;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{DynValue, Outlet, Tensor, TensorElementType};

use self::run::Names;
use super::weights::check_finite;
use crate::{Error, ErrorKind, Result};

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

/// The runtime in use and its environment, of which a process may have one in its life.
static CHOSEN: Mutex<Option<(Runtime, Environment)>> = Mutex::new(None);

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
        environment_of(Some(self)).map(drop)
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

    fn start(&self) -> Result<Environment> {
        let builder = match self {
            Self::Embedded => {
                ort::set_api(ort_tract::api());
                ort::init()
            }
            Self::OnnxRuntime(path) => {
                if std::env::var_os(TELEMETRY_VARIABLE).is_none_or(|value| value != "1") {
                    return Err(Error::new(ErrorKind::Runtime, "ONNX Runtime is not loaded")
                        .expected(format!("{TELEMETRY_VARIABLE}=1 in the environment"))
                        .found("a runtime that may report home")
                        .hint(format!("set {TELEMETRY_VARIABLE}=1 before the program starts")));
                }
                // ort looks for a relative path beside the binary first: never mean another file.
                let library = std::path::absolute(path)
                    .map_err(|error| Error::io("resolve", path, &error))?;
                ort::init_from(&library).map_err(|error| {
                    Error::new(ErrorKind::Runtime, "cannot load ONNX Runtime")
                        .expected("its shared library, version 1.18 or later")
                        .found(error.to_string())
                        .hint("give --onnxruntime the path of libonnxruntime.so")
                })?
            }
        };
        builder
            .with_name("wakegate")
            .with_telemetry(false)
            .build()
            .map_err(|error| failed("cannot start the runtime", &error))
    }
}

/// The environment of the runtime in use, after choosing `wanted` or the default.
fn environment_of(wanted: Option<Runtime>) -> Result<(Runtime, Environment)> {
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
    let environment = runtime.start()?;
    *chosen = Some((runtime.clone(), environment.clone()));
    Ok((runtime, environment))
}

/// Name and shape of a network's input or output; all of them are f32.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
}

/// A network with its input tensors, made once and used for every run.
pub(super) struct Network {
    file: String,
    session: Session,
    names: Names,
    inputs: Vec<DynValue>,
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
        let (runtime, environment) = environment_of(None)?;
        let session = build(&runtime, &environment, bytes).map_err(|error| {
            Error::new(ErrorKind::Model, format!("cannot load {file}"))
                .expected(format!("an ONNX network that {} runs", runtime.describe()))
                .found(one_line(&error.to_string()))
                .hint("check the package with `wakegate model check`")
        })?;
        let ports = |outlets: &[Outlet]| -> Result<Vec<Port>> {
            outlets.iter().map(|outlet| port(file, outlet)).collect()
        };
        let (input_ports, output_ports) = (ports(session.inputs())?, ports(session.outputs())?);
        let inputs = input_ports.iter().map(zeros).collect::<Result<_>>()?;
        let names = Names::of(&session).map_err(|error| failed("cannot load a network", &error))?;
        Ok(Self { file: file.to_owned(), session, names, inputs, input_ports, output_ports })
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
        let target = self.input(index)?;
        if target.len() != values.len() {
            let (expected, found) = (target.len(), values.len());
            return Err(Error::new(ErrorKind::Model, format!("wrong input for {}", self.file))
                .expected(format!("{expected} values"))
                .found(found.to_string()));
        }
        target.copy_from_slice(values);
        Ok(())
    }

    /// Sets every value of input `index` to 0.
    pub(super) fn clear_input(&mut self, index: usize) -> Result<()> {
        self.input(index)?.fill(0.0);
        Ok(())
    }

    fn input(&mut self, index: usize) -> Result<&mut [f32]> {
        self.inputs[index]
            .try_extract_tensor_mut::<f32>()
            .map(|(_, values)| values)
            .map_err(|error| failed("cannot write an input tensor", &error))
    }

    /// Runs the network. Output `o` is copied to the next run's input `i` where `feedback[o]` is
    /// `Some(i)`; the others are handed to `read` with their index.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] if the run fails, [`ErrorKind::Model`] if an output has not the
    /// declared shape, and what `read` returns.
    pub(super) fn run(
        &mut self,
        feedback: &[Option<usize>],
        mut read: impl FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<()> {
        let mut outputs = run::run(&mut self.session, &self.names, &self.inputs)
            .map_err(|error| failed("a network failed to run", &error))?;
        for (index, &fed_back) in feedback.iter().enumerate() {
            let port = &self.output_ports[index];
            let (shape, values) = outputs
                .tensor(index)
                .map_err(|error| failed("cannot read an output tensor", &error))?;
            if !shape
                .iter()
                .map(|&d| usize::try_from(d).ok())
                .eq(port.shape.iter().map(|&d| Some(d)))
            {
                return Err(Error::new(
                    ErrorKind::Model,
                    format!("{}: output {} has another shape than declared", self.file, port.name),
                )
                .expected(format!("{:?}", port.shape))
                .found(format!("{shape:?}")));
            }
            let Some(input) = fed_back else {
                read(index, values)?;
                continue;
            };
            // The outputs may look sound for a while after a state is not.
            if !values.iter().all(|value| value.is_finite()) {
                return Err(Error::new(
                    ErrorKind::Posterior,
                    format!("{}: {} is refused", self.file, port.name),
                )
                .expected("finite values"));
            }
            self.set_input(input, values)?;
        }
        Ok(())
    }
}

fn build(runtime: &Runtime, environment: &Environment, bytes: &[u8]) -> ort::Result<Session> {
    // Without this level ort-tract does not optimise at all.
    let mut builder =
        Session::builder(environment)?.with_optimization_level(GraphOptimizationLevel::Level3)?;
    if matches!(runtime, Runtime::OnnxRuntime(_)) {
        builder = one_thread(builder)?;
    }
    builder.commit_from_memory(bytes)
}

/// The networks are small: a pool of spinning threads would cost more than it gives.
fn one_thread(builder: SessionBuilder) -> ort::Result<SessionBuilder> {
    Ok(builder
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?)
}

fn port(file: &str, outlet: &Outlet) -> Result<Port> {
    let refused = |found: String| {
        Err(Error::new(ErrorKind::Model, format!("{file}: {} is refused", outlet.name()))
            .expected("an f32 tensor of fixed shape")
            .found(found))
    };
    let (Some(element), Some(shape)) =
        (outlet.dtype().tensor_type(), outlet.dtype().tensor_shape())
    else {
        return refused("something that is no tensor".to_owned());
    };
    if element != TensorElementType::Float32 {
        return refused(format!("elements of type {element}"));
    }
    match shape.iter().map(|&d| usize::try_from(d)).collect() {
        Ok(shape) => Ok(Port { name: outlet.name().to_owned(), shape }),
        Err(_) => refused(format!("the shape {shape:?}")),
    }
}

fn zeros(port: &Port) -> Result<DynValue> {
    let values = vec![0.0_f32; port.shape.iter().product()];
    Tensor::from_array((port.shape.clone(), values))
        .map(Tensor::into_dyn)
        .map_err(|error| failed("cannot make an input tensor", &error))
}

fn failed(what: &str, error: &ort::Error) -> Error {
    Error::new(ErrorKind::Runtime, what).found(one_line(&error.to_string()))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
