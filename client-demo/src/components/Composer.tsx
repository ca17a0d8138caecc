import { type FormEvent, type KeyboardEvent, useEffect } from "react";

import { send } from "../client/outbox";
import { keyPressed, stopTyping } from "../client/typing";
import type { Room } from "../store/state";
import { isDirect, titleOf } from "../view/title";
import { hasKeyboard } from "./focus";
import { IconButton } from "./IconButton";
import { useDraft } from "./useDraft";
import { useGrowing } from "./useGrowing";

/** Far below what a server takes in one event (1 MB by default), whatever the script. */
const LONGEST = 32_000;

interface Props {
  room: Room;
  isEditing: boolean;
  onEditLast: () => void;
}

export function Composer({ room, isEditing, onEditLast }: Props) {
  const [text, setText] = useDraft(room.name);
  const field = useGrowing(text);
  const label = `Message ${isDirect(room) ? titleOf(room) : `#${room.name}`}`;

  // Where it would bring up a phone's keyboard, one may want to read first.
  useEffect(() => {
    if (hasKeyboard()) field.current?.focus();
    return stopTyping;
  }, [field]);

  const isTooLong = text.length > LONGEST;

  const submit = () => {
    const said = text.trim();
    if (said === "" || isTooLong) return;
    send(room.name, said);
    stopTyping();
    setText("");
    field.current?.focus();
  };
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    submit();
  };
  const write = (value: string) => {
    setText(value);
    if (value.trim() === "") stopTyping();
    else keyPressed(room.name);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    }
    if (event.key === "ArrowUp" && text === "") {
      event.preventDefault();
      onEditLast();
    }
  };

  return (
    <form className="composer" onSubmit={onSubmit} aria-label="New message" data-quiet={isEditing}>
      <textarea
        ref={field}
        id="composer"
        data-testid="composer"
        aria-label={label}
        aria-describedby="composer-keys"
        placeholder={label}
        value={text}
        rows={1}
        onChange={(event) => write(event.target.value)}
        onKeyDown={onKeyDown}
        onBlur={stopTyping}
      />
      <IconButton className="send" icon="send" label="Send" type="submit" disabled={text.trim() === "" || isTooLong} />
      {isTooLong && (
        <p className="composer-note" role="status">
          Too long by {(text.length - LONGEST).toLocaleString()} characters
        </p>
      )}
      <p id="composer-keys" className="visually-hidden">
        Enter sends, Shift and Enter makes a new line, the up arrow edits your last message.
      </p>
    </form>
  );
}
