import { socket } from "../socket";
import { dispatch, getState } from "../store/store";
import { forget, recall, remember, rememberToken } from "./identity";
import { listen } from "./listen";
import { outageBegan } from "./outage";
import { keepOutbox, recallOutbox } from "./outbox";
import { currentRoom, followAddress, followFocus, goTo } from "./route";
import { roomViewed } from "./rooms";
import { synchronise } from "./sync";

/** How long a look at the list of rooms is good for, in milliseconds. */
const LOOK_AGAIN_AFTER = 30_000;

let lookedAt = Date.now();

/** Takes up what the last visit left, before anything is drawn. */
export function restore(): void {
  const identity = recall();
  if (identity === null) return;
  dispatch({ type: "signed-in", name: identity.name, me: identity.user, outbox: recallOutbox() });
  dispatch({ type: "room-viewed", room: currentRoom() });
}

/** Begins what this page does as long as it is open; returns what ends it. Safe to call twice over. */
export function start(): () => void {
  const stops = [listen(), keepOutbox(), followFocus(lookAgain), followAddress(roomViewed), followNetwork()];
  if (getState().name !== null) connect();
  return () => {
    for (const stop of stops) stop();
    disconnect();
  };
}

/** What another device has joined or left meanwhile, nobody tells us. */
function lookAgain(): void {
  if (!socket.connected || Date.now() - lookedAt < LOOK_AGAIN_AFTER) return;
  lookedAt = Date.now();
  void synchronise();
}

export function signIn({ name, token }: { name: string; token?: string }): void {
  remember({ name, ...(token !== undefined && { token }), user: null });
  dispatch({ type: "signed-in", name, me: null, outbox: [] });
  dispatch({ type: "room-viewed", room: currentRoom() });
  connect();
}

export function signOut(): void {
  disconnect();
  forget();
  dispatch({ type: "signed-out", turnedAway: null });
  goTo(null);
}

/** At once, instead of when the library would. */
export function connectNow(): void {
  socket.disconnect();
  outageBegan("broken");
  socket.connect();
}

/** Goes on as the same person, with a token that is good. */
export function replaceToken(token: string): void {
  rememberToken(token);
  connectNow();
}

function connect(): void {
  dispatch({ type: "connection-changed", connection: { status: "connecting" } });
  socket.connect();
}

function disconnect(): void {
  socket.disconnect();
  dispatch({ type: "connection-changed", connection: { status: "idle" } });
}

/** When the computer is back on the network there is no reason to wait out the library's delay. */
function followNetwork(): () => void {
  const back = () => {
    if (getState().name !== null && !socket.connected) connectNow();
  };
  window.addEventListener("online", back);
  return () => window.removeEventListener("online", back);
}
