//! What the service manager is told, tied to audio that is really judged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tracing::warn;

use super::metrics::Counters;

/// How long nothing may be judged before the daemon is no longer healthy.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Watches whether audio is judged, and tells the service manager.
pub struct Watch {
    counters: Arc<Counters>,
    judged: u64,
    progress: Option<Instant>,
    ready: bool,
    watchdog: bool,
    /// Whether audio has to come; a server may have no clients for hours.
    listens: bool,
}

impl Watch {
    /// Nothing has been judged yet: the service is starting. Where no device is listened to, it
    /// is well as long as it runs.
    pub fn new(counters: Arc<Counters>, listens: bool) -> Self {
        if listens {
            tell(&[NotifyState::Status("waiting for audio")]);
        }
        let watchdog = sd_notify::watchdog_enabled().is_some();
        Self { counters, judged: 0, progress: None, ready: false, watchdog, listens }
    }

    /// Looks at what was judged since the last look. Without any progress the service manager
    /// hears nothing, and its watchdog runs down.
    pub fn look(&mut self, now: Instant) {
        let judged = self.counters.judged_samples.get();
        if judged != self.judged || !self.listens {
            (self.judged, self.progress) = (judged, Some(now));
            if self.watchdog {
                tell(&[NotifyState::Watchdog]);
            }
        }
        let healthy = self.progress.is_some_and(|at| now.duration_since(at) < LONGEST_PAUSE);
        if healthy != self.counters.set_healthy(healthy) {
            let status = if healthy { "listening" } else { "no audio is judged" };
            tell(&[NotifyState::Status(status)]);
        }
        if healthy && !self.ready {
            self.ready = true;
            tell(&[NotifyState::Ready]);
        }
    }

    /// The configuration is read again, or was.
    pub fn reloading(&self, done: bool) {
        match (done, NotifyState::monotonic_usec_now()) {
            (false, Ok(now)) => tell(&[NotifyState::Reloading, now]),
            _ if self.ready => tell(&[NotifyState::Ready]),
            _ => {}
        }
    }

    /// The service ends.
    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "the service manager can't be told");
    }
}
