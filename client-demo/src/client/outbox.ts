import { socket } from "../socket";
import type { Pending } from "../store/state";
import { dispatch, getState, subscribe } from "../store/store";
import { asFailure, ask, pause } from "./ask";
import { newKey } from "./key";

/** This tab's own, so that a reload loses nothing and two tabs do not send for each other. */
const KEY = "sockeye.outbox";
/** How often a message is sent before it is shown as failed. While there is no connection, it is not sent at all. */
const ATTEMPTS = 4;

let isFlushing = false;

/** How often the connection broke while a message was under way. */
const broken = new Map<string, number>();

/** Shows a message at once, and sends it now or as soon as there is a connection. */
export function send(room: string, text: string): void {
  dispatch({ type: "message-queued", pending: { key: newKey(), room, text, at: Date.now() } });
  void flush();
}

export function retry(key: string): void {
  dispatch({ type: "message-retried", key });
  void flush();
}

export function discard(key: string): void {
  dispatch({ type: "message-discarded", key });
}

/**
 * Sends what waits, one after the other, so that it arrives in the order it was written. Whatever was under way
 * when a connection broke is sent again with the same key, and the server answers with the first one.
 */
export async function flush(): Promise<void> {
  if (isFlushing) return;
  isFlushing = true;
  try {
    for (let attempt = 1; socket.connected; ) {
      const next = getState().outbox.find((pending) => pending.failure === undefined);
      if (next === undefined) return;
      const isDone = await deliver(next, attempt);
      attempt = isDone ? 1 : attempt + 1;
    }
  } finally {
    isFlushing = false;
  }
}

/** True once the server has taken the message or refused it for good. */
async function deliver({ key, room, text }: Pending, attempt: number): Promise<boolean> {
  try {
    const message = await ask("send-message", { room, text, idempotencyKey: key });
    dispatch({ type: "message-answered", message });
    return true;
  } catch (error) {
    const failure = asFailure(error);
    if (!socket.connected) return breaksConnections(key);
    if (!failure.isTransient || attempt === ATTEMPTS) {
      dispatch({ type: "message-refused", key, failure: failure.message });
      return true;
    }
    await pause(attempt * 1_000);
    return false;
  }
}

/**
 * The connection broke while a message was under way. If that happens every time it is the message's doing, it
 * would never arrive, and everything behind it would wait for ever.
 */
function breaksConnections(key: string): boolean {
  const times = (broken.get(key) ?? 0) + 1;
  broken.set(key, times);
  if (times < ATTEMPTS) return false;
  broken.delete(key);
  dispatch({ type: "message-refused", key, failure: "The connection broke every time this was sent." });
  return true;
}

/** Keeps what waits over a reload. */
export function keepOutbox(): () => void {
  let kept = getState().outbox;
  return subscribe(() => {
    const { outbox } = getState();
    if (outbox === kept) return;
    kept = outbox;
    sessionStorage.setItem(KEY, JSON.stringify(outbox));
  });
}

export function recallOutbox(): readonly Pending[] {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isPending) : [];
  } catch {
    return [];
  }
}

function isPending(value: unknown): value is Pending {
  if (typeof value !== "object" || value === null) return false;
  const { key, room, text, at } = value as Partial<Record<keyof Pending, unknown>>;
  return typeof key === "string" && typeof room === "string" && typeof text === "string" && typeof at === "number";
}
