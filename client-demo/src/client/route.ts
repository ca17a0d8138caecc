import { LOBBY } from "../store/state";
import { dispatch } from "../store/store";

/** Where the list of rooms and the room are two screens; `styles/layout.css` says the same. */
export const PHONE = "(max-width: 760px)";

const phone = window.matchMedia(PHONE);

/** The room that the address names: `#/general`. Without one, a phone shows the list and all others the lobby. */
export function currentRoom(): string | null {
  const named = /^#\/(.+)$/.exec(window.location.hash)?.[1];
  if (named === undefined) return phone.matches ? null : LOBBY;
  try {
    return decodeURIComponent(named);
  } catch {
    return LOBBY;
  }
}

export function addressOf(room: string | null): string {
  return room === null ? "#/" : `#/${encodeURIComponent(room).replaceAll("%3A", ":")}`;
}

export function goTo(room: string | null): void {
  window.location.hash = addressOf(room);
}

/** Keeps the state's room the one of the address. */
export function followAddress(changed: (room: string | null) => void): () => void {
  const look = () => {
    const room = currentRoom();
    dispatch({ type: "room-viewed", room });
    changed(room);
  };
  window.addEventListener("hashchange", look);
  phone.addEventListener("change", look);
  look();
  return () => {
    window.removeEventListener("hashchange", look);
    phone.removeEventListener("change", look);
  };
}

/** Keeps the state told whether somebody looks at the page; `returned` is called whenever they begin to. */
export function followFocus(returned: () => void): () => void {
  const look = () => {
    const focused = document.visibilityState === "visible" && document.hasFocus();
    dispatch({ type: "focus-changed", focused });
    if (focused) returned();
  };
  window.addEventListener("focus", look);
  window.addEventListener("blur", look);
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    window.removeEventListener("focus", look);
    window.removeEventListener("blur", look);
    document.removeEventListener("visibilitychange", look);
  };
}
