//! THE WIRE. The only file that spells an event name or a payload of our Socket.IO wire: first the traits that
//! tie a name to a payload, then the two tables of events, then the payloads in the same order.
//!
//! From it come the demo's `wire.ts`, the README's event tables (both checked by tests) and the types of the
//! tests. A new event is one row and one struct here, one function in `handlers/`, one `.on` and one test.

mod args;
mod body;
mod reply;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use args::Args;
pub(crate) use body::{field, whole};
pub(crate) use reply::Failure;
pub(crate) use reply::acknowledgement;
pub use reply::{Arguments, IntoReply, Raw, Reply};

use crate::{
    error::{Code, Error, Result},
    model::{Body, Message, MessageId, RoomRef, Timestamp, User, UserId},
};

/// The most messages in one page or one answer to `since`.
pub const PAGE_MAX: usize = 200;
/// The messages in a page when nobody says how many.
pub const PAGE_DEFAULT: usize = 50;
/// The most users in a reply; `userCount` counts them all.
pub const USERS_MAX: usize = 100;

/// What a client sends: a name, and the payload that belongs to it.
///
/// ```
/// #[derive(serde::Deserialize)]
/// struct PlaceBid { item: String, amount: u64 }
///
/// impl sockeye::ClientEvent for PlaceBid {
///     const NAME: &'static str = "place-bid";
/// }
/// ```
pub trait ClientEvent: DeserializeOwned + Send + 'static {
    /// As clients spell it.
    const NAME: &'static str;

    /// Reads the payload from the event's arguments. By default that is the one argument, or `{}` where it is
    /// missing; several arguments and binary attachments are `bad-payload`.
    fn from_args(args: &Args<'_>) -> Result<Self> {
        args.single()
    }
}

/// What the server sends: a name, and the payload that belongs to it.
pub trait ServerEvent: Serialize {
    /// As clients spell it.
    const NAME: &'static str;
}

/// One row of the table of events: what README and `wire.ts` say of it.
#[cfg_attr(not(test), expect(dead_code, reason = "documents are written from it, by tests"))]
pub struct Row {
    /// The event's name.
    pub name: &'static str,
    /// The payload, as a reader of the README sees it.
    pub payload: &'static str,
    /// The payload's type in `wire.ts`.
    pub payload_type: &'static str,
    /// The reply's `data`, as a reader of the README sees it; empty for server events.
    pub reply: &'static str,
    /// The reply's type in `wire.ts`; empty for server events.
    pub reply_type: &'static str,
    /// What others receive, or when the server sends it.
    pub note: &'static str,
}

/// Client to server, in the order of the README. Every one may ask for an acknowledgement.
pub const CLIENT_EVENTS: [Row; 11] = [
    Row {
        name: SendMessage::NAME,
        payload: "{ room?, to?, idempotencyKey?, ...body }",
        payload_type: "SendMessage",
        reply: "the saved Message",
        reply_type: "Message",
        note: "message-saved to the room, the sender included",
    },
    Row {
        name: EditMessage::NAME,
        payload: "{ id, ...body }",
        payload_type: "EditMessage",
        reply: "Message",
        reply_type: "Message",
        note: "message-edited",
    },
    Row {
        name: DeleteMessage::NAME,
        payload: "{ id }",
        payload_type: "DeleteMessage",
        reply: "Message, a tombstone",
        reply_type: "Message",
        note: "message-deleted",
    },
    Row {
        name: JoinRoom::NAME,
        payload: "{ room, since? }",
        payload_type: "JoinRoom",
        reply: "{ room, head, messages, more, reset, users, userCount }",
        reply_type: "JoinedRoom",
        note: "presence-changed",
    },
    Row {
        name: LeaveRoom::NAME,
        payload: "{ room }",
        payload_type: "LeaveRoom",
        reply: "null",
        reply_type: "null",
        note: "presence-changed",
    },
    Row {
        name: LoadMessages::NAME,
        payload: "{ room, before? or after?, limit? }, offsets",
        payload_type: "LoadMessages",
        reply: "{ messages, more }",
        reply_type: "Page",
        note: "",
    },
    Row {
        name: ListUsers::NAME,
        payload: "{ room? }",
        payload_type: "ListUsers",
        reply: "{ users, userCount }, each with online, lastSeen",
        reply_type: "UserList",
        note: "",
    },
    Row {
        name: ListRooms::NAME,
        payload: "{}",
        payload_type: "ListRooms",
        reply: "{ rooms }: the memberships, each with head, read, unread",
        reply_type: "RoomList",
        note: "",
    },
    Row {
        name: MarkRead::NAME,
        payload: "{ room, offset }",
        payload_type: "MarkRead",
        reply: "{ room, offset }",
        reply_type: "ReadMark",
        note: "message-read to the reader's own sockets and, in a direct message, to the other user",
    },
    Row {
        name: SetTyping::NAME,
        payload: "{ room, typing }",
        payload_type: "SetTyping",
        reply: "null",
        reply_type: "null",
        note: "typing to the others: volatile, never stored, expires after 5 s",
    },
    Row {
        name: RefreshToken::NAME,
        payload: "{ token }",
        payload_type: "RefreshToken",
        reply: "{ expiresAt }",
        reply_type: "TokenExpiry",
        note: "",
    },
];

