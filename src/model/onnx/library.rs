//! ONNX Runtime, from a shared library that the user names. The only module that names `ort`.

mod run;

use std::path::Path;

use ort::environment::Environment;
use ort::session::Session as OrtSession;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{DynValue, Outlet, Tensor, TensorElementType};

use self::run::Names;
use super::{OnOutput, Port, TELEMETRY_VARIABLE, failed, refused_port};
use crate::{Error, ErrorKind, Result};

/// Loads the library, of which a process may have one in its life.
pub(super) fn start(path: &Path) -> Result<Environment> {
    if std::env::var_os(TELEMETRY_VARIABLE).is_none_or(|value| value != "1") {
        return Err(Error::new(ErrorKind::Runtime, "ONNX Runtime is not loaded")
            .expected(format!("{TELEMETRY_VARIABLE}=1 in the environment"))
            .found("a runtime that may report home")
            .hint(format!("set {TELEMETRY_VARIABLE}=1 before the program starts")));
    }
    // ort looks for a relative path beside the binary first: never mean another file.
    let library = std::path::absolute(path).map_err(|error| Error::io("resolve", path, &error))?;
    ort::init_from(&library)
        .map_err(|error| {
            Error::new(ErrorKind::Runtime, "cannot load ONNX Runtime")
                .expected("its shared library, version 1.18 or later")
                .found(error.to_string())
                .hint("give --onnxruntime the path of libonnxruntime.so")
        })?
        .with_name("wakegate")
        .with_telemetry(false)
        .build()
        .map_err(|error| failed("cannot start the runtime", &error))
}

/// A network in ONNX Runtime's own form.
pub(super) struct Loaded(OrtSession);

/// A network with its input tensors, made once and used for every run.
pub(super) struct Session {
    session: OrtSession,
    names: Names,
    inputs: Vec<DynValue>,
}

impl Loaded {
    /// Reads the network in `bytes`.
    pub(super) fn read(environment: &Environment, bytes: &[u8]) -> ort::Result<Self> {
        // The networks are small: a pool of spinning threads would cost more than it gives.
        OrtSession::builder(environment)?
            .with_optimization_level(GraphOptimizationLevel::Level3)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .commit_from_memory(bytes)
            .map(Self)
    }

    /// Names and shapes of inputs and outputs.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for one that is not f32 of fixed shape.
    pub(super) fn ports(&self, file: &str) -> Result<(Vec<Port>, Vec<Port>)> {
        let ports = |outlets: &[Outlet]| -> Result<Vec<Port>> {
            outlets.iter().map(|outlet| port(file, outlet)).collect()
        };
        Ok((ports(self.0.inputs())?, ports(self.0.outputs())?))
    }

    /// Makes what the runs need. Inputs start as zeros of the shapes of `inputs`.
    pub(super) fn plan(self, inputs: &[Port]) -> ort::Result<Session> {
        let names = Names::of(&self.0)?;
        let inputs = inputs.iter().map(zeros).collect::<ort::Result<_>>()?;
        Ok(Session { session: self.0, names, inputs })
    }
}

impl Session {
    /// Gives the values of input `index` to `write`.
    pub(super) fn write<T>(
        &mut self,
        index: usize,
        write: impl FnOnce(&mut [f32]) -> Result<T>,
    ) -> Result<T> {
        let (_, values) = self.inputs[index]
            .try_extract_tensor_mut::<f32>()
            .map_err(|error| failed("cannot write an input tensor", &error))?;
        write(values)
    }

    /// Runs the network; see [`Network::run`](super::Network::run).
    pub(super) fn run(&mut self, feedback: &[Option<usize>], take: &mut OnOutput) -> Result<()> {
        let mut outputs = run::run(&mut self.session, &self.names, &self.inputs)
            .map_err(|error| failed("a network failed to run", &error))?;
        for (index, &fed_back) in feedback.iter().enumerate() {
            let (shape, values) = outputs
                .tensor(index)
                .map_err(|error| failed("cannot read an output tensor", &error))?;
            take(index, &shape, values)?;
            if let Some(input) = fed_back {
                self.write(input, |state| {
                    state.copy_from_slice(values);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

fn port(file: &str, outlet: &Outlet) -> Result<Port> {
    let refused = |found: String| Err(refused_port(file, outlet.name(), found));
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

fn zeros(port: &Port) -> ort::Result<DynValue> {
    let values = vec![0.0_f32; port.shape.iter().product()];
    Tensor::from_array((port.shape.clone(), values)).map(Tensor::into_dyn)
}
