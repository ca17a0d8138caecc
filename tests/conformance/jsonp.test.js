import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, FORGETFUL, MAX_PAYLOAD } from "./harness.js";
import { connect, decodePayload, encodePayload, open, probed, reasonOf, REVISIONS, upgraded } from "./session.js";
import { ask, assertRefused } from "./wire.js";

const BYTES = Buffer.of(0, 4, 30, 255);

/** A JSONP session: payloads are scripts and forms, received by the page's callback `index`. */
async function jsonp(server, eio, index = "7") {
  const query = { EIO: eio, j: index, b64: 1 };
  const session = { server, eio, transport: "polling" };
  session.get = () => ask(server, { query });
  session.poll = async () => {
    const { status, headers, body } = await session.get();
    assert.equal(status, 200, `a poll was refused: ${body}`);
    assert.equal(headers["content-type"], "text/plain; charset=UTF-8");
    assert.equal(headers["cache-control"], "no-store");
    assert.equal(Number(headers["content-length"]), body.length);
    return decodePayload(eio, headers["content-type"], Buffer.from(heard(body.toString(), index)));
  };
  session.form = (body) => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return ask(server, { method: "POST", query, body, headers });
  };
  session.send = (...packets) => session.form(form(encodePayload(eio, packets)));
  const [first, ...more] = await session.poll();
  assert.equal(first[0], "0");
  query.sid = session.sid = JSON.parse(first.slice(1)).sid;
  session.received = more;
  session.next = async () => {
    while (session.received.length === 0) session.received = (await session.poll()).filter((packet) => packet !== "6");
    return session.received.shift();
  };
  return session;
}

/** What a page receives when it runs the script of a response. */
function heard(script, index) {
  assert.doesNotMatch(script, /[\u2028\u2029]/, "no newline of JavaScript's");
  const heard = [];
  new Function("___eio", script)({ [index]: (payload) => heard.push(payload) });
  assert.equal(heard.length, 1);
  return heard[0];
}

/** The payload in the escaping of the v2 client's form. */
function form(payload) {
  return `d=${encodeURIComponent(payload.replace(/\\n/g, "\\\\n").replace(/\n/g, "\\n"))}`;
}

async function joined(server, eio) {
  const session = await jsonp(server, eio);
  if (eio === 4) await session.send("40");
  assert.match(await session.next(), /^40/);
  assert.match(await session.next(), /^42\["welcome"/);
  return session;
}

conformance("JSONP", FORGETFUL, (server) => {
  for (const eio of REVISIONS) {
    const revision = `revision ${eio}`;

    test(`${revision}: responses are scripts and requests are forms`, async () => {
      const session = await joined(server, eio);
      const { status, headers, body } = await session.send('421["echo",1]', '422["echo","ä😀\u2028\\"<script>"]');
      assert.deepEqual([status, headers["content-type"], body.toString()], [200, "text/html", "ok"]);
      assert.equal(await session.next(), "431[1]");
      assert.equal(await session.next(), '432["ä😀\u2028\\"<script>"]');
    });

    test(`${revision}: newlines arrive unchanged`, async () => {
      const session = await joined(server, eio);
      for (const text of ["a\nb", "a\\nb", "\\\\n", "\\", "a\r\n+&=%"]) {
        await session.send(`421["echo",${JSON.stringify(text)}]`);
        assert.equal(await session.next(), `431[${JSON.stringify(text)}]`);
      }
    });

    test(`${revision}: binary is base64`, async () => {
      const session = await joined(server, eio);
      await session.send('451-1["echo",{"_placeholder":true,"num":0}]', BYTES);
      assert.equal(await session.next(), '461-1[{"_placeholder":true,"num":0}]');
      assert.deepEqual(await session.next(), BYTES);
    });

    test(`${revision}: a poll waits and receives a broadcast`, async () => {
      const session = await joined(server, eio);
      const speaker = await connect(server);
      const poll = session.poll();
      await speaker.ask("say", { rooms: [], except: [speaker.id], event: "said", data: 1 });
      assert.deepEqual(await poll, ['42["said",1]']);
    });

    test(`${revision}: a form without a payload or with two of them is ignored`, async () => {
      const session = await joined(server, eio);
      for (const body of ["", "x=1", '421["echo",1]', `${form(encodePayload(eio, ["1"]))}&d=x`]) {
        const answer = await session.form(body);
        assert.deepEqual([answer.status, answer.body.toString()], [200, "ok"]);
      }
      await session.send('422["echo",2]');
      assert.equal(await session.next(), "432[2]");
    });

    test(`${revision}: a form with an unreadable payload ends the session`, async () => {
      const session = await joined(server, eio);
      assert.equal((await session.form("d=abc")).status, 200);
      assertRefused(await session.get(), 1, "Session ID unknown");
    });

    test(`${revision}: a form that is too large is refused, and the session goes on`, async () => {
      const session = await joined(server, eio);
      assert.equal((await session.form(`d=${"x".repeat(MAX_PAYLOAD)}`)).status, 413);
      await session.send('421["echo",1]');
      assert.equal(await session.next(), "431[1]");
    });

    test(`${revision}: only digits of the callback's number are used`, async () => {
      const { body } = await ask(server, { query: { EIO: eio, j: "1];alert(2)//" } });
      assert.match(body.toString(), /^___eio\[12\]\("/);
      const empty = await ask(server, { query: { EIO: eio, j: "" } });
      assert.match(empty.body.toString(), /^___eio\[\]\("/);
    });

    test(`${revision}: the last response before a close is a script too`, async () => {
      const session = await joined(server, eio);
      await session.send("42[]");
      assert.deepEqual(await session.poll(), ["6", "1"]);
    });

    test(`${revision}: the client may send CLOSE, or upgrade to a WebSocket`, async () => {
      const leaving = await joined(server, eio);
      await leaving.send("1");
      assertRefused(await leaving.form(form(encodePayload(eio, ["2"]))), 1, "Session ID unknown");
      const session = await joined(server, eio);
      const after = await upgraded(session, await probed(session));
      await after.send('421["echo",1]');
      assert.equal(await after.next(), "431[1]");
    });
  }

  test("a refusal is JSON, as without JSONP", async () => {
    assertRefused(await ask(server, { query: { j: 0, sid: "nobody" } }), 1, "Session ID unknown");
  });

  test("a session without the parameter j never gets JSONP", async () => {
    const session = await open(server, { eio: 3, transport: "polling" });
    session.query.j = "0";
    assert.equal(await session.next(), "40");
    await session.send("1");
  });

  test("a client that stops polling is disconnected", async () => {
    const session = await joined(server, 3);
    await session.send("41");
    assert.equal(await reasonOf(server, session.sid), "client namespace disconnect");
  });
});
