import { memo } from "react";

import { textOf } from "../view/body";
import type { Entry } from "../view/entries";
import { clock, dayName, fully, shortClock } from "../view/time";
import type { Message, User } from "../wire";
import { Avatar } from "./Avatar";
import { Icon } from "./Icon";
import { MessageActions } from "./MessageActions";
import { MessageEditor } from "./MessageEditor";
import { PendingState } from "./PendingState";
import { Text } from "./Text";

interface Props {
  entry: Entry;
  me: User | null;
  now: number;
  isEdited: boolean;
  receipt: string | null;
  onEdit: (id: string | null) => void;
}

export const MessageRow = memo(function MessageRow({ entry, me, now, isEdited, receipt, onEdit }: Props) {
  const saved = "message" in entry ? entry.message : null;
  const author = saved?.from ?? me ?? { id: "", name: "You" };
  const isOwn = saved === null || saved.from.id === me?.id;
  return (
    <>
      {entry.startsDay && (
        <li className="separator">
          <span>{dayName(entry.at, now)}</span>
        </li>
      )}
      {entry.startsNew && (
        <li className="separator separator-new">
          <span>New</span>
        </li>
      )}
      <li
        className="message"
        data-testid="message"
        data-message-id={saved?.id ?? entry.key}
        data-state={stateOf(entry)}
        data-own={isOwn}
        data-group={entry.startsGroup ? "start" : "rest"}
      >
        {entry.startsGroup ? (
          <Avatar user={author} size="large" />
        ) : (
          <time className="message-gutter" dateTime={new Date(entry.at).toISOString()} title={fully(entry.at)}>
            {shortClock(entry.at)}
          </time>
        )}
        <div className="message-main">
          {entry.startsGroup && (
            <p className="message-head">
              <strong className="message-author">{author.name}</strong>
              <time dateTime={new Date(entry.at).toISOString()} title={fully(entry.at)}>
                {clock(entry.at)}
              </time>
            </p>
          )}
          {saved !== null && isEdited ? (
            <MessageEditor message={saved} onDone={() => onEdit(null)} />
          ) : (
            <Content entry={entry} />
          )}
          {"pending" in entry && <PendingState pending={entry.pending} />}
          {receipt !== null && (
            <p className="receipt">
              <Icon name="checks" />
              {receipt}
            </p>
          )}
        </div>
        {saved !== null && isOwn && !isEdited && saved.deletedAt === undefined && (
          <MessageActions message={saved} onEdit={isPlain(saved) ? () => onEdit(saved.id) : null} />
        )}
      </li>
    </>
  );
});

function Content({ entry }: { entry: Entry }) {
  if ("pending" in entry) return <Text text={entry.pending.text} isPlain />;
  const { message } = entry;
  if (message.deletedAt !== undefined) return <p className="message-deleted">This message was deleted.</p>;
  return (
    <Text {...textOf(message)}>
      {message.editedAt !== undefined && (
        <span className="message-edited" title={fully(message.editedAt)}>
          {" "}
          (edited)
        </span>
      )}
    </Text>
  );
}

function stateOf(entry: Entry): "saved" | "pending" | "failed" | "deleted" {
  if ("pending" in entry) return entry.pending.failure === undefined ? "pending" : "failed";
  return entry.message.deletedAt === undefined ? "saved" : "deleted";
}

function isPlain(message: Message): boolean {
  return textOf(message).isPlain;
}
