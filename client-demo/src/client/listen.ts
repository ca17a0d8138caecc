import { socket } from "../socket";
import { DIRECT, LOBBY } from "../store/state";
import { dispatch, getState } from "../store/store";
import type { ClientToServerEvents, EventError, Message, MessageRead, PresenceChanged, RoomDeleted, Session, Typing } from "../wire";
import { forget, rememberUser } from "./identity";
import { outageBegan } from "./outage";
import { flush } from "./outbox";
import { isAboutTokens, readRefusal, sentence } from "./refusal";
import { roomViewed } from "./rooms";
import { currentRoom, goTo } from "./route";
import { enter, listRooms, synchronise } from "./sync";
import { typingHeard } from "./typing";

/** How long after a refusal that may pass, such as a full server, it is tried again, in milliseconds. */
const KNOCK_AGAIN_AFTER = 3_000;

/** Nobody has pressed a button for these, so nobody is troubled when they fail. */
const UNASKED: ReadonlySet<string> = new Set<keyof ClientToServerEvents>(["typing", "mark-read"]);

let knock: ReturnType<typeof setTimeout> | undefined;
/** What the server said before it closed this session. */
let lastWords: EventError | undefined;

/** Everything that this page hears, in one place. Returns what stops it. */
export function listen(): () => void {
  socket.on("connect", connected);
  socket.on("disconnect", disconnected);
  socket.on("connect_error", refused);
  socket.on("session", sessionBegan);
  socket.on("message-saved", messageHeard);
  socket.on("message-edited", messageHeard);
  socket.on("message-deleted", messageHeard);
  socket.on("room-deleted", roomDeleted);
  socket.on("message-read", readMoved);
  socket.on("presence-changed", presenceChanged);
  socket.on("typing", othersTyping);
  socket.on("event-error", eventFailed);
  socket.on("server-closing", serverClosing);
  return () => {
    clearTimeout(knock);
    socket.off("connect", connected);
    socket.off("disconnect", disconnected);
    socket.off("connect_error", refused);
    socket.off("session", sessionBegan);
    socket.off("message-saved", messageHeard);
    socket.off("message-edited", messageHeard);
    socket.off("message-deleted", messageHeard);
    socket.off("room-deleted", roomDeleted);
    socket.off("message-read", readMoved);
    socket.off("presence-changed", presenceChanged);
    socket.off("typing", othersTyping);
    socket.off("event-error", eventFailed);
    socket.off("server-closing", serverClosing);
  };
}

function connected(): void {
  lastWords = undefined;
  dispatch({ type: "connection-changed", connection: { status: "online", isClosing: false } });
  void synchronise();
  void flush();
}

function disconnected(reason: string): void {
  if (reason === "io client disconnect") return;
  if (reason === "io server disconnect") {
    const words = sentence(lastWords?.message ?? "The server has ended this session.");
    const needsToken = lastWords !== undefined && isAboutTokens(lastWords.code);
    dispatch({ type: "connection-changed", connection: { status: "refused", reason: words, needsToken } });
  } else {
    const { connection } = getState();
    outageBegan(connection.status === "online" && connection.isClosing ? "restart" : "broken");
  }
}

function refused(error: Error): void {
  if (socket.active) {
    // The transport failed and the library tries again; what the banner says stays true.
    if (getState().connection.status === "connecting") outageBegan("broken");
    return;
  }
  const { reason, isPassing, needsToken } = readRefusal(error);
  if (needsToken && getState().me === null) {
    // Nobody has been here yet, so there is nothing to keep on the screen.
    forget();
    dispatch({ type: "signed-out", turnedAway: { reason, needsToken } });
    return;
  }
  dispatch({ type: "connection-changed", connection: { status: "refused", reason, needsToken } });
  if (isPassing) {
    clearTimeout(knock);
    knock = setTimeout(knockAgain, KNOCK_AGAIN_AFTER);
  }
}

function knockAgain(): void {
  // Unless somebody has signed out meanwhile.
  if (getState().name !== null) socket.connect();
}

function sessionBegan({ user }: Session): void {
  dispatch({ type: "session-began", user });
  rememberUser(user);
}

function messageHeard({ message }: { message: Message }): void {
  dispatch({ type: "message-heard", message });
  const room = getState().rooms.get(message.room);
  if (room === undefined) return;
  // A revision was skipped: ask for what is missing.
  if (room.phase === "open" && !room.live) void enter(room.name);
  // We wrote to somebody from another device, and only the list knows their name.
  if (room.name.startsWith(DIRECT) && room.with === undefined) void listRooms();
}

function roomDeleted({ room }: RoomDeleted): void {
  const isOnScreen = currentRoom() === room;
  dispatch({ type: "room-left", room });
  // A direct message is empty now, and can still be written to.
  if (room.startsWith(DIRECT)) {
    if (isOnScreen) roomViewed(room);
    return;
  }
  if (isOnScreen) {
    goTo(LOBBY);
    // At once: a room that is viewed later takes the notice away.
    dispatch({ type: "room-viewed", room: LOBBY });
  }
  dispatch({ type: "noticed", text: `The room #${room} was deleted.` });
}

function readMoved(read: MessageRead): void {
  dispatch({ type: "read-moved", read });
}

function presenceChanged(change: PresenceChanged): void {
  dispatch({ type: "presence-changed", change, at: new Date().toISOString() });
}

function othersTyping(typing: Typing): void {
  if (typing.user.id !== getState().me?.id) typingHeard(typing);
}

function eventFailed(failed: EventError): void {
  if (failed.event === "session") lastWords = failed;
  if (!UNASKED.has(failed.event)) dispatch({ type: "noticed", text: sentence(failed.message) });
}

function serverClosing(): void {
  dispatch({ type: "connection-changed", connection: { status: "online", isClosing: true } });
}
