import { socket } from "../socket";
import { DIRECT, LOBBY } from "../store/state";
import { dispatch, getState } from "../store/store";
import { ask } from "./ask";
import { goTo } from "./route";
import { enter, listRooms, report } from "./sync";

/** In a lively room one event tells of several messages, in milliseconds. */
const TELL_READ_AFTER = 300;

/** The rooms that the server is about to be told of. */
const telling = new Set<string>();

/** Joins a room, which makes it if nobody has yet, and shows it. */
export function joinRoom(name: string): void {
  goTo(name);
}

/** Shows the direct message with a user. */
export function writeTo(userId: string): void {
  goTo(DIRECT + userId);
}

/** The room on the screen has changed. */
export function roomViewed(name: string | null): void {
  if (name === null || !socket.connected) return;
  void (async () => {
    await enter(name);
    const room = getState().rooms.get(name);
    // Whom an address or a click stands for, only the list knows.
    if (name.startsWith(DIRECT) && room?.with === undefined) await listRooms();
  })();
}

export async function leaveRoom(name: string): Promise<void> {
  try {
    await ask("leave-room", { room: name });
    goTo(LOBBY);
    dispatch({ type: "room-left", room: name });
  } catch (error) {
    report(error);
  }
}

/** Tries again to enter a room that was refused. */
export function enterAgain(name: string): void {
  void enter(name);
}

/** One page further up. */
export async function loadOlder(name: string): Promise<void> {
  const room = getState().rooms.get(name);
  const first = room?.messages[0];
  if (!socket.connected || room === undefined || first === undefined) return;
  if (!room.hasOlder || room.loadingOlder) return;
  dispatch({ type: "older-loading", room: name, loading: true });
  try {
    const page = await ask("load-messages", { room: name, before: first.offset });
    dispatch({ type: "older-loaded", room: name, page });
  } catch (error) {
    dispatch({ type: "older-loading", room: name, loading: false });
    report(error);
  }
}

/** Everybody who belongs to a room, here or not. */
export async function loadMembers(name: string): Promise<void> {
  if (!socket.connected || name.startsWith(DIRECT)) return;
  try {
    const { users } = await ask("list-users", { room: name });
    dispatch({ type: "members-listed", room: name, users });
  } catch (error) {
    report(error);
  }
}

/** All of a room has been seen. Shown at once; if the server does not hear of it, its next list corrects it. */
export function markRead(name: string): void {
  const { me, rooms } = getState();
  const room = rooms.get(name);
  if (me === null || room === undefined || !socket.connected || room.head.offset <= room.read) return;
  dispatch({ type: "read-moved", read: { room: name, offset: room.head.offset, user: me.id } });
  if (telling.has(name)) return;
  telling.add(name);
  setTimeout(() => tellRead(name), TELL_READ_AFTER);
}

function tellRead(name: string): void {
  telling.delete(name);
  const offset = getState().rooms.get(name)?.read;
  if (offset !== undefined && offset > 0 && socket.connected) socket.emit("mark-read", { room: name, offset });
}
