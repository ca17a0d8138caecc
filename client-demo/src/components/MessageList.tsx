import { useEffect, useMemo } from "react";

import { loadOlder, markRead } from "../client/rooms";
import type { Room } from "../store/state";
import { useStore } from "../store/store";
import { entriesOf } from "../view/entries";
import { dayName } from "../view/time";
import { useNow } from "../view/useNow";
import { EmptyRoom } from "./EmptyRoom";
import { Icon } from "./Icon";
import { MessageRow } from "./MessageRow";
import { useIsConnected } from "./useIsConnected";
import { useScroll } from "./useScroll";

interface Props {
  room: Room;
  /** The id of the message that is being edited. */
  editing: string | null;
  onEdit: (id: string | null) => void;
}

export function MessageList({ room, editing, onEdit }: Props) {
  const me = useStore((state) => state.me);
  const outbox = useStore((state) => state.outbox);
  const isLooking = useStore((state) => state.focused && state.active === room.name);
  const isConnected = useIsConnected();
  const now = useNow();
  const entries = useMemo(() => entriesOf(room, outbox, me), [room, outbox, me]);
  const { list, isAtEnd, wasAtEnd, toEnd, onScroll } = useScroll(entries, isLooking, () => void loadOlder(room.name));

  useEffect(() => {
    // The state may be older than where the list was scrolled to since.
    const isRead = isAtEnd && wasAtEnd.current;
    if (isLooking && isRead && room.live && room.phase === "open") markRead(room.name);
  }, [isLooking, isAtEnd, wasAtEnd, room.live, room.phase, room.name, room.head.offset]);

  const showEnd = () => {
    toEnd();
    // The button is gone then, and the focus would be nowhere.
    list.current?.focus({ preventScroll: true });
  };

  const seen = lastSeen(room, me?.id);
  const isLoading = room.phase !== "open";
  return (
    <div className="messages-place">
      {/* Focusable, so that the keyboard can scroll it. */}
      <section
        ref={list}
        className="messages"
        data-testid="messages"
        aria-label="Messages"
        aria-busy={isLoading || room.loadingOlder}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        onScroll={onScroll}
      >
        {room.hasOlder && (
          <button
            type="button"
            className="button-quiet older"
            onClick={() => void loadOlder(room.name)}
            disabled={room.loadingOlder || !isConnected}
          >
            {room.loadingOlder ? "Loading…" : "Earlier messages"}
          </button>
        )}
        {entries.length === 0 ? (
          <EmptyRoom room={room} />
        ) : (
          <ol className="message-rows">
            {entries.map((entry) => (
              <MessageRow
                key={entry.key}
                said={entry.said}
                me={me}
                day={entry.startsDay ? dayName(entry.said.at, now) : null}
                startsNew={entry.startsNew}
                startsGroup={entry.startsGroup}
                isEdited={entry.said.id !== undefined && entry.said.id === editing}
                isSeen={entry.said.id !== undefined && entry.said.id === seen}
                onEdit={onEdit}
              />
            ))}
          </ol>
        )}
      </section>
      {!isAtEnd && (
        <button type="button" className="to-end" data-unread={room.unread > 0} onClick={showEnd}>
          <Icon name="down" />
          {room.unread > 0 ? `${room.unread} new` : "Newest"}
        </button>
      )}
    </div>
  );
}

/** In a direct message, the last of one's own that the other has read: a mark was heard, or they have answered. */
function lastSeen({ messages, theirRead, with: other }: Room, me: string | undefined): string | undefined {
  if (other === undefined) return undefined;
  const answer = messages.findLast((message) => message.from.id === other.id)?.offset ?? 0;
  const upTo = Math.max(theirRead, answer);
  const lastOwn = messages.findLast((message) => message.from.id === me && message.deletedAt === undefined);
  return lastOwn !== undefined && lastOwn.offset <= upTo ? lastOwn.id : undefined;
}
