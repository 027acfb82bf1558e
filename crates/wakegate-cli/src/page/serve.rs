//! Connections: taken, bounded in number and patience, and handed to the router.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::api;
use super::app::{App, Peer};

/// Connections at a time.
const MOST_CONNECTIONS: usize = 64;
/// How long a TLS handshake or the head of a request may take, and an idle connection stay.
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
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut tick = interval(TICK);
    loop {
        tokio::select! {
            // Sent, or the server dropped: both mean to stop.
            _ = &mut stop => break,
            // What fails here has been told, and is tried again.
            _ = tick.tick() => { let _ = app.settle().await; }
            taken = listener.accept() => match taken {
                Ok((stream, address)) => {
                    // Nobody waits for a place: a browser tries again by itself.
                    let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
                    let (router, tls) = (router.clone(), tls.clone());
                    tokio::spawn(async move {
                        match tls {
                            None => converse(stream, address, router).await,
                            Some(tls) => {
                                if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
                                    converse(stream, address, router).await;
                                }
                            }
                        }
                        drop(slot);
                    });
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
    address: SocketAddr,
    router: Router,
) {
    let service = TowerToHyperService::new(router.layer(Extension(Peer(address.ip()))));
    // What a client does wrong on its connection ends that connection, and is of no interest.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_HEAD)
        // Bodies with audio are handed to the system as they are, not copied first.
        .writev(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
