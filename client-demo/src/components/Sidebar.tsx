import { useEffect, useRef, useState } from "react";

import { useStore } from "../store/store";
import { Account } from "./Account";
import { Around } from "./Around";
import { Fish } from "./Fish";
import { Icon } from "./Icon";
import { IconButton } from "./IconButton";
import { JoinRoom } from "./JoinRoom";
import { RoomList } from "./RoomList";
import { SearchMessages } from "./SearchMessages";
import { useUnreadBelow } from "./useUnreadBelow";

interface Props {
  /** It is a phone's whole screen, and no conversation is beside it. */
  isAlone: boolean;
}

export function Sidebar({ isAlone }: Props) {
  const isListed = useStore((state) => state.listed);
  const rooms = useStore((state) => state.rooms);
  const list = useRef<HTMLDivElement>(null);
  const below = useUnreadBelow(list, rooms);
  const active = useStore((state) => state.active);
  const before = useRef(active);
  const [isSearching, setIsSearching] = useState(false);

  // Back on a phone's list, the focus is at the room that one comes from.
  useEffect(() => {
    if (isAlone && before.current !== null) {
      list.current?.querySelector<HTMLElement>(`[data-room="${CSS.escape(before.current)}"]`)?.focus();
    }
    before.current = active;
  }, [isAlone, active]);

  return (
    <div className="sidebar-place" role={isAlone ? "main" : undefined}>
      {isAlone && <h1 className="visually-hidden">Conversations</h1>}
      <nav className="sidebar" aria-label="Conversations">
        <div className="sidebar-head">
          <p className="brand">
            <Fish isSockeye /> Sockeye
          </p>
          <IconButton icon="search" label="Search messages" onClick={() => setIsSearching(true)} />
        </div>
        <div ref={list} className="sidebar-scroll" aria-busy={!isListed} onScroll={below.onScroll}>
          <RoomList />
          <Around />
        </div>
        {below.hasUnread && (
          <button type="button" className="unread-below" onClick={below.show}>
            <Icon name="down" />
            Unread below
          </button>
        )}
        <JoinRoom />
        <Account />
      </nav>
      {isSearching && <SearchMessages onClose={() => setIsSearching(false)} />}
    </div>
  );
}
