import type {
  JoinedRoom,
  Membership,
  Message,
  MessageRead,
  Page,
  PresenceChanged,
  RoomUser,
  Typing,
  User,
} from "../wire";
import type { Connection, Pending, TurnedAway } from "./state";

/** Everything that can happen to the state; `reduce` says what each one does. */
export type Action =
  // The page and the person in front of it.
  | { type: "signed-in"; name: string; me: User | null; outbox: readonly Pending[] }
  | { type: "signed-out"; turnedAway: TurnedAway | null }
  | { type: "focus-changed"; focused: boolean }
  | { type: "room-viewed"; room: string | null }
  | { type: "noticed"; text: string | null }
  // The connection.
  | { type: "connection-changed"; connection: Connection }
  | { type: "session-began"; user: User }
  // Replies.
  | { type: "rooms-listed"; rooms: readonly Membership[] }
  | { type: "room-opening"; room: string }
  | { type: "room-opened"; reply: JoinedRoom }
  | { type: "room-caught-up"; reply: JoinedRoom }
  | { type: "room-heard"; reply: JoinedRoom }
  | { type: "room-refused"; room: string; problem: string }
  | { type: "room-left"; room: string }
  | { type: "older-loading"; room: string; loading: boolean }
  | { type: "older-loaded"; room: string; page: Page }
  | { type: "members-listed"; room: string; users: readonly RoomUser[] }
  | { type: "message-answered"; message: Message }
  // The outbox.
  | { type: "message-queued"; pending: Pending }
  | { type: "message-refused"; key: string; failure: string }
  | { type: "message-retried"; key: string }
  | { type: "message-discarded"; key: string }
  // Events.
  | { type: "message-heard"; message: Message }
  | { type: "read-moved"; read: MessageRead }
  | { type: "presence-changed"; change: PresenceChanged; at: string }
  | { type: "typing-heard"; typing: Typing; until: number }
  | { type: "typing-expired"; now: number };
