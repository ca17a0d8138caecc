import type { Head, JoinedRoom, Membership, Message, Page } from "../wire";
import { countUnread, floorOf, merge } from "./messages";
import type { Room } from "./state";

type Me = string | undefined;

function later(one: Head, other: Head): Head {
  return { offset: Math.max(one.offset, other.offset), revision: Math.max(one.revision, other.revision) };
}

function headOf(message: Message): Head {
  return { offset: message.offset, revision: message.revision };
}

/** The connection is gone: from here on something may be missing. */
export function lost(room: Room): Room {
  return { ...room, live: false, heard: 0, loadingOlder: false };
}

/** The room's row in the reply to `list-rooms`. Events that came before the reply are newer than it. */
export function listed(room: Room, row: Membership): Room {
  const heardSince = room.heard > row.head.revision;
  const head = heardSince ? later(room.head, row.head) : row.head;
  const read = Math.min(Math.max(room.read, row.read), head.offset);
  const unread = row.unread + (heardSince ? head.offset - row.head.offset : 0);
  return {
    ...room,
    ...(row.with && { with: row.with }),
    head,
    read,
    unread: read >= head.offset ? 0 : unread,
  };
}

/** A message as an event: it comes in the order of revisions, so it moves `seen`, unless one was skipped. */
export function heard(room: Room, message: Message, me: Me): Room {
  const isNew = message.offset > room.head.offset;
  const skipped = room.phase === "open" && room.live && message.revision > room.seen + 1;
  const live = room.live && !skipped;
  return {
    ...kept(room, message),
    live,
    heard: Math.max(room.heard, message.revision),
    seen: live && room.phase === "open" ? Math.max(room.seen, message.revision) : room.seen,
    unread: room.unread + (isNew && message.from.id !== me ? 1 : 0),
  };
}

/** A message as a reply: those before it may still be under way, so it does not move `seen`. */
export function answered(room: Room, message: Message): Room {
  return kept(room, message);
}

function kept(room: Room, message: Message): Room {
  return {
    ...room,
    head: later(room.head, headOf(message)),
    messages:
      room.phase === "listed"
        ? room.messages
        : merge(room.messages, [message], floorOf(room.messages, room.hasOlder)),
  };
}

/** From now on events are kept, because one may come before the reply with the first page. */
export function opening(room: Room): Room {
  const { problem: _, ...rest } = room;
  return { ...rest, phase: "opening", live: false, messages: [], hasOlder: false, seen: 0 };
}

/** The first page; with it come the events that were heard before it. */
export function opened(room: Room, reply: JoinedRoom): Room {
  const messages = merge(reply.messages, room.messages, floorOf(reply.messages, reply.more));
  const last = messages.at(-1);
  return {
    ...present(room, reply),
    phase: "open",
    live: true,
    head: last ? later(reply.head, headOf(last)) : reply.head,
    seen: Math.max(reply.head.revision, room.heard),
    messages,
    hasOlder: reply.more,
  };
}

/** What was missed, or a part of it. */
export function caughtUp(room: Room, reply: JoinedRoom, me: Me): Room {
  const live = !reply.more;
  const lastRevision = reply.messages.at(-1)?.revision ?? room.seen;
  const after = {
    ...present(room, reply),
    live,
    head: later(room.head, reply.head),
    seen: live ? Math.max(reply.head.revision, room.heard) : lastRevision,
    messages: merge(room.messages, reply.messages, floorOf(room.messages, room.hasOlder)),
    unread: room.unread + countUnread(reply.messages, room.head.offset, me),
  };
  return { ...after, unread: recount(after, me) };
}

/** The room is heard from now on, but nothing of it is held: its row counts what comes. */
export function subscribed(room: Room, reply: JoinedRoom, me: Me): Room {
  return {
    ...present(room, reply),
    live: true,
    head: later(room.head, reply.head),
    unread: room.unread + countUnread(reply.messages, room.head.offset, me),
  };
}

function present(room: Room, reply: JoinedRoom): Room {
  const { problem: _, ...rest } = room;
  const users = reply.users.filter((user) => user.online).map(({ id, name }) => ({ id, name }));
  return { ...rest, users, userCount: reply.userCount };
}

export function olderLoaded(room: Room, page: Page): Room {
  return {
    ...room,
    messages: merge(room.messages, page.messages),
    hasOlder: page.more,
    loadingOlder: false,
  };
}

/** This user has read up to an offset, here or on another device. */
export function readUpTo(room: Room, offset: number, me: Me): Room {
  if (offset <= room.read) return room;
  const after = { ...room, read: offset, unread: Math.min(room.unread, Math.max(0, room.head.offset - offset)) };
  return { ...after, unread: recount(after, me) };
}

/** Exactly, if all that could be unread is held here. */
function recount(room: Room, me: Me): number {
  const holdsAllUnread = room.phase === "open" && floorOf(room.messages, room.hasOlder) <= room.read + 1;
  return holdsAllUnread ? countUnread(room.messages, room.read, me) : room.unread;
}

/** Draws the line "New messages" above what has not been read; once drawn it stays until the room is left. */
export function withLine(room: Room): Room {
  return room.unread > 0 && room.newAfter === undefined ? { ...room, newAfter: room.read } : room;
}

export function withoutLine(room: Room): Room {
  if (room.newAfter === undefined) return room;
  const { newAfter: _, ...rest } = room;
  return rest;
}
