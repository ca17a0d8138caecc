//! The verbs. Each checks who may, then changes the store, then tells the hub: the same for every way in.

mod backends;
mod change;
mod directory;

use std::sync::Arc;

pub use backends::{Put, disconnect, disconnect_device, in_the_name_of, put};
pub use change::Change;
pub use directory::{
    Listed, Occupant, RoomSummary, UserDetails, known_users, named_room, named_rooms, occupants, user,
};

use change::change;

use crate::{
    app::App,
    auth::Identity,
    config::LimitsConfig,
    error::{Error, Result},
    hub::{Hub, To},
    input,
    model::{Body, Message, MessageId, Room, RoomRef, SocketId, User, UserId},
    protocol::{
        DeleteMessage, EditMessage, JoinRoom, JoinedRoom, ListUsers, LoadMessages, MarkRead, MessageDeleted,
        MessageEdited, MessageRead, MessageSaved, PAGE_DEFAULT, PAGE_MAX, Page, ReadMark, RoomList, RoomUser,
        SendMessage, ServerEvent, UserList, Welcome, field,
    },
    store::{self, CaughtUp, Direction},
    tellings::Tellings,
};

/// Saves a message and tells its room.
pub fn post(app: &Arc<App>, who: &Identity, send: SendMessage) -> Result<impl Change<Output = Message> + use<>> {
    let room = destination(app, who, &send)?;
    let mut members = vec![who.user.id.clone()];
    if let Room::Direct(direct) = &room {
        members.extend(direct.users().filter(|user| **user != who.user.id).cloned());
    }
    members.retain(|user| app.auth.has_memberships(user));
    let message = store::NewMessage {
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

/// Replaces a message's body and tells its room. Only its author may, and a moderator, for whom `None` stands.
pub fn edit(app: &Arc<App>, who: Option<&Identity>, edit: EditMessage) -> impl Change<Output = Message> + use<> {
    let edit = store::EditMessage { id: edit.id, by: author(who), body: edit.body };
    change(app, edit, |hub, tellings, (room, message)| {
        announce(hub, tellings, &room, &message, MessageEdited::new);
        message
    })
}

/// Leaves a tombstone and tells its room. Only its author may, and a moderator, for whom `None` stands.
pub fn delete(app: &Arc<App>, who: Option<&Identity>, delete: DeleteMessage) -> impl Change<Output = Message> + use<> {
    let delete = store::DeleteMessage { id: delete.id, by: author(who) };
    change(app, delete, |hub, tellings, (room, message)| {
        if let Some(room) = room {
            announce(hub, tellings, &room, &message, MessageDeleted::new);
        }
        message
    })
}

/// Moves the reader's mark and tells their other sockets, and in a direct message the other user.
pub fn mark_read(app: &Arc<App>, who: &Identity, mark: MarkRead) -> Result<impl Change<Output = ReadMark> + use<>> {
    let room = enter(who, mark.room)?;
    let user = who.user.id.clone();
    let mark = store::MarkRead { user: user.clone(), room: room.clone(), offset: mark.offset };
    Ok(change(app, mark, move |hub, tellings, marked| {
        let offset = marked.offset;
        if marked.moved {
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

/// Makes a socket hear a room and its user a member, and brings the client up to date.
pub async fn join(app: &Arc<App>, who: &Arc<Identity>, socket: SocketId, join: JoinRoom) -> Result<JoinedRoom> {
    let room = enter(who, join.room)?;
    let rooms_per_user = LimitsConfig::or_none(app.limits.config().rooms_per_user);
    // Subscribed first, read then: what the reply does not hold arrives as an event.
    if who.is_guest {
        hear(app, &app.hub, who, socket, &room)?;
    } else {
        let member = store::Join { user: who.user.id.clone(), room: room.clone(), rooms_per_user };
        let (this, app, who, room) = (app, app.clone(), who.clone(), room.clone());
        // In commit order, so that a join is never undone by a leave before it.
        let hears = move |hub: &Hub, tellings: &mut Tellings, _| {
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

/// Makes a socket hear a room; in the root namespace the room learns that its user is here. `forbidden` where it
/// hears as many as a user may belong to.
pub fn hear(app: &App, hub: &Hub, who: &Identity, socket: SocketId, room: &Room) -> Result<()> {
    // Direct messages come to all sockets of both users anyway.
    let Room::Named(name) = room else { return Ok(()) };
    let most = LimitsConfig::or_none(app.limits.config().rooms_per_user).saturating_add(1);
    if !hub.hears(socket, room) && hub.room_count(socket) >= most {
        app.metrics.limited("rooms-per-user");
        return Err(Error::Forbidden("this socket hears too many rooms (limits.rooms-per-user)".to_owned()));
    }
    let is_new = hub.subscribe(socket, room);
    // One whose client is away is there when that comes back.
    if is_new && !who.is_guest && app.is_root(hub) && !hub.is_away(socket) {
        app.presence.came(name, &who.user, socket);
        if !hub.hears(socket, room) || hub.is_away(socket) {
            // Another of the user's sockets left the room in this very moment, or this one's client went.
            app.presence.went(name, &who.user.id, socket);
        }
    }
    Ok(())
}

/// Makes a socket hear a room no longer.
pub fn unhear(app: &App, hub: &Hub, who: &Identity, socket: SocketId, room: &Room) {
    if hub.unsubscribe(socket, room)
        && let Room::Named(name) = room
        && !who.is_guest
        && app.is_root(hub)
    {
        app.presence.went(name, &who.user.id, socket);
    }
}

/// Makes a socket hear no longer what its user may not enter any more.
pub fn leave_closed_rooms(app: &App, hub: &Hub, who: &Identity, socket: SocketId) {
    for room in hub.rooms_of(socket) {
        if !who.access.allows(&who.user.id, &room) {
            unhear(app, hub, who, socket, &room);
        }
    }
}

/// Ends the user's membership; all their sockets leave.
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
        tellings.flush();
        sockets_leave(hub);
    };
    change(app, leave, leaves).done().await
}

/// A page of a room's messages.
pub async fn load(app: &App, who: &Identity, load: LoadMessages) -> Result<Page> {
    let room = enter(who, load.room)?;
    let direction = match (load.before, load.after) {
        (None, None) => Direction::Last,
        (Some(offset), None) => Direction::Before(offset),
        (None, Some(offset)) => Direction::After(offset),
        (Some(_), Some(_)) => return Err(Error::BadPayload("either before or after, not both".to_owned())),
    };
    app.store.page(room, who.user.id.clone(), direction, page_limit(load.limit)?).await
}

/// How many a page holds: 50 where nobody says, 200 at the most.
pub fn page_limit(limit: Option<u64>) -> Result<usize> {
    match limit {
        None => Ok(PAGE_DEFAULT),
        Some(0) => Err(Error::BadPayload("limit must be at least 1".to_owned())),
        Some(limit) => Ok(usize::try_from(limit).unwrap_or(PAGE_MAX).min(PAGE_MAX)),
    }
}

/// A user by the name they have, or had last; by their id where nobody knows one.
pub async fn user_named(app: &App, id: UserId) -> Result<User> {
    match app.presence.user(&id) {
        Some(user) => Ok(user),
        None => app.store.user_named(id).await,
    }
}

/// What changed in a room after a revision.
pub async fn catch_up(app: &App, who: &Identity, room: RoomRef, since: u64) -> Result<CaughtUp> {
    app.store.catch_up(enter(who, room)?, who.user.id.clone(), Some(since)).await
}

/// One message, as its reader sees it. `None` stands for one who may read everything, and sees it as its author does.
pub async fn message(app: &App, who: Option<&Identity>, id: MessageId) -> Result<Message> {
    let unknown = || Error::NotFound("there is no such message".to_owned());
    let (room, message) = app.store.message(id).await?.ok_or_else(unknown)?;
    let Some(who) = who else { return Ok(message) };
    if !who.access.allows(&who.user.id, &room) {
        return Err(unknown());
    }
    Ok(Message { room: room.for_reader(&who.user.id), ..message })
}

/// Who belongs to a room, or to the whole server.
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
    app.store.users(room, present).await
}

/// Who a client is that has just come, and who is online.
pub fn welcome(app: &App, who: &Identity) -> Welcome {
    let (users, user_count) = here(app, &Room::Named(app.config.rooms.lobby.clone()));
    Welcome { user: who.user.clone(), users, user_count }
}

/// The rooms a user belongs to and may still enter.
pub async fn rooms(app: &App, who: &Identity) -> Result<RoomList> {
    let mut rooms = app.store.memberships(who.user.id.clone()).await?;
    rooms.retain(|membership| enter(who, membership.room.clone()).is_ok());
    Ok(RoomList { rooms })
}

/// The room, if this one may enter it.
pub fn enter(who: &Identity, room: RoomRef) -> Result<Room> {
    let room = room.seen_by(&who.user.id);
    if who.access.allows(&who.user.id, &room) {
        return Ok(room);
    }
    Err(Error::Forbidden("this room is not open to you".to_owned()))
}

fn author(who: Option<&Identity>) -> Option<store::Author> {
    let (access, user) = who.map(|who| (who.access.clone(), who.user.id.clone()))?;
    Some(store::Author { user: user.clone(), may_read: Box::new(move |room| access.allows(&user, room)) })
}

/// `room`, or `to`, or the fields an old app's payload has for them, or the lobby.
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

/// What a body's field names, if there is such a field. `bad-payload` where it names nothing.
fn named<T>(body: &Body, name: &str, parse: fn(&str) -> Result<T, String>) -> Result<Option<T>> {
    if name.is_empty() {
        return Ok(None);
    }
    field(body, name).map(|value| input::key(name, value, parse)).transpose().map_err(Error::BadPayload)
}

/// Tells a room of a message, each user of a direct message under the other's id.
fn announce<E: ServerEvent>(
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

/// Who is in a room now, and how many.
fn here(app: &App, room: &Room) -> (Vec<RoomUser>, usize) {
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
