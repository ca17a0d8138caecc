import type { Pending, Room } from "../store/state";
import type { Message, User } from "../wire";
import { dayKey, type Moment } from "./time";

/** What a row says: a saved message, or one on its way, which has no id. */
export type Said = Message | (Pending & { id?: never });

/** How long somebody's messages may be apart and still stand under one name, in milliseconds. */
const SAME_BREATH = 5 * 60_000;

/** One row of the conversation. */
export interface Entry {
  /** The same before and after it is saved, so that the row stays the same row. */
  key: string;
  said: Said;
  /** The first of its day. */
  startsDay: boolean;
  /** The first that this user has not read. */
  startsNew: boolean;
  /** Shown with name and face; the ones after it belong to it. */
  startsGroup: boolean;
}

/** A room's messages and those on their way, as they are shown. */
export function entriesOf(room: Room, outbox: readonly Pending[], me: User | null): Entry[] {
  const entries: Entry[] = [];
  let before: { at: Moment; author: string } | undefined;

  const put = (key: string, said: Said, author: string, startsNew: boolean) => {
    const { at } = said;
    const startsDay = before === undefined || dayKey(before.at) !== dayKey(at);
    const isClose = before !== undefined && new Date(at).getTime() - new Date(before.at).getTime() < SAME_BREATH;
    const startsGroup = startsDay || startsNew || !isClose || before?.author !== author;
    before = { at, author };
    entries.push({ key, said, startsDay, startsNew, startsGroup });
  };

  let hasLine = room.newAfter === undefined;
  for (const message of room.messages) {
    const startsNew = !hasLine && message.offset > (room.newAfter ?? 0) && message.from.id !== me?.id;
    hasLine ||= startsNew;
    const key = message.from.id === me?.id ? (message.idempotencyKey ?? message.id) : message.id;
    put(key, message, message.from.id, startsNew);
  }
  for (const pending of outbox) {
    if (pending.room === room.name) {
      put(pending.key, pending, me?.id ?? "", false);
    }
  }
  return entries;
}
