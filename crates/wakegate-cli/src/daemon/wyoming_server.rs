//! The Wyoming server in the daemon: beside the sound card, or in its place.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::fanout::{Decided, Fanout};
use super::metrics::Counters;
use crate::wyoming::{Judged, Observer, Server, Settings, Uri};
use wakegate::Result;
use wakegate::audio::SAMPLE_RATE;
use wakegate::model::Model;
use wakegate::pipeline::Decision;
use wakegate::review::Recorder;

/// A server whose verdicts go where those of the sound card go. Dropping it closes it.
pub struct WyomingServer {
    server: Server,
    way: Arc<Mutex<Fanout>>,
}

impl WyomingServer {
    /// Serves `models`; what is intended is offered to `recorder`.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start(
        settings: &Settings,
        models: Vec<Model>,
        fanout: Fanout,
        recorder: Option<&Arc<Recorder>>,
        counters: &Arc<Counters>,
    ) -> Result<Self> {
        let way = Arc::new(Mutex::new(fanout));
        let (to, count) = (Arc::clone(&way), Arc::clone(counters));
        let observer: Observer = Arc::new(move |judged| hand_on(judged, &to, &count));
        let numbers = counters.numbers().clone();
        let server = Server::start(settings, models, numbers, Some(observer), recorder.cloned())?;
        let theirs = Arc::clone(server.counters());
        counters.show("wyoming", move || theirs.metrics());
        Ok(Self { server, way })
    }

    /// Hands verdicts to `fanout` instead of those so far.
    pub fn report_to(&self, fanout: Fanout) {
        *self.way.lock().unwrap_or_else(PoisonError::into_inner) = fanout;
    }

    /// Where it listens.
    pub fn address(&self) -> &Uri {
        self.server.address()
    }
}

/// Counts a client's word or verdict as one of a sound card is counted, and hands it on.
fn hand_on(judged: Judged, way: &Mutex<Fanout>, counters: &Counters) -> bool {
    let Judged { client, peer, wake_word, model, decision, .. } = judged;
    let wake_word: Arc<str> = wake_word.into();
    let own = counters.word(&wake_word);
    let late = |decided: u64, end: u64| {
        Duration::from_secs_f64(decided.saturating_sub(end) as f64 / f64::from(SAMPLE_RATE))
    };
    match &decision {
        Decision::Word(word) => {
            own.words.inc();
            counters.word_delay.observe(late(word.decided_sample, word.end_sample));
        }
        Decision::Verdict(activation) => {
            own.candidates.inc();
            own.verdicts(activation.verdict, activation.reason).inc();
            counters.delay.observe(late(activation.decided_sample, activation.end_sample));
        }
        Decision::Settled(_) => return true,
    }
    let decided = Decided {
        source: format!("wyoming:{client}:{peer}").into(),
        wake_word,
        model: model.into(),
        decision,
    };
    // What a receiver can't take is counted as its own.
    way.lock().unwrap_or_else(PoisonError::into_inner).send(decided);
    true
}
