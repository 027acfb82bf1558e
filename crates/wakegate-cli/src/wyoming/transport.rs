//! Addresses, listeners and streams: TCP and Unix sockets behind one form.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use wakegate::{Error, ErrorKind, Result};

/// Where a Wyoming service is: `tcp://HOST:PORT` or `unix://PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uri {
    /// `host:port`; an IPv6 address stands in brackets.
    Tcp(String),
    /// A socket file.
    Unix(PathBuf),
}

impl FromStr for Uri {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = || {
            Error::new(ErrorKind::Settings, "cannot use this Wyoming address")
                .expected("tcp://HOST:PORT or unix://PATH")
                .found(format!("{text:?}"))
                .hint("the usual address of a wake-word service is tcp://127.0.0.1:10400")
        };
        if let Some(path) = text.strip_prefix("unix://").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let address = text.strip_prefix("tcp://").ok_or_else(refused)?;
        let address = address.strip_suffix('/').unwrap_or(address);
        let (host, port) = address.rsplit_once(':').ok_or_else(refused)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let plain = !host.contains(['/', '[', ']']) && !host.contains(':');
        if host.is_empty() || !(plain || bracketed) || port.parse::<u16>().is_err() {
            return Err(refused());
        }
        Ok(Self::Tcp(address.to_owned()))
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl Uri {
    /// Whether a connection to `other` ends at what listens here.
    pub(super) fn leads_to(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unix(own), Self::Unix(other)) => {
                let whole = |path: &Path| {
                    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                    let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
                    Some(folder.join(path.file_name()?))
                };
                // Where nothing is, two paths are not one.
                let other = fs::canonicalize(other).ok().or_else(|| whole(other));
                other.is_some() && other == whole(own)
            }
            (Self::Tcp(own), Self::Tcp(other)) => {
                let all = |address: &str| -> Vec<SocketAddr> {
                    address.to_socket_addrs().map(Iterator::collect).unwrap_or_default()
                };
                // Only an address of this machine can be bound.
                let here = |ip: IpAddr| UdpSocket::bind((ip, 0)).is_ok();
                let own = all(own);
                all(other).iter().any(|other| {
                    own.iter().any(|own| {
                        let everywhere = own.ip().is_unspecified() && here(other.ip());
                        // A connection to no address in particular ends at this machine.
                        let any = other.ip().is_unspecified() && own.ip().is_loopback();
                        let same = own.ip() == other.ip() || everywhere || any;
                        own.port() == other.port() && own.port() != 0 && same
                    })
                })
            }
            _ => false,
        }
    }
}

/// A connected stream.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Connects to `uri`, each of its addresses in turn, each for at most `timeout`.
    pub(super) fn connect(uri: &Uri, timeout: Duration) -> io::Result<Self> {
        match uri {
            Uri::Unix(path) => UnixStream::connect(path).map(Self::Unix),
            Uri::Tcp(address) => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for address in address.to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, timeout) {
                        Ok(stream) => return Ok(Self::Tcp(stream)),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }

    /// Sets what every connection needs: no delay, probes that find a peer that is gone, at most
    /// `backlog` bytes (doubled by Linux) that wait in the kernel for a slow reader.
    pub(super) fn prepare(&self, backlog: usize) -> io::Result<()> {
        let socket = match self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true)?;
                let socket = SockRef::from(stream);
                let keepalive = TcpKeepalive::new()
                    .with_time(Duration::from_secs(60))
                    .with_interval(Duration::from_secs(15));
                socket.set_tcp_keepalive(&keepalive)?;
                socket
            }
            Self::Unix(stream) => SockRef::from(stream),
        };
        socket.set_send_buffer_size(backlog)
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
        }
    }

    pub(super) fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(timeout)),
            Self::Unix(stream) => stream.set_read_timeout(Some(timeout)),
        }
    }

    pub(super) fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(timeout)),
            Self::Unix(stream) => stream.set_write_timeout(Some(timeout)),
        }
    }

    /// Says that nothing more will be sent.
    pub(super) fn close_write(&self) {
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }

    /// Ends both directions: every read and write on any clone returns.
    pub(super) fn close(&self) {
        // A stream whose peer has closed it already is as closed as it can be.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&*stream).read(buffer),
            Stream::Unix(stream) => (&*stream).read(buffer),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&*stream).write(bytes),
            Stream::Unix(stream) => (&*stream).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A bound socket. A Unix socket's file is removed when it is closed.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Binds `uri`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where the address is taken or not this machine's.
    pub(super) fn bind(uri: &Uri) -> Result<Self> {
        let failed = |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "another program listens there: stop it, or take another port"
                }
                io::ErrorKind::PermissionDenied => {
                    "take a port from 1024 on, or a folder you may write to"
                }
                _ => "check the address: it must be one of this machine's",
            };
            Error::new(ErrorKind::Io, format!("cannot listen on {uri}"))
                .found(error.to_string())
                .hint(hint)
        };
        match uri {
            Uri::Tcp(address) => TcpListener::bind(address.as_str()).map(Self::Tcp).map_err(failed),
            Uri::Unix(path) => {
                remove_stale(path).map_err(failed)?;
                UnixListener::bind(path).map(|l| Self::Unix(l, path.clone())).map_err(failed)
            }
        }
    }

    /// Where it listens; with the port that the system chose where port 0 was asked for.
    pub(super) fn address(&self) -> io::Result<Uri> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(|a| Uri::Tcp(a.to_string())),
            Self::Unix(_, path) => Ok(Uri::Unix(path.clone())),
        }
    }

    /// Whether other machines can reach it.
    pub(super) fn is_public(&self) -> bool {
        let public = |address: SocketAddr| match address.ip() {
            IpAddr::V4(ip) => !ip.is_loopback(),
            IpAddr::V6(ip) => !ip.is_loopback(),
        };
        matches!(self, Self::Tcp(listener) if listener.local_addr().is_ok_and(public))
    }

    /// The next connection, with its peer's name.
    pub(super) fn accept(&self) -> io::Result<(Stream, String)> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().map(|(stream, peer)| (Stream::Tcp(stream), peer.to_string()))
            }
            Self::Unix(listener, _) => {
                listener.accept().map(|(stream, _)| (Stream::Unix(stream), "local".to_owned()))
            }
        }
    }

    /// Makes the pending [`accept`](Self::accept), and every later one, return an error.
    pub(super) fn close(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => SockRef::from(listener).shutdown(Shutdown::Both),
            Self::Unix(listener, path) => {
                let closed = SockRef::from(listener).shutdown(Shutdown::Both);
                fs::remove_file(path).and(closed)
            }
        }
    }
}

