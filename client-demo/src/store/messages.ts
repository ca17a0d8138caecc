import type { Message } from "../wire";

/**
 * Puts messages into a list that ascends by offset. Of two with the same id the later revision wins, so events,
 * replies and pages may come in any order and any number of times.
 *
 * `floor` is the first offset held when older ones are not: an edit of a message further up must not be put
 * above the hole; whoever scrolls there loads it as it is then.
 */
export function merge(known: readonly Message[], incoming: readonly Message[], floor = 0): readonly Message[] {
  const byOffset = new Map(known.map((message) => [message.offset, message]));
  let changed = false;
  for (const message of incoming) {
    const before = byOffset.get(message.offset);
    if (message.offset < floor || (before?.id === message.id && before.revision >= message.revision)) continue;
    byOffset.set(message.offset, message);
    changed = true;
  }
  if (!changed) return known;
  return [...byOffset.values()].toSorted((one, other) => one.offset - other.offset);
}

/** How many messages of others come after an offset. */
export function countUnread(messages: readonly Message[], after: number, me: string | undefined): number {
  return messages.filter((message) => message.offset > after && message.from.id !== me).length;
}

/** A list's first offset when there is more above it, else 0: the `floor` of `merge`. */
export function floorOf(messages: readonly Message[], hasOlder: boolean): number {
  return hasOlder ? (messages[0]?.offset ?? 0) : 0;
}
