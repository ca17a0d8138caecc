// Requests of a backend to the HTTP API, and its keys.

import { createHash, randomBytes } from "node:crypto";

/** Generates a key. Returns it with the settings that register it under this name. */
export function newKey(name = "backend", scopes = "*") {
  const key = `sk_${randomBytes(30).toString("base64url").replace(/[-_]/g, "0")}`;
  const hash = createHash("sha256").update(key).digest("hex");
  return { key, settings: { [`key.${name}.hash`]: hash, [`key.${name}.scopes`]: scopes } };
}

/** A request with this key or token. Returns `{ status, headers, reply }`; `reply` is parsed JSON. */
export async function call(server, key, method, path, body, headers = {}) {
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const json = body === undefined ? {} : { "content-type": "application/json" };
  const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  const answer = await server.request(path, { method, headers: { ...authorization, ...json, ...headers }, body: text });
  return { ...answer, reply: JSON.parse(answer.body) };
}

/** Emits an event, which must succeed. Returns the reply's `data`. */
export async function emit(server, key, event) {
  const { status, reply } = await call(server, key, "POST", "/api/events", event);
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(reply)}`);
  return reply.data;
}

/** Status and code of an event that must be refused. */
export async function refusal(server, key, event) {
  const { status, reply } = await call(server, key, "POST", "/api/events", event);
  return [status, reply.error?.code, reply.error?.message];
}
