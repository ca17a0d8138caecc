import type { User } from "../wire";

const KEY = "sockeye.identity";

/** Who is signed in on this computer. */
export interface Identity {
  /** What was given at the sign-in: where the server is in open mode there is no password. Empty with a token. */
  name: string;
  /** A JWT, where the server wants one. */
  token?: string;
  /** As the server knew us last; what is shown until it says so again. */
  user: User | null;
}

let current: Identity | null = null;

/** What goes into the handshake. */
export function credentials(): { name?: string; token?: string } {
  if (current === null) return {};
  return current.token === undefined ? { name: current.name } : { token: current.token };
}

/** What the last visit left. */
export function recall(): Identity | null {
  current = read(parse(localStorage.getItem(KEY)));
  return current;
}

export function remember(identity: Identity): void {
  current = identity;
  localStorage.setItem(KEY, JSON.stringify(identity));
}

/** The server has said who this is. */
export function rememberUser(user: User): void {
  if (current !== null) remember({ ...current, user });
}

/** Another token for whoever is signed in. */
export function rememberToken(token: string): void {
  if (current !== null) remember({ ...current, token });
}

export function forget(): void {
  current = null;
  localStorage.removeItem(KEY);
}

function read(kept: unknown): Identity | null {
  if (typeof kept !== "object" || kept === null || !("name" in kept) || typeof kept.name !== "string") return null;
  const token = "token" in kept && typeof kept.token === "string" ? { token: kept.token } : {};
  return { name: kept.name, ...token, user: "user" in kept && isUser(kept.user) ? kept.user : null };
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
