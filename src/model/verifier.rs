//! Stage two: looks at a window around a candidate.

use super::onnx::Network;
use super::spotter::expect_port;
use super::{Manifest, Posteriors, Verification, WakeScores};
use crate::{Error, ErrorKind, Result};

/// The verifier; it keeps nothing from one window to the next.
///
/// Input `features` is `[1, window_frames, mel_bands]`, natural-log mel. Outputs: `posteriors`
/// `[1, 3]`, `scores` `[1, 2]` (wake word, addressed), `span_s` `[1, 2]` (start and end of
/// the word in seconds relative to the candidate's anchor).
pub struct VerifierSession {
    network: Network,
    posteriors: usize,
    scores: usize,
    span: usize,
    feedback: [Option<usize>; 3],
}

impl VerifierSession {
    /// Loads the network and holds its names and shapes against the manifest.
    pub(super) fn load(manifest: &Manifest, bytes: &[u8]) -> Result<Self> {
        let file = &manifest.verifier.file;
        let network = Network::load(file, bytes)?;
        let (inputs, outputs) = (network.input_ports(), network.output_ports());
        let shape = [1, manifest.window_frames(), manifest.frontend.mel_bands];
        expect_port(file, "input", inputs, "features", &shape)?;
        let posteriors = expect_port(file, "output", outputs, "posteriors", &[1, 3])?;
        let scores = expect_port(file, "output", outputs, "scores", &[1, 2])?;
        let span = expect_port(file, "output", outputs, "span_s", &[1, 2])?;
        for (side, count, ports) in [("input", 1, inputs), ("output", 3, outputs)] {
            if ports.len() != count {
                let names: Vec<_> = ports.iter().map(|port| port.name.as_str()).collect();
                return Err(Error::new(ErrorKind::Model, format!("{file} has {side}s too many"))
                    .expected(count.to_string())
                    .found(format!("{}: {}", ports.len(), names.join(", "))));
            }
        }
        Ok(Self { network, posteriors, scores, span, feedback: [None; 3] })
    }

    /// Judges a window of features, `[window_frames, mel_bands]` row-major.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for another number of features, [`ErrorKind::Runtime`] if the run
    /// fails, [`ErrorKind::Posterior`] for an output that is not a number or no probability.
    pub fn judge(&mut self, features: &[f32]) -> Result<Verification> {
        let mut posteriors = [f32::NAN; 3];
        let mut scores = [f32::NAN; 2];
        let mut span_s = [f32::NAN; 2];
        self.network.set_input(0, features)?;
        self.network.run(&self.feedback, |index, values| {
            if index == self.posteriors {
                posteriors.copy_from_slice(values);
            } else if index == self.scores {
                scores.copy_from_slice(values);
            } else if index == self.span {
                span_s.copy_from_slice(values);
            }
            Ok(())
        })?;
        if !span_s.iter().all(|seconds| seconds.is_finite()) {
            return Err(Error::new(ErrorKind::Posterior, "the verifier's span is refused")
                .expected("two finite numbers of seconds")
                .found(format!("{span_s:?}"))
                .hint("check the model with `wakegate model check`"));
        }
        Ok(Verification {
            posteriors: Posteriors::new(posteriors)?,
            scores: WakeScores::new(scores)?,
            span_s,
        })
    }
}
