//! What backends may do to users, whom they answer for.

use std::sync::Arc;

use super::{
    change::{Change, change},
    hear, unhear, user_named,
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

/// What somebody whom the caller trusts may do in the name of a user: everything that this user may.
pub fn in_the_name_of(app: &App, user: UserId) -> Identity {
    let is_guest = app.auth.is_guest(&user);
    let user = User { name: user.as_str().into(), id: user };
    Identity { is_guest, ..Identity::trusted(user) }
}

/// What putting somebody into a room changed.
#[derive(Debug, Clone, Copy)]
pub struct Put {
    /// The membership is a new one.
    pub joined: bool,
    /// How many sockets hear the room that did not before.
    pub sockets: usize,
}

/// Makes a user a member of a room, and their sockets of the root namespace hear it, as far as their tokens go.
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
            // One that hears too many rooms is left alone.
            let begins = |socket| hear(&app, hub, &who, socket, &room).is_ok();
            sockets.retain(|socket| !hub.hears(*socket, &room) && hub.may_hear(*socket, &room) && begins(*socket));
            // A token may have been replaced in this very moment.
            for socket in sockets.iter().filter(|socket| !hub.may_hear(**socket, &room)) {
                unhear(&app, hub, &who, *socket, &room);
            }
            sockets.len()
        }
    };
    if is_guest {
        return Ok(Put { joined: false, sockets: sockets_hear(&app.hub) });
    }
    // In commit order, so that it is never undone by a leave before it.
    let hear = move |hub: &Hub, tellings: &mut Tellings, joined| {
        tellings.flush();
        Put { joined, sockets: sockets_hear(hub) }
    };
    change(app, member, hear).done().await
}

/// Ends all sockets of a user in all namespaces, so that unchanged clients stay away. Returns how many there were.
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

/// Ends one of a user's sockets, by the id that its client knows.
pub fn disconnect_device(app: &App, user: &UserId, socket_id: &str) -> Result<()> {
    for hub in app.hubs.all() {
        if let Some(socket) = hub.socket(socket_id).filter(|socket| hub.sockets_of(user).contains(socket)) {
            hub.kick(socket, false);
            return Ok(());
        }
    }
    Err(Error::NotFound("this user has no such device".to_owned()))
}
