//! Erases rooms and users on a running server: tells the clients, and ends the sockets' subscriptions.

use std::sync::Arc;

use super::{backends::disconnect, messages::announce};
use crate::{
    app::App,
    erasure::{self, Erased, Lines, RoomData, Tell, UserData},
    error::{Error, Result},
    hub::{Hub, To},
    model::{Room, RoomName, RoomRef, UserId},
    protocol::{MessageDeleted, RoomDeleted},
    tellings::Tellings,
};

/// Of a user's messages in each room, those among the newest so many are told to the clients. Clients hear of the others
/// when they catch up.
const TOLD: u64 = 200;

/// Erases a room. Its sockets get `room-deleted` and leave it. `by` is the key, for the log. `forbidden` for the lobby.
pub async fn erase_room(app: &Arc<App>, by: &str, name: RoomName, lines: &mut Lines) -> Result<RoomData> {
    check_room(app, &name)?;
    let room = Room::Named(name);
    tracing::info!(room = %room.pattern_name(), by, "the erasure of a room begins");
    let erased = erasure::erase_room(app.store(), &room, &tell(app), lines).await?;
    let RoomData { messages, members } = erased;
    tracing::info!(room = %room.pattern_name(), by, messages, members, "a room was erased");
    Ok(erased)
}

/// `forbidden` for the lobby, which no socket can leave.
pub fn check_room(app: &App, name: &RoomName) -> Result<()> {
    if *name == app.config.rooms.lobby {
        return Err(Error::Forbidden("the lobby cannot be deleted".to_owned()));
    }
    Ok(())
}

/// Disconnects a user, and erases what is stored of them. `by` is the key, for the log.
pub async fn erase_user(app: &Arc<App>, by: &str, user: UserId, lines: &mut Lines) -> Result<UserData> {
    check_user(&user)?;
    tracing::info!(%user, by, "the erasure of a user begins");
    disconnect(app, &user);
    let erased = erasure::erase_user(app.store(), &user, &tell(app), lines).await?;
    let UserData { messages, direct_messages, memberships, .. } = erased;
    tracing::info!(%user, by, messages, direct_messages, memberships, "a user was erased");
    Ok(erased)
}

/// `forbidden` for the system, which is the author of erased messages.
pub fn check_user(user: &UserId) -> Result<()> {
    if user.is_system() {
        return Err(Error::Forbidden("the system cannot be erased".to_owned()));
    }
    Ok(())
}

/// Tells the clients what was erased.
fn tell(app: &Arc<App>) -> Tell {
    let app = app.clone();
    Arc::new(move |erased, tellings| match erased {
        Erased::Message(erased) if erased.newer < TOLD => {
            announce(&app.hub, tellings, &erased.room, &erased.message, MessageDeleted::new);
        }
        Erased::Message(_) => {}
        Erased::Room(room) => close_room(&app, &app.hub, tellings, room),
    })
}

/// Tells the sockets of a room that it was deleted, and ends their subscriptions.
fn close_room(app: &App, hub: &Hub, tellings: &mut Tellings, room: &Room) {
    match room {
        Room::Direct(direct) => {
            for reader in direct.users() {
                hub.tell_with(tellings, To::User(reader), &RoomDeleted { room: room.for_reader(reader) });
            }
        }
        Room::Named(name) => {
            let event = RoomDeleted { room: RoomRef::Named(name.clone()) };
            hub.tell_with(tellings, To::Room(room), &event);
            // Delivers the events that the hub holds back, before the receivers leave the room.
            tellings.flush();
            for socket in hub.sockets_in(room) {
                hub.unsubscribe(socket, room);
            }
            for user in app.presence.everyone_in(name) {
                app.presence.remove_user(name, &user.id);
            }
        }
    }
}
