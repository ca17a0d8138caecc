//! Lists users: those of a room, and those who are online.

use super::enter::enter;
use crate::{
    app::App,
    auth::Identity,
    error::Result,
    model::{Room, User, UserId},
    protocol::{ListUsers, RoomUser, UserList, Welcome},
};

/// A user with their current or last known name. If no name is known, the id is used.
pub async fn user_named(app: &App, id: UserId) -> Result<User> {
    match app.presence.user(&id) {
        Some(user) => Ok(user),
        None => app.store().user_named(id).await,
    }
}

/// The members of a room and the users present in it. Without a room, those of the lobby.
pub async fn users(app: &App, who: &Identity, list: ListUsers) -> Result<UserList> {
    let room = match list.room {
        Some(room) => enter(who, room)?,
        None => Room::Named(app.config.rooms.lobby.clone()),
    };
    let present = match &room {
        Room::Named(name) => app.presence.everyone_in(name),
        Room::Direct(_) => {
            let (users, user_count) = here(app, &room);
            return Ok(UserList { users, user_count });
        }
    };
    app.store().users(room, present).await
}

/// The user of a new client, and the users who are online.
pub fn welcome(app: &App, who: &Identity) -> Welcome {
    let (users, user_count) = here(app, &Room::Named(app.config.rooms.lobby.clone()));
    Welcome { user: who.user.clone(), users, user_count }
}

/// The users in a room now, and their number.
pub(super) fn here(app: &App, room: &Room) -> (Vec<RoomUser>, usize) {
    let online = |user: User| RoomUser { online: true, user, last_seen: None };
    match room {
        Room::Named(name) => {
            let (users, count) = app.presence.in_room(name);
            (users.into_iter().map(online).collect(), count)
        }
        Room::Direct(direct) => {
            let users = direct.users().filter_map(|user| app.presence.user(user)).map(online).collect::<Vec<_>>();
            let count = users.len();
            (users, count)
        }
    }
}
