import { getState } from "../store/store";
import type { User } from "../wire";

const KEY = "sockeye.identity";

/** Who is signed in on this computer. There is no password: the server is in open mode. */
export interface Identity {
  name: string;
  /** As the server knew us last; what is shown until it says so again. */
  user: User | null;
}

/** What goes into the handshake. */
export function credentials(): { name?: string } {
  const { name } = getState();
  return name === null ? {} : { name };
}

export function recall(): Identity | null {
  const kept: unknown = parse(localStorage.getItem(KEY));
  if (typeof kept !== "object" || kept === null || !("name" in kept) || typeof kept.name !== "string") return null;
  return { name: kept.name, user: "user" in kept && isUser(kept.user) ? kept.user : null };
}

export function remember(identity: Identity): void {
  localStorage.setItem(KEY, JSON.stringify(identity));
}

export function forget(): void {
  localStorage.removeItem(KEY);
}

function isUser(value: unknown): value is User {
  return (
    typeof value === "object" &&
    value !== null &&
    "id" in value &&
    typeof value.id === "string" &&
    "name" in value &&
    typeof value.name === "string"
  );
}

function parse(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
