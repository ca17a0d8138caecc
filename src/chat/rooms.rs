//! Subscribes sockets to rooms, and makes users members of them.

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

/// Subscribes a socket to a room and makes its user a member. The reply contains the messages that the client missed.
pub async fn join(app: &Arc<App>, who: &Arc<Identity>, socket: SocketId, join: JoinRoom) -> Result<JoinedRoom> {
    let room = enter(who, join.room)?;
    let rooms_per_user = LimitsConfig::or_none(app.limits.config().rooms_per_user);
    // Subscribes first and reads the messages afterwards: a message that is saved after the read arrives as an event.
    if who.is_guest {
        subscribe(app, &app.hub, who, socket, &room)?;
    } else {
        let member = store::Join { user: who.user.id.clone(), room: room.clone(), rooms_per_user };
        let (this, app, who, room) = (app, app.clone(), who.clone(), room.clone());
        // Subscribed in commit order, so that an earlier `leave` cannot end the subscription.
        let subscribes = move |hub: &Hub, tellings: &mut Tellings, _| {
            // Delivers the events that the hub holds back, and counts them, because the store's publisher pauses after
            // many deliveries. `hub.subscribe` would deliver them too, but would not count them.
            tellings.flush();
            subscribe(&app, hub, &who, socket, &room)
        };
        change(this, member, subscribes).done().await??;
    }
    let caught_up = app.store().catch_up(room.clone(), who.user.id.clone(), join.since).await?;
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

/// Subscribes a socket to a room. In the root namespace, its user becomes present in the room. `forbidden` if the
/// socket is already in as many rooms as `limits.rooms-per-user` allows.
pub fn subscribe(app: &App, hub: &Hub, who: &Identity, socket: SocketId, room: &Room) -> Result<()> {
    // Direct messages reach all sockets of both users without a subscription.
    let Room::Named(name) = room else { return Ok(()) };
    if app.is_bare() {
        hub.subscribe(socket, room);
        return Ok(());
    }
    let most = LimitsConfig::or_none(app.limits.config().rooms_per_user).saturating_add(1);
    if !hub.is_subscribed(socket, room) && hub.room_count(socket) >= most {
        app.metrics.limited("rooms-per-user");
        return Err(Error::Forbidden("this socket is in too many rooms (limits.rooms-per-user)".to_owned()));
    }
    let is_new = hub.subscribe(socket, room);
    // A user whose client is away becomes present when it comes back.
    if is_new && !who.is_guest && app.is_root(hub) && !hub.is_away(socket) {
        app.presence.add_socket(name, &who.user, socket);
        if !hub.is_subscribed(socket, room) || hub.is_away(socket) {
            // In the meantime, the user has left the room through another socket, or this socket's client has gone.
            app.presence.remove_socket(name, &who.user.id, socket);
        }
    }
    Ok(())
}

/// Ends a socket's subscription to a room. In the root namespace, the socket does not count for presence any more.
pub fn unsubscribe(app: &App, hub: &Hub, who: &Identity, socket: SocketId, room: &Room) {
    if hub.unsubscribe(socket, room)
        && let Room::Named(name) = room
        && !who.is_guest
        && app.is_root(hub)
    {
        app.presence.remove_socket(name, &who.user.id, socket);
    }
}

/// Ends a socket's subscriptions to rooms that its user may not enter any more.
pub fn leave_closed_rooms(app: &App, hub: &Hub, who: &Identity, socket: SocketId) {
    for room in hub.rooms_of(socket) {
        if !who.access.allows(&who.user.id, &room) {
            unsubscribe(app, hub, who, socket, &room);
        }
    }
}

/// Ends the user's membership and the subscriptions of all their sockets. `forbidden` for the lobby.
pub async fn leave(app: &Arc<App>, who: &Identity, room: RoomRef) -> Result<()> {
    let room = room.seen_by(&who.user.id);
    if room == Room::Named(app.config.rooms.lobby.clone()) {
        return Err(Error::Forbidden("the lobby cannot be left".to_owned()));
    }
    let (user, this) = (who.user.id.clone(), app.clone());
    let leave = store::Leave { user: user.clone(), room: room.clone() };
    let unsubscribe_sockets = move |hub: &Hub| {
        let Room::Named(name) = &room else { return };
        for socket in hub.sockets_of(&user) {
            hub.unsubscribe(socket, &room);
        }
        this.presence.remove_user(name, &user);
    };
    if who.is_guest {
        unsubscribe_sockets(&app.hub);
        return Ok(());
    }
    let leaves = move |hub: &Hub, tellings: &mut Tellings, ()| {
        // Delivers the events that the hub holds back, and counts them, because the store's publisher pauses after
        // many deliveries. `hub.unsubscribe` would deliver them too, but would not count them.
        tellings.flush();
        unsubscribe_sockets(hub);
    };
    change(app, leave, leaves).done().await
}

/// The rooms that a user is a member of and may still enter.
pub async fn rooms(app: &App, who: &Identity) -> Result<RoomList> {
    let mut rooms = app.store().memberships(who.user.id.clone()).await?;
    rooms.retain(|membership| enter(who, membership.room.clone()).is_ok());
    Ok(RoomList { rooms })
}
