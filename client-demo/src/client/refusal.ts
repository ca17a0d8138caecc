import type { ErrorCode } from "../wire";

/** In words, why a server does not let anybody in; it sends the code alone. */
const WORDS: Partial<Record<ErrorCode, string>> = {
  unauthorized: "This server wants a token, and a name alone is none.",
  "token-expired": "The token has expired.",
  forbidden: "This server does not let you in.",
  "rate-limited": "Too many connections at once. Trying again…",
  unavailable: "The server is busy. Trying again…",
};

const PASSING: ReadonlySet<string> = new Set<ErrorCode>(["rate-limited", "unavailable"]);

export interface Refusal {
  reason: string;
  /** It may be different in a moment. */
  isPassing: boolean;
}

/** Our code stands in the error's `data`, or is all of its message where a server cannot send data. */
export function readRefusal(error: Error): Refusal {
  const data: unknown = "data" in error ? error.data : undefined;
  const hasCode = typeof data === "object" && data !== null && "code" in data && typeof data.code === "string";
  const code = hasCode ? String(data.code) : error.message;
  const words: Partial<Record<string, string>> = WORDS;
  return { reason: words[code] ?? error.message, isPassing: PASSING.has(code) };
}
