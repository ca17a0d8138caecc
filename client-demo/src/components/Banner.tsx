import { connectNow } from "../client/session";
import type { Connection } from "../store/state";
import { useStore } from "../store/store";

/** Says that the server is not there, as long as it is not. */
export function Banner() {
  const connection = useStore((state) => state.connection);
  const text = textFor(connection);
  return (
    <div role="status" className="banner-place">
      {text !== null && (
        <div className="banner" data-testid="connection-banner" data-status={connection.status}>
          <span className="banner-pulse" aria-hidden="true" />
          <span>{text}</span>
          {connection.status !== "online" && (
            <button type="button" className="button-quiet" onClick={connectNow}>
              Try now
            </button>
          )}
        </div>
      )}
    </div>
  );
}

function textFor(connection: Connection): string | null {
  switch (connection.status) {
    case "idle":
    case "connecting":
      return null;
    case "online":
      return connection.isClosing ? "The server is about to restart. You will be back in a moment." : null;
    case "reconnecting":
      return connection.isClosing
        ? "The server is restarting. Back in a moment…"
        : "Reconnecting… What you write is sent as soon as the server is back.";
    case "refused":
      return connection.reason;
  }
}
