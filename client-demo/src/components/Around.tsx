import { useMemo } from "react";

import { byName } from "../store/presence";
import { DIRECT, LOBBY } from "../store/state";
import { useStore } from "../store/store";
import { Person } from "./Person";
import { useIsConnected } from "./useIsConnected";

/** As many as fit below the rooms of a phone. */
const MOST = 12;

/** Who else is on the server and has no row yet, for phones, where a room's list of people is a tap further away. */
export function Around() {
  const rooms = useStore((state) => state.rooms);
  const me = useStore((state) => state.me?.id);
  const isConnected = useIsConnected();
  const others = useMemo(
    () =>
      byName(rooms.get(LOBBY)?.users ?? [], me)
        .filter((user) => user.id !== me && !rooms.has(DIRECT + user.id))
        .slice(0, MOST),
    [rooms, me],
  );
  if (others.length === 0) return null;
  return (
    <section className="around" aria-labelledby="around-title">
      <h2 className="list-title" id="around-title">
        {isConnected ? "Online now" : "Online before the connection broke"}
      </h2>
      <ul>
        {others.map((user) => (
          <li key={user.id}>
            <Person user={user} isMe={false} online={isConnected ? true : undefined} />
          </li>
        ))}
      </ul>
    </section>
  );
}
