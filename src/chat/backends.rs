//! What backends may do to users.

use std::sync::Arc;

use super::{
    change::{Change, change},
    rooms::{hear, unhear},
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

/// The identity with which a trusted backend acts in the name of a user: it may do everything that the user may.
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
    /// Number of sockets that began to hear the room.
    pub sockets: usize,
}

/// Makes a user a member of a room. Their sockets of the root namespace hear it, as far as their tokens allow.
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
    let sockets_hear = {
        let app = app.clone();
        move |hub: &Hub| {
            let mut sockets = hub.sockets_of(&who.user.id);
            // A socket that hears too many rooms is left out.
            let begins = |socket| hear(&app, hub, &who, socket, &room).is_ok();
            sockets.retain(|socket| !hub.hears(*socket, &room) && hub.may_hear(*socket, &room) && begins(*socket));
            // A token may have been replaced in the meantime.
            for socket in sockets.iter().filter(|socket| !hub.may_hear(**socket, &room)) {
                unhear(&app, hub, &who, *socket, &room);
            }
            sockets.len()
        }
    };
    if is_guest {
        return Ok(Put { joined: false, sockets: sockets_hear(&app.hub) });
    }
    // In commit order, so that a leave before it does not undo it.
    let hear = move |hub: &Hub, tellings: &mut Tellings, joined| {
        // Delivers earlier events before the sockets hear the room. They count for the publisher's pause.
        tellings.flush();
        Put { joined, sockets: sockets_hear(hub) }
    };
    change(app, member, hear).done().await
}

/// Ends all sockets of a user in all namespaces, so that unchanged clients stay away. Returns their number.
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

/// Ends one of a user's sockets, by the id that its client knows. `not-found` where the user has no such socket.
pub fn disconnect_device(app: &App, user: &UserId, socket_id: &str) -> Result<()> {
    for hub in app.hubs.all() {
        if let Some(socket) = hub.socket(socket_id).filter(|socket| hub.sockets_of(user).contains(socket)) {
            hub.kick(socket, false);
            return Ok(());
        }
    }
    Err(Error::NotFound("this user has no such device".to_owned()))
}
