//! Telling the local network that the server is there (DNS-SD over multicast DNS), so that Home
//! Assistant finds it by itself.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use mdns_sd::{DaemonEvent, IfKind, Receiver, ServiceDaemon, ServiceInfo};

use super::transport::Uri;

/// The type under which Wyoming services are looked for.
const SERVICE: &str = "_wyoming._tcp.local.";
/// What our last words to the network may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// An announcement. Dropping it takes it back.
pub(super) struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

impl Announcement {
    /// Announces what listens at `address`. Where that can't be, it is said in the log and no
    /// reason not to serve.
    pub(super) fn start(address: &Uri) -> Option<Self> {
        let reachable = match address {
            Uri::Tcp(address) => {
                address.parse().ok().filter(|it: &SocketAddr| !it.ip().is_loopback())
            }
            Uri::Unix(_) => None,
        };
        let Some(reachable) = reachable else {
            tracing::warn!(%address, "the Wyoming server is not announced: only this machine can reach it");
            return None;
        };
        let started = ServiceDaemon::new().and_then(|daemon| {
            // Nobody on another machine could do anything with that address.
            daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
            Self::on(daemon, reachable)
        });
        match started {
            Ok(announcement) => Some(announcement),
            Err(error) => {
                tracing::warn!(%error, "the Wyoming server is not announced");
                None
            }
        }
    }

    fn on(daemon: ServiceDaemon, address: SocketAddr) -> mdns_sd::Result<Self> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let host = host.split('.').next().unwrap_or_default();
        let instance = format!("wakegate {host}");
        // A name of our own: the machine's belongs to whoever announces that.
        let server = format!("wakegate-{host}.local.");
        let none: &[(&str, &str)] = &[];
        let info = if address.ip().is_unspecified() {
            // Those of every interface, as they come and go.
            ServiceInfo::new(SERVICE, instance.trim(), &server, "", address.port(), none)?
                .enable_addr_auto()
        } else {
            ServiceInfo::new(SERVICE, instance.trim(), &server, address.ip(), address.port(), none)?
        };
        let name = info.get_fullname().to_owned();
        let seen = daemon.monitor()?;
        thread::Builder::new()
            .name("zeroconf".to_owned())
            .spawn(move || watch(&seen))
            .map_err(|error| mdns_sd::Error::Msg(error.to_string()))?;
        daemon.register(info)?;
        tracing::info!(name, "the Wyoming server is announced");
        Ok(Self { daemon, name })
    }
}

/// Says the first thing that goes wrong, until the announcement ends.
fn watch(seen: &Receiver<DaemonEvent>) {
    let mut said = false;
    while let Ok(event) = seen.recv() {
        match event {
            DaemonEvent::Error(error) if !said => {
                said = true;
                tracing::warn!(%error, "the Wyoming server may not be announced everywhere");
            }
            DaemonEvent::NameChange(change) => {
                tracing::info!(
                    name = change.new_name,
                    "that name is taken; the Wyoming server has another"
                );
            }
            _ => {}
        }
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Without it the name goes when its time is over.
        if let Ok(done) = self.daemon.unregister(&self.name) {
            let _ = done.recv_timeout(FAREWELL);
        }
        let _ = self.daemon.shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_this_machine_can_reach_is_not_announced() {
        for address in ["tcp://127.0.0.1:10400", "tcp://[::1]:10400", "unix:///run/w.sock"] {
            assert!(Announcement::start(&address.parse().unwrap()).is_none(), "{address}");
        }
    }
}
