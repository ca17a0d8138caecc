import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, FORGETFUL, HASTY } from "./harness.js";
import { connect, join, open, probed, reasonOf, TRANSPORTS, upgraded, WAYS } from "./session.js";
import { NO_CODE } from "./wire.js";

const { pingInterval, pingTimeout } = HASTY;

/** The number of heartbeats at this interval that last longer than a session without any. */
const ROUNDS = Math.ceil(pingTimeout / pingInterval) + 2;

/** Tolerance: timers of the server may fire a little early, and everything may be late on a busy machine. */
const EARLY_MS = 50;
const LATE_MS = 3_000;

/** Milliseconds from before the first byte is sent until the promise is fulfilled, and its value. */
async function timed(act) {
  const began = performance.now();
  const value = await act();
  return { value, took: performance.now() - began };
}

function assertTook(took, ms) {
  assert.ok(took > ms - EARLY_MS && took < ms + LATE_MS, `after ${took} ms, not ${ms}`);
}

/** A client that does not answer pings by itself. */
async function unanswering(server, options) {
  const socket = await connect(server, options);
  socket.session.answersPings = false;
  return socket;
}

const FOUR = TRANSPORTS.map((transport) => ({ eio: 4, transport }));
const THREE = TRANSPORTS.map((transport) => ({ eio: 3, transport }));

conformance("heartbeat", { ...FORGETFUL, ...HASTY }, (server) => {
  for (const way of FOUR) {
    const over = `revision 4 over ${way.transport}`;

    test(`${over}: the first ping comes one interval after the opening, the next one interval after its pong`, async () => {
      let session;
      const first = await timed(async () => {
        session = await open(server, way);
        session.answersPings = false;
        return session.next();
      });
      assert.equal(first.value, "2");
      assertTook(first.took, pingInterval);
      const second = await timed(async () => {
        await session.send("3");
        return session.next();
      });
      assert.equal(second.value, "2");
      assertTook(second.took, pingInterval);
    });

    test(`${over}: a client that answers stays connected`, async () => {
      const socket = await unanswering(server, way);
      for (let i = 0; i < ROUNDS; i++) {
        assert.equal(await socket.session.next(), "2");
        await socket.session.send("3");
      }
      socket.session.answersPings = true;
      await socket.isAlive();
    });

    test(`${over}: a client that does not answer is closed after the timeout`, async () => {
      const { value, took } = await timed(async () => {
        const { session, id } = await unanswering(server, way);
        assert.equal(await session.next(), "2");
        return { id, code: await session.closed() };
      });
      const { id, code } = value;
      if (way.transport === "websocket") assert.equal(code, NO_CODE);
      assertTook(took, pingInterval + pingTimeout);
      assert.equal(await reasonOf(server, id), "ping timeout");
    });

    test(`${over}: a pong may have data`, async () => {
      const socket = await unanswering(server, way);
      for (let i = 0; i < 2; i++) {
        assert.equal(await socket.session.next(), "2");
        await socket.session.send("3data");
      }
      socket.session.answersPings = true;
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

  test("revision 4 over polling: a client that stops polling is disconnected after interval and timeout", async () => {
    const { value, took } = await timed(async () => {
      const { session, id } = await connect(server, FOUR[0]);
      return { session, reason: await reasonOf(server, id) };
    });
    assert.equal(value.reason, "ping timeout");
    assertTook(took, pingInterval + pingTimeout);
    await value.session.closed();
  });

  for (const eio of [4, 3]) {
    test(`revision ${eio}: events without heartbeats do not keep a session alive`, async () => {
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
      for (let i = 0; i < ROUNDS; i++) {
        await new Promise((resolve) => setTimeout(resolve, pingInterval));
        await socket.session.send("2");
        assert.equal(await socket.session.next(), "3");
      }
      await socket.isAlive();
    });

    test(`${over}: a client that sends no ping is closed after interval and timeout`, async () => {
      const { value, took } = await timed(async () => {
        const { session, id } = await connect(server, way);
        return { id, code: await session.closed() };
      });
      const { id, code } = value;
      if (way.transport === "websocket") assert.equal(code, NO_CODE);
      assertTook(took, pingInterval + pingTimeout);
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
    session.answersPings = true;
    await socket.over(session).isAlive();
  });

  for (const way of WAYS) {
    test(`revision ${way.eio} over ${way.transport}: a ping timeout is the disconnect reason in all namespaces`, async () => {
      const main = await unanswering(server, way);
      const custom = await join(main.session, "/custom");
      assert.equal(await reasonOf(server, main.id), "ping timeout");
      assert.equal(await reasonOf(server, custom.id), "ping timeout");
    });
  }
});