/// Removes the socket file that a killed process left; one that answers stays.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_alike() {
        for text in [
            "tcp://127.0.0.1:10400",
            "tcp://[::1]:10400",
            "tcp://wake.local:0",
            "unix:///run/w.sock",
        ] {
            assert_eq!(text.parse::<Uri>().unwrap().to_string(), text);
        }
        assert_eq!("tcp://a:1/".parse::<Uri>().unwrap(), Uri::Tcp("a:1".to_owned()));
    }

    #[test]
    fn other_addresses_are_refused_with_a_way_out() {
        for text in [
            "",
            "stdio://",
            "tcp://",
            "tcp://host",
            "tcp://:10400",
            "tcp://host:",
            "tcp://host:port",
            "tcp://host:65536",
            "tcp://a:1/b",
            "tcp://::1:10400",
            "unix://",
            "127.0.0.1:10400",
        ] {
            let error = text.parse::<Uri>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Settings, "{text}");
            assert!(error.to_string().contains("tcp://HOST:PORT"), "{error}");
        }
    }

    #[test]
    fn an_address_that_leads_to_itself_is_known_by_every_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.sock");
        let roundabout = folder.path().join("../").join(folder.path().file_name().unwrap());
        let (unix, round) = (
            format!("unix://{}", path.display()),
            format!("unix://{}/w.sock", roundabout.display()),
        );
        let leads =
            |own: &str, other: &str| own.parse::<Uri>().unwrap().leads_to(&other.parse().unwrap());
        assert!(leads(&unix, &unix) && leads(&unix, &round));
        for (own, other) in [
            ("tcp://127.0.0.1:10400", "tcp://127.0.0.1:10400"),
            ("tcp://127.0.0.1:10400", "tcp://localhost:10400"),
            ("tcp://0.0.0.0:10400", "tcp://127.0.0.1:10400"),
            ("tcp://0.0.0.0:10400", "tcp://localhost:10400"),
            ("tcp://127.0.0.1:10400", "tcp://0.0.0.0:10400"),
        ] {
            assert!(leads(own, other), "{own} {other}");
        }
        for (own, other) in [
            ("tcp://127.0.0.1:10400", "tcp://127.0.0.1:10401"),
            ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0"),
            ("tcp://0.0.0.0:10400", "tcp://192.0.2.1:10400"),
            ("tcp://127.0.0.1:10400", unix.as_str()),
            ("unix:///nowhere/a", "unix:///nowhere/b"),
        ] {
            assert!(!leads(own, other), "{own} {other}");
        }
    }

    #[test]
    fn a_socket_file_left_behind_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let uri = Uri::Unix(folder.path().join("w.sock"));
        let Uri::Unix(path) = &uri else { unreachable!() };
        drop(UnixListener::bind(path).unwrap());
        assert!(path.exists(), "a dropped listener leaves its file");
        let listener = Listener::bind(&uri).unwrap();
        let error = Listener::bind(&uri).unwrap_err();
        assert!(error.to_string().contains("another program listens there"), "{error}");
        listener.close().unwrap();
        assert!(!path.exists());
        fs::write(path, "text").unwrap();
        assert!(Listener::bind(&uri).is_err());
        assert_eq!(fs::read_to_string(path).unwrap(), "text", "another's file is left alone");
    }

    #[test]
    fn closing_wakes_a_waiting_accept() {
        let folder = tempfile::tempdir().unwrap();
        for uri in [Uri::Tcp("127.0.0.1:0".to_owned()), Uri::Unix(folder.path().join("w"))] {
            let listener = Listener::bind(&uri).unwrap();
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| listener.accept().is_err());
                listener.close().unwrap();
                assert!(waiting.join().unwrap());
            });
        }
    }
}
