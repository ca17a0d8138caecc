import { connectNow } from "../client/session";
import type { Connection, OutageCause } from "../store/state";
import { useStore } from "../store/store";
import { TokenForm } from "./TokenForm";

/** Says that the server is not there, as long as it is not. */
export function Banner() {
  const connection = useStore((state) => state.connection);
  const wasHere = useStore((state) => state.listed);
  const words = wordsFor(connection, wasHere);
  return (
    <div role="status" className="banner-place">
      {words !== null && (
        <div className="banner" data-testid="connection-banner" data-status={connection.status}>
          <span className="banner-pulse" aria-hidden="true" />
          <p>
            <strong>{words[0]}</strong> <span>{words[1]}</span>
          </p>
          {connection.status === "refused" && connection.needsToken ? (
            <TokenForm />
          ) : (
            connection.status !== "online" && (
              <button type="button" className="button-quiet" onClick={connectNow}>
                Try now
              </button>
            )
          )}
        </div>
      )}
    </div>
  );
}

const OUTAGES: Record<OutageCause, [string, string]> = {
  restart: ["The server is restarting.", "Back in a moment…"],
  broken: ["Reconnecting…", "What you write is sent as soon as the server is back."],
  outage: ["No connection, trying again…", "What you write is sent as soon as the server is back."],
};

/** What is the matter, and what that means. */
function wordsFor(connection: Connection, wasHere: boolean): [string, string] | null {
  switch (connection.status) {
    case "idle":
    case "connecting":
      return null;
    case "online":
      return connection.isClosing ? ["The server is about to restart.", "You will be back in a moment."] : null;
    case "reconnecting":
      if (!wasHere) return ["The server cannot be reached.", "Trying again…"];
      return OUTAGES[connection.cause];
    case "refused":
      return ["Not connected.", connection.reason];
  }
}
