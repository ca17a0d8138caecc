// The blocks of docs/authentication.md about tokens that end and tokens to try with, run as they stand there.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { delimiter, dirname } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { BINARY, inTime, start } from "./harness.js";
import { Page } from "./docs.js";
import { HS256, now, token } from "./jwt.js";

const docs = await Page.of("authentication.md");

test("a client renews its token when it is told that it has ended", async (t) => {
  const server = await start(t, HS256);
  // Clocks may differ by 30 s.
  const socket = server.client({ auth: { token: token({ sub: "ada", exp: now() - 20 }) } });
  const exp = now() + 3_600;
  const renewed = new Promise((resolve) => {
    const page = {
      on: (event, listener) => socket.on(event, listener),
      emitWithAck: (...args) => socket.emitWithAck(...args).then(resolve),
    };
    new Function("socket", "newToken", docs.take("js", "refresh-token"))(page, async () => token({ sub: "ada", exp }));
  });
  socket.connect();
  const reply = await inTime(renewed, "the answer to refresh-token");
  assert.deepEqual(reply, { success: true, data: { expiresAt: new Date(exp * 1000).toISOString() } });
});

test("sockeye token makes a token with the claims that are asked for", async () => {
  const block = docs.take("sh", "sockeye token").replace("sockeye serve &", "");
  const env = { PATH: `${dirname(BINARY)}${delimiter}${process.env.PATH}` };
  const { stdout } = await promisify(execFile)("sh", ["-c", block], { env });
  const { sub, name, rooms, exp } = JSON.parse(Buffer.from(stdout.split(".")[1], "base64url").toString());
  assert.deepEqual([sub, name, rooms], ["u7", "Ada", ["team-*", "board"]]);
  assert.ok(Math.abs(exp - now() - 3_600) < 60);
});
