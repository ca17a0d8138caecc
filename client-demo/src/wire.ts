// Written by `cargo test` from src/protocol.rs. Do not edit.

/** The error codes, for programs. */
export type ErrorCode = "bad-payload" | "unknown-event" | "unauthorized" | "token-expired" | "forbidden" | "not-found" | "conflict" | "rate-limited" | "too-large" | "unavailable";

/** The argument of every acknowledgement. */
export type Reply<T> =
  | { success: true; data: T }
  | { success: false; error: { code: ErrorCode; message: string } };

/** `send-message`: neither `room` nor `to` means the lobby. The other fields are the body. */
export type SendMessage = { room?: string; to?: string; idempotencyKey?: string; [field: string]: unknown };

/** `edit-message`: the other fields replace the body. */
export type EditMessage = { id: string; [field: string]: unknown };

/**
 * A user. One user may have many sockets: tabs, devices.
 */
export type User = { 
/**
 * Unique; permissions depend on it.
 */
id: string, 
/**
 * The display name: 1 to 128 characters, not unique.
 */
name: string, };

/**
 * A saved event, as one user sees it.
 */
export type Message = { 
/**
 * The message's id, unique on all servers.
 */
id: string, 
/**
 * The room; in a direct message `dm:<the other user's id>`, as seen by the reader.
 */
room: string, 
/**
 * The message's number in its room: 1, 2, 3 ... without gaps. It never changes. Below 2^53.
 */
offset: number, 
/**
 * The room's revision at the last change of this message: its post, edit or deletion. Below 2^53.
 */
revision: number, 
/**
 * The author, with the name at the time of the post.
 */
from: User, 
/**
 * When the message was saved.
 */
at: string, 
/**
 * When the message was last edited; absent if never.
 */
editedAt?: string, 
/**
 * When the message was deleted; absent if it was not. The body is then `{}`.
 */
deletedAt?: string, 
/**
 * The sender's key, by which a retry is recognised. 1 to 128 characters.
 */
idempotencyKey?: string, 
/**
 * The payload's own fields, byte for byte.
 */
body: Record<string, unknown>, };

/**
 * `delete-message`: replaces a message by a tombstone. Only for its author; deleting it again is no error.
 */
export type DeleteMessage = { 
/**
 * The message to delete.
 */
id: string, };

/**
 * `join-room`: subscribes this socket, makes the user a member, and returns the messages missed.
 */
export type JoinRoom = { 
/**
 * The room to join.
 */
room: string, 
/**
 * The last revision this client has seen; without it the reply holds the last 50 messages.
 */
since?: number, };

/**
 * `leave-room`: ends the membership and unsubscribes all sockets of the user.
 */
export type LeaveRoom = { 
/**
 * The room to leave.
 */
room: string, };

/**
 * `load-messages`: a page before or after an offset; without either, the newest messages.
 */
export type LoadMessages = { 
/**
 * The room.
 */
room: string, 
/**
 * Returns the newest messages whose offsets are smaller than this.
 */
before?: number, 
/**
 * Returns the oldest messages whose offsets are larger than this.
 */
after?: number, 
/**
 * How many: 50 by default, 1 to 200.
 */
limit?: number, };

/**
 * `search-messages`: the newest messages that have all words of a text, in the rooms that the user may enter.
 */
export type SearchMessages = { 
/**
 * The words, in any order: 1 to 256 characters. Case and accents do not matter. A word of three letters or more also
 * matches the words that begin with it.
 */
text: string, 
/**
 * Only messages of this room. Without it: of all rooms that the user may enter.
 */
room?: string, 
/**
 * Only messages of this author.
 */
from?: string, 
/**
 * Only messages older than this one: `next` of the page before.
 */
before?: string, 
/**
 * How many: 50 by default, 1 to 200.
 */
limit?: number, };

/**
 * `list-users`: the users of a room; by default of the lobby, to which every socket is subscribed.
 */
export type ListUsers = { 
/**
 * The room.
 */
room?: string, };

/**
 * `list-rooms`: the user's memberships.
 */
export type ListRooms = Record<string, never>;

/**
 * `mark-read`: marks all messages up to an offset as read. The mark never moves back.
 */
export type MarkRead = { 
/**
 * The room.
 */
room: string, 
/**
 * The offset of the last message read.
 */
offset: number, };

/**
 * `typing`, from a client.
 */
export type SetTyping = { 
/**
 * The room; this socket must be subscribed to it.
 */
room: string, 
/**
 * True when the user starts typing, false when they stop.
 */
typing: boolean, };

