import { useEffect, useRef, useState } from "react";

import type { Room } from "../store/state";
import { useStore } from "../store/store";
import { textOf } from "../view/body";

/** Reads out what others say, to whoever listens to the page, but not the history. */
export function Announcer({ room }: { room: Room }) {
  const me = useStore((state) => state.me?.id);
  const [words, setWords] = useState("");
  const readUpTo = useRef<number | null>(null);
  const last = room.messages.at(-1);

  useEffect(() => {
    if (room.phase !== "open" || !room.live) return;
    const isNew = readUpTo.current !== null && last !== undefined && last.offset > readUpTo.current;
    if (isNew && last.from.id !== me) setWords(`${last.from.name}: ${textOf(last).text}`);
    readUpTo.current = last?.offset ?? 0;
  }, [room.phase, room.live, last, me]);

  return (
    <p className="visually-hidden" aria-live="polite">
      {words}
    </p>
  );
}
