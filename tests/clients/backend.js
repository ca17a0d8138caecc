// A backend and users with tokens that call the HTTP API.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { call } from "./api.js";
import { BINARY } from "./harness.js";

/** The settings for jwt mode, as `token` requires. */
export const JWT = { "auth.mode": "jwt", "auth.secret": "a secret of the tests, longer than 32 bytes" };

/** A token for the settings `JWT`, issued by the binary. */
export async function token(user, ...rooms) {
  const settings = Object.entries(JWT).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const open = rooms.length > 0 ? ["--rooms", rooms.join(",")] : [];
  const { stdout } = await promisify(execFile)(BINARY, ["token", "--user", user, ...open, ...settings], { env: {} });
  return stdout.trim();
}

/** The HTTP API, called with this key or token. */
export class Api {
  constructor(server, credential) {
    this.server = server;
    this.credential = credential;
  }

  /** Sends a request with a JSON body; a string is sent unchanged. Returns `{ status, headers, body, reply }`. */
  call(method, path, body) {
    return call(this.server, this.credential, method, `/api${path}`, body);
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
