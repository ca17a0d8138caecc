import { type KeyboardEvent, useEffect, useMemo } from "react";

import { loadMembers } from "../client/rooms";
import { emptyRoom, LOBBY } from "../store/state";
import { useStore } from "../store/store";
import { byName } from "../store/presence";
import { ago } from "../view/time";
import { useNow } from "../view/useNow";
import { IconButton } from "./IconButton";
import { Person } from "./Person";

interface Props {
  name: string;
  onClose: () => void;
}

/** Who is in a room now, and who belongs to it without being here. */
export function People({ name, onClose }: Props) {
  const room = useStore((state) => state.rooms.get(name)) ?? emptyRoom(name);
  const me = useStore((state) => state.me?.id);
  const isOnline = useStore((state) => state.connection.status === "online");
  const now = useNow();
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") onClose();
  };
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
    // Escape closes it from any of its links.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <aside className="people" id="people" aria-label="People" data-connected={isOnline} onKeyDown={onKeyDown}>
      <header className="people-header">
        <h2>{name === LOBBY ? "On this server" : "In this room"}</h2>
        <IconButton icon="close" label="Close the list of people" onClick={onClose} />
      </header>
      <div className="people-scroll">
        <h3 className="list-title" id="present-title">
          Online — {userCount}
        </h3>
        <ul className="person-list" aria-labelledby="present-title">
          {present.map((user) => (
            <li key={user.id} data-testid="online-user" data-user-id={user.id}>
              <Person user={user} isMe={user.id === me} online />
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
                    online={user.online}
                    note={user.lastSeen === undefined ? "" : ago(user.lastSeen, now)}
                  />
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </aside>
  );
}
