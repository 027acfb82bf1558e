//! Connections: taken, bounded in number and patience, and handed to the router.

use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::api;
use super::app::{App, Peer};
use super::crowd::{Crowd, Hurried};

/// How long a TLS handshake, the head of a request or the taking of an answer may take, and an idle
/// connection stay.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often ended sessions are looked for while nobody asks for anything.
const TICK: Duration = Duration::from_secs(10);
/// Bytes that the head of a request may have.
const MOST_HEAD: usize = 16 * 1024;
/// Lines that it may have.
const MOST_HEADERS: usize = 64;

/// Serves until `stop`, then ends every session.
pub(super) async fn run(
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    mut stop: oneshot::Receiver<()>,
) {
    let router = api::router(Arc::clone(&app));
    let crowd = Crowd::default();
    let mut tick = interval(TICK);
    loop {
        tokio::select! {
            // Sent, or the server dropped: both mean to stop.
            _ = &mut stop => break,
            // What fails here has been told, and is tried again.
            _ = tick.tick() => { let _ = app.settle().await; }
            taken = listener.accept() => match taken {
                Ok((stream, address)) => {
                    let peer = Peer::new(address.ip());
                    let (router, tls) = (router.clone(), tls.clone());
                    let (from, known) = (peer.from, Arc::clone(&peer.known));
                    crowd.enter(from, known, tokio::spawn(async move {
                        match tls {
                            None => converse(stream, peer, router).await,
                            Some(tls) => {
                                if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
                                    converse(stream, peer, router).await;
                                }
                            }
                        }
                    }));
                }
                // Out of file handles, or a client that is gone already.
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
        }
    }
    let Ok(ended) = app.sessions().map(|mut sessions| sessions.end_all()) else { return };
    for session in ended {
        let _ = app.ended(session, false).await;
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
) {
    let service = TowerToHyperService::new(router.layer(Extension(peer)));
    // What a client does wrong on its connection ends that connection, and is of no interest.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_HEAD)
        // Bodies with audio are handed to the system as they are, not copied first.
        .writev(true)
        .serve_connection(TokioIo::new(Hurried::new(stream, PATIENCE)), service)
        .await;
}
