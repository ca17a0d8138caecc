import { type ChangeEvent, useEffect, useState } from "react";

import { findRooms } from "../client/directory";
import { asFailure } from "../client/ask";
import { addressOf } from "../client/route";
import { useStore } from "../store/store";
import type { RoomPage, RoomSummary } from "../wire";
import { Modal } from "./Modal";

/** How long after the last key the server is asked, in milliseconds. */
const ASK_AFTER = 200;

/** The rooms that there are, whoever belongs to them; direct messages are none. */
export function FindRooms({ onClose }: { onClose: () => void }) {
  const joined = useStore((state) => state.rooms);
  const [prefix, setPrefix] = useState("");
  const [page, setPage] = useState<RoomPage | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  useEffect(() => {
    let isStale = false;
    const timer = setTimeout(async () => {
      try {
        const found = await findRooms(prefix);
        if (isStale) return;
        setPage(found);
        setProblem(null);
      } catch (error) {
        if (!isStale) setProblem(asFailure(error).message);
      }
    }, prefix === "" ? 0 : ASK_AFTER);
    return () => {
      isStale = true;
      clearTimeout(timer);
    };
  }, [prefix]);

  const more = async () => {
    if (page?.next === undefined) return;
    try {
      const { rooms, next } = await findRooms(prefix, page.next);
      const longer = { rooms: [...page.rooms, ...rooms], ...(next !== undefined && { next }) };
      // Unless something else was typed meanwhile.
      setPage((now) => (now === page ? longer : now));
    } catch (error) {
      setProblem(asFailure(error).message);
    }
  };

  return (
    <Modal title="Rooms on this server" closeLabel="Close the list of rooms" className="find-rooms" onClose={onClose}>
      <div className="find-rooms-field">
        <label htmlFor="find-rooms">Name begins with</label>
        <input
          id="find-rooms"
          // The dialog gives it the focus, once it is shown.
          ref={(field) => field?.setAttribute("autofocus", "")}
          value={prefix}
          onChange={(event: ChangeEvent<HTMLInputElement>) => setPrefix(event.target.value)}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
        />
      </div>
      <div className="find-rooms-scroll">
        <ul>
          {page?.rooms.map((room) => (
            <li key={room.room}>
              <a className="found-room" href={addressOf(room.room)} onClick={onClose}>
                <span className="room-sign" aria-hidden="true">
                  #
                </span>
                <span className="found-room-name">{room.room}</span>
                <small>
                  {joined.has(room.room) && "joined, "}
                  {crowd(room)}
                </small>
              </a>
            </li>
          ))}
        </ul>
        {page?.next !== undefined && (
          <button type="button" className="button-quiet" onClick={() => void more()}>
            More rooms
          </button>
        )}
        <p role="status" className="list-empty">
          {problem ?? (page?.rooms.length === 0 && page.next === undefined ? "There is no such room." : "")}
        </p>
      </div>
    </Modal>
  );
}

function crowd({ memberCount, onlineCount }: RoomSummary): string {
  const members = `${memberCount} ${memberCount === 1 ? "member" : "members"}`;
  return onlineCount === 0 ? members : `${members}, ${onlineCount} here`;
}
