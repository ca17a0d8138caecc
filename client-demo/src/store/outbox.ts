import type { Message } from "../wire";
import type { Pending } from "./state";

/** Takes out what a saved message is the answer to; it may come as a reply, as an event, or in a page. */
export function settle(
  outbox: readonly Pending[],
  saved: readonly Message[],
  me: string | undefined,
): readonly Pending[] {
  if (outbox.length === 0) return outbox;
  const keys = new Set(saved.filter((message) => message.from.id === me).map((message) => message.idempotencyKey));
  const left = outbox.filter((pending) => !keys.has(pending.key));
  return left.length === outbox.length ? outbox : left;
}

export function refused(outbox: readonly Pending[], key: string, failure: string): readonly Pending[] {
  return outbox.map((pending) => (pending.key === key ? { ...pending, failure } : pending));
}

export function retried(outbox: readonly Pending[], key: string): readonly Pending[] {
  return outbox.map((pending) => {
    if (pending.key !== key) return pending;
    const { failure: _, ...rest } = pending;
    return rest;
  });
}
