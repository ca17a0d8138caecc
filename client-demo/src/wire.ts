// Written by `cargo test` from src/protocol.rs. Do not edit.

/** What a program switches on when an event fails. */
export type ErrorCode = "bad-payload" | "unknown-event" | "unauthorized" | "token-expired" | "forbidden" | "not-found" | "conflict" | "rate-limited" | "too-large" | "unavailable";

/** What every acknowledgement is called with. */
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
 * Unique on this server and anywhere else.
 */
id: string, 
/**
 * The room; in a direct message `dm:<the other user's id>`, as seen by the reader.
 */
room: string, 
/**
 * Its place in its room: 1, 2, 3 ... without holes, for ever. Below 2^53.
 */
offset: number, 
/**
 * Its room's count of changes when it was posted, edited or deleted last. Below 2^53.
 */
revision: number, 
/**
 * The author, with the name of that moment.
 */
from: User, 
/**
 * When it was saved.
 */
at: string, 
/**
 * When it was edited last, if ever.
 */
editedAt?: string, 
/**
 * When it was deleted; the body is `{}` from then on.
 */
deletedAt?: string, 
/**
 * The key its sender gave, so that a retry is recognised. 1 to 128 characters.
 */
idempotencyKey?: string, 
/**
 * The payload's own fields, byte for byte.
 */
body: Record<string, unknown>, };

/**
 * `delete-message`: leaves a tombstone. Only the author may; again is no error.
 */
export type DeleteMessage = { 
/**
 * Which message.
 */
id: string, };

/**
 * `join-room`: subscribe this socket, become a member, and catch up.
 */
export type JoinRoom = { 
/**
 * Which room.
 */
room: string, 
/**
 * The last revision this client has seen; without it the reply holds the last 50 messages.
 */
since?: number, };

/**
 * `leave-room`: end the membership; all the user's sockets leave.
 */
export type LeaveRoom = { 
/**
 * Which room.
 */
room: string, };

/**
 * `load-messages`: a page before or after an offset; without either, the last ones.
 */
export type LoadMessages = { 
/**
 * Which room.
 */
room: string, 
/**
 * Messages with smaller offsets, the nearest ones.
 */
before?: number, 
/**
 * Messages with larger offsets, the nearest ones.
 */
after?: number, 
/**
 * How many: 50 by default, 1 to 200.
 */
limit?: number, };

/**
 * `list-users`: who belongs to a room, or to the lobby, which is the whole server.
 */
export type ListUsers = { 
/**
 * Which room.
 */
room?: string, };

/**
 * `list-rooms`: the user's memberships.
 */
export type ListRooms = Record<string, never>;

/**
 * `mark-read`: all up to this offset is read. Never goes back.
 */
export type MarkRead = { 
/**
 * Which room.
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
 * Which room; this socket must hear it.
 */
room: string, 
/**
 * Began, or stopped.
 */
typing: boolean, };

/**
 * `refresh-token`: a new token for the same user, before the old one ends.
 */
export type RefreshToken = { 
/**
 * The JWT.
 */
token: string, };

/**
 * A room's newest message and change.
 */
export type Head = { 
/**
 * The offset of the newest message; 0 in an empty room.
 */
offset: number, 
/**
 * The count of changes so far.
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
 * As it was once this socket was subscribed: what is at or below is in `messages` or pageable, what comes
 * later arrives as events.
 */
head: Head, 
/**
 * With `since`: every message changed after it, in revision order. Without: the last 50, in offset order.
 */
messages: Array<Message>, 
/**
 * There are more: ask again with `since` = the last revision here, or page back by offset.
 */
more: boolean, 
/**
 * The answer to `since` cannot be complete: forget what you have and load anew.
 */
reset: boolean, 
/**
 * Who is in the room now, 100 at the most.
 */
users: Array<RoomUser>, 
/**
 * How many are in the room now.
 */
userCount: number, };

/**
 * The reply to `load-messages`: ascending offsets.
 */
