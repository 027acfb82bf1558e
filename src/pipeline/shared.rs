//! One verifier for many streams.

use std::sync::{Arc, Mutex};

use crate::model::{Model, Verification, VerifierSession};
use crate::{Error, ErrorKind, Result};

/// A verifier that many pipelines use in turn. It keeps nothing from one window to the next, is
/// by far the larger network, and is needed for about a millisecond at a time.
#[derive(Clone)]
pub struct SharedVerifier {
    session: Arc<Mutex<VerifierSession>>,
}

impl SharedVerifier {
    /// Loads the verifier of `model`.
    ///
    /// # Errors
    /// As [`Model::verifier`].
    pub fn load(model: &Model) -> Result<Self> {
        Ok(Self { session: Arc::new(Mutex::new(model.verifier()?)) })
    }

    /// Whether it can still be used: not after a panic inside it.
    pub fn is_sound(&self) -> bool {
        !self.session.is_poisoned()
    }

    /// As [`VerifierSession::judge`]; also an error after a panic inside it.
    pub(super) fn judge(&self, features: &[f32]) -> Result<Verification> {
        let mut session = self.session.lock().map_err(|_| {
            Error::new(ErrorKind::Runtime, "the verifier had a fault in another stream")
                .expected("a verifier that is loaded anew")
        })?;
        session.judge(features)
    }
}
