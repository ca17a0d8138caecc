//! The handlers of the chat. There is one file for each event, with the event's name.

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
mod search_messages;
mod send_message;
mod typing;
mod went_away;

use crate::{namespace::Events, protocol::RefreshToken};

/// Adds `refresh-token`, which every namespace needs because tokens expire.
pub(crate) fn everywhere(events: Events) -> Events {
    if events.has::<RefreshToken>() { events } else { events.event(refresh_token::refresh_token) }
}

/// The events of the root namespace.
pub(crate) fn events() -> Events {
    Events::new()
        .begin(connection::connection)
        .writes(send_message::send_message)
        .writes(edit_message::edit_message)
        .writes(delete_message::delete_message)
        .event(join_room::join_room)
        .event(leave_room::leave_room)
        .event(load_messages::load_messages)
        .event(search_messages::search_messages)
        .event(list_users::list_users)
        .event(list_rooms::list_rooms)
        .writes(mark_read::mark_read)
        .event(typing::typing)
        .event(refresh_token::refresh_token)
        .away(went_away::away)
        .back(came_back::back)
        .ended(disconnect::disconnect)
}
