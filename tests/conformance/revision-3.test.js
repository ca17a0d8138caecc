import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, FORGETFUL, MAX_PAYLOAD } from "./harness.js";
import { connect, encodeBinaryPayload, open, reasonOf } from "./session.js";

const POLLING = { eio: 3, transport: "polling" };
const BASE64 = { ...POLLING, query: { b64: "1" } };
const BYTES = Buffer.of(0, 1, 128, 254, 255);
const OCTETS = { headers: { "content-type": "application/octet-stream" } };

/** The body of the next poll, unparsed. */
async function payload(session) {
  const { status, headers, body } = await session.get();
  assert.equal(status, 200);
  return { type: headers["content-type"], body };
}

conformance("payloads of revision 3", FORGETFUL, (server) => {
  test("lengths are in UTF-16 code units", async () => {
    const { session } = await connect(server, POLLING);
    assert.equal((await session.post('17:421["echo","é😀"]')).status, 200);
    const { type, body } = await payload(session);
    assert.deepEqual([type, body.toString()], ["text/plain; charset=UTF-8", '10:431["é😀"]']);
  });

  test("a payload contains several packets in sequence", async () => {
    const { session } = await connect(server, POLLING);
    assert.equal((await session.post('13:421["echo",1]13:422["echo",2]1:6')).status, 200);
    let text = "";
    while (text.length < 16) text += (await payload(session)).body;
    assert.equal(text, "6:431[1]6:432[2]");
  });

  const wrong = [
    ["a length in bytes", '16:421["echo","é"]'],
    ["a length that is too large", '14:421["echo",1]'],
    ["no length", ':421["echo",1]'],
    ["a length without a packet", "5"],
    ["a length that is no number", 'x:421["echo",1]'],
    ["a packet of an unknown type", "1:x"],
  ];
  for (const [what, body] of wrong) {
    test(`${what} closes the session`, async () => {
      const { session, id } = await connect(server, POLLING);
      assert.equal((await session.post(body)).status, 200);
      await session.closed();
      assert.equal(await reasonOf(server, id), "parse error");
    });
  }

  test("a packet of length zero is ignored", async () => {
    const socket = await connect(server, POLLING);
    assert.equal((await socket.session.post("0:")).status, 200);
    await socket.isAlive();
  });

  test("binary and text acknowledgements share a payload, in either form", async () => {
    const socket = await connect(server, POLLING);
    const packets = [...socket.event(["echo", "é😀"], 1), ...socket.event(["echo", BYTES], 2)];
    await socket.session.send(...packets);
    const expected = ['431["é😀"]', '461-2[{"_placeholder":true,"num":0}]', BYTES];
    const heard = [];
    while (heard.length < 3) heard.push(await socket.session.next());
    assert.deepEqual(heard, expected);
  });

  test("a binary payload: Node's is bytes, sockeye's is text with base64", async () => {
    const listener = await connect(server, POLLING);
    await listener.ask("join", "bytes");
    const speaker = await connect(server);
    await speaker.ask("say", { rooms: ["bytes"], event: "said", data: BYTES });
    const { type, body } = await payload(listener.session);
    assert.equal(type, server.expects({ node: "application/octet-stream", sockeye: "text/plain; charset=UTF-8" }));
    if (type !== "application/octet-stream") return assert.ok(body.toString().endsWith("10:b4AAGA/v8="), body.toString());
    assert.equal(body[0], 0, "the first packet is text");
    const end = Buffer.concat([Buffer.of(1, BYTES.length + 1, 255, 4), BYTES]);
    assert.deepEqual(body.subarray(-end.length), end);
  });

  test("a client that asks for base64 gets it", async () => {
    const { session } = await connect(server, BASE64);
    assert.equal((await session.post('43:451-1["echo",{"_placeholder":true,"num":0}]10:b4AAGA/v8=')).status, 200);
    let text = "";
    while (!text.includes("b4")) {
      const { type, body } = await payload(session);
      assert.equal(type, "text/plain; charset=UTF-8");
      text += body;
    }
    assert.equal(text, '36:461-1[{"_placeholder":true,"num":0}]10:b4AAGA/v8=');
  });

  test("a POST may be binary", async () => {
    const { session } = await connect(server, POLLING);
    const body = encodeBinaryPayload(['421["echo","é😀"]', '451-2["echo",{"_placeholder":true,"num":0}]', BYTES]);
    assert.equal((await session.post(body, OCTETS)).status, 200);
    const heard = [await session.next(), await session.next(), await session.next()];
    assert.deepEqual(heard, ['431["é😀"]', '461-2[{"_placeholder":true,"num":0}]', BYTES]);
  });

  test("a binary POST of more than is allowed is refused, and the session goes on", async () => {
    const socket = await connect(server, POLLING);
    const body = encodeBinaryPayload([Buffer.alloc(MAX_PAYLOAD)]);
    assert.equal((await socket.session.post(body, OCTETS)).status, 413);
    await socket.isAlive();
  });

  test("a length beyond the end of the payload affects no other session", async () => {
    const bystander = await connect(server, POLLING);
    const { session } = await connect(server, POLLING);
    await session.post(Buffer.of(1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 255, 4, 1), OCTETS);
    await bystander.isAlive();
  });

  test("over WebSocket a binary message starts with its type", async () => {
    const { session } = await connect(server, { eio: 3 });
    session.websocket.send('451-1["echo",{"_placeholder":true,"num":0}]');
    session.websocket.send(Buffer.concat([Buffer.of(4), BYTES]));
    assert.equal(await session.websocket.next(), '461-1[{"_placeholder":true,"num":0}]');
    assert.deepEqual(await session.websocket.next(), Buffer.concat([Buffer.of(4), BYTES]));
  });

  test("over WebSocket base64 is answered in base64 if the client asked for it", async () => {
    const { session } = await connect(server, { eio: 3, query: { b64: "1" } });
    session.websocket.send('451-1["echo",{"_placeholder":true,"num":0}]');
    session.websocket.send("b4AAGA/v8=");
    assert.equal(await session.websocket.next(), '461-1[{"_placeholder":true,"num":0}]');
    // Sockeye answers in binary, which every client with a WebSocket accepts.
    const binary = server.expects({ node: "b4AAGA/v8=", sockeye: Buffer.from([4, 0, 1, 128, 254, 255]) });
    assert.deepEqual(await session.websocket.next(), binary);
  });

  test("the main namespace is joined without CONNECT, and its CONNECT answer follows OPEN", async () => {
    for (const transport of ["polling", "websocket"]) {
      const session = await open(server, { eio: 3, transport });
      assert.equal(await session.next(), "40");
      assert.match(await session.next(), /^42\["welcome",\{\}/);
    }
  });
});
