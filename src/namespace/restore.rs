//! Takes up a socket of an earlier process: its client is away, and may recover it.

use std::{sync::Arc, time::Duration};

use super::{app_socket::AppSocket, dispatcher::Dispatcher, table::Table};
use crate::{
    app::App,
    engine::{DisconnectReason, Frame, SuspendedSocket},
    hub::Hub,
    model::{Room, SocketId, Timestamp, User},
    restart::{SavedRoom, SavedSocket},
};

/// Whether a socket was taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    TakenUp,
    /// Its recovery window has ended.
    Expired,
    /// Its namespace or the type of its data is not declared any more, or a value is not valid.
    Unusable,
}

/// Takes up a socket. `events` are those of the whole handover. Must be called after all namespaces are declared and
/// before the first client connects.
pub(crate) fn restore(app: &Arc<App>, saved: &SavedSocket, events: &[Arc<Frame>], now: Timestamp) -> Outcome {
    let remaining = Duration::from_millis(saved.until.saturating_sub(now.as_millis()));
    if remaining.is_zero() {
        return Outcome::Expired;
    }
    match take_up(app, saved, events, remaining) {
        Some(()) => Outcome::TakenUp,
        None => Outcome::Unusable,
    }
}

fn take_up(app: &Arc<App>, saved: &SavedSocket, events: &[Arc<Frame>], remaining: Duration) -> Option<()> {
    let declared = Table::of(app)?.of_earlier_process(&saved.namespace, saved.parent.as_deref())?;
    let identity = app.auth.restored(&saved.member)?;
    let data = app.handle.data_types().restored(&saved.member.data)?;
    let suspended = SuspendedSocket {
        id: SocketId::parsed(&saved.id)?,
        pid: saved.pid.clone(),
        namespace: saved.namespace.as_str().into(),
        connected_at: Timestamp::from_millis(saved.connected_at),
        requested_at: Timestamp::from_millis(saved.requested_at),
        address: saved.address,
        remaining,
        reason: DisconnectReason::named(&saved.reason)?,
        events: log(&saved.log, events)?,
        last_removed: saved.last_removed,
    };
    let room = |room: &SavedRoom| match app.is_bare() {
        true => Room::of_application(&room.key, false).ok(),
        false => Room::from_key(&room.key),
    };
    let rooms = saved.rooms.iter().map(room).collect::<Option<Vec<_>>>()?;

    let inner = app.engine.restored(&suspended);
    let (user, expires_at) = (identity.user.clone(), identity.expires_at);
    let is_guest = identity.is_guest;
    let socket = AppSocket::new(app, &inner, declared.parent.as_ref(), identity, None, Arc::new(data));
    if !declared.handlers.any_outgoing.is_empty() {
        socket.hub.hear_sent_events();
    }
    let dispatcher = Arc::new(Dispatcher { socket, handlers: declared.handlers.clone() });
    let hub = &dispatcher.socket.hub;
    let mut beyond_limits = Vec::new();
    let await_client = || {
        beyond_limits = inner.await_client(dispatcher.clone(), &suspended);
        true
    };
    hub.attach(&inner, &user, &rooms, await_client);
    app.tokens.watch(hub, inner.id, expires_at);
    if !is_guest {
        be_present(app, hub, &user, &saved.rooms);
    }
    dispatcher.open_away();
    for socket in beyond_limits {
        socket.end_if_away();
    }
    Some(())
}

/// The events of a log. `None` if a place is wrong.
fn log(runs: &[(u32, u32)], events: &[Arc<Frame>]) -> Option<Vec<Arc<Frame>>> {
    let (mut log, mut end) = (Vec::new(), 0);
    for (first, length) in runs {
        let first = *first as usize;
        // No event comes twice.
        if first < end {
            return None;
        }
        end = first.checked_add(*length as usize)?;
        log.extend_from_slice(events.get(first..end)?);
    }
    Some(log)
}

/// Makes the user present where they were, for the grace: nothing is announced if the client comes back in time.
fn be_present(app: &App, hub: &Hub, user: &User, rooms: &[SavedRoom]) {
    if !app.is_root(hub) {
        return;
    }
    for room in rooms.iter().filter(|room| room.is_present) {
        if let Some(Room::Named(name)) = Room::from_key(&room.key) {
            app.presence.restore_user(&name, user);
        }
    }
}
