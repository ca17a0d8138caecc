import type { Membership, Message } from "../wire";
import type { Action } from "./actions";
import * as outbox from "./outbox";
import * as presence from "./presence";
import * as room from "./room";
import { DIRECT, emptyRoom, LOBBY, type Room, SIGNED_OUT, type State } from "./state";

export function reduce(state: State, action: Action): State {
  const me = state.me?.id;
  switch (action.type) {
    case "signed-in":
      return { ...state, name: action.name, turnedAway: null, me: action.me, outbox: action.outbox };
    case "signed-out":
      return { ...SIGNED_OUT, focused: state.focused, turnedAway: action.turnedAway };
    case "focus-changed":
      return focusChanged(state, action.focused);
    case "room-viewed":
      return viewed(state, action.room);
    case "noticed":
      return { ...state, notice: action.text };

    case "connection-changed":
      return connectionChanged(state, action.connection);
    case "session-began":
      return { ...state, me: action.user };

    case "rooms-listed":
      return roomsListed(state, action.rooms);
    case "room-opening":
      return withRoom(state, action.room, room.opening);
    case "room-opened":
      return settled(
        withRoom(state, action.reply.room, (it) => room.opened(it, action.reply)),
        action.reply.messages,
      );
    case "room-caught-up":
      return settled(
        withRoom(state, action.reply.room, (it) => lineIfActive(state, room.caughtUp(it, action.reply, me))),
        action.reply.messages,
      );
    case "room-heard":
      return withRoom(state, action.reply.room, (it) => room.subscribed(it, action.reply, me));
    case "room-refused":
      return withRoom(state, action.room, (it) => ({ ...it, live: false, problem: action.problem }));
    case "room-left":
      return withoutRoom(state, action.room);
    case "older-loading":
      return withRoom(state, action.room, (it) => ({ ...it, loadingOlder: action.loading }));
    case "older-loaded":
      return withRoom(state, action.room, (it) => room.olderLoaded(it, action.page));
    case "members-listed":
      return withRoom(state, action.room, (it) => ({ ...it, members: action.users }));
    case "message-answered":
      return settled(
        withRoom(state, action.message.room, (it) => room.answered(it, action.message)),
        [action.message],
      );

    case "message-queued":
      return withRoom({ ...state, outbox: [...state.outbox, action.pending] }, action.pending.room, room.withoutLine);
    case "message-refused":
      return { ...state, outbox: outbox.refused(state.outbox, action.key, action.failure) };
    case "message-retried":
      return { ...state, outbox: outbox.retried(state.outbox, action.key) };
    case "message-discarded":
      return { ...state, outbox: state.outbox.filter((pending) => pending.key !== action.key) };

    case "message-heard":
      return messageHeard(state, action.message);
    case "read-moved": {
      const { room: name, offset, user } = action.read;
      return withKnownRoom(state, name, (it) =>
        user === me ? room.readUpTo(it, offset, me) : { ...it, theirRead: Math.max(it.theirRead, offset) },
      );
    }
    case "presence-changed":
      return withKnownRoom(state, action.change.room, (it) => presence.moved(it, action.change, action.at));
    case "typing-heard": {
      const typists = presence.typed(state.typing.get(action.typing.room) ?? [], action.typing, action.until);
      return { ...state, typing: new Map(state.typing).set(action.typing.room, typists) };
    }
    case "typing-expired":
      return { ...state, typing: presence.stillTyping(state.typing, action.now) };
  }
}

function withRoom(state: State, name: string, change: (room: Room) => Room): State {
  const before = state.rooms.get(name) ?? emptyRoom(name);
  const after = change(before);
  return after === state.rooms.get(name) ? state : { ...state, rooms: new Map(state.rooms).set(name, after) };
}

/** For events about rooms: what we have no row for is none of our business. */
function withKnownRoom(state: State, name: string, change: (room: Room) => Room): State {
  return state.rooms.has(name) ? withRoom(state, name, change) : state;
}

function withoutRoom(state: State, name: string): State {
  const rooms = new Map(state.rooms);
  rooms.delete(name);
  return { ...state, rooms };
}

function settled(state: State, saved: readonly Message[]): State {
  return { ...state, outbox: outbox.settle(state.outbox, saved, state.me?.id) };
}

function viewed(state: State, name: string | null): State {
  if (state.active === name) return state;
  const left = state.active === null ? state : withKnownRoom(state, state.active, room.withoutLine);
  const here = { ...left, active: name, notice: null };
  return name === null ? here : withRoom(here, name, room.withLine);
}

/** Whoever has read everything and turns away finds a new line where they have stopped. */
function focusChanged(state: State, focused: boolean): State {
  const here = { ...state, focused };
  if (focused || state.active === null) return here;
  return withKnownRoom(here, state.active, (it) => (it.unread === 0 ? room.withoutLine(it) : it));
}

function connectionChanged(state: State, connection: State["connection"]): State {
  if (connection.status === "online") return { ...state, connection, notice: null };
  const rooms = new Map([...state.rooms].map(([name, it]) => [name, room.lost(it)]));
  return { ...state, connection, rooms, typing: new Map() };
}

/** The list is the truth about memberships; what is on the screen or waits to be sent stays all the same. */
function roomsListed(state: State, rows: readonly Membership[]): State {
  const rooms = new Map(
    [...state.rooms].filter(
      ([name]) =>
        name === LOBBY || name === state.active || state.outbox.some((pending) => pending.room === name),
    ),
  );
  for (const row of rows) {
    const it = room.listed(state.rooms.get(row.room) ?? emptyRoom(row.room), row);
    rooms.set(row.room, lineIfActive(state, it));
  }
  return { ...state, rooms, listed: true };
}

function messageHeard(state: State, message: Message): State {
  const me = state.me?.id;
  const next = withRoom(state, message.room, (before) => {
    const it = room.heard(before, message, me);
    const isStranger = it.with === undefined && message.room === DIRECT + message.from.id;
    const known = isStranger ? { ...it, with: message.from } : it;
    return state.focused ? known : lineIfActive(state, known);
  });
  const typing = withoutTypist(next, message);
  return settled({ ...next, typing }, [message]);
}

/** Whoever has just said something is not typing it any more. */
function withoutTypist(state: State, message: Message): State["typing"] {
  const typists = state.typing.get(message.room);
  if (typists === undefined || message.editedAt !== undefined) return state.typing;
  return new Map(state.typing).set(
    message.room,
    presence.typed(typists, { room: message.room, user: message.from, typing: false }, 0),
  );
}

function lineIfActive(state: State, it: Room): Room {
  return it.name === state.active ? room.withLine(it) : it;
}
