import { useEffect, useRef, useState } from "react";

import { enterAgain } from "../client/rooms";
import { emptyRoom } from "../store/state";
import { useStore } from "../store/store";
import type { Message } from "../wire";
import { Announcer } from "./Announcer";
import { Composer } from "./Composer";
import { hasKeyboard } from "./focus";
import { MessageList } from "./MessageList";
import { Notice } from "./Notice";
import { RoomHeader } from "./RoomHeader";
import { TypingLine } from "./TypingLine";

interface Props {
  name: string;
  peopleAreShown: boolean;
  onPeople: () => void;
}

/** A room: what was said in it and where one says something. A new one for every room. */
export function Conversation({ name, peopleAreShown, onPeople }: Props) {
  const room = useStore((state) => state.rooms.get(name)) ?? emptyRoom(name);
  const me = useStore((state) => state.me);
  const [editing, setEditing] = useState<string | null>(null);

  const title = useRef<HTMLHeadingElement>(null);

  // Where the message box does not take the focus, a phone's screen has changed all the same.
  useEffect(() => {
    if (!hasKeyboard()) title.current?.focus({ preventScroll: true });
  }, []);

  const editLast = () => {
    const last = room.messages.findLast(isOwn);
    if (last !== undefined) setEditing(last.id);
  };
  const isOwn = (message: Message) =>
    message.from.id === me?.id && message.deletedAt === undefined && typeof message.body.text === "string";

  return (
    <main className="conversation">
      <RoomHeader room={room} title={title} peopleAreShown={peopleAreShown} onPeople={onPeople} />
      {room.problem !== undefined && room.phase !== "open" ? (
        <div className="empty">
          <h2>This room is closed to you</h2>
          <p>{room.problem}</p>
          <button type="button" className="button-primary" onClick={() => enterAgain(name)}>
            Try again
          </button>
        </div>
      ) : (
        <MessageList room={room} editing={editing} onEdit={setEditing} />
      )}
      <Announcer room={room} />
      <Notice />
      <TypingLine name={name} />
      <Composer room={room} onEditLast={editLast} isEditing={editing !== null} />
    </main>
  );
}
