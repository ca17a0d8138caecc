//! The Socket.IO wire: event names and payloads. All event names and payload types of the chat are defined here. The
//! traits that connect a name with a payload come first, then the two tables of events, then the payloads in the same
//! order.
//!
//! The demo's `wire.ts` and the tables of `docs/events.md` are generated from this file by tests. A new event needs one
//! row and one struct here, one function in `handlers/`, one `.on` and one test.

mod args;
mod arguments;
mod body;
mod from_arguments;
mod payload;
mod reply;

use std::borrow::Cow;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use args::Args;
pub use arguments::Arguments;
pub(crate) use body::{field, whole};
pub use from_arguments::FromArguments;
#[cfg(feature = "testing")]
pub(crate) use payload::arguments;
pub(crate) use payload::event;
#[cfg(feature = "typescript")]
pub(crate) use payload::is_tuple;
pub use payload::{Payload, Raw};
pub(crate) use reply::{Failure, Reply};
pub use reply::{IntoReply, ReplyForm};

use crate::{
    error::{Error, Result},
    model::{Body, Message, MessageId, RoomRef, Timestamp, User, UserId},
};

/// The maximum number of messages in one page or one reply to `since`.
pub const PAGE_MAX: usize = 200;
/// The number of messages in a page when the client gives no limit.
pub const PAGE_DEFAULT: usize = 50;
/// The maximum number of users in a reply; `userCount` counts all of them.
pub const USERS_MAX: usize = 100;

/// An event from a client: its name and its payload type.
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
    /// The event name on the wire.
    const NAME: &'static str;

    /// Reads the payload from the event's arguments. By default the event takes one argument, or `{}` if it is missing;
    /// several arguments are `bad-payload`. A binary attachment is read as bytes.
    fn from_args(args: &Args<'_>) -> Result<Self> {
        if args.attachments().is_empty() { args.single() } else { args.single_with_binary() }
    }
}

/// An event from the server: its name and its payload type.
pub trait ServerEvent: Serialize {
    /// The event name on the wire.
    const NAME: &'static str;
}

/// One row of the table of events: what `docs/events.md` and `wire.ts` say of it.
#[cfg_attr(not(test), expect(dead_code, reason = "documents are written from it, by tests"))]
pub struct Row {
    /// The event's name.
    pub name: &'static str,
    /// The payload, as a reader of `docs/events.md` sees it.
    pub payload: &'static str,
    /// The payload's type in `wire.ts`.
    pub payload_type: &'static str,
    /// The reply's `data`, as a reader of `docs/events.md` sees it; empty for server events.
    pub reply: &'static str,
    /// The reply's type in `wire.ts`; empty for server events.
    pub reply_type: &'static str,
    /// What other sockets receive, or when the server sends the event.
    pub note: &'static str,
}

