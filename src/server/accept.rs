//! Accepts TCP connections, and refuses those beyond the limits. `first_read` decides whether the engine or hyper
//! (`http1`) serves a connection.

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore, watch},
    time::timeout,
};

use super::{
    address,
    first_read::{self, ListenerKind, Protocol},
    http1::{self, TcpConnection},
    tcp_connections::{Connections, Full},
};
use crate::app::App;

/// How long to wait before the next `accept` if there are no file descriptors left.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// Maximal number of refused connections that are kept open at one time until their clients have read the refusal.
const REFUSALS: usize = 8;
/// How long a refused connection is kept open.
const REFUSAL: Duration = Duration::from_secs(1);
/// How long the connection that is just accepted may take.
const LAST_ACCEPT: Duration = Duration::from_secs(1);
/// How long the last responses may take at shutdown.
const LAST_RESPONSES: Duration = Duration::from_secs(1);

/// The steps in which a server ends to accept connections.
#[derive(Default)]
pub(super) struct AcceptSteps {
    stop: Notify,
    stopped: Notify,
    close: Notify,
}

impl AcceptSteps {
    /// Ends accepting: from now on connections wait in the listener's queue. Those that were accepted are served.
    pub(super) async fn stop(&self) {
        self.stop.notify_one();
        if timeout(LAST_ACCEPT, self.stopped.notified()).await.is_err() {
            tracing::warn!("the listener still accepts connections");
        }
    }

    /// Closes idle connections, and each other one after its response.
    pub(super) fn close(&self) {
        self.close.notify_one();
    }
}

/// Accepts and serves connections until they are closed by `steps`.
pub(super) async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    router: Router,
    kind: ListenerKind,
    steps: Arc<AcceptSteps>,
) {
    let http = http1::builder();
    let connections = match kind {
        ListenerKind::Clients => Connections::new(app.limits.clone(), app.metrics.clone()),
        ListenerKind::Operators => Connections::for_operators(app.limits.clone()),
    };
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    // Changes when no further requests are accepted. Every connection holds a receiver until it is closed.
    let (last_request, closing) = watch::channel(());
    let mut is_accepting = true;
    loop {
        let accepted = tokio::select! {
            // In this order, so that no connection is accepted after a step was taken.
            biased;
            () = steps.close.notified() => break,
            () = steps.stop.notified() => {
                is_accepting = false;
                steps.stopped.notify_one();
                continue;
            }
            accepted = listener.accept(), if is_accepting => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if app.refusal_lines.check().is_ok() {
                    tracing::warn!(%error, "a connection could not be accepted");
                }
                connections.close_one_idle();
                tokio::time::sleep(EXHAUSTED).await;
                continue;
            }
        };
        // With Nagle's algorithm, small packets could wait 40 ms for the peer's delayed ACK.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection closed at once");
            continue;
        }
        let close = Arc::new(Notify::new());
        let address = peer.ip().to_canonical();
        let is_proxy = address::is_trusted(address, &app.config.server.trusted_proxies);
        let permit = match connections.admit((!is_proxy).then_some(address), &close) {
            Ok(permit) => permit,
            Err(full) => {
                if app.refusal_lines.check().is_ok() {
                    tracing::info!(%address, reason = full.message(), "connection refused");
                }
                refuse(stream, full, &refusals);
                continue;
            }
        };
        let connection = TcpConnection {
            app: app.clone(),
            router: router.clone(),
            http: http.clone(),
            peer,
            closing: closing.clone(),
            permit,
            close,
        };
        // Boxed, so that a WebSocket's task does not keep the memory of the handshake's future.
        tokio::spawn(run(Box::pin(first_read::begin(connection, kind, stream))));
        // If many idle connections were told to close to make room, wait for them. Their clients cannot delay this.
        connections.wait_for_closing().await;
    }
    drop(closing);
    last_request.send_replace(());
    if timeout(LAST_RESPONSES, last_request.closed()).await.is_err() {
        tracing::debug!("some connections are still open");
    }
}

/// Answers 503 and closes the connection. Up to [`REFUSALS`] connections are kept open until the client has read the
/// answer.
fn refuse(mut stream: TcpStream, full: Full, refusals: &Arc<Semaphore>) {
    let message = full.message();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{message}",
        message.len()
    );
    if stream.try_write(answer.as_bytes()).is_err() {
        return;
    }
    let Ok(permit) = refusals.clone().try_acquire_owned() else { return };
    tokio::spawn(async move {
        let _permit = permit;
        // A connection that is closed with unread bytes is reset, and the client may lose the answer.
        let rest = async {
            stream.shutdown().await?;
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
        };
        // The refusal was sent; how the connection ends does not matter.
        drop(timeout(REFUSAL, rest).await);
    });
}

/// Serves a connection until it is closed.
async fn run(beginning: Pin<Box<impl Future<Output = Option<Protocol>>>>) {
    match beginning.await {
        Some(Protocol::WebSocket(reader, _permit)) => reader.run().await,
        Some(Protocol::Http(connection, stream, bytes)) => Box::pin(connection.serve(stream, bytes)).await,
        None => {}
    }
}
