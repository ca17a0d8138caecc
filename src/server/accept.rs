//! Accepts TCP connections, and refuses those for which there is no place. `first_read` decides who serves one: the
//! engine or hyper (`http1`).

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore, watch},
    time::timeout,
};

use super::{
    address,
    first_read::{self, Begun, Expected},
    http1::{self, TcpConnection},
    tcp_connections::{Connections, Full},
};
use crate::app::App;

/// How long to wait before the next connection where the system has no file descriptor left for one.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// The most refused connections that are waited for at one time, so that their clients read the refusal.
const REFUSALS: usize = 8;
/// How long a refused connection is waited for.
const REFUSAL: Duration = Duration::from_secs(1);
/// How long the last responses may take.
const LAST_RESPONSES: Duration = Duration::from_secs(1);

/// Accepts and serves connections until `closed` is done.
pub(super) async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    router: Router,
    expected: Expected,
    closed: impl Future<Output = ()>,
) {
    let http = http1::builder();
    let connections = match expected {
        Expected::Clients => Connections::new(app.limits.clone(), app.metrics.clone()),
        Expected::Operators => Connections::few(app.limits.clone()),
    };
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    // Changes when no further request is taken. Every connection holds a receiver until it is closed.
    let (last_request, closing) = watch::channel(());
    let mut closed = std::pin::pin!(closed);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut closed => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if app.refusal_lines.check().is_ok() {
                    tracing::warn!(%error, "a connection could not be accepted");
                }
                connections.give_one_up();
                tokio::time::sleep(EXHAUSTED).await;
                continue;
            }
        };
        // Nagle's algorithm would hold every second small packet back for 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection closed at once");
            continue;
        }
        let close = Arc::new(Notify::new());
        let address = peer.ip().to_canonical();
        let is_proxy = address::is_trusted(address, &app.config.server.trusted_proxies);
        let place = match connections.admit((!is_proxy).then_some(address), &close) {
            Ok(place) => place,
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
            place,
            close,
        };
        // Boxed, so that the task of a WebSocket keeps no room for what came before it.
        tokio::spawn(run(Box::pin(first_read::begin(connection, expected, stream))));
        // Until the idle connections that make room for this one are closed, which does not depend on their clients.
        connections.settled().await;
    }
    drop(closing);
    last_request.send_replace(());
    if timeout(LAST_RESPONSES, last_request.closed()).await.is_err() {
        tracing::debug!("some connections are still open");
    }
}

/// Answers that there is no place, and closes the connection. While there are few such connections, each is held until
/// its client has read the answer.
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
        // Closing a connection whose request was not read resets it, and the client may lose the answer.
        let rest = async {
            stream.shutdown().await?;
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
        };
        // The refusal is sent, however the connection ends.
        drop(timeout(REFUSAL, rest).await);
    });
}

/// Serves a connection until it is closed.
async fn run(beginning: Pin<Box<impl Future<Output = Option<Begun>>>>) {
    match beginning.await {
        Some(Begun::WebSocket(reader, _place)) => reader.run().await,
        Some(Begun::Http(connection, stream, bytes)) => Box::pin(connection.serve(stream, bytes)).await,
        None => {}
    }
}