/**
 * `refresh-token`: a new token for the same user, before the old one expires.
 */
export type RefreshToken = { 
/**
 * The JWT.
 */
token: string, };

/**
 * A room's newest offset and revision.
 */
export type Head = { 
/**
 * The offset of the newest message; 0 in an empty room.
 */
offset: number, 
/**
 * The number of messages, edits and deletions so far.
 */
revision: number, };

/**
 * The reply to `join-room`.
 */
export type JoinedRoom = { 
/**
 * The room that was joined.
 */
room: string, 
/**
 * The head when this socket was subscribed: messages up to it are in `messages` or can be loaded by page, later
 * changes arrive as events.
 */
head: Head, 
/**
 * With `since`: every message changed after it, in revision order. Without: the last 50, in offset order.
 */
messages: Array<Message>, 
/**
 * Whether there are more: ask again with `since` = the last revision here, or load earlier pages by offset.
 */
more: boolean, 
/**
 * Whether the reply to `since` is incomplete: `since` is larger than the room's revision, because the client's
 * messages are from another database, or a message that changed after `since` was removed. Discard the messages you
 * have; `messages` holds the last 50.
 */
reset: boolean, 
/**
 * The users of the room now, at most 100.
 */
users: Array<RoomUser>, 
/**
 * The number of users of the room now.
 */
userCount: number, };

/**
 * The reply to `load-messages`, in ascending order of offsets.
 */
export type Page = { 
/**
 * The messages.
 */
messages: Array<Message>, 
/**
 * Whether there are more messages in this direction.
 */
more: boolean, };

/**
 * The reply to `search-messages`.
 */
export type FoundMessages = { 
/**
 * The messages, the newest first.
 */
messages: Array<Message>, 
/**
 * Where to go on, as `before`; absent if there are no more. A search looks at 10,000 messages with the words at most,
 * so there may be more even if `messages` is empty.
 */
next?: string, };

/**
 * A user with their online status.
 */
export type RoomUser = { 
/**
 * Whether any of the user's sockets is connected.
 */
online: boolean, 
/**
 * When the user's last socket disconnected; absent while online, or if they never connected.
 */
lastSeen?: string, 
/**
 * Unique; permissions depend on it.
 */
id: string, 
/**
 * The display name: 1 to 128 characters, not unique.
 */
name: string, };

/**
 * The reply to `list-users`.
 */
export type UserList = { 
/**
 * The online users first, then the others, both by name; at most 100.
 */
users: Array<RoomUser>, 
/**
 * The number of all users of the room.
 */
userCount: number, };

/**
 * A membership: a room in the user's list.
 */
export type Membership = { 
/**
 * The room.
 */
room: string, 
/**
 * The room's newest offset and revision.
 */
head: Head, 
/**
 * The offset up to which this user has read.
 */
read: number, 
/**
 * Messages of others after `read`, counted up to 1,000.
 */
unread: number, 
/**
 * In a direct message, the other user.
 */
with?: User, };

/**
 * The reply to `list-rooms`.
 */
export type RoomList = { 
/**
 * The rooms, those with the newest messages first.
 */
rooms: Array<Membership>, };

/**
 * The reply to `mark-read`.
 */
export type ReadMark = { 
/**
 * The room.
 */
room: string, 
/**
 * The new read mark; it never decreases and never exceeds the newest offset.
 */
offset: number, };

/**
 * The reply to `refresh-token`.
 */
export type TokenExpiry = { 
/**
 * When the new token expires.
 */
expiresAt: string, };

/**
 * `session`: the identity of this socket.
 */
export type Session = { 
/**
 * The user of this connection.
 */
user: User, 
/**
 * The id of this socket. No other client receives it.
 */
socketId: string, 
/**
 * The rooms that this socket is subscribed to.
 */
rooms: Array<string>, 
/**
 * The server's time.
 */
serverTime: string, };

/**
 * `message-saved`: a new message.
 */
export type MessageSaved = { 
/**
 * Always true; existing React apps check it.
 */
success: true, 
/**
 * The message.
 */
message: Message, };

/**
 * `message-edited`: the message with its new body.
 */
export type MessageEdited = { 
/**
 * Always true.
 */
success: true, 
/**
 * The message.
 */
message: Message, };

/**
 * `message-deleted`: the tombstone.
 */
export type MessageDeleted = { 
/**
 * Always true.
 */
success: true, 
/**
 * The message, with an empty body.
 */
message: Message, };

/**
 * `room-deleted`: a room was deleted, with its messages. Its members are no members any more.
 */
