import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, FORGETFUL, HASTY } from "./harness.js";
import { connect, join, open, probed, reasonOf, TRANSPORTS, upgraded, WAYS } from "./session.js";
import { NO_CODE } from "./wire.js";

const PINGS = { pingInterval: HASTY.pingInterval, pingTimeout: HASTY.pingTimeout };

/** Timers of the server may be early by a little, and everything may be late on a busy machine. */
const EARLY_MS = 50;
const LATE_MS = 3_000;

/** How long this takes, with what it is fulfilled with. */
async function timed(promise) {
  const began = performance.now();
  const value = await promise;
  return { value, took: performance.now() - began };
}

function assertTook(took, ms) {
  assert.ok(took > ms - EARLY_MS && took < ms + LATE_MS, `after ${took} ms, not ${ms}`);
}

/** A client whose pings a case answers by itself. */
async function unanswering(server, options) {
  const socket = await connect(server, options);
  socket.session.answersPings = false;
  return socket;
}

const FOUR = TRANSPORTS.map((transport) => ({ eio: 4, transport }));
const THREE = TRANSPORTS.map((transport) => ({ eio: 3, transport }));

conformance("heartbeat", { ...FORGETFUL, ...PINGS }, (server) => {
  for (const way of FOUR) {
    const over = `revision 4 over ${way.transport}`;

    test(`${over}: the first ping comes one interval after the opening, the next one interval after its pong`, async () => {
      const session = await open(server, way);
      session.answersPings = false;
      const first = await timed(session.next());
      assert.equal(first.value, "2");
      assertTook(first.took, HASTY.pingInterval);
      await session.send("3");
      const second = await timed(session.next());
      assert.equal(second.value, "2");
      assertTook(second.took, HASTY.pingInterval);
    });

    test(`${over}: who answers stays`, async () => {
      const socket = await unanswering(server, way);
      for (let i = 0; i < 4; i++) {
        assert.equal(await socket.session.next(), "2");
        await socket.session.send("3");
      }
      await socket.isAlive();
    });

    test(`${over}: who does not answer is closed after the timeout`, async () => {
      const { session, id } = await unanswering(server, way);
      assert.equal(await session.next(), "2");
      const { value: code, took } = await timed(session.closed());
      if (way.transport === "websocket") assert.equal(code, NO_CODE);
      assertTook(took, HASTY.pingTimeout);
      assert.equal(await reasonOf(server, id), "ping timeout");
    });

    test(`${over}: a pong with data is a pong`, async () => {
      const socket = await unanswering(server, way);
      for (let i = 0; i < 2; i++) {
        assert.equal(await socket.session.next(), "2");
        await socket.session.send("3data");
      }
      await socket.isAlive();
    });

    test(`${over}: events go on between a ping and its pong`, async () => {
      const socket = await unanswering(server, way);
      assert.equal(await socket.session.next(), "2");
      await socket.isAlive();
      await socket.session.send("3");
      assert.equal(await socket.session.next(), "2");
    });
  }

  test("revision 4 over polling: who does not poll any more is gone after interval and timeout", async () => {
    const { session, id } = await connect(server, FOUR[0]);
    const { value: reason, took } = await timed(reasonOf(server, id));
    assert.equal(reason, "ping timeout");
    assertTook(took, HASTY.pingInterval + HASTY.pingTimeout - EARLY_MS);
    await session.closed();
  });

  for (const eio of [4, 3]) {
    test(`revision ${eio}: events alone do not keep a session that sends no heartbeat`, async () => {
      const socket = await unanswering(server, { eio });
      const { websocket } = socket.session;
      const speaking = setInterval(() => websocket.send('42["burst",0]'), 50);
      try {
        assert.equal(await websocket.closed(), NO_CODE);
      } finally {
        clearInterval(speaking);
      }
      assert.equal(await reasonOf(server, socket.id), "ping timeout");
    });
  }

  for (const way of THREE) {
    const over = `revision 3 over ${way.transport}`;

    test(`${over}: the server answers pings and sends none`, async () => {
      const socket = await connect(server, way);
      const [interval, rounds] = [HASTY.pingInterval / 2, 5];
      for (let i = 0; i < rounds; i++) {
        await new Promise((resolve) => setTimeout(resolve, interval));
        await socket.session.send("2");
        assert.equal(await socket.session.next(), "3");
      }
      await socket.isAlive();
    });

    test(`${over}: who sends no ping is closed after interval and timeout`, async () => {
      const { session, id } = await connect(server, way);
      const { value: code, took } = await timed(session.closed());
      if (way.transport === "websocket") assert.equal(code, NO_CODE);
      assertTook(took, HASTY.pingInterval + HASTY.pingTimeout - EARLY_MS);
      assert.equal(await reasonOf(server, id), "ping timeout");
    });
  }

  test("pings go on over WebSocket after an upgrade", async () => {
    const socket = await connect(server, FOUR[0]);
    const session = await upgraded(socket.session, await probed(socket.session));
    session.answersPings = false;
    for (let i = 0; i < 3; i++) {
      assert.equal(await session.next(), "2");
      await session.send("3");
    }
    await socket.over(session).isAlive();
  });

  for (const way of WAYS) {
    test(`revision ${way.eio} over ${way.transport}: all namespaces of a session that is silent are told why`, async () => {
      const main = await unanswering(server, way);
      const custom = await join(main.session, "/custom");
      assert.equal(await reasonOf(server, main.id), "ping timeout");
      assert.equal(await reasonOf(server, custom.id), "ping timeout");
    });
  }
});
