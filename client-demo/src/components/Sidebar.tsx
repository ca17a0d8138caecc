import { useRef } from "react";

import { useStore } from "../store/store";
import { Account } from "./Account";
import { Around } from "./Around";
import { Fish } from "./Fish";
import { Icon } from "./Icon";
import { JoinRoom } from "./JoinRoom";
import { RoomList } from "./RoomList";
import { useUnreadBelow } from "./useUnreadBelow";

export function Sidebar() {
  const isListed = useStore((state) => state.listed);
  const rooms = useStore((state) => state.rooms);
  const list = useRef<HTMLDivElement>(null);
  const below = useUnreadBelow(list, rooms);
  return (
    <nav className="sidebar" aria-label="Conversations">
      <p className="brand">
        <Fish isSockeye /> Sockeye
      </p>
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
  );
}
