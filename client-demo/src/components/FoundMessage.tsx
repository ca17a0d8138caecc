import { addressOf } from "../client/route";
import { DIRECT } from "../store/state";
import { textOf } from "../view/body";
import { dayName, fully } from "../view/time";
import { useNow } from "../view/useNow";
import type { Message } from "../wire";

interface Props {
  message: Message;
  /** Called when its conversation is opened. */
  onOpen: () => void;
}

/** A message that was found, as a link to its conversation. */
export function FoundMessage({ message, onOpen }: Props) {
  const { room, from, at } = message;
  const now = useNow();
  return (
    <li>
      <a className="found-message" href={addressOf(room)} onClick={onOpen} data-testid="found-message">
        <span className="found-message-head">
          <strong>{from.name}</strong>
          <span>{room.startsWith(DIRECT) ? "direct message" : `#${room}`}</span>
          <time dateTime={at} title={fully(at)}>
            {dayName(at, now)}
          </time>
        </span>
        <span className="found-message-text" dir="auto">
          {textOf(message).text}
        </span>
      </a>
    </li>
  );
}
