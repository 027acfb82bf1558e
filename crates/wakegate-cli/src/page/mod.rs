//! The reviewer's page: a web server for the queue, on the device itself.
//!
//! ```text
//! browser -> guard (host, origin, size) -> session (cookie and token) -> handlers -> Queue
//! ```
//!
//! The page is in the binary and fetches nothing from elsewhere. It listens on the loopback
//! address, or elsewhere with TLS. Reviewers come in by a link that works once. A clip's audio
//! is served once for each lease, from memory that wipes itself, and the browser is told to
//! keep nothing.
//!
//! This is the one place with an asynchronous runtime: one thread of its own, and at most two
//! beside it while they wait for the queue.

mod api;
mod app;
mod assets;
mod crowd;
mod decide;
mod guard;
mod login;
mod picture;
mod serve;
mod session;
mod site;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use self::app::{App, Desk};
use self::picture::Painter;
pub use self::session::Limits;
use self::session::Sessions;
use self::site::Site;
pub use self::site::TlsFiles;
use wakegate::gate::Clock;
use wakegate::model::Model;
use wakegate::review::{Person, Queue};
use wakegate::{Error, ErrorKind, Result};

/// How long requests that are being served may hold up the end.
const GRACE: Duration = Duration::from_secs(2);

/// Where the page is, and for whom.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address; port 0 takes a free one. Anything but a loopback address needs `tls`.
    pub listen: SocketAddr,
    /// Host names that it answers to, beside its address: those of the certificate.
    pub names: Vec<String>,
    /// The certificate, where it speaks TLS.
    pub tls: Option<TlsFiles>,
    /// Who may come in; one link each.
    pub reviewers: Vec<Person>,
    /// How long links and sessions last.
    pub limits: Limits,
}

/// What the operator has to know.
#[derive(Debug, Clone)]
pub enum Event {
    /// A link that works once. It is a secret: show it to the reviewer and nobody else.
    Link {
        /// Whose it is.
        reviewer: Person,
        /// What to open.
        url: String,
    },
    /// A request could not be served.
    Failed(Error),
}

/// The running page. Dropping it ends it: sessions end, and leased clips are given back.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts the page for `queue`, and tells one link for each reviewer by `on_event`.
    /// `model` shows its spotter's posteriors over the clips that it has judged.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for options that are refused, among them an address that others
    /// can reach without TLS; [`ErrorKind::Io`] for an address that can't be listened on; and
    /// what loading the spotter gives.
    pub fn start(
        options: &Options,
        queue: Queue,
        model: Option<&Model>,
        clock: Arc<dyn Clock>,
        on_event: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self> {
        if options.reviewers.is_empty() {
            return Err(Error::new(ErrorKind::Settings, "nobody could come in")
                .expected("one reviewer or more")
                .found("none"));
        }
        let tls = options.tls.as_ref().map(site::acceptor).transpose()?;
        let (site, listener) = Site::bind(options.listen, &options.names, tls.is_some())?;
        let desk = Desk { queue, painter: Painter::new(model)? };
        let sessions = Sessions::new(options.limits);
        let app = Arc::new(App::new(site, desk, sessions, clock, Box::new(on_event)));
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(2)
            .thread_name("review-queue")
            .build()
            .map_err(|error| cannot_start(&error))?;
        let address = listener.local_addr().map_err(|error| cannot_start(&error))?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(|error| cannot_start(&error))?
        };
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&app);
        let thread = std::thread::Builder::new()
            .name("review-page".to_owned())
            .spawn(move || serve_on(runtime, serve::run(served, listener, tls, stopped)))
            .map_err(|error| cannot_start(&error))?;
        let server = Self { address, stop: Some(stop), thread: Some(thread) };
        for reviewer in &options.reviewers {
            app.announce(reviewer)
                .map_err(|_| Error::new(ErrorKind::Runtime, "cannot make the reviewers' links"))?;
        }
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Nobody listens any more where the thread has ended.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been told already; dropping must not panic again.
            let _ = thread.join();
        }
    }
}

fn serve_on(runtime: Runtime, serving: impl Future<Output = ()>) {
    runtime.block_on(serving);
    runtime.shutdown_timeout(GRACE);
}

fn cannot_start(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Runtime, "cannot start the review page").found(error.to_string())
}