export type Page = { 
/**
 * The messages.
 */
messages: Array<Message>, 
/**
 * There are more in the direction asked for.
 */
more: boolean, };

/**
 * A user and whether they are here.
 */
export type RoomUser = { 
/**
 * Any of their sockets is connected.
 */
online: boolean, 
/**
 * When the last of their sockets went, if ever and if they are not online.
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
 * Those online first, then by name; 100 at the most.
 */
users: Array<RoomUser>, 
/**
 * All of them.
 */
userCount: number, };

/**
 * A membership: a room in the user's list.
 */
export type Membership = { 
/**
 * Which room.
 */
room: string, 
/**
 * Its newest message and change.
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
 * Which room.
 */
room: string, 
/**
 * Up to where; never less than before, never beyond the newest message.
 */
offset: number, };

/**
 * The reply to `refresh-token`.
 */
export type TokenExpiry = { 
/**
 * When the new token ends.
 */
expiresAt: string, };

/**
 * `session`: who this socket is.
 */
export type Session = { 
/**
 * The user behind this connection.
 */
user: User, 
/**
 * This socket's own id; nobody else is told.
 */
socketId: string, 
/**
 * The rooms this socket hears already.
 */
rooms: Array<string>, 
/**
 * The server's clock.
 */
serverTime: string, };

/**
 * `message-saved`: a new message.
 */
export type MessageSaved = { 
/**
 * Always true; React apps look at it.
 */
success: true, 
/**
 * The message.
 */
message: Message, };

/**
 * `message-edited`: the message as it is now.
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
 * The message, its body empty.
 */
message: Message, };

/**
 * `message-read`: how far somebody has read.
 */
export type MessageRead = { 
/**
 * Which room, as seen by the receiver.
 */
room: string, 
/**
 * Up to where.
 */
offset: number, 
/**
 * Who has read.
 */
user: string, };

/**
 * `typing`, to the others.
 */
export type Typing = { 
/**
 * Which room, as seen by the receiver.
 */
room: string, 
/**
 * Who.
 */
user: User, 
/**
 * Began, or stopped.
 */
typing: boolean, };

/**
 * `presence-changed`: who came and who went since the last one.
 */
export type PresenceChanged = { 
/**
 * Which room; the lobby is the whole server.
 */
room: string, 
/**
 * Users who came. Empty in rooms above `presence.max-room-size`.
 */
joined: Array<User>, 
/**
 * Users who went. Empty in rooms above `presence.max-room-size`.
 */
left: Array<User>, 
/**
 * How many are in the room now.
 */
userCount: number, };

/**
 * `event-error`: the failure of an event that asked for no acknowledgement, or of the session itself.
 */
export type EventError = { 
/**
 * The event that failed; `session` when the token has expired.
 */
event: string, 
/**
 * What a program switches on.
 */
code: ErrorCode, 
/**
 * For people.
 */
message: string, };

/**
 * `server-closing`: a deploy, most likely.
 */
export type ServerClosing = { 
/**
 * When to come back, in milliseconds, spread over the clients. Unchanged clients come back by themselves.
 */
reconnectInMs: number, };

/**
 * A room, and how much is in it.
 */
export type RoomSummary = { 
/**
 * Its name.
 */
room: string, 
/**
 * Its newest message and change.
 */
head: Head, 
/**
 * How many users belong to it.
 */
memberCount: number, 
/**
 * How many users are in it now, guests not counted.
 */
onlineCount: number, };

/**
 * Rooms by their names.
 */
export type RoomPage = { 
/**
 * The rooms, perhaps fewer than were asked for though there are others.
 */
rooms: Array<RoomSummary>, 
/**
 * Where the next page begins; missing on the last one.
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
  "message-read": (payload: MessageRead) => void;
  "typing": (payload: Typing) => void;
  "presence-changed": (payload: PresenceChanged) => void;
  "event-error": (payload: EventError) => void;
  "server-closing": (payload: ServerClosing) => void;
}
