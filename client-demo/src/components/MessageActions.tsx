import { type KeyboardEvent, useCallback, useRef, useState } from "react";

import { deleteMessage } from "../client/messages";
import { excerpt, textOf } from "../view/body";
import type { Message } from "../wire";
import { focusAfter, rowOf } from "./focus";
import { IconButton } from "./IconButton";
import { useDismiss } from "./useDismiss";

interface Props {
  message: Message;
  /** Null where there is no text to edit. */
  onEdit: (() => void) | null;
}

/**
 * Closed, its buttons are there for a mouse that hovers and for the keyboard alone. Kept is open again, after the
 * question whether to delete was answered with no.
 */
type Stage = "closed" | "open" | "asking" | "kept";

/** What one can do with a message of one's own. With a mouse it appears beside it; else it hides behind a button. */
export function MessageActions({ message, onEdit }: Props) {
  const [stage, setStage] = useState<Stage>("closed");
  const [failure, setFailure] = useState<string | null>(null);
  const group = useRef<HTMLDivElement>(null);
  const toggle = useRef<HTMLButtonElement>(null);
  const words = excerpt(textOf(message).text);

  const close = useCallback(() => setStage("closed"), []);
  useDismiss(group, stage !== "closed", close);

  const ask = () => {
    setFailure(null);
    setStage("asking");
  };
  const remove = async () => {
    const row = rowOf(group.current);
    const problem = await deleteMessage(message);
    setFailure(problem);
    if (problem === null && row !== null) focusAfter(row);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || stage === "closed") return;
    setStage(stage === "asking" ? "kept" : "closed");
    if (stage !== "asking") toggle.current?.focus();
  };

  return (
    // Escape goes one step back from any of its buttons.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      ref={group}
      className="actions"
      role="group"
      aria-label={`Your message: ${words}`}
      data-open={stage !== "closed"}
      data-asking={stage === "asking"}
      onKeyDown={onKeyDown}
    >
      <IconButton
        ref={toggle}
        className="actions-more"
        icon={stage === "closed" ? "more" : "close"}
        label={`Edit or delete your message: ${words}`}
        title={stage === "closed" ? "Edit or delete" : "Close"}
        aria-expanded={stage !== "closed"}
        onClick={() => setStage(stage === "closed" ? "open" : "closed")}
      />
      <span className="actions-bar">
        {stage === "asking" ? (
          <>
            <span className="actions-question">{failure ?? "Delete this message?"}</span>
            <button
              type="button"
              className="button-danger"
              aria-label={`Delete your message: ${words}`}
              onClick={() => void remove()}
              autoFocus
            >
              Delete
            </button>
            <button type="button" className="button-quiet" onClick={() => setStage("kept")}>
              Keep
            </button>
          </>
        ) : (
          <>
            {onEdit !== null && (
              <IconButton icon="edit" label={`Edit your message: ${words}`} title="Edit" onClick={onEdit} />
            )}
            <IconButton
              icon="remove"
              label={`Delete your message: ${words}`}
              title="Delete"
              onClick={ask}
              autoFocus={stage === "kept"}
            />
          </>
        )}
      </span>
    </div>
  );
}
