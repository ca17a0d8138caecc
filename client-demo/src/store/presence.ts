import type { PresenceChanged, RoomUser, Typing, User } from "../wire";
import type { Room, Typist } from "./state";

/** Who came and who went, applied to who was there. */
export function moved(room: Room, { joined, left, userCount }: PresenceChanged, at: string): Room {
  const gone = new Set([...left, ...joined].map((user) => user.id));
  const stayed = room.users.filter((user) => !gone.has(user.id));
  return {
    ...room,
    users: [...stayed, ...joined],
    userCount,
    ...(room.members && { members: withAbsent(room.members, left, at) }),
  };
}

/** Who has just gone belongs to the room still, even if they came after its members were asked for. */
function withAbsent(members: readonly RoomUser[], left: readonly User[], lastSeen: string): readonly RoomUser[] {
  const gone = new Set(left.map((user) => user.id));
  const others = members.filter((member) => !gone.has(member.id));
  return [...left.map((user) => ({ ...user, online: false, lastSeen })), ...others];
}

/** Somebody began or stopped typing. */
export function typed(typists: readonly Typist[], { user, typing }: Typing, until: number): readonly Typist[] {
  const others = typists.filter((typist) => typist.user.id !== user.id);
  return typing ? [...others, { user, until }] : others;
}

/** Those who still type at a moment, by room. */
export function stillTyping(
  typing: ReadonlyMap<string, readonly Typist[]>,
  now: number,
): ReadonlyMap<string, readonly Typist[]> {
  const left = [...typing]
    .map(([room, typists]) => [room, typists.filter((typist) => typist.until > now)] as const)
    .filter(([, typists]) => typists.length > 0);
  return new Map(left);
}

/** People in the order of their names, oneself first. */
export function byName<T extends User>(users: readonly T[], me: string | undefined): T[] {
  return users.toSorted((one, other) => {
    if (one.id === me) return -1;
    if (other.id === me) return 1;
    return one.name.localeCompare(other.name);
  });
}
