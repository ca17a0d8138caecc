//! The handlers of the chat, one file for each event, named after it.

mod came_back;
mod connection;
mod delete_message;
mod disconnect;
mod edit_message;
mod join_room;
mod leave_room;
mod list_rooms;
mod list_users;
mod load_messages;
mod mark_read;
mod refresh_token;
mod send_message;
mod typing;
mod went_away;

use crate::{namespace::Events, protocol::RefreshToken};

/// Adds what every namespace needs: tokens end, so each has `refresh-token`.
pub(crate) fn everywhere(events: Events) -> Events {
    if events.has::<RefreshToken>() { events } else { events.on(refresh_token::refresh_token) }
}

/// The events of the root namespace.
pub(crate) fn events() -> Events {
    Events::new()
        .connection(connection::connection)
        .writes(send_message::send_message)
        .writes(edit_message::edit_message)
        .writes(delete_message::delete_message)
        .on(join_room::join_room)
        .on(leave_room::leave_room)
        .on(load_messages::load_messages)
        .on(list_users::list_users)
        .on(list_rooms::list_rooms)
        .writes(mark_read::mark_read)
        .on(typing::typing)
        .on(refresh_token::refresh_token)
        .away(went_away::away)
        .back(came_back::back)
        .disconnect(disconnect::disconnect)
}
