//! What backends may do to users: put them into rooms, and disconnect them.

use std::sync::Arc;

use super::{
    change::{Change, change},
    rooms::{subscribe, unsubscribe},
    users::user_named,
};
use crate::{
    app::App,
    auth::Identity,
    config::LimitsConfig,
    error::{Error, Result},
    hub::Hub,
    model::{Room, RoomName, User, UserId},
    store,
    tellings::Tellings,
};

/// The identity of a user in whose name a trusted backend acts. No token restricts it.
pub fn in_the_name_of(app: &App, user: UserId) -> Identity {
    let is_guest = app.auth.is_guest(&user);
    let user = User { name: user.as_str().into(), id: user };
    Identity { is_guest, ..Identity::trusted(user) }
}

/// The changes made by [`put`].
#[derive(Debug, Clone, Copy)]
pub struct Put {
    /// Whether the membership is new.
    pub joined: bool,
    /// Number of sockets that were subscribed.
    pub sockets: usize,
}

/// Makes a user a member of a room, and subscribes their sockets in the root namespace whose tokens allow the room.
pub async fn put(app: &Arc<App>, user: UserId, room: RoomName) -> Result<Put> {
    if user.is_system() {
        return Err(Error::BadPayload("the system belongs to no room".to_owned()));
    }
    let name = user_named(app, user.clone()).await?;
    let (who, room) = (Identity { user: name, ..in_the_name_of(app, user) }, Room::Named(room));
    let member = store::Join {
        user: who.user.id.clone(),
        room: room.clone(),
        rooms_per_user: LimitsConfig::or_none(app.limits.config().rooms_per_user),
    };
    let is_guest = who.is_guest;
    let subscribe_sockets = {
        let app = app.clone();
        move |hub: &Hub| {
            let mut sockets = hub.sockets_of(&who.user.id);
            // A socket that is in too many rooms is left out.
            let succeeds = |socket| subscribe(&app, hub, &who, socket, &room).is_ok();
            sockets.retain(|socket| {
                !hub.is_subscribed(*socket, &room) && hub.may_enter(*socket, &room) && succeeds(*socket)
            });
            // A token may have been replaced in the meantime by one that does not allow the room.
            for socket in sockets.iter().filter(|socket| !hub.may_enter(**socket, &room)) {
                unsubscribe(&app, hub, &who, *socket, &room);
            }
            sockets.len()
        }
    };
    if is_guest {
        return Ok(Put { joined: false, sockets: subscribe_sockets(&app.hub) });
    }
    // Subscribed in commit order, so that an earlier `leave` cannot end the subscription.
    let finish = move |hub: &Hub, tellings: &mut Tellings, joined| {
        // Delivers the events that the hub holds back, and counts them, because the store's publisher pauses after
        // many deliveries. `hub.subscribe` would deliver them too, but would not count them.
        tellings.flush();
        Put { joined, sockets: subscribe_sockets(hub) }
    };
    change(app, member, finish).done().await
}

/// Ends all sockets of a user in all namespaces. Unchanged clients do not reconnect. Returns the number of sockets.
pub fn disconnect(app: &App, user: &UserId) -> usize {
    let mut count = 0;
    for hub in app.hubs.all() {
        let sockets = hub.sockets_of(user);
        count += sockets.len();
        for socket in sockets {
            hub.kick(socket, false);
        }
    }
    count
}

/// Ends one of a user's sockets, by the id that its client knows. `not-found` if the user has no such socket.
pub fn disconnect_device(app: &App, user: &UserId, socket_id: &str) -> Result<()> {
    for hub in app.hubs.all() {
        if let Some(socket) = hub.socket(socket_id).filter(|socket| hub.sockets_of(user).contains(socket)) {
            hub.kick(socket, false);
            return Ok(());
        }
    }
    Err(Error::NotFound("this user has no such device".to_owned()))
}