/// Events from client to server, in the order of `docs/events.md`. A client may ask for an acknowledgement of each.
pub const CLIENT_EVENTS: [Row; 12] = [
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
        payload: "{ room, before? or after?, limit? }",
        payload_type: "LoadMessages",
        reply: "{ messages, more }; before and after are offsets",
        reply_type: "Page",
        note: "",
    },
    Row {
        name: SearchMessages::NAME,
        payload: "{ text, room?, from?, before?, limit? }",
        payload_type: "SearchMessages",
        reply: "{ messages, next? }, newest first; before and next are ids of messages",
        reply_type: "FoundMessages",
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

/// Events from server to client, in the order of `docs/events.md`.
pub const SERVER_EVENTS: [Row; 10] = [
    server_row(
        Session::NAME,
        "{ user, socketId, rooms, serverTime }",
        "Session",
        "right after connecting; rooms are those that this socket is subscribed to",
    ),
    server_row(
        MessageSaved::NAME,
        "{ success: true, message }",
        "MessageSaved",
        "a message was saved in a room that this socket is subscribed to",
    ),
    server_row(MessageEdited::NAME, "{ success: true, message }", "MessageEdited", "a message was edited"),
    server_row(
        MessageDeleted::NAME,
        "{ success: true, message }",
        "MessageDeleted",
        "a message was deleted; it is now a tombstone",
    ),
    server_row(
        RoomDeleted::NAME,
        "{ room }",
        "RoomDeleted",
        "a backend deleted a room with its messages; this socket is no longer subscribed to it",
    ),
    server_row(MessageRead::NAME, "{ room, offset, user }", "MessageRead", "a user has read a room up to this offset"),
    server_row(Typing::NAME, "{ room, user, typing }", "Typing", "a user started or stopped typing"),
    server_row(
        PresenceChanged::NAME,
        "{ room, joined, left, userCount }",
        "PresenceChanged",
        "users came online or went offline, bursts combined; in a large room only userCount",
    ),
    server_row(EventError::NAME, "{ event, code, message }", "EventError", "an event without acknowledgement failed"),
    server_row(
        ServerClosing::NAME,
        "{ reconnectInMs }",
        "ServerClosing",
        "the server shuts down; clients reconnect by themselves",
    ),
];

const fn server_row(name: &'static str, payload: &'static str, payload_type: &'static str, note: &'static str) -> Row {
    Row { name, payload, payload_type, reply: "", reply_type: "", note }
}

/// Event names that Socket.IO clients reserve for themselves
/// (<https://socket.io/docs/v4/emit-cheatsheet/#reserved-events>).
pub const RESERVED_BY_SOCKET_IO: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Whether a name cannot be that of a relay: it is an event of this wire or reserved by Socket.IO.
pub fn is_reserved(name: &str) -> bool {
    RESERVED_BY_SOCKET_IO.contains(&name) || CLIENT_EVENTS.iter().chain(&SERVER_EVENTS).any(|row| row.name == name)
}

macro_rules! names {
    // No event of the chat takes binary.
    (ClientEvent: $($payload:ty = $name:literal);+ $(;)?) => {
        $(impl ClientEvent for $payload {
            const NAME: &'static str = $name;

            fn from_args(args: &Args<'_>) -> Result<Self> {
                args.single()
            }
        })+
    };
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
    SearchMessages = "search-messages";
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
    RoomDeleted = "room-deleted";
    MessageRead = "message-read";
    Typing = "typing";
    PresenceChanged = "presence-changed";
    EventError = "event-error";
    ServerClosing = "server-closing";
}

impl ClientEvent for SendMessage {
    const NAME: &'static str = "send-message";

    /// Reads the text without a copy, because this is the most frequent event.
    fn from_args(args: &Args<'_>) -> Result<Self> {
        Self::parse(args.single_text()?).map_err(Error::BadPayload)
    }
}

/// `send-message`: a new message. Without `room` and `to` it goes to the lobby; both together are `bad-payload`.
#[derive(Debug, Clone)]
pub struct SendMessage {
    /// The room.
    pub room: Option<RoomRef>,
    /// The other user of a direct message.
    pub to: Option<UserId>,
    /// Identifies retries: a message is not saved again if the user has sent it with this key in the last 24 h. 1 to
    /// 128 characters. A key must not be used for two different messages of a user.
    pub idempotency_key: Option<String>,
    /// The payload's other fields; `{ "value": ... }` if the payload is a plain value.
    pub body: Body,
}

/// `edit-message`: replaces the whole body of a message. Only for its author.
#[derive(Debug, Clone)]
pub struct EditMessage {
    /// The message to edit.
    pub id: MessageId,
    /// The payload's other fields.
    pub body: Body,
}

/// `delete-message`: replaces a message by a tombstone. Only for its author; deleting it again is no error.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DeleteMessage {
    /// The message to delete.
    pub id: MessageId,
}

/// `join-room`: subscribes this socket, makes the user a member, and returns the messages missed.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct JoinRoom {
    /// The room to join.
    pub room: RoomRef,
    /// The last revision this client has seen; without it the reply holds the last 50 messages.
    pub since: Option<u64>,
}

/// `leave-room`: ends the membership and unsubscribes all sockets of the user.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LeaveRoom {
    /// The room to leave.
    pub room: RoomRef,
}

/// `load-messages`: a page before or after an offset; without either, the newest messages.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct LoadMessages {
    /// The room.
    pub room: RoomRef,
    /// Returns the newest messages whose offsets are smaller than this.
    pub before: Option<u64>,
    /// Returns the oldest messages whose offsets are larger than this.
    pub after: Option<u64>,
    /// How many: 50 by default, 1 to 200.
    pub limit: Option<u64>,
}

/// `search-messages`: the newest messages that have all words of a text, in the rooms that the user may enter.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct SearchMessages {
    /// The words, in any order: 1 to 256 characters. Case and accents do not matter. A word of three letters or more also
    /// matches the words that begin with it.
    pub text: String,
    /// Only messages of this room. Without it: of all rooms that the user may enter.
    pub room: Option<RoomRef>,
    /// Only messages of this author.
    pub from: Option<UserId>,
    /// Only messages older than this one: `next` of the page before.
    pub before: Option<MessageId>,
    /// How many: 50 by default, 1 to 200.
    pub limit: Option<u64>,
}

/// `list-users`: the users of a room; by default of the lobby, to which every socket is subscribed.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct ListUsers {
    /// The room.
    pub room: Option<RoomRef>,
}

/// `list-rooms`: the user's memberships.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "Record<string, never>"))]
pub struct ListRooms {}

/// `mark-read`: marks all messages up to an offset as read. The mark never moves back.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MarkRead {
    /// The room.
    pub room: RoomRef,
    /// The offset of the last message read.
    pub offset: u64,
}

/// `typing`, from a client.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SetTyping {
    /// The room; this socket must be subscribed to it.
    pub room: RoomRef,
    /// True when the user starts typing, false when they stop.
    pub typing: bool,
}

/// `refresh-token`: a new token for the same user, before the old one expires.
#[derive(Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RefreshToken {
    /// The JWT.
    pub token: String,
}

/// A room's newest offset and revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Head {
    /// The offset of the newest message; 0 in an empty room.
    pub offset: u64,
    /// The number of messages, edits and deletions so far.
    pub revision: u64,
}

