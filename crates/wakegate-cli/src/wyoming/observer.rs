//! Telling the rest of the program, and the client, what was judged.

use std::sync::Arc;

use super::message;
use super::server::Client;
use super::settings::Detect;
use wakegate::Result;
use wakegate::model::Manifest;
use wakegate::pipeline::Decision;
use wakegate::review::{Feed, Recorder};

/// A word or a verdict of a client's stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The client's number, from 1.
    pub client: u64,
    /// The client's address; `local` for a Unix socket.
    pub peer: String,
    /// The wake word.
    pub wake_word: String,
    /// Name and version of the model.
    pub model: String,
    /// The word, or the verdict with its reason; times are in samples from the start of the
    /// stream.
    pub decision: Decision,
    /// The upstream engine's name for the word, where it proposed the candidate.
    pub upstream: Option<String>,
}

/// Gets every word and every verdict, intended or not. Called from the clients' threads: it must
/// not block, and returns whether it could take it.
pub type Observer = Arc<dyn Fn(Judged) -> bool + Send + Sync>;

/// A decision, and who proposed its candidate.
pub(super) struct Reported {
    pub(super) decision: Decision,
    pub(super) upstream: Option<String>,
}

/// Where verdicts go besides the detections.
#[derive(Clone)]
pub(super) struct Reporter {
    pub(super) observer: Option<Observer>,
    /// What takes clips for review, where that is on.
    pub(super) recorder: Option<Arc<Recorder>>,
    /// Whether clients get them too.
    pub(super) verdict_events: bool,
    /// When clients get their detections.
    pub(super) detect: Detect,
}

impl Reporter {
    /// The way of one stream's audio into the review queue.
    pub(super) fn feed(&self) -> Option<Feed> {
        self.recorder.as_ref().and_then(Feed::new)
    }

    /// Counts a word or a verdict, hands it to the observer, and sends a verdict to the client.
    ///
    /// # Errors
    /// What sending gives.
    pub(super) fn report(
        &self,
        client: &Client,
        manifest: &Manifest,
        reported: Reported,
    ) -> Result<()> {
        let Reported { decision, upstream } = reported;
        match &decision {
            Decision::Word(_) => client.counters.words.inc(),
            Decision::Verdict(activation) => {
                client.counters.judged(activation.verdict, activation.reason);
            }
            // It is between the pipeline and the gate alone.
            Decision::Settled(_) => return Ok(()),
        }
        if let Some(observer) = &self.observer {
            let taken = observer(Judged {
                client: client.number,
                peer: client.peer.clone(),
                wake_word: manifest.wake_word.clone(),
                model: manifest.id(),
                decision,
                upstream,
            });
            if !taken {
                client.counters.dropped_verdicts.inc();
            }
        }
        if let Decision::Verdict(activation) = &decision
            && self.verdict_events
        {
            client.out.send(&message::verdict(manifest, &client.peer, activation))?;
        }
        Ok(())
    }
}
