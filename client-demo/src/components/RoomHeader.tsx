import { leaveRoom } from "../client/rooms";
import { goTo } from "../client/route";
import { DIRECT, LOBBY, type Room } from "../store/state";
import { useStore } from "../store/store";
import { isDirect, titleOf } from "../view/title";
import { Avatar } from "./Avatar";
import { IconButton } from "./IconButton";
import { useIsOnline } from "./useIsOnline";

interface Props {
  room: Room;
  peopleAreShown: boolean;
  onPeople: () => void;
}

export function RoomHeader({ room, peopleAreShown, onPeople }: Props) {
  const isOnline = useStore((state) => state.connection.status === "online");
  return (
    <header className="room-header">
      <IconButton className="phone-only" icon="back" label="All conversations" onClick={() => goTo(null)} />
      {isDirect(room) ? (
        <DirectTitle room={room} />
      ) : (
        <div className="room-title">
          <h1 title={room.name}>
            <span className="room-sign" aria-hidden="true">
              #
            </span>
            {room.name}
          </h1>
          <p>{isOnline ? here(room) : "Not connected"}</p>
        </div>
      )}
      {!isDirect(room) && (
        <IconButton
          icon="people"
          label="People"
          aria-expanded={peopleAreShown}
          aria-controls="people"
          onClick={onPeople}
        />
      )}
      {!isDirect(room) && room.name !== LOBBY && (
        <IconButton icon="leave" label="Leave this room" onClick={() => void leaveRoom(room.name)} disabled={!isOnline} />
      )}
    </header>
  );
}

function here({ name, live, userCount }: Room): string {
  if (!live) return "…";
  const where = name === LOBBY ? "on this server" : "here";
  return userCount <= 1 ? `Only you are ${where}` : `${userCount} people are ${where}`;
}

function DirectTitle({ room }: { room: Room }) {
  const user = { id: room.with?.id ?? room.name.slice(DIRECT.length), name: titleOf(room) };
  const online = useIsOnline(user.id);
  return (
    <>
      <Avatar user={user} online={online} size="large" />
      <div className="room-title">
        <h1 title={user.name}>{user.name}</h1>
        <p>{online ? "Online" : "Not here at the moment"}</p>
      </div>
    </>
  );
}
