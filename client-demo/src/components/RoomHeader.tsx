import type { RefObject } from "react";

import { leaveRoom } from "../client/rooms";
import { goTo } from "../client/route";
import { DIRECT, LOBBY, type Room } from "../store/state";
import { isDirect, titleOf } from "../view/title";
import { Avatar } from "./Avatar";
import { IconButton } from "./IconButton";
import { useIsConnected } from "./useIsConnected";
import { useIsOnline } from "./useIsOnline";

interface Props {
  room: Room;
  title: RefObject<HTMLHeadingElement | null>;
  peopleAreShown: boolean;
  onPeople: () => void;
}

export function RoomHeader({ room, title, peopleAreShown, onPeople }: Props) {
  const isConnected = useIsConnected();
  return (
    <header className="room-header">
      <IconButton className="phone-only" icon="back" label="All conversations" onClick={() => goTo(null)} />
      {isDirect(room) ? (
        <DirectTitle room={room} title={title} />
      ) : (
        <div className="room-title">
          <h1 ref={title} title={room.name} tabIndex={-1}>
            <span className="room-sign" aria-hidden="true">
              #
            </span>
            {room.name}
          </h1>
          <p>{isConnected ? here(room) : "Not connected"}</p>
        </div>
      )}
      {!isDirect(room) && (
        <IconButton
          icon="people"
          label="People"
          aria-expanded={peopleAreShown}
          aria-controls={peopleAreShown ? "people" : undefined}
          onClick={onPeople}
        />
      )}
      {!isDirect(room) && room.name !== LOBBY && (
        <IconButton icon="leave" label="Leave this room" onClick={() => void leaveRoom(room.name)} disabled={!isConnected} />
      )}
    </header>
  );
}

function here({ name, live, userCount }: Room): string {
  if (!live) return "…";
  const where = name === LOBBY ? "on this server" : "here";
  return userCount <= 1 ? `Only you are ${where}` : `${userCount} people are ${where}`;
}

function DirectTitle({ room, title }: Pick<Props, "room" | "title">) {
  const user = { id: room.with?.id ?? room.name.slice(DIRECT.length), name: titleOf(room) };
  const online = useIsOnline(user.id);
  return (
    <>
      <Avatar user={user} online={online} size="large" />
      <div className="room-title">
        <h1 ref={title} title={user.name} tabIndex={-1}>
          {user.name}
        </h1>
        <p>{online === undefined ? "Not connected" : online ? "Online" : "Not here at the moment"}</p>
      </div>
    </>
  );
}
