import { describe, expect, it } from "vitest";

import type { JoinedRoom, Membership, Message, User } from "../wire";
import type { Action } from "./actions";
import { reduce } from "./reducer";
import { type Room, SIGNED_OUT, type State } from "./state";

const ADA: User = { id: "name:ada", name: "Ada" };
const BEN: User = { id: "name:ben", name: "Ben" };

/** A message whose id goes with its offset; its revision too, unless it has changed since. */
function message(offset: number, more: Partial<Message> = {}): Message {
  return {
    id: `m${offset}`,
    room: "harbour",
    offset,
    revision: offset,
    from: BEN,
    at: "2026-01-01T12:00:00.000Z",
    body: { text: `number ${offset}` },
    ...more,
  };
}

function reply(messages: Message[], more: Partial<JoinedRoom> = {}): JoinedRoom {
  const offset = Math.max(0, ...messages.map((said) => said.offset));
  const revision = Math.max(0, ...messages.map((said) => said.revision));
  const head = { offset, revision };
  return { room: "harbour", head, messages, more: false, reset: false, users: [], userCount: 1, ...more };
}

function row(unread: number, head: number, read: number): Membership {
  return { room: "harbour", head: { offset: head, revision: head }, read, unread };
}

const saved = (said: Message): Action => ({ type: "message-heard", message: said });
const answered = (said: Message): Action => ({ type: "message-answered", message: said });
const opened = (found: JoinedRoom): Action => ({ type: "room-opened", reply: found });
const caughtUp = (found: JoinedRoom): Action => ({ type: "room-caught-up", reply: found });
const listed = (membership: Membership): Action => ({ type: "rooms-listed", rooms: [membership] });
const queued = (key: string): Action => ({
  type: "message-queued",
  pending: { key, room: "harbour", text: "hello", at: 0 },
});
const opening: Action = { type: "room-opening", room: "harbour" };
const viewed: Action = { type: "room-viewed", room: "harbour" };
const lost: Action = { type: "connection-changed", connection: { status: "reconnecting", cause: "broken" } };

/** What comes of some events for Ada, who is signed in. */
function after(...actions: Action[]): State {
  const signedIn: State = { ...SIGNED_OUT, name: "Ada", me: ADA };
  return actions.reduce(reduce, signedIn);
}

function harbour(state: State): Room {
  const room = state.rooms.get("harbour");
  if (room === undefined) throw new Error("there is no harbour");
  return room;
}

function offsets(state: State): number[] {
  return harbour(state).messages.map((said) => said.offset);
}

describe("a room's messages", () => {
  it("are in the order of their offsets, whatever order they came in, each once", () => {
    const state = after(
      opening,
      opened(reply([message(1), message(2)])),
      answered(message(4, { from: ADA })),
      saved(message(3)),
      saved(message(4, { from: ADA })),
    );
    expect(offsets(state)).toEqual([1, 2, 3, 4]);
  });

  it("keep the later of two revisions when the earlier one comes last", () => {
    const edited = message(1, { revision: 3, body: { text: "edited" } });
    const state = after(opening, opened(reply([message(1), message(2)])), saved(edited), answered(message(1)));
    expect(harbour(state).messages[0]?.body).toEqual({ text: "edited" });
  });

  it("do not lose an event that came before the reply with the first page", () => {
    const state = after(opening, saved(message(3)), opened(reply([message(1), message(2)])));
    expect(offsets(state)).toEqual([1, 2, 3]);
    expect(harbour(state).seen).toBe(3);
  });

  it("have no hole: an old one that is edited is not put above the ones that are not loaded", () => {
    const page = reply([message(50), message(51)], { more: true });
    const edited = message(7, { revision: 52 });
    const state = after(opening, opened(page), saved(edited));
    expect(offsets(state)).toEqual([50, 51]);
    expect(harbour(state).seen).toBe(52);
  });

  it("have no hole either when that edit is heard before the first page is here", () => {
    const page = reply([message(50), message(51)], { more: true });
    const state = after(opening, saved(message(7, { revision: 52 })), opened(page));
    expect(offsets(state)).toEqual([50, 51]);
  });
});

