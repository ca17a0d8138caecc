// The block of docs/authentication.md for a client whose token ends, run as it stands there.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Inbox, start } from "./harness.js";
import { Page } from "./docs.js";
import { HS256, now, token } from "./jwt.js";

const docs = await Page.of("authentication.md");

test("a client renews its token when it is told that it has ended", async (t) => {
  const server = await start(t, HS256);
  // Clocks may differ by 30 s.
  const socket = server.client({ auth: { token: token({ sub: "ada", exp: now() - 20 }) } });
  const replies = new Inbox();
  const exp = now() + 3_600;
  const page = {
    on: (event, listener) => socket.on(event, listener),
    emitWithAck: async (...args) => {
      const reply = await socket.emitWithAck(...args);
      replies.add(reply);
      return reply;
    },
  };
  new Function("socket", "newToken", docs.take("js", "refresh-token"))(page, async () => token({ sub: "ada", exp }));
  socket.connect();
  const reply = await replies.take(() => true, "the answer to refresh-token");
  assert.deepEqual(reply, { success: true, data: { expiresAt: new Date(exp * 1000).toISOString() } });
});
