//! The runtime in this binary: tract, a plan made once and run with the same state for ever.

use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::knobs::KnobScope;
use tract_onnx::tract_core::plan::SimpleState;

use super::{OnOutput, Port, failed, refused_port};
use crate::Result;

/// From this kernel size on a convolution gathers its input while it multiplies. tract's own limit
/// of 6 is made for images; here the copy before is most of the work: without it a spotter step is
/// 12 % faster and allocates a fifth less, a verifier window is 3 % faster, both to the same bits.
const GATHERING: (&str, &str) = ("TRACT_LAZY_IM2COL_MIN_KERNEL", "2");

/// A network's plan, its state and its inputs.
///
/// Between two runs nobody else holds an input, so it is written in place. A run lends the inputs to
/// the plan, which gives them back; what is fed back is handed over and not copied.
pub(super) struct Session {
    state: SimpleState<TypedFact, Box<dyn TypedOp>>,
    inputs: Vec<Arc<Tensor>>,
    /// For each input, where the plan keeps it.
    nodes: Vec<usize>,
}

/// A network in the runtime's own form, with the names of its inputs and outputs.
pub(super) struct Loaded {
    model: TypedModel,
    input_names: Vec<String>,
    output_names: Vec<String>,
}

impl Loaded {
    /// Reads the network in `bytes` and brings it to the form that runs fastest.
    pub(super) fn read(mut bytes: &[u8]) -> TractResult<Self> {
        let model = tract_onnx::onnx().model_for_read(&mut bytes)?;
        let inputs = model.input_outlets()?.iter();
        let input_names = inputs.map(|outlet| model.node(outlet.node).name.clone()).collect();
        let label = |&outlet: &OutletId| {
            let name = model.outlet_label(outlet).unwrap_or(&model.node(outlet.node).name);
            name.to_owned()
        };
        let output_names = model.output_outlets()?.iter().map(label).collect();
        let model = KnobScope::new([GATHERING])?.enter(|| model.into_optimized())?;
        Ok(Self { model, input_names, output_names })
    }

    /// Names and shapes of inputs and outputs.
    ///
    /// # Errors
    /// [`ErrorKind::Model`](crate::ErrorKind::Model) for one that is not f32 of fixed shape.
    pub(super) fn ports(&self, file: &str) -> Result<(Vec<Port>, Vec<Port>)> {
        let unread = |error| failed("cannot read a network's inputs and outputs", &error);
        let ports = |names: &[String], outlets: &[OutletId]| {
            let pairs = names.iter().zip(outlets);
            pairs
                .map(|(name, &outlet)| {
                    port(file, name, self.model.outlet_fact(outlet).map_err(unread)?)
                })
                .collect::<Result<Vec<_>>>()
        };
        Ok((
            ports(&self.input_names, self.model.input_outlets().map_err(unread)?)?,
            ports(&self.output_names, self.model.output_outlets().map_err(unread)?)?,
        ))
    }

    /// Plans the runs. Inputs start as zeros of the shapes of `inputs`.
    pub(super) fn plan(self, inputs: &[Port]) -> TractResult<Session> {
        let nodes = self.model.input_outlets()?.iter().map(|outlet| outlet.node).collect();
        let mut state = self.model.into_runnable()?.spawn()?;
        let inputs = inputs
            .iter()
            .enumerate()
            .map(|(index, port)| {
                let zeros = Arc::new(Tensor::zero::<f32>(&port.shape)?);
                // Holds type and shape against the network's, which they keep.
                state.set_input(index, TValue::from_const(Arc::clone(&zeros)))?;
                Ok(zeros)
            })
            .collect::<TractResult<_>>()?;
        state.reset_turn()?;
        Ok(Session { state, inputs, nodes })
    }
}

impl Session {
    /// Gives the values of input `index` to `write`.
    pub(super) fn write<T>(
        &mut self,
        index: usize,
        write: impl FnOnce(&mut [f32]) -> Result<T>,
    ) -> Result<T> {
        let unwritten = |error| failed("cannot write an input tensor", &error);
        let tensor = Arc::make_mut(&mut self.inputs[index]);
        let mut plain = tensor.try_as_plain_ram_mut().map_err(unwritten)?;
        write(plain.as_slice_mut::<f32>().map_err(unwritten)?)
    }

    /// Runs the network; see [`Network::run`](super::Network::run).
    pub(super) fn run(&mut self, feedback: &[Option<usize>], take: &mut OnOutput) -> Result<()> {
        let done = self.turn(feedback, take);
        // The values of the run are of no use any more, and hold on to the inputs.
        let over = self.state.reset_turn();
        done.and(over.map_err(|error| failed("a network failed to end a run", &error)))
    }

    fn turn(&mut self, feedback: &[Option<usize>], take: &mut OnOutput) -> Result<()> {
        let failed_run = |error| failed("a network failed to run", &error);
        for (&node, input) in self.nodes.iter().zip(&self.inputs) {
            let value = TValue::from_const(Arc::clone(input));
            self.state.set_value(node, value).map_err(failed_run)?;
        }
        self.state.exec().map_err(failed_run)?;
        for (index, &fed_back) in feedback.iter().enumerate() {
            let unread = |error| failed("cannot read an output tensor", &error);
            let value = self.state.output(index).map_err(unread)?;
            let plain = value.try_as_plain_ram().map_err(unread)?;
            take(index, value.shape(), plain.as_slice::<f32>().map_err(unread)?)?;
            if let Some(input) = fed_back {
                self.inputs[input] = value.clone().into_arc_tensor();
            }
        }
        Ok(())
    }
}

fn port(file: &str, name: &str, fact: &TypedFact) -> Result<Port> {
    if fact.datum_type != f32::datum_type() {
        return Err(refused_port(file, name, format!("elements of type {:?}", fact.datum_type)));
    }
    match fact.shape.as_concrete() {
        Some(shape) => Ok(Port { name: name.to_owned(), shape: shape.to_vec() }),
        None => Err(refused_port(file, name, format!("the shape [{:?}]", fact.shape))),
    }
}
