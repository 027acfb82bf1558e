//! Who is connected: bounded in number, and in how long an answer may wait to be taken.
//!
//! A place is never kept from somebody new by somebody who has not logged in: where there are too
//! many, the oldest of those makes room. So whoever opens connections and never reads, or never
//! asks, loses them, and keeps nobody out.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Sleep, sleep};

/// Connections at a time.
const MOST: usize = 64;
/// Of them, those of one address; a browser opens six.
const MOST_OF_ONE: usize = 32;

/// The address that counts for limits: one machine has many names for itself, and one network of
/// the sixth version more addresses than anybody can count.
pub(super) fn counted(address: IpAddr) -> IpAddr {
    let address = address.to_canonical();
    if address.is_loopback() {
        return IpAddr::V4(Ipv4Addr::LOCALHOST);
    }
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// The connections that are open, oldest first.
#[derive(Default)]
pub(super) struct Crowd(Mutex<Vec<Guest>>);

struct Guest {
    from: IpAddr,
    /// Whether a session was shown on the connection.
    known: Arc<AtomicBool>,
    connection: AbortHandle,
}

impl Crowd {
    /// Takes a connection in; another makes room for it where there are too many. It is the new
    /// one that goes only where everybody else is logged in.
    pub(super) fn enter(&self, from: IpAddr, known: Arc<AtomicBool>, task: JoinHandle<()>) {
        let mut guests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guests.retain(|guest| !guest.connection.is_finished());
        guests.push(Guest { from, known, connection: task.abort_handle() });
        let of_one = guests.iter().filter(|guest| guest.from == from).count();
        let leaves = |guest: &Guest| {
            !guest.known.load(Ordering::Relaxed) && (of_one <= MOST_OF_ONE || guest.from == from)
        };
        if (guests.len() > MOST || of_one > MOST_OF_ONE)
            && let Some(place) = guests.iter().position(leaves)
        {
            guests.remove(place).connection.abort();
        }
    }
}

/// A stream whose writes may wait only so long: a peer that takes nothing is let go.
pub(super) struct Hurried<S> {
    inner: S,
    patience: Duration,
    /// When a write that waits has waited long enough.
    late: Option<Pin<Box<Sleep>>>,
}

impl<S> Hurried<S> {
    pub(super) fn new(inner: S, patience: Duration) -> Self {
        Self { inner, patience, late: None }
    }

    /// Passes on what a write came to, or its end where that takes too long.
    fn hurry<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.late = None;
            return written;
        }
        let patience = self.patience;
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(patience)));
        match late.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Hurried<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Hurried<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.hurry(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, pieces);
        self.hurry(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.hurry(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(context);
        self.hurry(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_machine_and_one_network_count_as_one() {
        let same = |a: &str, b: &str| counted(a.parse().unwrap()) == counted(b.parse().unwrap());
        assert!(same("127.0.0.1", "127.8.9.10") && same("127.0.0.1", "::1"));
        assert!(same("::ffff:127.0.0.1", "127.0.0.1") && same("::ffff:10.0.0.1", "10.0.0.1"));
        assert!(same("2001:db8:1:2::3", "2001:db8:1:2:ffff::4"));
        assert!(!same("10.0.0.1", "10.0.0.2") && !same("2001:db8:1:2::3", "2001:db8:1:3::3"));
    }
}
