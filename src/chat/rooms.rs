//! Makes sockets hear rooms and users members of them.

use std::sync::Arc;

use super::{
    change::{Change, change},
    enter::enter,
    users::here,
};
use crate::{
    app::App,
    auth::Identity,
    config::LimitsConfig,
    error::{Error, Result},
    hub::Hub,
    model::{Room, RoomRef, SocketId},
    protocol::{JoinRoom, JoinedRoom, RoomList},
    store,
    tellings::Tellings,
};

/// Makes a socket hear a room and its user a member. The reply holds what the client missed.
pub async fn join(app: &Arc<App>, who: &Arc<Identity>, socket: SocketId, join: JoinRoom) -> Result<JoinedRoom> {
    let room = enter(who, join.room)?;
    let rooms_per_user = LimitsConfig::or_none(app.limits.config().rooms_per_user);
    // Subscribed before the history is read: a message that the reply does not hold arrives as an event.
    if who.is_guest {
        hear(app, &app.hub, who, socket, &room)?;
    } else {
        let member = store::Join { user: who.user.id.clone(), room: room.clone(), rooms_per_user };
        let (this, app, who, room) = (app, app.clone(), who.clone(), room.clone());
        // In commit order, so that a leave before it does not undo it.
        let hears = move |hub: &Hub, tellings: &mut Tellings, _| {
            // Delivers earlier events before the socket hears the room. They count for the publisher's pause.
            tellings.flush();
            hear(&app, hub, &who, socket, &room)
        };
        change(this, member, hears).done().await??;
    }
    let caught_up = app.store.catch_up(room.clone(), who.user.id.clone(), join.since).await?;
    let (users, user_count) = here(app, &room);
    Ok(JoinedRoom {
        room: room.for_reader(&who.user.id),
        head: caught_up.head,
        messages: caught_up.messages,
        more: caught_up.more,
        reset: caught_up.reset,
        users,
        user_count,
    })
}

/// Makes a socket hear a room. In the root namespace its user becomes present there. `forbidden` where the socket hears
/// as many rooms as a user may belong to.
pub fn hear(app: &App, hub: &Hub, who: &Identity, socket: SocketId, room: &Room) -> Result<()> {
    // All sockets of both users hear their direct messages.
    let Room::Named(name) = room else { return Ok(()) };
    let most = LimitsConfig::or_none(app.limits.config().rooms_per_user).saturating_add(1);
    if !hub.hears(socket, room) && hub.room_count(socket) >= most {
        app.metrics.limited("rooms-per-user");
        return Err(Error::Forbidden("this socket hears too many rooms (limits.rooms-per-user)".to_owned()));
    }
    let is_new = hub.subscribe(socket, room);
    // A user whose client is away becomes present when it comes back.
    if is_new && !who.is_guest && app.is_root(hub) && !hub.is_away(socket) {
        app.presence.came(name, &who.user, socket);
        if !hub.hears(socket, room) || hub.is_away(socket) {
            // In the meantime the user left the room by another socket, or this socket's client went.
            app.presence.went(name, &who.user.id, socket);
        }
    }
    Ok(())
}

/// Makes a socket hear a room no longer. In the root namespace its user is not present there by this socket.
pub fn unhear(app: &App, hub: &Hub, who: &Identity, socket: SocketId, room: &Room) {
    if hub.unsubscribe(socket, room)
        && let Room::Named(name) = room
        && !who.is_guest
        && app.is_root(hub)
    {
        app.presence.went(name, &who.user.id, socket);
    }
}

/// Makes a socket hear no longer the rooms that its user may not enter any more.
pub fn leave_closed_rooms(app: &App, hub: &Hub, who: &Identity, socket: SocketId) {
    for room in hub.rooms_of(socket) {
        if !who.access.allows(&who.user.id, &room) {
            unhear(app, hub, who, socket, &room);
        }
    }
}

/// Ends the user's membership. All their sockets leave the room. `forbidden` for the lobby.
pub async fn leave(app: &Arc<App>, who: &Identity, room: RoomRef) -> Result<()> {
    let room = room.seen_by(&who.user.id);
    if room == Room::Named(app.config.rooms.lobby.clone()) {
        return Err(Error::Forbidden("the lobby is the whole server: nobody can leave it".to_owned()));
    }
    let (user, this) = (who.user.id.clone(), app.clone());
    let leave = store::Leave { user: user.clone(), room: room.clone() };
    let sockets_leave = move |hub: &Hub| {
        let Room::Named(name) = &room else { return };
        for socket in hub.sockets_of(&user) {
            hub.unsubscribe(socket, &room);
        }
        this.presence.left(name, &user);
    };
    if who.is_guest {
        sockets_leave(&app.hub);
        return Ok(());
    }
    let leaves = move |hub: &Hub, tellings: &mut Tellings, ()| {
        // Delivers earlier events before the sockets leave the room. They count for the publisher's pause.
        tellings.flush();
        sockets_leave(hub);
    };
    change(app, leave, leaves).done().await
}

/// The rooms that a user belongs to and may still enter.
pub async fn rooms(app: &App, who: &Identity) -> Result<RoomList> {
    let mut rooms = app.store.memberships(who.user.id.clone()).await?;
    rooms.retain(|membership| enter(who, membership.room.clone()).is_ok());
    Ok(RoomList { rooms })
}
