import { socket } from "../socket";
import { dispatch } from "../store/store";
import type { Typing } from "../wire";

/** While somebody types, the others are told this often, in milliseconds. */
const TELL_EVERY = 2_500;
/** Whoever has not pressed a key for this long does not type any more. */
const IDLE_AFTER = 4_000;
/** What was heard holds for this long; the protocol's own figure. */
const EXPIRES_AFTER = 5_000;

let typingIn: string | null = null;
let toldAt = 0;
let idle: ReturnType<typeof setTimeout> | undefined;

/** A key was pressed in a room's composer. */
export function keyPressed(room: string): void {
  if (typingIn !== null && typingIn !== room) stopTyping();
  clearTimeout(idle);
  idle = setTimeout(stopTyping, IDLE_AFTER);
  const now = Date.now();
  if (typingIn === room && now - toldAt < TELL_EVERY) return;
  typingIn = room;
  toldAt = now;
  tell(room, true);
}

/** The message was sent, emptied or left alone. */
export function stopTyping(): void {
  clearTimeout(idle);
  if (typingIn === null) return;
  tell(typingIn, false);
  typingIn = null;
}

function tell(room: string, typing: boolean): void {
  if (socket.connected) socket.volatile.emit("typing", { room, typing });
}

/** Somebody else began or stopped; nobody tells when they vanish, so it expires. */
export function typingHeard(typing: Typing): void {
  const now = Date.now();
  dispatch({ type: "typing-heard", typing, until: now + EXPIRES_AFTER });
  if (typing.typing) {
    setTimeout(() => dispatch({ type: "typing-expired", now: Date.now() }), EXPIRES_AFTER + 50);
  }
}
