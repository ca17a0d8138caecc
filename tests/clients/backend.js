// A backend that talks to the HTTP API, and users with tokens who do.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { promisify } from "node:util";

import { BINARY } from "./harness.js";

/** Settings for tokens, and for `token`. */
export const JWT = { "auth.mode": "jwt", "auth.secret": "a secret of the tests, longer than 32 bytes" };

/** A key with these scopes: itself, and the settings that make it known. */
export function newKey(scopes = "*", name = "test") {
  const key = `sk_${randomBytes(20).toString("hex")}`;
  const hash = createHash("sha256").update(key).digest("hex");
  return { key, settings: { [`key.${name}.hash`]: hash, [`key.${name}.scopes`]: scopes } };
}

/** A token for `JWT`, as the binary issues it. */
export async function token(user, ...rooms) {
  const settings = Object.entries(JWT).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const open = rooms.length > 0 ? ["--rooms", rooms.join(",")] : [];
  const { stdout } = await promisify(execFile)(BINARY, ["token", "--user", user, ...open, ...settings], { env: {} });
  return stdout.trim();
}

/** The HTTP API for whoever has this key or token. */
export class Api {
  constructor(server, credential) {
    this.server = server;
    this.headers = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
  }

  /** A request with a JSON body, or with the very text: `{ status, reply, headers, text }`. */
  async call(method, path, body) {
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const answer = await this.server.request(`/api${path}`, { method, headers: this.headers, body: text });
    return { status: answer.status, reply: JSON.parse(answer.body), headers: answer.headers, text: answer.body };
  }

  /** The `data` of a request that must succeed. */
  async done(method, path, body, wanted = 200) {
    const { status, reply } = await this.call(method, path, body);
    assert.equal(status, wanted, `${method} ${path}: ${JSON.stringify(reply)}`);
    assert.deepEqual(Object.keys(reply), ["success", "data"]);
    assert.equal(reply.success, true);
    return reply.data;
  }

  /** Status and code of a request that must fail, as in "403 forbidden". */
  async refused(method, path, body) {
    const { status, reply } = await this.call(method, path, body);
    assert.equal(reply.success, false, `${method} ${path} was not refused: ${JSON.stringify(reply)}`);
    assert.deepEqual(Object.keys(reply.error).sort(), ["code", "message"]);
    return `${status} ${reply.error.code}`;
  }
}
