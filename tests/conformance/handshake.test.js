import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";

import { conformance, MAX_PAYLOAD, PATIENT } from "./harness.js";
import { open, REVISIONS, TRANSPORTS } from "./session.js";
import { ask, assertRefused, call, connection, NO_CODE, target, upgrade } from "./wire.js";

/** The headers of a WebSocket upgrade. */
const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
].join("\r\n");

conformance("handshake", PATIENT, (server) => {
  for (const eio of REVISIONS) {
    for (const transport of TRANSPORTS) {
      test(`OPEN of revision ${eio} over ${transport} has the fields that the protocol requires`, async () => {
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

  test("a handshake over polling is text/plain with Cache-Control: no-store", async () => {
    const { status, headers, body } = await ask(server, {});
    assert.equal(status, 200);
    assert.equal(headers["content-type"], "text/plain; charset=UTF-8");
    assert.equal(headers["cache-control"], "no-store");
    assert.equal(Number(headers["content-length"]), body.length);
    assert.match(body.toString(), /^0\{/);
  });

  test("session ids are unique", async () => {
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
    ["a transport named like a property of every object", { query: { transport: "constructor" } }, 0, "Transport unknown"],
    ["an unknown session", { query: { sid: "nobody" } }, 1, "Session ID unknown"],
    ["a session named like a property of every object", { query: { sid: "__proto__" } }, 1, "Session ID unknown"],
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

  const unread = [
    ["a POST to an unknown session", { method: "POST", query: { sid: "nobody" } }, 1, "Session ID unknown"],
    ["a POST with an unknown transport", { method: "POST", query: { transport: "nope" } }, 0, "Transport unknown"],
    ["a handshake by POST", { method: "POST" }, 2, "Bad handshake method"],
    ["a handshake by PUT", { method: "PUT" }, 2, "Bad handshake method"],
  ];
  for (const [what, options, code, message] of unread) {
    for (const headers of [{}, { "transfer-encoding": "chunked" }]) {
      const way = headers["transfer-encoding"] ?? "with its length";
      test(`${what} leaves its connection usable, for any body (${way})`, async () => {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        try {
          for (const bytes of [20_000, 300_000, 900_000]) {
            const refused = call(server, { ...options, headers, agent, body: "x".repeat(bytes) });
            assertRefused(await refused.answer, code, message);
            const next = call(server, { agent });
            assert.equal((await next.answer).status, 200);
            assert.ok(next.request.socket === refused.request.socket, `${bytes} bytes: it is the same connection`);
          }
        } finally {
          agent.destroy();
        }
      });
    }
  }

  test("polling with the id of a WebSocket session is a bad request", async () => {
    const session = await open(server);
    assertRefused(await ask(server, { query: { sid: session.sid } }), 3, "Bad request");
  });

  test("a request with the other revision in the same session is a bad request", async () => {
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

  test("an upgrade whose transport is polling is accepted and closed, with or without a session", async () => {
    const { sid } = await open(server, { transport: "polling" });
    for (const query of [{ transport: "polling" }, { transport: "polling", sid }]) {
      const { status, websocket } = await upgrade(server, { query });
      assert.equal(status, 101);
      assert.equal(await websocket.closed(), NO_CODE);
    }
  });

  for (const byteByByte of [false, true]) {
    const how = byteByByte ? ", byte by byte" : "";
    for (const [offered, answered] of [
      ["my-app", "my-app"],
      ["token, abc", "token"],
      ["a ,\tb,c", "a"],
      [undefined, undefined],
    ]) {
      test(`of the subprotocols ${offered} the first is answered${how}`, async () => {
        const { sid } = await open(server, { transport: "polling" });
        for (const query of [{}, { sid }]) {
          const headers = { "Sec-WebSocket-Protocol": offered };
          const { status, headers: answer } = await upgrade(server, { query, headers, byteByByte });
          assert.deepEqual([status, answer["sec-websocket-protocol"]], [101, answered]);
        }
      });
    }
  }

  for (const offered of ["a,", ",a", "a,,b", "a b", "a,b,a", "a;b", "(a)", '"a"']) {
    test(`the subprotocols ${offered} are refused`, async () => {
      const { status } = await upgrade(server, { headers: { "Sec-WebSocket-Protocol": offered } });
      assert.equal(status, 400);
    });
  }

  const CHARACTERS = ['"', "<", ">", "`", "{", "}", "|", "^", "\\", "'", "[", "]", "%", "%zz"];

  test("characters that are invalid in a URL are accepted in query and path, repeatedly over one connection", async () => {
    const raw = await connection(server);
    for (const character of CHARACTERS) {
      for (const target of [`/socket.io/?EIO=4&transport=polling&x=a${character}b`, `/socket.io/${character}?EIO=4&transport=polling`]) {
        assert.equal(await raw.status(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`), 200, target);
      }
    }
    const body = '/?"<>" HTTP/1.1\r\n\r\n';
    const post = `POST /socket.io/?EIO=4&transport=polling&sid=nobody&x=" HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    assert.equal(await raw.status(post), 400);
  });

  test("the server gets such a query unchanged, over both transports", async () => {
    const query = 'token={"a":"<b>"}&EIO=3&transport=';
    const polled = await connection(server);
    assert.equal(await polled.status(`GET /socket.io/?${query}polling HTTP/1.1\r\nHost: x\r\n\r\n`), 200);
    const upgraded = await connection(server);
    assert.equal(await upgraded.status(`GET /socket.io/?${query}websocket HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n\r\n`), 101);
  });

  test("120 headers are accepted, over both transports", async () => {
    const headers = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`X-${i}`, "x"]));
    assert.equal((await ask(server, { headers })).status, 200);
    assert.equal((await upgrade(server, { headers })).status, 101);
  });

  test("the last of two parameters with the same name counts, and an empty sid means no session", async () => {
    const raw = await connection(server);
    for (const query of ["EIO=3&EIO=4&transport=x&transport=polling", "EIO=4&transport=polling&sid=", "sid=x&sid=&EIO=4&transport=polling"]) {
      assert.equal(await raw.status(`GET /socket.io/?${query} HTTP/1.1\r\nHost: x\r\n\r\n`), 200, query);
    }
  });
});

conformance("without Engine.IO 3", { ...PATIENT, allowEio3: false }, (server) => {
  for (const EIO of [undefined, "3", "5"]) {
    test(`EIO=${EIO} is refused with code 5`, async () => {
      assertRefused(await ask(server, { query: { EIO } }), 5, "Unsupported protocol version");
    });

    test(`EIO=${EIO} over WebSocket gets no session`, async () => {
      const raw = await connection(server);
      const status = await raw.status(`GET ${target({ EIO, transport: "websocket" })} HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n\r\n`);
      // Node accepts the upgrade, and then writes its refusal in place of a frame.
      assert.equal(status, server.expects({ node: 101, sockeye: 400 }));
      if (status === 101) assert.equal(await raw.status(""), 400);
      assert.equal(await raw.status(""), "closed");
    });
  }

  test("revision 4 is accepted", async () => {
    for (const transport of TRANSPORTS) await open(server, { transport });
  });
});