/// Server to client, in the order of the README.
pub const SERVER_EVENTS: [Row; 9] = [
    server_row(
        Session::NAME,
        "{ user, socketId, rooms, serverTime }",
        "Session",
        "right after connecting; rooms are those this socket hears already",
    ),
    server_row(
        MessageSaved::NAME,
        "{ success: true, message }",
        "MessageSaved",
        "a message was saved in a room this socket hears",
    ),
    server_row(MessageEdited::NAME, "{ success: true, message }", "MessageEdited", "its author changed it"),
    server_row(
        MessageDeleted::NAME,
        "{ success: true, message }",
        "MessageDeleted",
        "its author deleted it; the message is a tombstone",
    ),
    server_row(MessageRead::NAME, "{ room, offset, user }", "MessageRead", "a user has read a room up to this offset"),
    server_row(Typing::NAME, "{ room, user, typing }", "Typing", "somebody began or stopped typing"),
    server_row(
        PresenceChanged::NAME,
        "{ room, joined, left, userCount }",
        "PresenceChanged",
        "users came or went, bursts combined; in a large room userCount alone",
    ),
    server_row(
        EventError::NAME,
        "{ event, code, message }",
        "EventError",
        "an event failed that asked for no acknowledgement",
    ),
    server_row(
        ServerClosing::NAME,
        "{ reconnectInMs }",
        "ServerClosing",
        "the server goes down; clients come back by themselves",
    ),
];

const fn server_row(name: &'static str, payload: &'static str, payload_type: &'static str, note: &'static str) -> Row {
    Row { name, payload, payload_type, reply: "", reply_type: "", note }
}

/// Names that mean something to clients themselves: no event may bear one
/// (<https://socket.io/docs/v4/emit-cheatsheet/#reserved-events>).
pub const SOCKET_IO: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Whether a relay must not bear this name: it is one of the wire's, or Socket.IO's own.
pub fn is_reserved(name: &str) -> bool {
    SOCKET_IO.contains(&name) || CLIENT_EVENTS.iter().chain(&SERVER_EVENTS).any(|row| row.name == name)
}

macro_rules! names {
    ($trait:ident: $($payload:ty = $name:literal);+ $(;)?) => {
        $(impl $trait for $payload {
            const NAME: &'static str = $name;
        })+
    };
}

names! { ClientEvent:
    EditMessage = "edit-message";
    DeleteMessage = "delete-message";
    JoinRoom = "join-room";
    LeaveRoom = "leave-room";
    LoadMessages = "load-messages";
    ListUsers = "list-users";
    ListRooms = "list-rooms";
    MarkRead = "mark-read";
    SetTyping = "typing";
    RefreshToken = "refresh-token";
}

names! { ServerEvent:
    Session = "session";
    MessageSaved = "message-saved";
    MessageEdited = "message-edited";
    MessageDeleted = "message-deleted";
    MessageRead = "message-read";
    Typing = "typing";
    PresenceChanged = "presence-changed";
    EventError = "event-error";
    ServerClosing = "server-closing";
}

