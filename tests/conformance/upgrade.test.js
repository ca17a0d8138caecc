import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, FORGETFUL } from "./harness.js";
import { candidate, connect, decode, probed, reasonOf, REVISIONS, upgraded } from "./session.js";
import { assertRefused, frame, NO_CODE, TEXT, upgrade } from "./wire.js";

const UPGRADE_TIMEOUT_MS = 2_000;
/** How often a waiting poll is released while a candidate is probed; timers may fire a little early. */
const RELEASE_MS = 100;
const EARLY_MS = 20;
const BYTES = Buffer.of(0, 4, 30, 255);

/** A polling client in a room, and a speaker that broadcasts there; acknowledged when the broadcast is done. */
async function pair(server, eio) {
  const socket = await connect(server, { eio, transport: "polling", namespace: "/dynamic-1" });
  await socket.ask("join", "room");
  const speaker = await connect(server, { namespace: "/dynamic-1" });
  const say = (data) => speaker.ask("say", { rooms: ["room"], event: "said", data });
  return { socket, session: socket.session, say };
}

/** A candidate that is accepted and then closed. */
async function closedAtOnce({ server, eio, sid }) {
  const { status, websocket } = await upgrade(server, { query: { EIO: eio, sid } });
  assert.equal(status, 101);
  assert.equal(await websocket.closed(), NO_CODE);
}

/** The numbers of the broadcast events in these packets. */
function numbers(packets) {
  return packets.filter((packet) => packet !== "6").map((packet) => decode(packet).data[1]);
}

