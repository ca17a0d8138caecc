import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, MAX_PAYLOAD, PATIENT } from "./harness.js";
import { open, REVISIONS, TRANSPORTS } from "./session.js";
import { ask, assertRefused, upgrade } from "./wire.js";

conformance("handshake", PATIENT, (server) => {
  for (const eio of REVISIONS) {
    for (const transport of TRANSPORTS) {
      test(`OPEN of revision ${eio} over ${transport} has the fields of the protocol`, async () => {
        const { open: fields } = await open(server, { eio, transport });
        assert.match(fields.sid, /^[\w-]{16,}$/);
        assert.deepEqual(fields, {
          sid: fields.sid,
          upgrades: transport === "polling" ? ["websocket"] : [],
          pingInterval: PATIENT.pingInterval,
          pingTimeout: PATIENT.pingTimeout,
          maxPayload: MAX_PAYLOAD,
        });
      });
    }
  }

  test("a handshake over polling is text that nobody may store", async () => {
    const { status, headers, body } = await ask(server, {});
    assert.equal(status, 200);
    assert.equal(headers["content-type"], "text/plain; charset=UTF-8");
    assert.equal(headers["cache-control"], "no-store");
    assert.equal(Number(headers["content-length"]), body.length);
    assert.match(body.toString(), /^0\{/);
  });

  test("no two sessions have the same id", async () => {
    const sids = new Set();
    for (let i = 0; i < 20; i++) sids.add((await open(server, { transport: TRANSPORTS[i % 2] })).sid);
    assert.equal(sids.size, 20);
  });

  for (const EIO of [undefined, "3", "5", "x"]) {
    test(`EIO=${EIO} means revision 3`, async () => {
      const { status, body } = await ask(server, { query: { EIO } });
      assert.equal(status, 200);
      assert.match(body.toString(), /^\d+:0\{/);
    });
  }

  const refusals = [
    ["an unknown transport", { query: { transport: "carrier-pigeon" } }, 0, "Transport unknown"],
    ["no transport", { query: { transport: undefined } }, 0, "Transport unknown"],
    ["a transport named like a part of every object", { query: { transport: "constructor" } }, 0, "Transport unknown"],
    ["an unknown session", { query: { sid: "nobody" } }, 1, "Session ID unknown"],
    ["a session named like a part of every object", { query: { sid: "__proto__" } }, 1, "Session ID unknown"],
    ["a POST to an unknown session", { method: "POST", body: "40", query: { sid: "nobody" } }, 1, "Session ID unknown"],
    ["a handshake by POST", { method: "POST", body: "" }, 2, "Bad handshake method"],
    ["a handshake by PUT", { method: "PUT" }, 2, "Bad handshake method"],
    ["a WebSocket without an upgrade", { query: { transport: "websocket" } }, 3, "Bad request"],
  ];
  for (const [what, options, code, message] of refusals) {
    test(`${what} is refused with code ${code}`, async () => {
      assertRefused(await ask(server, options), code, message);
    });
  }

  test("polling with the session of a WebSocket is a bad request", async () => {
    const session = await open(server);
    assertRefused(await ask(server, { query: { sid: session.sid } }), 3, "Bad request");
  });

  test("the other revision with the same session is a bad request", async () => {
    const { sid } = await open(server, { transport: "polling" });
    assertRefused(await ask(server, { query: { sid, EIO: 3 } }), 3, "Bad request");
    assertRefused(await ask(server, { query: { sid, EIO: undefined } }), 3, "Bad request");
  });

  const refusedUpgrades = [
    ["an unknown session", { query: { sid: "nobody" } }, "Session ID unknown"],
    ["an unknown transport", { query: { transport: "carrier-pigeon" } }, "Transport unknown"],
    ["no transport", { query: { transport: undefined } }, "Transport unknown"],
    ["a POST", { method: "POST" }, "Bad handshake method"],
  ];
  for (const [what, options, message] of refusedUpgrades) {
    test(`an upgrade with ${what} is refused with status 400`, async () => {
      const { status, headers, body } = await upgrade(server, options);
      assert.deepEqual([status, headers["content-type"], body.toString()], [400, "text/html", message]);
    });
  }

  const wrongUpgrades = [
    ["without a key", { "Sec-WebSocket-Key": undefined }],
    ["with a key that is too short", { "Sec-WebSocket-Key": "c2hvcnQ=" }],
    ["with version 7", { "Sec-WebSocket-Version": "7" }],
    ["without a version", { "Sec-WebSocket-Version": undefined }],
  ];
  for (const [what, headers] of wrongUpgrades) {
    test(`an upgrade ${what} is refused`, async () => {
      const { status } = await upgrade(server, { headers });
      assert.ok([400, 426].includes(status), `status ${status}`);
    });
  }

  test("an upgrade whose transport is polling comes to nothing", async () => {
    const { status, websocket } = await upgrade(server, { query: { transport: "polling" } });
    if (status === 101) await websocket.closed();
    else assert.equal(status, 400);
  });
});
