import { useEffect } from "react";

import type { State } from "../store/state";
import { useStore } from "../store/store";
import { isDirect, titleOf } from "../view/title";

/** The page's title: what waits to be read, and where one is. */
export function useTitle(): void {
  const title = useStore(titleFor);
  useEffect(() => {
    document.title = title;
    return () => {
      document.title = "Sockeye";
    };
  }, [title]);
}

function titleFor({ rooms, active }: State): string {
  const unread = [...rooms.values()].reduce((sum, room) => sum + room.unread, 0);
  const room = active === null ? undefined : rooms.get(active);
  const place = room === undefined ? "" : `${isDirect(room) ? "" : "#"}${titleOf(room)} · `;
  return `${unread > 0 ? `(${unread}) ` : ""}${place}Sockeye`;
}
