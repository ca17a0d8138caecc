//! The upgrade of a polling connection to a WebSocket, once the WebSocket is accepted
//! (<https://github.com/socketio/engine.io-protocol#upgrade>).

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use tokio::{
    net::tcp::OwnedWriteHalf,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use super::{connection::Connection, frame::Frame, hyper_handshake::Stream, probe::Probe, websocket::opcode};

/// How often a waiting poll is answered with NOOP during an upgrade, as in Node.
const RELEASE_INTERVAL: Duration = Duration::from_millis(100);

/// Moves a polling connection to a WebSocket, if its client completes the upgrade within the upgrade timeout. If not,
/// the WebSocket is closed and polling goes on. If the connection ends meanwhile, the WebSocket is closed too.
pub(super) async fn probe(connection: Arc<Connection>, stream: Stream) {
    let Stream { reader, writer, ahead, kept: _kept } = stream;
    let mut probe = Probe::new(&connection, reader, ahead);
    let is_completed = tokio::select! {
        is_completed = is_completed(&connection, &mut probe, &writer) => is_completed,
        () = tokio::time::sleep(connection.shared.settings.upgrade_timeout) => false,
        () = closed(&connection) => false,
    };
    if !is_completed {
        // The client may have closed it.
        drop(writer.try_write(Frame::control(opcode::CLOSE, &[]).wire(connection.protocol)));
        return connection.abandon_upgrade();
    }
    if connection.finish_upgrade(writer) {
        probe.into_reader(connection).run().await;
    }
}

/// Whether the client completes the upgrade: `2probe` is answered with `3probe`, `5` completes it, and anything else
/// fails it. From the probe on a waiting poll is answered with NOOP: the client waits for that answer before it sends
/// `5`.
async fn is_completed(connection: &Connection, probe: &mut Probe, writer: &OwnedWriteHalf) -> bool {
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
            Some("2probe") if writer.try_write(Frame::engine("3probe").wire(connection.protocol)).is_ok() => {
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
    poll_fn(|cx| if connection.output().watch(cx) { Poll::Pending } else { Poll::Ready(()) }).await;
}