/// The reply to `join-room`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct JoinedRoom {
    /// The room that was joined.
    pub room: RoomRef,
    /// The head when this socket was subscribed: messages up to it are in `messages` or can be loaded by page, later
    /// changes arrive as events.
    pub head: Head,
    /// With `since`: every message changed after it, in revision order. Without: the last 50, in offset order.
    pub messages: Vec<Message>,
    /// Whether there are more: ask again with `since` = the last revision here, or load earlier pages by offset.
    pub more: bool,
    /// Whether the reply to `since` is incomplete: `since` is larger than the room's revision, because the client's
    /// messages are from another database, or a message that changed after `since` was removed. Discard the messages you
    /// have; `messages` holds the last 50.
    pub reset: bool,
    /// The users of the room now, at most 100.
    pub users: Vec<RoomUser>,
    /// The number of users of the room now.
    pub user_count: usize,
}

/// The reply to `load-messages`, in ascending order of offsets.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Page {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether there are more messages in this direction.
    pub more: bool,
}

/// The reply to `search-messages`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct FoundMessages {
    /// The messages, the newest first.
    pub messages: Vec<Message>,
    /// Where to go on, as `before`; absent if there are no more. A search looks at 10,000 messages with the words at most,
    /// so there may be more even if `messages` is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<MessageId>,
}

/// A user with their online status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct RoomUser {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// Whether any of the user's sockets is connected.
    pub online: bool,
    /// When the user's last socket disconnected; absent while online, or if they never connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
}

/// The reply to `list-users`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct UserList {
    /// The online users first, then the others, both by name; at most 100.
    pub users: Vec<RoomUser>,
    /// The number of all users of the room.
    pub user_count: usize,
}

/// A membership: a room in the user's list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Membership {
    /// The room.
    pub room: RoomRef,
    /// The room's newest offset and revision.
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
    /// The room.
    pub room: RoomRef,
    /// The new read mark; it never decreases and never exceeds the newest offset.
    pub offset: u64,
}

/// The reply to `refresh-token`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TokenExpiry {
    /// When the new token expires.
    pub expires_at: Timestamp,
}

/// `session`: the identity of this socket.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The user of this connection.
    pub user: User,
    /// The id of this socket. No other client receives it.
    pub socket_id: String,
    /// The rooms that this socket is subscribed to.
    pub rooms: Vec<RoomRef>,
    /// The server's time.
    pub server_time: Timestamp,
}

/// The reply to `register` of a plain WebSocket client.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// The user of this connection.
    pub user: User,
    /// The users online, at most 100.
    pub users: Vec<RoomUser>,
    /// The number of users online.
    pub user_count: usize,
}

/// `message-saved`: a new message.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MessageSaved {
    /// Always true; existing React apps check it.
    #[cfg_attr(test, ts(type = "true"))]
    pub success: bool,
    /// The message.
    pub message: Message,
}

/// `message-edited`: the message with its new body.
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
    /// The message, with an empty body.
    pub message: Message,
}

/// `room-deleted`: a room was deleted, with its messages. Its members are no members any more.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RoomDeleted {
    /// The room. A direct message can still be written to; it is empty.
    pub room: RoomRef,
}

/// `message-read`: a user has read a room up to an offset.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MessageRead {
    /// The room, as the receiver names it.
    pub room: RoomRef,
    /// The new read mark.
    pub offset: u64,
    /// The reader.
    pub user: UserId,
}

/// `typing`, to the other sockets of the room.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Typing {
    /// The room, as the receiver names it.
    pub room: RoomRef,
    /// The user who is typing.
    pub user: User,
    /// True when the user started typing, false when they stopped.
    pub typing: bool,
}

/// `presence-changed`: the users who came online or went offline since the previous one.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PresenceChanged {
    /// The room. Every socket is subscribed to the lobby, so there the users are all users of the server.
    pub room: RoomRef,
    /// Users who came online. Empty in rooms with more than `presence.max-room-size` users.
    pub joined: Vec<User>,
    /// Users who went offline. Empty in rooms with more than `presence.max-room-size` users.
    pub left: Vec<User>,
    /// The number of users of the room now.
    pub user_count: usize,
}

/// `event-error`: an event without acknowledgement failed, or the socket's token has expired.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct EventError {
    /// The event that failed; `session` when the token has expired.
    pub event: String,
    /// The error code, for programs.
    #[cfg_attr(test, ts(type = "ErrorCode"))]
    pub code: Cow<'static, str>,
    /// The error message, for people.
    pub message: String,
}

/// `server-closing`: the server shuts down, usually for a deploy.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ServerClosing {
    /// How long to wait before reconnecting, in milliseconds: a random time for each client, so that they do not all
    /// reconnect at once. Official clients reconnect by themselves.
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
    /// The event for this error.
    pub fn new(event: &str, error: &Error) -> Self {
        Self { event: event.to_owned(), code: error.wire_code(), message: error.to_string() }
    }
}
