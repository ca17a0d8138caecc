import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { test } from "node:test";

import { conformance, FORGETFUL, inTime, MAX_PAYLOAD } from "./harness.js";
import { connect, decodePayload, encodePayload, open, reasonOf, REVISIONS } from "./session.js";
import { assertRefused, call } from "./wire.js";

const POLLING = REVISIONS.map((eio) => ({ eio, transport: "polling" }));

/** A polling listener in a room, and a speaker that broadcasts to it; acknowledged when the broadcast is done. */
async function pair(server, way) {
  const listener = await connect(server, way);
  await listener.ask("join", "room");
  const speaker = await connect(server);
  const say = (data) => speaker.ask("say", { rooms: ["room"], event: "said", data });
  return { listener, say };
}

/** An event that makes the body of a POST exactly this long. */
function eventOf(eio, bytes) {
  for (let text = "x".repeat(bytes); ; text = text.slice(1)) {
    const event = `421["echo","${text}"]`;
    if (encodePayload(eio, [event]).length <= bytes) return event;
  }
}

conformance("polling", FORGETFUL, (server) => {
  for (const way of POLLING) {
    const { eio } = way;
    const revision = `revision ${eio}`;

    test(`${revision}: a poll waits until there is a packet`, async () => {
      const { listener, say } = await pair(server, way);
      const poll = listener.session.poll();
      await say("late");
      assert.match((await poll).join(), /^42\["said","late"/);
    });

    test(`${revision}: events between two polls arrive in one payload`, async () => {
      const { listener, say } = await pair(server, way);
      for (let i = 0; i < 5; i++) await say(i);
      const packets = await listener.session.poll();
      assert.deepEqual(packets.map((packet) => JSON.parse(packet.slice(2))[1]), [0, 1, 2, 3, 4]);
    });

    test(`${revision}: several packets in one POST are processed in order`, async () => {
      const { session } = await connect(server, way);
      const { status, headers, body } = await session.post(
        encodePayload(eio, ['421["echo","a"]', '422["echo","b"]', "40/custom,", '423["echo","c"]']),
      );
      assert.deepEqual([status, headers["content-type"], body.toString()], [200, "text/html", "ok"]);
      const heard = [];
      while (heard.length < 5) heard.push(await session.next());
      assert.deepEqual(heard.filter((packet) => packet.startsWith("43")), ['431["a"]', '432["b"]', '433["c"]']);
      assert.equal(heard.filter((packet) => packet.startsWith("40/custom,")).length, 1);
    });

    test(`${revision}: more than fits into one payload arrives in order and once`, async () => {
      const { listener, say } = await pair(server, way);
      const texts = Array.from({ length: 5 }, (_, i) => `${i}`.repeat(40_000));
      for (const text of texts) await say(text);
      await say("the end");
      for (const text of texts) await listener.receives("said", text);
      await listener.receives("said", "the end");
    });

    test(`${revision}: a POST of exactly the allowed size is accepted`, async () => {
      const { session } = await connect(server, way);
      const body = encodePayload(eio, [eventOf(eio, MAX_PAYLOAD)]);
      assert.equal(body.length, MAX_PAYLOAD);
      assert.equal((await session.post(body)).status, 200);
      assert.match(await session.next(), /^431\["x/);
    });

    test(`${revision}: a POST of one byte more is refused, and the session goes on`, async () => {
      const socket = await connect(server, way);
      const { status, body } = await socket.session.post(encodePayload(eio, [eventOf(eio, MAX_PAYLOAD + 1)]));
      assert.deepEqual([status, body.length], [413, 0]);
      await socket.isAlive();
    });

    test(`${revision}: bytes are counted, not characters`, async () => {
      const socket = await connect(server, way);
      const { status } = await socket.session.post(encodePayload(eio, [`421["echo","${"é".repeat(60_000)}"]`]));
      assert.equal(status, 413);
      await socket.isAlive();
    });

    test(`${revision}: a chunked POST is refused when it becomes too large`, async () => {
      const socket = await connect(server, way);
      const { request, answer } = call(server, { method: "POST", query: socket.session.query });
      request.on("error", () => {});
      for (let i = 0; i < 3; i++) request.write("x".repeat(40_000));
      request.end();
      assert.equal((await answer).status, 413);
      await socket.isAlive();
    });

    test(`${revision}: a POST of nine times the allowed size is answered over the same connection`, async () => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      try {
        const socket = await connect(server, way);
        const { session } = socket;
        for (let i = 0; i < 3; i++) {
          const large = { method: "POST", query: session.query, body: "x".repeat(9 * MAX_PAYLOAD), agent };
          const refused = call(server, large);
          assert.equal((await refused.answer).status, 413);
          const next = call(server, { ...large, body: encodePayload(eio, [`42${i}["echo",${i}]`]) });
          assert.equal((await next.answer).status, 200);
          assert.ok(next.request.socket === refused.request.socket, "it is the same connection");
          assert.equal(await session.next(), `43${i}[${i}]`);
        }
      } finally {
        agent.destroy();
      }
    });

    test(`${revision}: a second concurrent poll ends the session`, async () => {
      const { session, id } = await connect(server, way);
      // Either of the two may arrive second.
      const answers = await Promise.all([session.get(), session.get()]);
      const [first, second] = answers.sort((one, other) => one.status - other.status);
      assert.deepEqual([first.status, second.status], [200, 400]);
      assert.deepEqual(decodePayload(eio, first.headers["content-type"], first.body), ["1"]);
      await session.closed();
      assert.equal(await reasonOf(server, id), "transport error");
    });

    test(`${revision}: a second concurrent POST ends the session`, async () => {
      const { session, id } = await connect(server, way);
      const first = call(server, { method: "POST", query: session.query, headers: { expect: "100-continue" } });
      first.request.on("error", () => {});
      // The server sends 100 Continue: the first POST has arrived.
      await inTime(once(first.request, "continue"), "100 Continue");
      first.request.write("4");
      const poll = session.get();
      const second = await session.post("42");
      assert.equal(second.status, 400);
      // Either of the two may have arrived first.
      const { status, headers, body } = await poll;
      if (status === 200) assert.deepEqual(decodePayload(eio, headers["content-type"], body), ["1"]);
      else assertRefused({ status, headers, body }, 1, "Session ID unknown");
      await session.closed();
      assert.equal(await reasonOf(server, id), "transport error");
    });

    for (const method of ["DELETE", "PUT", "PATCH"]) {
      test(`${revision}: ${method} is refused, and the session goes on`, async () => {
        const socket = await connect(server, way);
        const { status } = await socket.session.get({ method });
        assert.ok(status >= 400, `status ${status}`);
        await socket.isAlive();
      });
    }

    test(`${revision}: an empty POST closes the session`, async () => {
      const { session, id } = await connect(server, way);
      const { status, body } = await session.post("");
      assert.deepEqual([status, body.toString()], [200, "ok"]);
      await session.closed();
      assert.equal(await reasonOf(server, id), "parse error");
    });

    test(`${revision}: a POST of garbage is answered and closes the session`, async () => {
      const { session, id } = await connect(server, way);
      const { status, body } = await session.post("abc");
      assert.deepEqual([status, body.toString()], [200, "ok"]);
      await session.closed();
      assert.equal(await reasonOf(server, id), "parse error");
    });

    for (const garbage of ["abc", "", "4"]) {
      test(`${revision}: after a POST of ${JSON.stringify(garbage)} that cannot be parsed the session id is unknown`, async () => {
        const { session } = await connect(server, way);
        // A packet without a type or of an unknown type, and in revision 4 a message that is no valid packet.
        const body = garbage === "4" ? encodePayload(eio, ["x"]) : garbage;
        assert.equal((await session.post(body)).status, 200);
        assertRefused(await session.get(), 1, "Session ID unknown");
        assertRefused(await session.post(encodePayload(eio, ["42"])), 1, "Session ID unknown");
      });
    }

    for (const violation of ["42[]", "4x", '42/nope,["echo",1]', '4451-["echo"]']) {
      test(`${revision}: after ${violation} the last poll is NOOP and CLOSE, then the session id is unknown`, async () => {
        const { session } = await connect(server, way);
        assert.equal((await session.post(encodePayload(eio, [violation]))).status, 200);
        assert.deepEqual(await session.poll(), ["6", "1"]);
        assertRefused(await session.get(), 1, "Session ID unknown");
      });
    }

    test(`${revision}: packets queued before a close arrive first, in a separate payload`, async () => {
      const { session } = await connect(server, way);
      const packets = ['421["echo",1]', '42["disconnect-me",true]'];
      assert.equal((await session.post(encodePayload(eio, packets))).status, 200);
      assert.deepEqual(await session.poll(), ["431[1]", "41"]);
      assert.deepEqual(await session.poll(), ["6", "1"]);
      assertRefused(await session.get(), 1, "Session ID unknown");
    });

    test(`${revision}: until the last poll, packets from the client are ignored, except CLOSE`, async () => {
      const { session } = await connect(server, way);
      const poll = session.poll();
      await session.send('42["disconnect-me",true]');
      assert.deepEqual(await poll, ["41"]);
      for (const body of [encodePayload(eio, ['421["echo",1]', "2"]), "abc", encodePayload(eio, ["1", "2"])]) {
        const { status, body: answer } = await session.post(body);
        assert.deepEqual([status, answer.toString()], [200, "ok"]);
      }
      assertRefused(await session.get(), 1, "Session ID unknown");
    });

    test(`${revision}: the packet CLOSE ends the session and releases the poll`, async () => {
      const { session, id } = await connect(server, way);
      const poll = session.poll();
      await session.send("42", "1");
      const [packet, ...more] = await poll;
      assert.match(packet, /^[16]$/);
      assert.deepEqual(more, []);
      await session.closed();
      assert.equal(await reasonOf(server, id), "transport close");
    });

    test(`${revision}: packets after CLOSE in a POST are ignored`, async () => {
      const { listener } = await pair(server, way);
      const speaker = await connect(server, way);
      const said = speaker.event(["say", { rooms: ["room"], event: "said", data: 1 }], 1);
      await speaker.session.send("1", ...said);
      assert.equal(await reasonOf(server, speaker.id), "transport close");
      await listener.isAlive();
    });

    test(`${revision}: a poll whose connection breaks ends the session`, async () => {
      const { session, id } = await connect(server, way);
      const { request } = call(server, { query: session.query });
      request.on("error", () => {});
      await session.send("42");
      // A poll that breaks before the server has read it ends nothing: other requests give it the time.
      await (await connect(server, way)).isAlive();
      request.destroy();
      assert.equal(await reasonOf(server, id), "transport error");
      await session.closed();
    });

    test(`${revision}: a POST whose connection breaks ends the session`, async () => {
      const { session, id } = await connect(server, way);
      const { request } = call(server, { method: "POST", query: session.query, headers: { "content-length": 100 } });
      request.on("error", () => {});
      await new Promise((resolve) => request.write('421["echo"', resolve));
      request.destroy();
      assert.equal(await reasonOf(server, id), "transport error");
      await session.closed();
    });

    test(`${revision}: a whole session over one TCP connection`, async () => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      try {
        const socket = await connect(server, way);
        const { session } = socket;
        for (let i = 0; i < 5; i++) {
          const posted = await session.post(encodePayload(eio, [`42${i}["echo",${i}]`]), { agent });
          assert.equal(posted.status, 200);
          const { headers, body } = await session.get({ agent });
          assert.deepEqual(decodePayload(eio, headers["content-type"], body), [`43${i}[${i}]`]);
        }
      } finally {
        agent.destroy();
      }
    });

    test(`${revision}: a POST that arrives byte by byte is accepted`, async () => {
      const { session } = await connect(server, way);
      const body = Buffer.from(encodePayload(eio, ['421["echo","é😀"]']));
      const { request, answer } = call(server, { method: "POST", query: session.query });
      for (const byte of body) await new Promise((resolve) => request.write(Buffer.of(byte), resolve));
      request.end();
      assert.equal((await answer).status, 200);
      assert.equal(await session.next(), '431["é😀"]');
    });

    test(`${revision}: unknown query parameters, such as cache busters, are ignored`, async () => {
      const socket = await connect(server, { ...way, query: { t: "abc123", anything: "else" } });
      socket.session.query.t = "abc124";
      await socket.isAlive();
    });

    test(`${revision}: after the end of a session its requests are refused`, async () => {
      const { session } = await connect(server, way);
      await session.close();
      assertRefused(await session.post(encodePayload(eio, ["42"])), 1, "Session ID unknown");
      await session.closed();
      assertRefused(await session.get(), 1, "Session ID unknown");
    });
  }

  test("revision 4: a binary POST is refused and ends the session", async () => {
    const { session, id } = await connect(server, POLLING[0]);
    const { status } = await session.post(Buffer.of(1, 2, 3), { headers: { "content-type": "application/octet-stream" } });
    assert.equal(status, 400);
    await session.closed();
    assert.equal(await reasonOf(server, id), "transport error");
  });

  test("revision 4: a POST needs no Content-Type", async () => {
    const { session } = await connect(server, POLLING[0]);
    for (const type of ["text/plain", "application/json", "application/x-www-form-urlencoded"]) {
      const { status } = await session.post('421["echo",1]', { headers: { "content-type": type } });
      assert.equal(status, 200);
      assert.equal(await session.next(), "431[1]");
    }
  });

  test("the response to a handshake contains only the OPEN packet", async () => {
    for (const way of POLLING) {
      const session = await open(server, way);
      if (way.eio === 3) assert.equal(await session.next(), "40");
    }
  });
});
