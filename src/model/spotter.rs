//! Stage one: a streaming network that keeps its state from step to step.

use super::Manifest;
use super::onnx::{Network, Port};
use super::posteriors::probability;
use crate::{Error, ErrorKind, Result};

/// The spotter with the state of one stream.
///
/// Input `features` is `[1, frames_per_step, mel_bands]`, natural-log mel, newest frame last;
/// `state_0`, `state_1`, ... are zeros at the start and the step's `next_state_*` after it.
/// Output `posterior` is `[1, 1]`.
pub struct SpotterSession {
    network: Network,
    features: usize,
    states: Vec<usize>,
    /// For each output, the input it becomes in the next step.
    feedback: Vec<Option<usize>>,
}

impl SpotterSession {
    /// Loads the network and holds its names and shapes against the manifest.
    pub(super) fn load(manifest: &Manifest, bytes: &[u8]) -> Result<Self> {
        let file = &manifest.spotter.file;
        let network = Network::load(file, bytes)?;
        let (inputs, outputs) = (network.input_ports(), network.output_ports());
        let shape = [1, manifest.spotter.frames_per_step, manifest.frontend.mel_bands];
        let features = expect_port(file, "input", inputs, "features", &shape)?;
        let posterior = expect_port(file, "output", outputs, "posterior", &[1, 1])?;
        let count = inputs.len() - 1;
        if outputs.len() - 1 != count {
            return Err(Error::new(ErrorKind::Model, format!("{file}: the states don't match"))
                .expected(format!("{count} next_state outputs for {count} state inputs"))
                .found(format!("{} other outputs", outputs.len() - 1)));
        }
        let mut feedback = vec![None; outputs.len()];
        let mut states = Vec::with_capacity(count);
        for index in 0..count {
            let name = format!("state_{index}");
            let input = find(file, "input", inputs, &name)?;
            let next = format!("next_{name}");
            let output = expect_port(file, "output", outputs, &next, &inputs[input].shape)?;
            feedback[output] = Some(input);
            states.push(input);
        }
        debug_assert!(feedback[posterior].is_none());
        Ok(Self { network, features, states, feedback })
    }

    /// Takes the features of one step, `[frames_per_step, mel_bands]` row-major, and gives
    /// the posterior, 0 to 1.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for another number of features, [`ErrorKind::Runtime`] if the run
    /// fails, [`ErrorKind::Posterior`] for an output that is no probability. The state is then
    /// of no use until [`reset`](Self::reset).
    pub fn step(&mut self, features: &[f32]) -> Result<f32> {
        self.network.set_input(self.features, features)?;
        let mut posterior = f32::NAN;
        self.network.run(&self.feedback, |_, values| {
            posterior = values[0];
            Ok(())
        })?;
        probability("spotter's posterior", posterior)
    }

    /// Forgets the stream: every state is zero again.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] if the runtime gives no access to a state.
    pub fn reset(&mut self) -> Result<()> {
        self.states.iter().try_for_each(|&state| self.network.clear_input(state))
    }

    /// Number of state tensors, and of the values in all of them.
    pub fn state_size(&self) -> (usize, usize) {
        let ports = self.network.input_ports();
        let values = |&state: &usize| ports[state].shape.iter().product::<usize>();
        (self.states.len(), self.states.iter().map(values).sum())
    }
}

/// Where `ports` hold `name`.
pub(super) fn find(file: &str, side: &str, ports: &[Port], name: &str) -> Result<usize> {
    ports.iter().position(|port| port.name == name).ok_or_else(|| {
        let names: Vec<_> = ports.iter().map(|port| port.name.as_str()).collect();
        Error::new(ErrorKind::Model, format!("{file} has no {side} {name}"))
            .expected(format!("an {side} named {name}"))
            .found(names.join(", "))
            .hint("export the network with the names of the package format")
    })
}

/// Where `ports` hold `name`, which must have `shape`.
pub(super) fn expect_port(
    file: &str,
    side: &str,
    ports: &[Port],
    name: &str,
    shape: &[usize],
) -> Result<usize> {
    let index = find(file, side, ports, name)?;
    if ports[index].shape == shape {
        return Ok(index);
    }
    Err(Error::new(ErrorKind::Model, format!("{file}: {side} {name} has the wrong shape"))
        .expected(format!("{shape:?} by the manifest"))
        .found(format!("{:?}", ports[index].shape))
        .hint("manifest and network belong to different models, or mel_bands disagree"))
}
