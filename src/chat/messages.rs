//! Saves, edits and deletes messages, and marks them as read.

use std::sync::Arc;

use super::{
    change::{Change, change},
    enter::enter,
};
use crate::{
    app::App,
    auth::Identity,
    config::LimitsConfig,
    error::{Error, Result},
    hub::{Hub, To},
    input,
    model::{Body, Message, Room, RoomRef, UserId},
    protocol::{
        DeleteMessage, EditMessage, MarkRead, MessageDeleted, MessageEdited, MessageRead, MessageSaved, ReadMark,
        SendMessage, ServerEvent, field,
    },
    store,
    tellings::Tellings,
};

/// Saves a message and emits `message-saved` to its room. `bad-payload` if the room is given twice or is invalid,
/// `forbidden` if the user may not enter it.
pub fn post(app: &Arc<App>, who: &Identity, send: SendMessage) -> Result<impl Change<Output = Message> + use<>> {
    let room = destination(app, who, &send)?;
    let mut members = vec![who.user.id.clone()];
    if let Room::Direct(direct) = &room {
        members.extend(direct.users().filter(|user| **user != who.user.id).cloned());
    }
    members.retain(|user| app.auth.has_memberships(user));
    let message = store::SaveMessage {
        room: room.clone(),
        from: who.user.clone(),
        body: send.body,
        idempotency_key: send.idempotency_key,
        members,
        rooms_per_user: LimitsConfig::or_none(app.limits.config().rooms_per_user),
    };
    Ok(change(app, message, move |hub, tellings, posted| {
        if posted.is_new {
            announce(hub, tellings, &room, &posted.message, MessageSaved::new);
        }
        posted.message
    }))
}

/// Replaces a message's body and emits `message-edited` to its room. Only the author may do this, or a backend (`who`
/// is `None`).
pub fn edit(app: &Arc<App>, who: Option<&Identity>, edit: EditMessage) -> impl Change<Output = Message> + use<> {
    let edit = store::EditMessage { id: edit.id, by: author(who), body: edit.body };
    change(app, edit, |hub, tellings, (room, message)| {
        announce(hub, tellings, &room, &message, MessageEdited::new);
        message
    })
}

/// Replaces a message by a tombstone and emits `message-deleted` to its room. Only the author may do this, or a backend
/// (`who` is `None`).
pub fn delete(app: &Arc<App>, who: Option<&Identity>, delete: DeleteMessage) -> impl Change<Output = Message> + use<> {
    let delete = store::DeleteMessage { id: delete.id, by: author(who) };
    change(app, delete, |hub, tellings, (room, message)| {
        if let Some(room) = room {
            announce(hub, tellings, &room, &message, MessageDeleted::new);
        }
        message
    })
}

/// Moves the user's read mark. Emits `message-read` to the user's sockets, and in a direct message to the other user.
pub fn mark_read(app: &Arc<App>, who: &Identity, mark: MarkRead) -> Result<impl Change<Output = ReadMark> + use<>> {
    let room = enter(who, mark.room)?;
    let user = who.user.id.clone();
    let mark = store::MarkRead { user: user.clone(), room: room.clone(), offset: mark.offset };
    Ok(change(app, mark, move |hub, tellings, marked| {
        let offset = marked.offset;
        if marked.has_moved {
            let event = |room| MessageRead { room, offset, user: user.clone() };
            hub.tell_with(tellings, To::User(&user), &event(room.for_reader(&user)));
            if let Room::Direct(direct) = &room {
                for other in direct.users().filter(|other| **other != user) {
                    hub.tell_with(tellings, To::User(other), &event(room.for_reader(other)));
                }
            }
        }
        ReadMark { room: room.for_reader(&user), offset }
    }))
}

fn author(who: Option<&Identity>) -> Option<store::Author> {
    let (access, user) = who.map(|who| (who.access.clone(), who.user.id.clone()))?;
    Some(store::Author { user: user.clone(), may_read: Box::new(move |room| access.allows(&user, room)) })
}

/// The room of a message: `room`, or the direct message with `to`, or the user or room in the body's fields
/// `rooms.recipient-field` and `rooms.room-field`, or the lobby.
fn destination(app: &App, who: &Identity, send: &SendMessage) -> Result<Room> {
    let (field, room) = match (&send.room, &send.to) {
        (Some(_), Some(_)) => return Err(Error::BadPayload("either room or to, not both".to_owned())),
        (Some(room), None) => ("room", room.clone()),
        (None, Some(user)) => ("to", RoomRef::With(user.clone())),
        (None, None) => {
            let rooms = &app.config.rooms;
            let user = named(&send.body, &rooms.recipient_field, UserId::parse)?;
            let room = named(&send.body, &rooms.room_field, RoomRef::parse)?;
            match (user, room) {
                (Some(user), _) => (&*rooms.recipient_field, RoomRef::With(user)),
                (None, Some(room)) => (&*rooms.room_field, room),
                (None, None) => ("", RoomRef::Named(rooms.lobby.clone())),
            }
        }
    };
    if let RoomRef::With(user) = &room {
        app.auth.check_receiver(field, user)?;
    }
    enter(who, room)
}

/// The room or user in a field of the body. `None` if the body has no such field, `bad-payload` if the field is
/// invalid.
fn named<T>(body: &Body, name: &str, parse: fn(&str) -> Result<T, String>) -> Result<Option<T>> {
    if name.is_empty() {
        return Ok(None);
    }
    field(body, name).map(|value| input::key(name, value, parse)).transpose().map_err(Error::BadPayload)
}

/// Emits an event with a message to its room. In a direct message, each user gets it with the other user's id as room.
pub(super) fn announce<E: ServerEvent>(
    hub: &Hub,
    tellings: &mut Tellings,
    room: &Room,
    message: &Message,
    event: impl Fn(Message) -> E,
) {
    let Room::Direct(direct) = room else {
        hub.tell_with(tellings, To::Room(room), &event(message.clone()));
        return;
    };
    for reader in direct.users() {
        let message = Message { room: room.for_reader(reader), ..message.clone() };
        hub.tell_with(tellings, To::User(reader), &event(message));
    }
}
