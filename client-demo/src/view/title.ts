import { DIRECT, LOBBY, type Room } from "../store/state";

/** What a room is called: a direct message by the other's name, as far as it is known. */
export function titleOf(room: Pick<Room, "name" | "with">): string {
  if (!isDirect(room)) return room.name;
  const id = room.name.slice(DIRECT.length);
  // Somebody who has never been here has no name but their id.
  const name = room.with?.name ?? id;
  return name === id ? id.replace(/^name:/, "") : name;
}

export function isDirect(room: Pick<Room, "name">): boolean {
  return room.name.startsWith(DIRECT);
}

/** Both kinds by their titles, so that no row jumps from under the pointer; the lobby first. */
export function sorted(rooms: Iterable<Room>): { open: Room[]; direct: Room[] } {
  const all = [...rooms];
  const open = all.filter((room) => !isDirect(room));
  const rank = (room: Room) => (room.name === LOBBY ? 0 : 1);
  return {
    open: open.toSorted((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name)),
    direct: all.filter(isDirect).toSorted((one, other) => titleOf(one).localeCompare(titleOf(other))),
  };
}

/** `Ada`, `Ada and Ben`, `Ada, Ben and 3 others` */
export function listed(names: readonly string[]): string {
  const [one, two] = names;
  if (one === undefined) return "";
  if (two === undefined) return one;
  if (names.length === 2) return `${one} and ${two}`;
  return `${one}, ${two} and ${names.length - 2} ${names.length === 3 ? "other" : "others"}`;
}
