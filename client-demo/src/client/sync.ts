import { socket } from "../socket";
import { emptyRoom, LOBBY } from "../store/state";
import { dispatch, getState } from "../store/store";
import type { JoinedRoom } from "../wire";
import { asFailure, insist } from "./ask";

/** How many messages above an unread one are shown with it, so that one knows what it is about. */
const CONTEXT = 10;
/** The server's own bound for a page. */
const PAGE = 200;
/** So many pages are loaded to reach the first unread message; the server counts no further than 1,000. */
const PAGES = 5;

/** Which connection this is; what an earlier one had begun does not go on in a later one. */
let connection = 0;

/** One at a time for each room, so that two causes never ask for the same. */
const entering = new Map<string, Promise<void>>();

/** The list of rooms that is being asked for, or was last. */
let listing: Promise<void> = Promise.resolve();

/**
 * After every connect, and now and then: the list of rooms, the room on the screen, then all the others, because the server has
 * forgotten what the last connection heard.
 */
export async function synchronise(): Promise<void> {
  connection += 1;
  const mine = connection;
  const { active } = getState();
  const list = listRooms();
  const first = active === null ? Promise.resolve() : enter(active);
  await list;
  await first;
  const names = [LOBBY, ...getState().rooms.keys()];
  for (const name of names) {
    if (mine !== connection || !socket.connected) return;
    await enter(name);
  }
}

export function listRooms(): Promise<void> {
  listing = listNow();
  return listing;
}

async function listNow(): Promise<void> {
  try {
    const { rooms } = await insist("list-rooms", {});
    dispatch({ type: "rooms-listed", rooms });
  } catch (error) {
    report(error);
  }
}

/** Makes a room live: opens the one on the screen, catches up with one that is open, subscribes to the rest. */
export function enter(name: string): Promise<void> {
  const before = entering.get(name) ?? Promise.resolve();
  const turn = before.then(() => enterNow(name));
  entering.set(name, turn);
  return turn.finally(() => {
    if (entering.get(name) === turn) entering.delete(name);
  });
}

async function enterNow(name: string): Promise<void> {
  if (!socket.connected) return;
  const { rooms, active } = getState();
  const room = rooms.get(name) ?? emptyRoom(name);
  try {
    if (room.phase === "open") {
      if (!room.live) await catchUp(name, room.seen);
    } else if (name === active || room.phase === "opening") {
      await open(name);
    } else if (!room.live) {
      const reply = await insist("join-room", { room: name, since: room.head.revision });
      dispatch({ type: "room-heard", reply });
    }
  } catch (error) {
    if (!socket.connected) return;
    dispatch({ type: "room-refused", room: name, problem: asFailure(error).message });
  }
}

async function open(name: string): Promise<void> {
  // The list says from where on the room is unread.
  await listing;
  dispatch({ type: "room-opening", room: name });
  const reply = await insist("join-room", { room: name });
  dispatch({ type: "room-opened", reply: await withUnread(reply) });
}

/** The first page, and those before it as far as they are unread, since reading begins there. */
async function withUnread(reply: JoinedRoom): Promise<JoinedRoom> {
  const read = getState().rooms.get(reply.room)?.newAfter;
  if (read === undefined) return reply;
  let { messages, more } = reply;
  for (let pages = 0; more && pages < PAGES; pages += 1) {
    const before = messages[0]?.offset ?? 0;
    const missing = before - 1 - read;
    if (missing < 0) break;
    const limit = Math.min(PAGE, missing + CONTEXT);
    try {
      const page = await insist("load-messages", { room: reply.room, before, limit });
      messages = [...page.messages, ...messages];
      ({ more } = page);
    } catch (error) {
      // Without the connection the room is not heard any more; else what is there is better than nothing.
      if (!socket.connected) throw error;
      break;
    }
  }
  return { ...reply, messages, more };
}

/** Everything that changed after a revision, page by page. */
async function catchUp(name: string, from: number): Promise<void> {
  let since = from;
  for (;;) {
    const reply = await insist("join-room", { room: name, since });
    if (reply.reset) {
      await open(name);
      return;
    }
    dispatch({ type: "room-caught-up", reply });
    const last = reply.messages.at(-1);
    if (!reply.more || last === undefined) return;
    since = last.revision;
  }
}

/** Says in words what went wrong, unless the banner says it already. */
export function report(error: unknown): void {
  const failure = asFailure(error);
  if (socket.connected) dispatch({ type: "noticed", text: failure.message });
}
