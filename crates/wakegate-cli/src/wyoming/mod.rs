//! The Wyoming protocol: a wake-word server for satellites and Home Assistant, and a proxy that
//! judges another engine's detections.
//!
//! ```text
//! client: describe, detect, audio-chunk ...
//!    -> one thread and one pipeline state each -> detection, only where it was intended
//!
//! client -> audio, unchanged -> upstream engine -> its detection
//!        -> our pipeline     -> verifier around it -> detection, only where it was intended
//! ```
//!
//! Where review is on, each [`Stream`](wakegate::stream::Stream) keeps its last seconds, of which the
//! gate gets what was judged intended, cut where the stream or what was judged of it ends.
//!
//! Everything fails closed: a client whose audio can't be judged is told and closed, an
//! upstream detection that can't be judged is dropped, and both are counted in [`Counters`].

mod connection;
mod counters;
mod detector;
mod message;
mod names;
mod observer;
mod pcm;
pub mod protocol;
mod proxy;
mod proxy_judge;
mod server;
mod settings;
mod transport;
mod upstream;
mod wake_words;
mod zeroconf;

#[cfg(test)]
mod protocol_tests;
#[cfg(test)]
mod server_tests;

use std::sync::Arc;

pub use counters::Counters;
pub use message::VERDICT_EVENT;
pub use names::check_names;
pub use observer::{Judged, Observer};
pub use settings::{Detect, Settings};
pub use transport::Uri;

use detector::Detector;
use observer::Reporter;
use proxy::Proxy;
use server::{Running, Service};
use upstream::Engine;
use wake_words::WakeWords;
use wakegate::model::Model;
use wakegate::pipeline::Numbers;
use wakegate::review::Recorder;
use wakegate::{Error, ErrorKind, Result};
use zeroconf::Announcement;

/// A running server, or proxy. Dropping it closes it and its clients.
///
/// ```no_run
/// use wakegate::model::Model;
/// use wakegate::pipeline::Numbers;
/// use wakegate_cli::wyoming::{Server, Settings};
///
/// let settings = Settings { listen: Some("tcp://127.0.0.1:10400".into()), ..Settings::default() };
/// let server = Server::start(&settings, vec![Model::embedded()?], Numbers::default(), None, None)?;
/// println!("{}: {} clients", server.address(), server.counters().clients.get());
/// # Ok::<(), wakegate::Error>(())
/// ```
pub struct Server {
    /// Taken back before the server closes.
    _announcement: Option<Announcement>,
    running: Running,
}

impl Server {
    /// Listens on `settings.listen` and serves the wake words of `models`; with
    /// `settings.upstream`, judges that engine's detections of them. Activations are numbered by
    /// `numbers`. The clips of intended ones
    /// are offered to `recorder`.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for a setting outside its range or no address, [`ErrorKind::Io`]
    /// where the address can't be had, and what loading the models' networks gives.
    pub fn start(
        settings: &Settings,
        models: Vec<Model>,
        numbers: Numbers,
        observer: Option<Observer>,
        recorder: Option<Arc<Recorder>>,
    ) -> Result<Self> {
        settings.check()?;
        let uri = settings.listen_uri()?.ok_or_else(|| {
            Error::new(ErrorKind::Settings, "the Wyoming server has no address")
                .expected("wyoming.listen, such as tcp://127.0.0.1:10400")
        })?;
        let counters = Arc::new(Counters::default());
        let Settings { verdict_events, detect, .. } = *settings;
        let reporter = Reporter { observer, recorder, verdict_events, detect };
        settings.check_upstream()?;
        let upstream = settings.upstream_uri()?;
        let words = WakeWords::new(
            models,
            upstream.is_none(),
            settings.most_clients,
            &settings.upstream_names,
        )?;
        let words = Arc::new(words.numbered_by(numbers));
        let service: Box<dyn Service> = match upstream {
            None => Box::new(Detector { words, reporter, channel: settings.heard() }),
            Some(uri) => {
                let counters = Arc::clone(&counters);
                let engine = Engine { uri, settings: settings.clone(), counters };
                let (known, asking) = (Arc::default(), Arc::default());
                let proxy = Proxy { words, reporter, engine, known, asking };
                // An engine that is not there yet may come later; it is told in the log.
                drop(proxy.info());
                Box::new(proxy)
            }
        };
        let running = Running::start(&uri, settings, service, counters)?;
        let announced = settings.zeroconf.then(|| Announcement::start(running.address()));
        Ok(Self { _announcement: announced.flatten(), running })
    }

    /// Where it listens; with the port that the system chose where port 0 was asked for.
    pub fn address(&self) -> &Uri {
        self.running.address()
    }

    /// What happened so far.
    pub fn counters(&self) -> &Arc<Counters> {
        self.running.counters()
    }
}
