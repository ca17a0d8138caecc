import { SERVER_URL } from "../socket";
import type { Reply } from "../wire";
import { Failure } from "./ask";
import { credentials } from "./identity";

/** Reads from the HTTP API as whoever is signed in. Throws a `Failure` and nothing else. */
export async function read<T>(path: string, query: Record<string, string>): Promise<T> {
  const { token, name } = credentials();
  const search = new URLSearchParams(name === undefined ? query : { ...query, name });
  let reply: Reply<T>;
  try {
    const response = await fetch(`${SERVER_URL ?? ""}${path}?${search}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    reply = (await response.json()) as Reply<T>;
  } catch {
    // There is no connection, or what answers is no API of sockeye's.
    throw new Failure("no-answer", "The server has not answered.");
  }
  if (reply.success) return reply.data;
  throw new Failure(reply.error.code, reply.error.message);
}