describe("catching up", () => {
  const open = [opening, opened(reply([message(1), message(2), message(3)]))];

  it("asks from the last event and not from a reply, before which others may be under way", () => {
    const state = after(...open, saved(message(4)), answered(message(6, { from: ADA })));
    expect(harbour(state).seen).toBe(4);
  });

  it("brings new messages, edits and deletions", () => {
    const state = after(
      ...open,
      lost,
      caughtUp(
        reply([
          message(1, { revision: 4, body: { text: "edited" } }),
          message(2, { revision: 5, body: {}, deletedAt: "2026-01-01T12:01:00.000Z" }),
          message(4, { revision: 6 }),
        ]),
      ),
    );
    expect(offsets(state)).toEqual([1, 2, 3, 4]);
    expect(harbour(state).messages[0]?.body).toEqual({ text: "edited" });
    expect(harbour(state).messages[1]?.deletedAt).toBeDefined();
    expect(harbour(state)).toMatchObject({ live: true, seen: 6 });
  });

  it("goes on after the last page, even if later events were heard meanwhile", () => {
    const half = reply([message(4)], { more: true, head: { offset: 6, revision: 6 } });
    const state = after(...open, lost, saved(message(7)), caughtUp(half));
    expect(harbour(state)).toMatchObject({ live: false, seen: 4 });
    const whole = reduce(state, caughtUp(reply([message(5), message(6)])));
    expect(harbour(whole)).toMatchObject({ live: true, seen: 7 });
    expect(offsets(whole)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("is needed as soon as a revision was skipped", () => {
    const state = after(...open, saved(message(5)));
    expect(harbour(state)).toMatchObject({ live: false, seen: 3 });
  });
});

describe("a message on its way", () => {
  const mine = message(1, { from: ADA, idempotencyKey: "k1" });

  it("is replaced by the saved one, whether the reply or the event comes first", () => {
    const start = [opening, opened(reply([])), queued("k1")];
    for (const way of [
      [answered(mine), saved(mine)],
      [saved(mine), answered(mine)],
    ]) {
      const state = after(...start, ...way);
      expect(state.outbox).toEqual([]);
      expect(offsets(state)).toEqual([1]);
    }
  });

  it("is recognised in what was missed, when its reply was lost with the connection", () => {
    const state = after(opening, opened(reply([])), queued("k1"), lost, caughtUp(reply([mine])));
    expect(state.outbox).toEqual([]);
    expect(offsets(state)).toEqual([1]);
  });

  it("is not replaced by somebody else's message with the same key", () => {
    const state = after(opening, opened(reply([])), queued("k1"), saved({ ...mine, from: BEN }));
    expect(state.outbox).toHaveLength(1);
  });

  it("stays, with the reason, when it is refused, until it is sent again", () => {
    const refused = after(queued("k1"), { type: "message-refused", key: "k1", failure: "too fast" });
    expect(refused.outbox[0]?.failure).toBe("too fast");
    const again = reduce(refused, { type: "message-retried", key: "k1" });
    expect(again.outbox[0]).not.toHaveProperty("failure");
  });
});

describe("unread messages", () => {
  it("are those of others, each counted once, however often it comes", () => {
    const state = after(
      listed(row(2, 5, 3)),
      saved(message(6)),
      saved(message(6)),
      saved(message(7, { from: ADA })),
      saved(message(6, { revision: 8, editedAt: "2026-01-01T12:01:00.000Z" })),
    );
    expect(harbour(state).unread).toBe(3);
  });

  it("are none once they are read, here or on another device", () => {
    const read: Action = { type: "read-moved", read: { room: "harbour", offset: 6, user: ADA.id } };
    expect(harbour(after(listed(row(2, 5, 3)), saved(message(6)), read)).unread).toBe(0);
  });

  it("are not read because somebody else has read them", () => {
    const read: Action = { type: "read-moved", read: { room: "harbour", offset: 5, user: BEN.id } };
    expect(harbour(after(listed(row(2, 5, 3)), read))).toMatchObject({ unread: 2, theirRead: 5 });
  });

  it("are counted again from the server's list after a reconnect, and not twice by catching up", () => {
    const state = after(
      opening,
      opened(reply([message(1)])),
      { type: "read-moved", read: { room: "harbour", offset: 1, user: ADA.id } },
      lost,
      listed(row(2, 3, 1)),
      caughtUp(reply([message(2), message(3)])),
    );
    expect(harbour(state).unread).toBe(2);
  });

  it("begin below a line, which is drawn when the room is opened and stays while one reads", () => {
    const read: Action = { type: "read-moved", read: { room: "harbour", offset: 5, user: ADA.id } };
    const state = after(listed(row(2, 5, 3)), viewed, read);
    expect(harbour(state)).toMatchObject({ unread: 0, newAfter: 3 });
  });

  it("begin below another line for somebody who had read all and turned to something else", () => {
    const read: Action = { type: "read-moved", read: { room: "harbour", offset: 5, user: ADA.id } };
    const start = [opening, opened(reply([message(4), message(5)])), listed(row(2, 5, 3)), viewed, read];
    const away = after(...start, { type: "focus-changed", focused: false }, saved(message(6)));
    expect(harbour(away)).toMatchObject({ unread: 1, newAfter: 5 });
  });

  it("keep their line while some of them are unread, whatever one turns to", () => {
    const start = [listed(row(2, 5, 3)), viewed];
    const away = after(...start, { type: "focus-changed", focused: false });
    expect(harbour(away)).toMatchObject({ unread: 2, newAfter: 3 });
  });
});

describe("the list of rooms", () => {
  it("has a direct message from somebody we have never heard of", () => {
    const state = after(saved(message(1, { room: "dm:name:ben" })));
    expect(state.rooms.get("dm:name:ben")).toMatchObject({ with: BEN, unread: 1 });
  });

  it("drops what one is no longer a member of, but not what is on the screen", () => {
    const state = after(opening, { type: "room-viewed", room: "quay" }, { type: "rooms-listed", rooms: [] });
    expect([...state.rooms.keys()]).toEqual(["lobby", "quay"]);
  });
});

describe("presence", () => {
  it("applies who came and who went to who was there, each person once", () => {
    const at = "2026-01-01T12:00:00.000Z";
    const state = after(
      opening,
      opened(reply([], { users: [{ ...ADA, online: true }], userCount: 1 })),
      { type: "presence-changed", change: { room: "harbour", joined: [BEN, ADA], left: [], userCount: 2 }, at },
      { type: "presence-changed", change: { room: "harbour", joined: [], left: [ADA], userCount: 1 }, at },
    );
    expect(harbour(state)).toMatchObject({ users: [BEN], userCount: 1 });
  });
});
