import { memo } from "react";

import { addressOf } from "../client/route";
import { DIRECT, type Room } from "../store/state";
import { useStore } from "../store/store";
import { isDirect, titleOf } from "../view/title";
import { Avatar } from "./Avatar";
import { useIsOnline } from "./useIsOnline";

/** The largest number that a badge shows. */
const MOST = 99;

export const RoomLink = memo(function RoomLink({ room }: { room: Room }) {
  const isActive = useStore((state) => state.active === room.name);
  // What is on the screen is being read at this moment.
  const isBeingRead = useStore((state) => state.active === room.name && state.focused);
  const title = titleOf(room);
  const unread = isBeingRead ? 0 : room.unread;
  return (
    <a
      className="room-link"
      href={addressOf(room.name)}
      aria-current={isActive ? "page" : undefined}
      data-testid="room"
      data-room={room.name}
      data-unread={unread > 0}
    >
      {isDirect(room) ? <Face room={room} /> : <span className="room-sign" aria-hidden="true">#</span>}
      <span className="room-name" title={title}>
        {title}
      </span>
      {isDirect(room) && <Presence room={room} />}
      {unread > 0 && (
        <span className="badge" data-testid="unread">
          {unread > MOST ? `${MOST}+` : unread}
          <span className="visually-hidden"> unread</span>
        </span>
      )}
    </a>
  );
});

function Face({ room }: { room: Room }) {
  const id = otherIn(room);
  const online = useIsOnline(id);
  return <Avatar user={{ id, name: titleOf(room) }} online={online} />;
}

/** What the face's dot shows, for those who do not see it. */
function Presence({ room }: { room: Room }) {
  const online = useIsOnline(otherIn(room));
  return online === true && <span className="visually-hidden">, online</span>;
}

function otherIn(room: Room): string {
  return room.with?.id ?? room.name.slice(DIRECT.length);
}
