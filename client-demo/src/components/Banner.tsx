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
          {connection.status !== "restarting" && (
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
    case "online":
      return null;
    case "reconnecting":
      return "Reconnecting… What you write is sent as soon as the server is back.";
    case "restarting":
      return "The server is restarting. Back in a moment…";
    case "refused":
      return connection.reason;
  }
}
