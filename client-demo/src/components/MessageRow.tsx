import { memo } from "react";

import { textOf } from "../view/body";
import type { Said } from "../view/entries";
import { clock, fully } from "../view/time";
import type { User } from "../wire";
import { Avatar } from "./Avatar";
import { MessageActions } from "./MessageActions";
import { MessageContent } from "./MessageContent";
import { MessageEditor } from "./MessageEditor";
import { PendingState } from "./PendingState";
import { Receipt } from "./Receipt";

/** Nothing here is built anew for every drawing, so that a new message draws one row and not all of them. */
interface Props {
  said: Said;
  me: User | null;
  /** The day that begins with it, if one does. */
  day: string | null;
  startsNew: boolean;
  startsGroup: boolean;
  isEdited: boolean;
  isSeen: boolean;
  onEdit: (id: string | null) => void;
}

export const MessageRow = memo(function MessageRow(props: Props) {
  const { said, me, day, startsNew, startsGroup, isEdited, isSeen, onEdit } = props;
  const isSaved = said.id !== undefined;
  const author = (isSaved ? said.from : me) ?? { id: "", name: "You" };
  const isOwn = !isSaved || said.from.id === me?.id;
  return (
    <>
      {day !== null && (
        <li className="separator">
          <span>{day}</span>
        </li>
      )}
      {startsNew && (
        <li className="separator separator-new">
          <span>New messages</span>
        </li>
      )}
      <li
        className="message"
        data-testid="message"
        data-message-id={isSaved ? said.id : said.key}
        data-state={stateOf(said)}
        data-own={isOwn}
        data-group={startsGroup ? "start" : "rest"}
        // The focus comes here when the message was edited, or the one before it deleted.
        tabIndex={-1}
      >
        {startsGroup ? <Avatar user={author} size="large" /> : <Time at={said.at} isGutter />}
        <div className="message-main">
          {startsGroup && (
            <p className="message-head">
              <strong className="message-author" title={author.name}>
                {author.name}
              </strong>
              <Time at={said.at} />
            </p>
          )}
          {isSaved && isEdited ? (
            <MessageEditor message={said} onDone={() => onEdit(null)} />
          ) : (
            <MessageContent said={said} />
          )}
          {!isSaved && <PendingState pending={said} />}
          {isSeen && <Receipt />}
        </div>
        {isSaved && isOwn && !isEdited && said.deletedAt === undefined && (
          <MessageActions message={said} onEdit={textOf(said).isPlain ? () => onEdit(said.id) : null} />
        )}
      </li>
    </>
  );
});

function Time({ at, isGutter = false }: { at: string | number; isGutter?: boolean }) {
  return (
    <time className={isGutter ? "message-gutter" : ""} dateTime={new Date(at).toISOString()} title={fully(at)}>
      {clock(at)}
    </time>
  );
}

function stateOf(said: Said): "saved" | "pending" | "failed" | "deleted" {
  if (said.id === undefined) return said.failure === undefined ? "pending" : "failed";
  return said.deletedAt === undefined ? "saved" : "deleted";
}
