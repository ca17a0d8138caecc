import { type FocusEvent, type KeyboardEvent, useState } from "react";

import { deleteMessage } from "../client/messages";
import type { Message } from "../wire";
import { IconButton } from "./IconButton";

interface Props {
  message: Message;
  /** Null where there is no text to edit. */
  onEdit: (() => void) | null;
}

/** What one can do with a message of one's own. With a mouse it appears beside it; else it hides behind a button. */
export function MessageActions({ message, onEdit }: Props) {
  const [isOpen, setOpen] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);

  const close = () => {
    setOpen(false);
    setAsking(false);
    setFailure(null);
  };
  const remove = async () => setFailure(await deleteMessage(message));
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") close();
  };

  const onBlur = (event: FocusEvent) => {
    if (!event.currentTarget.contains(event.relatedTarget)) close();
  };

  return (
    // Escape closes it from any of its buttons, and so does whatever one turns to instead.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      className="actions"
      role="group"
      aria-label="This message"
      data-open={isOpen || isAsking}
      onKeyDown={onKeyDown}
      onBlur={onBlur}
    >
      <IconButton
        className="actions-more"
        icon="more"
        label="Edit or delete"
        aria-expanded={isOpen}
        onClick={() => setOpen(true)}
      />
      <span className="actions-bar">
        {isAsking ? (
          <>
            <span className="actions-question">{failure ?? "Delete this message?"}</span>
            <button type="button" className="button-danger" onClick={() => void remove()} autoFocus>
              Delete
            </button>
            <button type="button" className="button-quiet" onClick={close}>
              Keep
            </button>
          </>
        ) : (
          <>
            {onEdit !== null && <IconButton icon="edit" label="Edit" onClick={onEdit} />}
            <IconButton icon="remove" label="Delete" onClick={() => setAsking(true)} />
            {isOpen && <IconButton icon="close" label="Close" onClick={close} />}
          </>
        )}
      </span>
    </div>
  );
}
