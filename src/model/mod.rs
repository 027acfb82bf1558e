//! Model packages: the manifest, the ONNX sessions and the posterior types.
//!
//! A package is a directory with `manifest.toml`, the two networks it names and
//! `MODEL_CARD.md`; one is compiled into the binary. Nothing of a package is used before its
//! manifest, hashes, names, shapes and labels have been checked: what disagrees is an error.

pub mod manifest;
mod manifest_checks;
mod onnx;
mod package;
mod posteriors;
mod spotter;
mod verifier;
mod weights;

pub use manifest::{LABELS, Manifest, Sensitivity};
pub use onnx::{Runtime, TELEMETRY_VARIABLE};
pub use package::Model;
pub use posteriors::{Posteriors, Verification, WakeScores};
pub use spotter::SpotterSession;
pub use verifier::VerifierSession;
