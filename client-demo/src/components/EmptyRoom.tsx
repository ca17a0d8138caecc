import type { Room } from "../store/state";
import { useStore } from "../store/store";
import { isDirect, titleOf } from "../view/title";
import { Fish } from "./Fish";

export function EmptyRoom({ room }: { room: Room }) {
  const isRefused = useStore((state) => state.connection.status === "refused");
  if (room.phase !== "open") return isRefused ? null : <Waiting />;
  return (
    <div className="empty">
      <Fish />
      <h2>Still waters</h2>
      <p>
        {isDirect(room)
          ? `Nothing has been said between you and ${titleOf(room)} yet.`
          : `Nobody has said anything in #${room.name} yet. Be the first.`}
      </p>
    </div>
  );
}

function Waiting() {
  return (
    <div className="waiting" role="progressbar" aria-label="Loading messages">
      <i />
      <i />
      <i />
      <i />
    </div>
  );
}
