//! `wakegate review serve`: the reviewer's page.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::Config;
use crate::page::{Event, Limits, Options, Server, TlsFiles};
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use wakegate::gate::{SystemClock, harden};
use wakegate::model::Model;
use wakegate::review::Person;
use wakegate::{Error, ErrorKind, Result};

use super::queue_location::QueueLocation;
use super::review::open;
use super::{Engine, Outcome, open_model, output};

/// Serve the reviewer's page, and print a link that works once for each reviewer
#[derive(Args)]
pub struct Serve {
    /// Address and port; anything but a loopback address needs a certificate
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7871", value_parser = address)]
    listen: SocketAddr,
    /// Who reviews, for the audit log; once for each person
    #[arg(long = "reviewer", value_name = "NAME", env = "USER", default_value = "reviewer")]
    reviewers: Vec<Person>,
    /// Host name that the browser uses, as in the certificate
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
    /// Certificate with its chain, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    engine: Engine,
}

/// An address, or a name of this machine: `localhost:7871`.
fn address(text: &str) -> std::result::Result<SocketAddr, String> {
    let found = text.to_socket_addrs().map_err(|error| error.to_string())?;
    // A name may have both kinds of addresses; links say the older one.
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(|| "there is no address of that name".to_owned())
}

impl Serve {
    pub fn run(self, place: &QueueLocation) -> Result<Outcome> {
        harden().problems.iter().for_each(|problem| output::warning("memory", problem));
        // Before anything is told: from the first link on, an end is an orderly one.
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|error| {
            Error::new(ErrorKind::Runtime, "cannot listen for signals").found(error.to_string())
        })?;
        let config = place.config(None)?;
        let queue = open(&config.review)?;
        let model = self.model(&config)?;
        let tls = self.tls_cert.zip(self.tls_key);
        let options = Options {
            listen: self.listen,
            names: self.names,
            tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
            reviewers: self.reviewers,
            limits: Limits::default(),
        };
        let clock = Arc::new(SystemClock::new());
        let server = Server::start(&options, queue, Some(&model), clock, tell)?;
        output::talk(format_args!("listening on {}; Ctrl-C ends it", server.address()));
        // Blocks until the first of them; dropping the server gives leased clips back.
        signals.forever().next();
        drop(server);
        Ok(Outcome::AllWell)
    }

    /// What draws the curve of a clip: the model that is named here, or the first of the settings.
    fn model(&self, config: &Config) -> Result<Model> {
        self.engine.runtime.choose()?;
        let first = config.wake_word.first().and_then(|word| word.model.as_deref());
        open_model(self.engine.model.as_deref().or(first))
    }
}

fn tell(event: Event) {
    match event {
        Event::Link { reviewer, url } => {
            // The page goes on where nobody reads stdout any more.
            let _ = output::line(format_args!("{reviewer}: {url}"));
        }
        Event::Failed(error) => output::error(&error),
    }
}
