import type { Head, Message, RoomUser, User } from "../wire";

/** The room that stands for the whole server; every socket hears it. */
export const LOBBY = "lobby";

/** What a direct message's room begins with; the other user's id follows. */
export const DIRECT = "dm:";

export type Connection =
  /** Signed out, or not begun. */
  | { status: "idle" }
  /** The first connection of this page. */
  | { status: "connecting" }
  /** Closing: the server has said that it goes down soon. */
  | { status: "online"; isClosing: boolean }
  /** Lost, or never made; it is tried again by itself. */
  | { status: "reconnecting"; cause: OutageCause }
  /** The server does not want us; nothing happens until somebody tries again, perhaps with another token. */
  | { status: "refused"; reason: string; needsToken: boolean };

/** The server had announced that it closes; the connection broke; either of them, and nobody knows until when. */
export type OutageCause = "restart" | "broken" | "outage";

/** Why nobody is signed in, though somebody tried. */
export interface TurnedAway {
  reason: string;
  needsToken: boolean;
}

/** A message on its way: shown at once, and sent until there is an answer. */
export interface Pending {
  /** The idempotency key, by which the saved message is recognised. */
  key: string;
  room: string;
  text: string;
  /** Milliseconds, by this computer's clock. */
  at: number;
  /** Why the server refused it; absent while it is under way. */
  failure?: string;
}

/**
 * How much of a room is held here: only its row in the list; its first page is being asked for, so events are
 * kept for it; or its messages without a hole from the first to the newest.
 */
export type Phase = "listed" | "opening" | "open";

export interface Room {
  name: string;
  /** In a direct message, the other user. */
  with?: User;
  phase: Phase;
  /** Heard on this connection, with nothing missing since `seen`. */
  live: boolean;
  head: Head;
  /** The revision up to which nothing is missing here: what `since` is asked with. */
  seen: number;
  /** The highest revision heard as an event on this connection. */
  heard: number;
  /** Ascending by offset. */
  messages: readonly Message[];
  hasOlder: boolean;
  loadingOlder: boolean;
  /** The offset up to which this user has read. */
  read: number;
  unread: number;
  /** In a direct message, the offset up to which the other user has read, as far as we know. */
  theirRead: number;
  /** Where the line "New messages" is drawn: after this offset. */
  newAfter?: number;
  /** Who is in the room now, 100 at the most. */
  users: readonly User[];
  userCount: number;
  /** Everybody who belongs to the room, when asked for. */
  members?: readonly RoomUser[];
  /** Why the room cannot be entered. */
  problem?: string;
}

export interface Typist {
  user: User;
  /** Milliseconds, by this computer's clock. */
  until: number;
}

export interface State {
  /** The name signed in with, empty with a token; null when signed out. */
  name: string | null;
  turnedAway: TurnedAway | null;
  /** As the server knows us. */
  me: User | null;
  connection: Connection;
  rooms: ReadonlyMap<string, Room>;
  /** The server has told which rooms there are. */
  listed: boolean;
  /** The room on the screen. */
  active: string | null;
  /** The page is looked at: visible and in front. */
  focused: boolean;
  outbox: readonly Pending[];
  typing: ReadonlyMap<string, readonly Typist[]>;
  /** Something that went wrong, in words. */
  notice: string | null;
}

export function emptyRoom(name: string): Room {
  return {
    name,
    phase: "listed",
    live: false,
    head: { offset: 0, revision: 0 },
    seen: 0,
    heard: 0,
    messages: [],
    hasOlder: false,
    loadingOlder: false,
    read: 0,
    unread: 0,
    theirRead: 0,
    users: [],
    userCount: 0,
  };
}

export const SIGNED_OUT: State = {
  name: null,
  turnedAway: null,
  me: null,
  connection: { status: "idle" },
  rooms: new Map([[LOBBY, emptyRoom(LOBBY)]]),
  listed: false,
  active: null,
  focused: true,
  outbox: [],
  typing: new Map(),
  notice: null,
};