impl ClientEvent for SendMessage {
    const NAME: &'static str = "send-message";

    /// The most frequent of all: read from the text as it came, without a copy of it.
    fn from_args(args: &Args<'_>) -> Result<Self> {
        Self::parse(args.single_text()?).map_err(Error::BadPayload)
    }
}

/// `send-message`: where to, and what. Neither `room` nor `to` means the lobby; both is `bad-payload`.
#[derive(Debug, Clone)]
pub struct SendMessage {
    /// The room.
    pub room: Option<RoomRef>,
    /// The other user of a direct message.
    pub to: Option<UserId>,
    /// Makes a retry within 24 h harmless: 1 to 128 characters, one per message and user.
    pub idempotency_key: Option<String>,
    /// The payload's other fields; `{ "value": ... }` where the payload is a plain value.
    pub body: Body,
}

/// `edit-message`: the new body replaces the old one whole. Only the author may.
#[derive(Debug, Clone)]
pub struct EditMessage {
    /// Which message.
    pub id: MessageId,
    /// The payload's other fields.
    pub body: Body,
}

/// `delete-message`: leaves a tombstone. Only the author may; again is no error.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DeleteMessage {
    /// Which message.
    pub id: MessageId,
}

/// `join-room`: subscribe this socket, become a member, and catch up.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct JoinRoom {
    /// Which room.
    pub room: RoomRef,
    /// The last revision this client has seen; without it the reply holds the last 50 messages.
    pub since: Option<u64>,
}

/// `leave-room`: end the membership; all the user's sockets leave.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LeaveRoom {
    /// Which room.
    pub room: RoomRef,
}

/// `load-messages`: a page before or after an offset; without either, the last ones.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct LoadMessages {
    /// Which room.
    pub room: RoomRef,
    /// Messages with smaller offsets, the nearest ones.
    pub before: Option<u64>,
    /// Messages with larger offsets, the nearest ones.
    pub after: Option<u64>,
    /// How many: 50 by default, 1 to 200.
    pub limit: Option<u64>,
}

/// `list-users`: who belongs to a room, or to the lobby, which is the whole server.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct ListUsers {
    /// Which room.
    pub room: Option<RoomRef>,
}

/// `list-rooms`: the user's memberships.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "Record<string, never>"))]
pub struct ListRooms {}

/// `mark-read`: all up to this offset is read. Never goes back.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MarkRead {
    /// Which room.
    pub room: RoomRef,
    /// The offset of the last message read.
    pub offset: u64,
}

/// `typing`, from a client.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SetTyping {
    /// Which room; this socket must hear it.
    pub room: RoomRef,
    /// Began, or stopped.
    pub typing: bool,
}

/// `refresh-token`: a new token for the same user, before the old one ends.
#[derive(Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RefreshToken {
    /// The JWT.
    pub token: String,
}

/// A room's newest message and change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Head {
    /// The offset of the newest message; 0 in an empty room.
    pub offset: u64,
    /// The count of changes so far.
    pub revision: u64,
}

/// The reply to `join-room`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct JoinedRoom {
    /// The room that was joined.
    pub room: RoomRef,
    /// As it was once this socket was subscribed: what is at or below is in `messages` or pageable, what comes
    /// later arrives as events.
    pub head: Head,
    /// With `since`: every message changed after it, in revision order. Without: the last 50, in offset order.
    pub messages: Vec<Message>,
    /// There are more: ask again with `since` = the last revision here, or page back by offset.
    pub more: bool,
    /// The answer to `since` cannot be complete: forget what you have and load anew.
    pub reset: bool,
    /// Who is in the room now, 100 at the most.
    pub users: Vec<RoomUser>,
    /// How many are in the room now.
    pub user_count: usize,
}

/// The reply to `load-messages`: ascending offsets.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Page {
    /// The messages.
    pub messages: Vec<Message>,
    /// There are more in the direction asked for.
    pub more: bool,
}

/// A user and whether they are here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct RoomUser {
    /// Who.
    #[serde(flatten)]
    pub user: User,
    /// Any of their sockets is connected.
    pub online: bool,
    /// When the last of their sockets went, if ever and if they are not online.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
}

