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

impl SharedVerifier {
    /// Leaves it as a panic inside it would: for tests of what stands on it.
    #[doc(hidden)]
    pub fn spoil(&self) {
        std::thread::scope(|scope| {
            let spoiler = scope.spawn(|| {
                let _held = self.session.lock();
                panic!("a fault that the test asked for");
            });
            // The panic is the purpose.
            let _ = spoiler.join();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Pipeline;

    #[test]
    fn after_a_panic_there_is_no_verdict_in_any_stream() {
        let model = Model::embedded().unwrap();
        let verifier = SharedVerifier::load(&model).unwrap();
        let mut pipeline = Pipeline::with_verifier(&model, &verifier, false).unwrap();
        pipeline.judge_at(0).unwrap();
        verifier.spoil();
        assert!(!verifier.is_sound());
        let result = pipeline.push(&[0.0; 32_000], &mut |_| panic!("a verdict after a fault"));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Runtime);
    }

    #[test]
    fn streams_with_one_verifier_judge_as_those_with_their_own() {
        let model = Model::embedded().unwrap();
        let verifier = SharedVerifier::load(&model).unwrap();
        let samples: Vec<f32> = (0..48_000_u32).map(|n| (n as f32 * 0.03).sin() * 0.3).collect();
        let judge = |mut pipeline: Pipeline| {
            let mut found = Vec::new();
            pipeline.judge_at(20_000).unwrap();
            pipeline.push(&samples, &mut |activation| found.push(activation)).unwrap();
            found
        };
        let own = judge(Pipeline::without_spotter(&model).unwrap());
        assert_eq!(own.len(), 1);
        for _ in 0..2 {
            let shared = Pipeline::with_verifier(&model, &verifier, false).unwrap();
            assert_eq!(judge(shared), own);
        }
    }
}
