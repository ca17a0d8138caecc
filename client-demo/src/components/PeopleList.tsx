import { useEffect, useMemo } from "react";

import { loadMembers } from "../client/rooms";
import { byName } from "../store/presence";
import { emptyRoom } from "../store/state";
import { useStore } from "../store/store";
import { ago } from "../view/time";
import { useNow } from "../view/useNow";
import { Person } from "./Person";
import { useIsConnected } from "./useIsConnected";

export function PeopleList({ name }: { name: string }) {
  const room = useStore((state) => state.rooms.get(name)) ?? emptyRoom(name);
  const me = useStore((state) => state.me?.id);
  const isConnected = useIsConnected();
  const now = useNow();
  const { users, userCount, members, live } = room;

  useEffect(() => {
    if (live) void loadMembers(name);
  }, [name, live]);

  const present = useMemo(() => byName(users, me), [users, me]);
  const absent = useMemo(() => {
    const here = new Set(users.map((user) => user.id));
    return (members ?? []).filter((member) => !here.has(member.id));
  }, [users, members]);

  return (
    // A list that is longer than its place is scrolled by keyboard too.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="people-scroll" data-connected={isConnected} tabIndex={0} role="group" aria-label="People">
      <h3 className="list-title" id="present-title">
        {isConnected ? "Online" : "Online before the connection broke"} — {userCount}
      </h3>
      <ul className="person-list" aria-labelledby="present-title">
        {present.map((user) => (
          <li key={user.id} data-testid="online-user" data-user-id={user.id}>
            <Person user={user} isMe={user.id === me} online={isConnected ? true : undefined} />
          </li>
        ))}
      </ul>
      {userCount > present.length && <p className="list-empty">and {userCount - present.length} more</p>}
      {absent.length > 0 && (
        <>
          <h3 className="list-title" id="absent-title">
            Away
          </h3>
          <ul className="person-list" aria-labelledby="absent-title">
            {absent.map((user) => (
              <li key={user.id}>
                <Person
                  user={user}
                  isMe={user.id === me}
                  online={isConnected ? user.online : undefined}
                  note={user.lastSeen === undefined ? "" : ago(user.lastSeen, now)}
                />
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