conformance("upgrade", FORGETFUL, (server) => {
  for (const eio of REVISIONS) {
    const revision = `revision ${eio}`;

    test(`${revision}: after the probe and UPGRADE everything goes over WebSocket`, async () => {
      const { socket, session, say } = await pair(server, eio);
      const after = socket.over(await upgraded(session, await probed(session)));
      await after.isAlive();
      await say("hello");
      await after.receives("said", "hello");
      assert.deepEqual(await after.ask("echo", BYTES), [BYTES]);
    });

    test(`${revision}: the poll that waits is released by NOOP`, async () => {
      const { socket, session } = await pair(server, eio);
      const poll = session.poll();
      await session.send("6");
      const probe = await probed(session);
      assert.deepEqual(await poll, ["6"]);
      await socket.over(await upgraded(session, probe)).isAlive();
    });

    test(`${revision}: a poll that comes after the probe is released by NOOP`, async () => {
      const { session } = await pair(server, eio);
      await probed(session);
      assert.deepEqual(await session.poll(), ["6"]);
    });

    test(`${revision}: NOOP is delayed, so that an event may release the poll instead`, async () => {
      const { session } = await pair(server, eio);
      const poll = session.poll();
      await session.send("6");
      const began = performance.now();
      await probed(session);
      assert.deepEqual(await poll, ["6"]);
      const took = performance.now() - began;
      assert.ok(took > RELEASE_MS - EARLY_MS, `after ${took} ms`);
      const next = session.poll();
      assert.deepEqual(await next, ["6"]);
      const together = performance.now() - began;
      assert.ok(together > 2 * RELEASE_MS - EARLY_MS, `after ${together} ms`);
    });

    test(`${revision}: a poll sent after UPGRADE is a bad request`, async () => {
      for (let i = 0; i < 20; i++) {
        // No packet must be queued: a poll that is read before UPGRADE would return it.
        const { session } = await connect(server, { eio, transport: "polling" });
        const probe = await candidate(session);
        await probe.write(Buffer.concat([frame(TEXT, "2probe"), frame(TEXT, "5")]));
        assertRefused(await session.get(), 3, "Bad request");
        assert.equal(await probe.next(), "3probe");
        probe.close();
      }
    });

    test(`${revision}: UPGRADE without a probe is accepted`, async () => {
      const { socket, session } = await pair(server, eio);
      await socket.over(await upgraded(session, await candidate(session))).isAlive();
    });

    test(`${revision}: a candidate may send two probes`, async () => {
      const { socket, session } = await pair(server, eio);
      const probe = await probed(session);
      await probe.send("2probe");
      assert.equal(await probe.next(), "3probe");
      await socket.over(await upgraded(session, probe)).isAlive();
    });

    for (const wrong of ["42", "2", "6"]) {
      test(`${revision}: a candidate that sends ${JSON.stringify(wrong)} after the probe is closed, and the session goes on`, async () => {
        const { socket, session } = await pair(server, eio);
        const probe = await probed(session);
        await probe.send(wrong);
        assert.equal(await probe.closed(), NO_CODE);
        await socket.isAlive();
        await socket.over(await upgraded(session, await probed(session))).isAlive();
      });
    }

    test(`${revision}: events between the probe and UPGRADE arrive after it, once and in order`, async () => {
      const { socket, session, say } = await pair(server, eio);
      const probe = await probed(session);
      for (const data of [1, BYTES, 3]) await say(data);
      const after = socket.over(await upgraded(session, probe));
      for (const data of [1, BYTES, 3]) await after.receives("said", data);
      await after.isAlive();
    });

    test(`${revision}: a poll between the probe and UPGRADE returns the queued packets`, async () => {
      const { socket, session, say } = await pair(server, eio);
      const probe = await probed(session);
      await say("over polling");
      await socket.receives("said", "over polling");
      await say("over WebSocket");
      const after = socket.over(await upgraded(session, probe));
      await after.receives("said", "over WebSocket");
      await after.isAlive();
    });

    test(`${revision}: events emitted throughout an upgrade arrive once and in order`, async () => {
      const { socket, session, say } = await pair(server, eio);
      const speaking = (async () => {
        for (let i = 0; i < 300; i++) await say(i);
      })();
      const heard = [];
      while (heard.length < 20) heard.push(...numbers(await session.poll()));
      const poll = session.poll();
      const probe = await probed(session);
      heard.push(...numbers(await poll));
      const after = socket.over(await upgraded(session, probe));
      while (heard.length < 300) heard.push((await after.next()).data[1]);
      await speaking;
      assert.deepEqual(heard, Array.from({ length: 300 }, (_, i) => i));
      await after.isAlive();
    });

    test(`${revision}: packets sent over both transports are processed in order`, async () => {
      const { socket, session } = await pair(server, eio);
      const echo = (i) => socket.event(["echo", i], i);
      await session.send(...echo(0));
      const probe = await probed(session);
      await session.send(...echo(1), ...echo(2));
      const after = await upgraded(session, probe);
      await after.send(...echo(3), ...echo(4));
      for (let i = 0; i < 5; i++) assert.equal(await after.next(), `43/dynamic-1,${i}[${i}]`);
    });

    test(`${revision}: polling after the upgrade is a bad request and does not affect the session`, async () => {
      const { socket, session } = await pair(server, eio);
      const after = socket.over(await upgraded(session, await probed(session)));
      await after.isAlive();
      assertRefused(await session.get(), 3, "Bad request");
      assertRefused(await session.post("42"), 3, "Bad request");
      await after.isAlive();
    });

    for (const [how, end] of [
      ["closes", "close"],
      ["ends TCP", "end"],
      ["resets TCP", "reset"],
    ]) {
      test(`${revision}: a candidate that ${how} after the probe leaves the session on polling and allows another candidate`, async () => {
        const { socket, session, say } = await pair(server, eio);
        const probe = await probed(session);
        probe[end]();
        await probe.closed();
        await say("still here");
        await socket.receives("said", "still here");
        await socket.over(await upgraded(session, await probed(session))).isAlive();
      });
    }

    for (const wrong of ["42", "2", "x", "2wrong", "6", ""]) {
      test(`${revision}: a candidate that begins with ${JSON.stringify(wrong)} is closed, and the session goes on`, async () => {
        const { socket, session } = await pair(server, eio);
        const other = await candidate(session);
        await other.send(wrong);
        await other.closed();
        await socket.isAlive();
      });
    }

    test(`${revision}: a second candidate during the first one's probe is closed, and the first one succeeds`, async () => {
      const { socket, session } = await pair(server, eio);
      const first = await probed(session);
      await closedAtOnce(session);
      await socket.over(await upgraded(session, first)).isAlive();
    });

    test(`${revision}: a session can be upgraded only once`, async () => {
      const { socket, session } = await pair(server, eio);
      const after = socket.over(await upgraded(session, await probed(session)));
      await after.isAlive();
      await closedAtOnce(session);
      await after.isAlive();
    });

    test(`${revision}: a candidate of the other revision is refused`, async () => {
      const { socket, session } = await pair(server, eio);
      const { status, body } = await upgrade(server, { query: { EIO: 7 - eio, sid: session.sid } });
      assert.deepEqual([status, body.toString()], [400, "Bad request"]);
      await socket.isAlive();
    });

    test(`${revision}: after the upgrade the end of TCP ends the session`, async () => {
      const { socket, session } = await pair(server, eio);
      const after = socket.over(await upgraded(session, await probed(session)));
      await after.isAlive();
      after.session.websocket.end();
      assert.equal(await reasonOf(server, socket.id), "transport close");
      await session.closed();
    });

    test(`${revision}: when the session ends, so does its candidate`, async () => {
      const { session } = await pair(server, eio);
      const probe = await probed(session);
      await session.close();
      await probe.closed();
    });

    test(`${revision}: the server disconnects during an upgrade that the client completes`, async () => {
      const { socket, session } = await pair(server, eio);
      const probe = await probed(session);
      await socket.emit("disconnect-me", true);
      const after = await upgraded(session, probe);
      // Clients of revision 3 are in the main namespace too.
      const told = [];
      while (told.length < (eio === 3 ? 2 : 1)) told.push(await after.next());
      assert.deepEqual(told.sort(), ["41", "41/dynamic-1,"].slice(eio === 3 ? 0 : 1));
      assert.equal(await probe.closed(), NO_CODE);
      assertRefused(await session.get(), 1, "Session ID unknown");
    });

    test(`${revision}: the server disconnects during an upgrade that the client does not complete`, async () => {
      const { socket, session } = await pair(server, eio);
      const probe = await probed(session);
      await socket.emit("disconnect-me", true);
      assert.equal(await reasonOf(server, socket.id), "server namespace disconnect");
      const heard = [];
      while (!heard.includes("1")) heard.push(...(await session.poll()));
      assert.ok(heard.includes("41/dynamic-1,"), heard.join());
      await probe.closed();
      await session.closed();
    });
  }
});

conformance("upgrade timeout", { ...FORGETFUL, upgradeTimeout: UPGRADE_TIMEOUT_MS }, (server) => {
  for (const eio of REVISIONS) {
    const revision = `revision ${eio}`;

    test(`${revision}: without UPGRADE the candidate is closed after a timeout, and the session stays on polling`, async () => {
      const { socket, session, say } = await pair(server, eio);
      const began = performance.now();
      const probe = await probed(session);
      await probe.closed();
      const took = performance.now() - began;
      assert.ok(took > UPGRADE_TIMEOUT_MS * 0.8, `closed after ${took} ms`);
      await say("still here");
      await socket.receives("said", "still here");
    });

    test(`${revision}: without a probe the candidate is closed after a timeout, and the session stays on polling`, async () => {
      const { socket, session } = await pair(server, eio);
      const silent = await candidate(session);
      await silent.closed();
      await socket.isAlive();
    });
  }
});
