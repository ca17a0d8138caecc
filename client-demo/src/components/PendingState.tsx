import { discard, retry } from "../client/outbox";
import type { Pending } from "../store/state";
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
  return (
    <p className="pending pending-failed">
      <Icon name="alert" />
      <span>Not sent: {pending.failure}</span>
      <button type="button" className="button-quiet" onClick={() => retry(pending.key)}>
        Try again
      </button>
      <button type="button" className="button-quiet" onClick={() => discard(pending.key)}>
        Discard
      </button>
    </p>
  );
}
