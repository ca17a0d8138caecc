import type { ErrorCode } from "../wire";

/** In words, why a server does not let anybody in, where it sends the code alone. */
const WORDS: Partial<Record<string, string>> = {
  unauthorized: "This server wants a token that it can trust.",
  "token-expired": "The token has expired.",
  forbidden: "This server does not let you in.",
  "rate-limited": "Too many connections at once. Trying again…",
  unavailable: "The server is busy. Trying again…",
} satisfies Partial<Record<ErrorCode, string>>;

const PASSING: ReadonlySet<string> = new Set<ErrorCode>(["rate-limited", "unavailable"]);
const ABOUT_TOKENS: ReadonlySet<string> = new Set<ErrorCode>(["unauthorized", "token-expired"]);

export interface Refusal {
  reason: string;
  /** It may be different in a moment. */
  isPassing: boolean;
  /** It may be different with another token. */
  needsToken: boolean;
}

/** Our code stands in the error's `data`, or is all of its message where a server cannot send data. */
export function readRefusal(error: Error): Refusal {
  const data: unknown = "data" in error ? error.data : undefined;
  const code = textIn(data, "code") ?? error.message;
  const needsToken = isAboutTokens(code);
  // What is the matter with a token, the server knows better.
  const reason = (needsToken ? textIn(data, "message") : undefined) ?? WORDS[code] ?? error.message;
  return { reason: sentence(reason), isPassing: PASSING.has(code), needsToken };
}

/** Whether another token would help. */
export function isAboutTokens(code: string): boolean {
  return ABOUT_TOKENS.has(code);
}

/** The server's words, as they stand in a log, for people to read. */
export function sentence(words: string): string {
  const begun = words.charAt(0).toLocaleUpperCase("en") + words.slice(1);
  return /[.!?…]$/u.test(begun) ? begun : `${begun}.`;
}

function textIn(data: unknown, field: string): string | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const value: unknown = (data as Record<string, unknown>)[field];
  return typeof value === "string" ? value : undefined;
}
