import type { MouseEvent } from "react";

import { discard, retry } from "../client/outbox";
import type { Pending } from "../store/state";
import { focusAfter, rowOf } from "./focus";
import { Icon } from "./Icon";
import { useIsConnected } from "./useIsConnected";

/** How it stands with a message that is not saved yet. */
export function PendingState({ pending }: { pending: Pending }) {
  const isConnected = useIsConnected();
  if (pending.failure === undefined) {
    return (
      <p className="pending">
        <Icon name="clock" />
        {isConnected ? "Sending…" : "Waiting for the connection"}
      </p>
    );
  }
  /** Both buttons go when one of them is pressed. */
  const and = (act: (key: string) => void) => (event: MouseEvent) => {
    const row = rowOf(event.currentTarget);
    if (row !== null) focusAfter(row);
    act(pending.key);
  };
  return (
    <p className="pending pending-failed">
      <Icon name="alert" />
      <span>Not sent: {pending.failure}</span>
      <button type="button" className="button-quiet" onClick={and(retry)}>
        Try again
      </button>
      <button type="button" className="button-quiet" onClick={and(discard)}>
        Discard
      </button>
    </p>
  );
}
