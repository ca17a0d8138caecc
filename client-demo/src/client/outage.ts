import { dispatch, getState } from "../store/store";

/** After this long without a connection nobody can say any more that it is back in a moment, in milliseconds. */
const LASTS_AFTER = 15_000;

let patience: ReturnType<typeof setTimeout> | undefined;

/** The connection broke, or is not made; it is tried again by itself. */
export function outageBegan(cause: "restart" | "broken"): void {
  dispatch({ type: "connection-changed", connection: { status: "reconnecting", cause } });
  clearTimeout(patience);
  patience = setTimeout(outageLasts, LASTS_AFTER);
}

function outageLasts(): void {
  if (getState().connection.status !== "reconnecting") return;
  dispatch({ type: "connection-changed", connection: { status: "reconnecting", cause: "outage" } });
}
