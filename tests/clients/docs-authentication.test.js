// The block of docs/authentication.md for a client whose token ends, run as it stands there.

import assert from "node:assert/strict";
import { test } from "node:test";

import { inTime, start } from "./harness.js";
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