export type RoomDeleted = { 
/**
 * The room. A direct message can still be written to; it is empty.
 */
room: string, };

/**
 * `message-read`: a user has read a room up to an offset.
 */
export type MessageRead = { 
/**
 * The room, as the receiver names it.
 */
room: string, 
/**
 * The new read mark.
 */
offset: number, 
/**
 * The reader.
 */
user: string, };

/**
 * `typing`, to the other sockets of the room.
 */
export type Typing = { 
/**
 * The room, as the receiver names it.
 */
room: string, 
/**
 * The user who is typing.
 */
user: User, 
/**
 * True when the user started typing, false when they stopped.
 */
typing: boolean, };

/**
 * `presence-changed`: the users who came online or went offline since the previous one.
 */
export type PresenceChanged = { 
/**
 * The room. Every socket is subscribed to the lobby, so there the users are all users of the server.
 */
room: string, 
/**
 * Users who came online. Empty in rooms with more than `presence.max-room-size` users.
 */
joined: Array<User>, 
/**
 * Users who went offline. Empty in rooms with more than `presence.max-room-size` users.
 */
left: Array<User>, 
/**
 * The number of users of the room now.
 */
userCount: number, };

/**
 * `event-error`: an event without acknowledgement failed, or the socket's token has expired.
 */
export type EventError = { 
/**
 * The event that failed; `session` when the token has expired.
 */
event: string, 
/**
 * The error code, for programs.
 */
code: ErrorCode, 
/**
 * The error message, for people.
 */
message: string, };

/**
 * `server-closing`: the server shuts down, usually for a deploy.
 */
export type ServerClosing = { 
/**
 * How long to wait before reconnecting, in milliseconds: a random time for each client, so that they do not all
 * reconnect at once. Official clients reconnect by themselves.
 */
reconnectInMs: number, };

/**
 * A room, with its numbers of messages and users.
 */
export type RoomSummary = { 
/**
 * The room's name.
 */
room: string, 
/**
 * The offset of the newest message and the revision of the newest change.
 */
head: Head, 
/**
 * Number of members.
 */
memberCount: number, 
/**
 * Number of users in the room now, without guests.
 */
onlineCount: number, };

/**
 * A page of rooms.
 */
export type RoomPage = { 
/**
 * The rooms. There may be fewer than `limit` although this is not the last page.
 */
rooms: Array<RoomSummary>, 
/**
 * The `after` of the next page. Missing on the last page.
 */
next?: string, };

/** For `Socket<ServerToClientEvents, ClientToServerEvents>`. */
export interface ClientToServerEvents {
  "send-message": (payload: SendMessage, reply?: (reply: Reply<Message>) => void) => void;
  "edit-message": (payload: EditMessage, reply?: (reply: Reply<Message>) => void) => void;
  "delete-message": (payload: DeleteMessage, reply?: (reply: Reply<Message>) => void) => void;
  "join-room": (payload: JoinRoom, reply?: (reply: Reply<JoinedRoom>) => void) => void;
  "leave-room": (payload: LeaveRoom, reply?: (reply: Reply<null>) => void) => void;
  "load-messages": (payload: LoadMessages, reply?: (reply: Reply<Page>) => void) => void;
  "search-messages": (payload: SearchMessages, reply?: (reply: Reply<FoundMessages>) => void) => void;
  "list-users": (payload: ListUsers, reply?: (reply: Reply<UserList>) => void) => void;
  "list-rooms": (payload: ListRooms, reply?: (reply: Reply<RoomList>) => void) => void;
  "mark-read": (payload: MarkRead, reply?: (reply: Reply<ReadMark>) => void) => void;
  "typing": (payload: SetTyping, reply?: (reply: Reply<null>) => void) => void;
  "refresh-token": (payload: RefreshToken, reply?: (reply: Reply<TokenExpiry>) => void) => void;
}

/** For `Socket<ServerToClientEvents, ClientToServerEvents>`. */
export interface ServerToClientEvents {
  "session": (payload: Session) => void;
  "message-saved": (payload: MessageSaved) => void;
  "message-edited": (payload: MessageEdited) => void;
  "message-deleted": (payload: MessageDeleted) => void;
  "room-deleted": (payload: RoomDeleted) => void;
  "message-read": (payload: MessageRead) => void;
  "typing": (payload: Typing) => void;
  "presence-changed": (payload: PresenceChanged) => void;
  "event-error": (payload: EventError) => void;
  "server-closing": (payload: ServerClosing) => void;
}
