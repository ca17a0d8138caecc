//! The upgrade of a polling connection to a WebSocket, once the WebSocket is accepted
//! (<https://github.com/socketio/engine.io-protocol#upgrade>).

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::{
    connection::Connection, frame::Frame, hyper_handshake::UpgradedStream, probe::Probe, stream::WriteHalf,
    websocket::opcode,
};

/// How often a waiting poll is answered with NOOP during an upgrade, as in Node.
const RELEASE_INTERVAL: Duration = Duration::from_millis(100);

/// Upgrades a polling connection to a WebSocket, if its client completes the upgrade within the upgrade timeout.
/// Otherwise the WebSocket is closed, and polling continues. If the connection ends meanwhile, the WebSocket is closed
/// too.
pub(super) async fn probe(connection: Arc<Connection>, stream: UpgradedStream) {
    let UpgradedStream { reader, writer, ahead, guard: _guard } = stream;
    let mut probe = Probe::new(&connection, reader, ahead);
    let is_completed = tokio::select! {
        is_completed = is_completed(&connection, &mut probe, &writer) => is_completed,
        () = tokio::time::sleep(connection.shared.settings.upgrade_timeout) => false,
        () = closed(&connection) => false,
    };
    if !is_completed {
        // The result is ignored: the client may have closed the WebSocket.
        drop(writer.send_now(Frame::control(opcode::CLOSE, &[]).websocket_bytes(connection.protocol)));
        return connection.abandon_upgrade();
    }
    if connection.finish_upgrade(writer) {
        if let Some(observers) = connection.shared.observers() {
            let sockets: Vec<_> =
                connection.sockets().iter().filter(|socket| socket.is_connected()).map(|socket| socket.id()).collect();
            observers.tell(|observer| observer.upgraded(&sockets));
        }
        probe.into_reader(connection).run().await;
    }
}

/// Whether the client completes the upgrade. `2probe` is answered with `3probe`, `5` completes the upgrade, and any
/// other message fails it. After the probe, a waiting poll is answered with NOOP, because the client sends `5` only
/// after its poll was answered.
async fn is_completed(connection: &Connection, probe: &mut Probe, writer: &WriteHalf) -> bool {
    let mut releases = None;
    loop {
        let text = match &mut releases {
            None => probe.next().await,
            Some(releases) => tokio::select! {
                text = probe.next() => text,
                _ = Interval::tick(releases) => {
                    connection.release_poll();
                    continue;
                }
            },
        };
        match text.as_deref() {
            Some("5") => return true,
            Some("2probe") if writer.send_now(Frame::engine("3probe").websocket_bytes(connection.protocol)).is_ok() => {
                let mut interval = interval_at(Instant::now() + RELEASE_INTERVAL, RELEASE_INTERVAL);
                interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
                releases = Some(interval);
            }
            _ => return false,
        }
    }
}

/// Waits until the output of the connection is closed.
async fn closed(connection: &Connection) {
    poll_fn(|cx| if connection.output().register_reader(cx) { Poll::Pending } else { Poll::Ready(()) }).await;
}
