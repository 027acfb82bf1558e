//! Telling the rest of the program, and the client, what was judged.

use std::sync::Arc;

use super::message;
use super::server::Client;
use wakegate::Result;
use wakegate::model::Manifest;
use wakegate::pipeline::Activation;
use wakegate::review::{Feed, Recorder};

/// One judged activation of a client's stream.
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
    /// The verdict with its reason; times are in samples from the start of the stream.
    pub activation: Activation,
    /// The upstream engine's name for the word, where it proposed the candidate.
    pub upstream: Option<String>,
}

/// Gets every judged activation, intended or not. Called from the clients' threads: it must
/// not block, and returns whether it could take it.
pub type Observer = Arc<dyn Fn(Judged) -> bool + Send + Sync>;

/// An activation, and who proposed it.
pub(super) struct Heard {
    pub(super) activation: Activation,
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
}

impl Reporter {
    /// The way of one stream's audio into the review queue.
    pub(super) fn feed(&self) -> Option<Feed> {
        self.recorder.as_ref().and_then(Feed::new)
    }

    /// Counts a verdict, hands it to the observer and sends it to the client.
    ///
    /// # Errors
    /// What sending gives.
    pub(super) fn report(&self, client: &Client, manifest: &Manifest, heard: Heard) -> Result<()> {
        let Heard { activation, upstream } = heard;
        client.counters.judged(activation.verdict, activation.reason);
        if let Some(observer) = &self.observer {
            let taken = observer(Judged {
                client: client.number,
                peer: client.peer.clone(),
                wake_word: manifest.wake_word.clone(),
                model: manifest.id(),
                activation,
                upstream,
            });
            if !taken {
                client.counters.dropped_verdicts.one();
            }
        }
        if self.verdict_events {
            client.out.send(&message::verdict(manifest, &activation))?;
        }
        Ok(())
    }
}
