import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, PATIENT } from "./harness.js";
import { connect, open, reasonOf, TRANSPORTS } from "./session.js";
import { NO_CODE } from "./wire.js";

const CONNECT_TIMEOUT_MS = 2_000;
const EARLY_MS = 50;

async function assertClosed(session) {
  const code = await session.closed();
  if (session.transport === "websocket") assert.equal(code, NO_CODE);
}

conformance("connect timeout", { ...PATIENT, connectTimeout: CONNECT_TIMEOUT_MS }, (server) => {
  for (const transport of TRANSPORTS) {
    test(`over ${transport}: a client that joins no namespace is closed after the connect timeout`, async () => {
      const began = performance.now();
      const session = await open(server, { transport });
      await assertClosed(session);
      const took = performance.now() - began;
      assert.ok(took > CONNECT_TIMEOUT_MS - EARLY_MS, `closed after ${took} ms`);
    });

    test(`over ${transport}: a client refused by every namespace is closed after the connect timeout`, async () => {
      const session = await open(server, { transport });
      await session.send("40/admin,");
      assert.match(await session.next(), /^44\/admin,/);
      await session.send("40/nope,");
      assert.match(await session.next(), /^44\/nope,/);
      await assertClosed(session);
    });

    test(`over ${transport}: a revision 3 client refused by the main namespace is closed after the connect timeout`, async () => {
      const session = await open(server, { eio: 3, transport, query: { token: "refuse" } });
      assert.match(await session.next(), /^44/);
      await assertClosed(session);
    });

    test(`over ${transport}: a client in a namespace is not closed`, async () => {
      const socket = await connect(server, { transport });
      // Opened later: when its timeout is over, so is that of the first one.
      await assertClosed(await open(server, { transport }));
      await socket.isAlive();
    });

    test(`over ${transport}: a client that left its only namespace: Node keeps it open, sockeye applies the connect timeout again`, async () => {
      const { session, id } = await connect(server, { transport });
      await session.send("41");
      assert.equal(await reasonOf(server, id), "client namespace disconnect");
      if (server.expects({ node: false, sockeye: true })) return assertClosed(session);
      await assertClosed(await open(server, { transport }));
      await session.send("40");
      assert.match(await session.next(), /^40\{/);
    });
  }
});
