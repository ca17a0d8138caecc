import { useStore } from "../store/store";
import { Account } from "./Account";
import { Around } from "./Around";
import { Fish } from "./Fish";
import { JoinRoom } from "./JoinRoom";
import { RoomList } from "./RoomList";

export function Sidebar() {
  const hasRooms = useStore((state) => state.listed);
  return (
    <nav className="sidebar" aria-label="Conversations">
      <p className="brand">
        <Fish isSockeye /> Sockeye
      </p>
      <div className="sidebar-scroll" aria-busy={!hasRooms}>
        <RoomList />
        <Around />
      </div>
      <JoinRoom />
      <Account />
    </nav>
  );
}
