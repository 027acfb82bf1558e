//! The review queue in the daemon: opened at the start, and anew where its settings change.

use std::sync::Arc;

use super::metrics::Counters;
use wakegate::Result;
use wakegate::gate::{SystemClock, system_draw};
use wakegate::review::{Feed, Recorder, Settings};

/// The way into the queue of one configuration; leads nowhere where review is off.
///
/// Dropping it stores what was offered, once everybody who feeds it has let go.
pub struct ReviewQueue(Option<Arc<Recorder>>);

impl ReviewQueue {
    /// Opens the queue that `settings` name, if review is on.
    ///
    /// # Errors
    /// As [`Recorder::start`].
    pub fn open(settings: &Settings) -> Result<Self> {
        let clock = Arc::new(SystemClock::new());
        let recorder = Recorder::start(&settings.directory, settings, clock, system_draw())?;
        Ok(Self(recorder.policy().is_some().then(|| Arc::new(recorder))))
    }

    /// Lets the metrics show this one.
    pub fn show(&self, counters: &Counters) {
        let Some(recorder) = &self.0 else { return counters.hide("review") };
        // The page must not keep it alive.
        let theirs = Arc::downgrade(recorder);
        counters.show("review", move || {
            let metrics = theirs.upgrade().map(|recorder| recorder.metrics());
            metrics.unwrap_or_default()
        });
    }

    /// Whether anybody else still feeds it.
    pub fn is_fed(&self) -> bool {
        self.0.as_ref().is_some_and(|recorder| Arc::strong_count(recorder) > 1)
    }

    /// A feed for one stream.
    pub fn feed(&self) -> Option<Feed> {
        self.0.as_ref().and_then(Feed::new)
    }

    /// What takes the clips.
    pub fn recorder(&self) -> Option<&Arc<Recorder>> {
        self.0.as_ref()
    }
}
