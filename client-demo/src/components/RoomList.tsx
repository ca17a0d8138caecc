import { useMemo, useState } from "react";

import { useStore } from "../store/store";
import { sorted } from "../view/title";
import { FindRooms } from "./FindRooms";
import { IconButton } from "./IconButton";
import { RoomLink } from "./RoomLink";

export function RoomList() {
  const rooms = useStore((state) => state.rooms);
  const [isFinding, setFinding] = useState(false);
  const { open, direct } = useMemo(() => sorted(rooms.values()), [rooms]);
  return (
    <>
      <div className="list-head">
        <h2 className="list-title" id="rooms-title">
          Rooms
        </h2>
        <IconButton icon="search" label="Find a room" aria-haspopup="dialog" onClick={() => setFinding(true)} />
      </div>
      {isFinding && <FindRooms onClose={() => setFinding(false)} />}
      <ul className="room-list" aria-labelledby="rooms-title">
        {open.map((room) => (
          <li key={room.name}>
            <RoomLink room={room} />
          </li>
        ))}
      </ul>
      <h2 className="list-title" id="direct-title">
        Direct messages
      </h2>
      {direct.length === 0 ? (
        <p className="list-empty">Choose somebody in a room’s list of people to write to them alone.</p>
      ) : (
        <ul className="room-list" aria-labelledby="direct-title">
          {direct.map((room) => (
            <li key={room.name}>
              <RoomLink room={room} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