/// The reply to `list-users`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct UserList {
    /// Those online first, then by name; 100 at the most.
    pub users: Vec<RoomUser>,
    /// All of them.
    pub user_count: usize,
}

/// A membership: a room in the user's list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Membership {
    /// Which room.
    pub room: RoomRef,
    /// Its newest message and change.
    pub head: Head,
    /// The offset up to which this user has read.
    pub read: u64,
    /// Messages of others after `read`, counted up to 1,000.
    pub unread: u64,
    /// In a direct message, the other user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<User>,
}

/// The reply to `list-rooms`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RoomList {
    /// The rooms, those with the newest messages first.
    pub rooms: Vec<Membership>,
}

/// The reply to `mark-read`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ReadMark {
    /// Which room.
    pub room: RoomRef,
    /// Up to where; never less than before, never beyond the newest message.
    pub offset: u64,
}

/// The reply to `refresh-token`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TokenExpiry {
    /// When the new token ends.
    pub expires_at: Timestamp,
}

/// `session`: who this socket is.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The user behind this connection.
    pub user: User,
    /// This socket's own id; nobody else is told.
    pub socket_id: String,
    /// The rooms this socket hears already.
    pub rooms: Vec<RoomRef>,
    /// The server's clock.
    pub server_time: Timestamp,
}

/// What a client of plain WebSocket learns when it registers.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// The user behind this connection.
    pub user: User,
    /// Who is online, 100 at the most.
    pub users: Vec<RoomUser>,
    /// How many are online.
    pub user_count: usize,
}

/// `message-saved`: a new message.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MessageSaved {
    /// Always true; React apps look at it.
    #[cfg_attr(test, ts(type = "true"))]
    pub success: bool,
    /// The message.
    pub message: Message,
}

/// `message-edited`: the message as it is now.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MessageEdited {
    /// Always true.
    #[cfg_attr(test, ts(type = "true"))]
    pub success: bool,
    /// The message.
    pub message: Message,
}

/// `message-deleted`: the tombstone.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MessageDeleted {
    /// Always true.
    #[cfg_attr(test, ts(type = "true"))]
    pub success: bool,
    /// The message, its body empty.
    pub message: Message,
}

/// `message-read`: how far somebody has read.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MessageRead {
    /// Which room, as seen by the receiver.
    pub room: RoomRef,
    /// Up to where.
    pub offset: u64,
    /// Who has read.
    pub user: UserId,
}

/// `typing`, to the others.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Typing {
    /// Which room, as seen by the receiver.
    pub room: RoomRef,
    /// Who.
    pub user: User,
    /// Began, or stopped.
    pub typing: bool,
}

/// `presence-changed`: who came and who went since the last one.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PresenceChanged {
    /// Which room; the lobby is the whole server.
    pub room: RoomRef,
    /// Users who came. Empty in rooms above `presence.max-room-size`.
    pub joined: Vec<User>,
    /// Users who went. Empty in rooms above `presence.max-room-size`.
    pub left: Vec<User>,
    /// How many are in the room now.
    pub user_count: usize,
}

/// `event-error`: the failure of an event that asked for no acknowledgement, or of the session itself.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct EventError {
    /// The event that failed; `session` when the token has expired.
    pub event: String,
    /// What a program switches on.
    #[cfg_attr(test, ts(type = "ErrorCode"))]
    pub code: Code,
    /// For people.
    pub message: String,
}

/// `server-closing`: a deploy, most likely.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ServerClosing {
    /// When to come back, in milliseconds, spread over the clients. Unchanged clients come back by themselves.
    pub reconnect_in_ms: u64,
}

impl MessageSaved {
    /// The event for this message.
    pub fn new(message: Message) -> Self {
        Self { success: true, message }
    }
}

impl MessageEdited {
    /// The event for this message.
    pub fn new(message: Message) -> Self {
        Self { success: true, message }
    }
}

impl MessageDeleted {
    /// The event for this message.
    pub fn new(message: Message) -> Self {
        Self { success: true, message }
    }
}

impl EventError {
    /// The event for this failure.
    pub fn new(event: &str, error: &Error) -> Self {
        Self { event: event.to_owned(), code: error.code(), message: error.to_string() }
    }
}
