import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, FORGETFUL, MAX_PAYLOAD } from "./harness.js";
import { connect, reasonOf, REVISIONS } from "./session.js";
import { BINARY, CLOSE, closing, CONTINUATION, frame, NO_CLOSE_FRAME, NO_CODE, PING, PONG, TEXT, upgrade, websocket } from "./wire.js";

const PART = { fin: false };
const LARGEST_CONTROL = "c".repeat(125);

/** The frames of a text in this many fragments, which may split characters. */
function parts(text, count) {
  const bytes = Buffer.from(text);
  const size = Math.ceil(bytes.length / count);
  return Array.from({ length: count }, (_, i) =>
    frame(i === 0 ? TEXT : CONTINUATION, bytes.subarray(i * size, (i + 1) * size), { fin: i === count - 1 }),
  );
}

/** An event of exactly this many bytes. */
function eventOf(bytes) {
  return `421["echo","${"x".repeat(bytes - '421["echo",""]'.length)}"]`;
}

/** Frames that RFC 6455 forbids, and the code that the server closes with. */
const FORBIDDEN = [
  ["a frame without a mask", [frame(TEXT, "3", { mask: false })], 1002],
  ["the first reserved bit", [frame(TEXT, "3", { rsv: 4 })], 1002],
  ["the second reserved bit", [frame(TEXT, "3", { rsv: 2 })], 1002],
  ["the third reserved bit", [frame(TEXT, "3", { rsv: 1 })], 1002],
  ["a reserved opcode for data", [frame(3, "3")], 1002],
  ["a reserved opcode for control", [frame(0xb, "")], 1002],
  ["a fragmented ping", [frame(PING, "a", PART)], 1002],
  ["a ping that is too long", [frame(PING, "a".repeat(126))], 1002],
  ["a continuation without a first fragment", [frame(CONTINUATION, "3")], 1002],
  ["a new message within a fragmented one", [frame(TEXT, "4", PART), frame(TEXT, "3")], 1002],
  ["a close frame with an incomplete code", [frame(CLOSE, "a")], 1002],
  ["a close frame with a reserved code", [frame(CLOSE, closing(1005))], 1002],
  ["a close frame with a code below 1000", [frame(CLOSE, closing(999))], 1002],
  ["a close frame whose reason is not UTF-8", [frame(CLOSE, Buffer.concat([closing(1000), Buffer.of(0xff)]))], 1007],
  ["text that is not UTF-8", [frame(TEXT, Buffer.of(0x34, 0x32, 0xc3, 0x28))], 1007],
  ["text with an encoded surrogate", [frame(TEXT, Buffer.of(0x34, 0xed, 0xa0, 0x80))], 1007],
  ["fragmented text that is not UTF-8", [frame(TEXT, Buffer.of(0x34, 0xc3), PART), frame(CONTINUATION, "(")], 1007],
  ["text one byte above the limit", [frame(TEXT, eventOf(MAX_PAYLOAD + 1))], 1009],
  ["binary one byte above the limit", [frame(BINARY, Buffer.alloc(MAX_PAYLOAD + 1))], 1009],
  [
    "fragments that are too large together",
    [frame(TEXT, "4".repeat(60_000), PART), frame(CONTINUATION, "x".repeat(60_000))],
    1009,
  ],
  ["a header with a length above the limit", [frame(BINARY, "", { length: MAX_PAYLOAD + 1 })], 1009],
  ["a header with a length far above the limit", [frame(BINARY, "", { length: Number.MAX_SAFE_INTEGER })], 1009],
];

conformance("WebSocket", FORGETFUL, (server) => {
  for (const eio of REVISIONS) {
    for (const [what, frames, code] of FORBIDDEN) {
      test(`revision ${eio}: ${what} closes with ${code}`, async () => {
        const { session, id } = await connect(server, { eio });
        await session.websocket.write(Buffer.concat(frames));
        assert.equal(await session.closed(), code);
        assert.equal(await reasonOf(server, id), "transport error");
      });
    }
  }

  test("a fragmented message is one message", async () => {
    const { session } = await connect(server);
    for (const part of parts('421["echo","a text in parts"]', 5)) await session.websocket.write(part);
    assert.equal(await session.next(), '431["a text in parts"]');
  });

  test("a fragment may split a character and may be empty", async () => {
    const { session } = await connect(server);
    const text = '421["echo","😀é😀é"]';
    for (const part of parts(text, Buffer.byteLength(text))) await session.websocket.write(part);
    assert.equal(await session.next(), '431["😀é😀é"]');
    await session.websocket.write(Buffer.concat([frame(TEXT, "", PART), frame(CONTINUATION, "", PART)]));
    await session.websocket.write(frame(CONTINUATION, '421["echo",2]'));
    assert.equal(await session.next(), "431[2]");
  });

  test("a fragmented binary message is one message", async () => {
    const { session } = await connect(server);
    await session.send('451-1["echo",{"_placeholder":true,"num":0}]');
    await session.websocket.write(frame(BINARY, Buffer.of(1, 2), PART));
    await session.websocket.write(frame(CONTINUATION, Buffer.of(3)));
    assert.equal(await session.next(), '461-1[{"_placeholder":true,"num":0}]');
    assert.deepEqual(await session.next(), Buffer.of(1, 2, 3));
  });

  test("a ping is answered by a pong with the same payload, between the fragments of a message too", async () => {
    const { session } = await connect(server);
    for (const payload of ["", "hello", LARGEST_CONTROL]) {
      await session.websocket.write(frame(PING, payload));
      assert.deepEqual(await session.websocket.next(), { pong: payload });
    }
    const [first, second] = parts('421["echo","whole"]', 2);
    await session.websocket.write(Buffer.concat([first, frame(PING, "inside"), frame(PONG, "unasked"), second]));
    assert.deepEqual(await session.websocket.next(), { pong: "inside" });
    assert.equal(await session.next(), '431["whole"]');
  });

  test("an unsolicited pong is ignored", async () => {
    const socket = await connect(server);
    await socket.session.websocket.write(frame(PONG, "unasked"));
    await socket.isAlive();
  });

  test("a session works when every byte arrives separately", async () => {
    const { status, websocket } = await upgrade(server, { byteByByte: true });
    assert.equal(status, 101);
    assert.match(await websocket.next(), /^0\{/);
    await websocket.write(frame(TEXT, "40"), { byteByByte: true });
    assert.match(await websocket.next(), /^40\{/);
    assert.match(await websocket.next(), /^42\["welcome"/);
    await websocket.write(frame(TEXT, `421["echo","${"é".repeat(100)}"]`), { byteByByte: true });
    assert.equal(await websocket.next(), `431["${"é".repeat(100)}"]`);
    await websocket.write(frame(CLOSE, closing(1000)), { byteByByte: true });
    assert.equal(await websocket.closed(), 1000);
  });

  test("many frames in one write are all processed", async () => {
    const { session } = await connect(server);
    const frames = Array.from({ length: 200 }, (_, i) => frame(TEXT, `42${i}["echo",${i}]`));
    await session.websocket.write(Buffer.concat(frames));
    for (let i = 0; i < 200; i++) assert.equal(await session.next(), `43${i}[${i}]`);
  });

  test("every form of a payload length is read and written", async () => {
    const { session } = await connect(server);
    for (const size of [125, 126, 127, 65_535, 65_536]) {
      const event = eventOf(size);
      await session.websocket.write(frame(TEXT, event));
      assert.equal((await session.next()).length, size - '"echo",'.length);
    }
  });

  test("a message of exactly the allowed size is accepted, whole or fragmented", async () => {
    const { session } = await connect(server);
    await session.send(eventOf(MAX_PAYLOAD));
    assert.match(await session.next(), /^431\["x/);
    for (const part of parts(eventOf(MAX_PAYLOAD), 7)) await session.websocket.write(part);
    assert.match(await session.next(), /^431\["x/);
  });

  for (const [what, payload, code] of [
    ["with a code", closing(1000), 1000],
    ["with a code and a reason", closing(1001, "going away"), 1001],
    ["with an application's code", closing(4000), 4000],
    ["without a code", "", NO_CODE],
  ]) {
    test(`a close frame ${what} is answered with the same code and is a transport close`, async () => {
      const { session, id } = await connect(server);
      session.websocket.close(payload);
      assert.equal(await session.closed(), code);
      assert.equal(await reasonOf(server, id), "transport close");
    });
  }

  test("frames after a close frame are ignored", async () => {
    const listener = await connect(server, { namespace: "/dynamic-1" });
    await listener.ask("join", "room");
    const speaker = await connect(server, { namespace: "/dynamic-1" });
    const [said] = speaker.event(["say", { rooms: ["room"], event: "said", data: 1 }], 1);
    await speaker.session.websocket.write(Buffer.concat([frame(CLOSE, closing(1000)), frame(TEXT, said)]));
    assert.equal(await reasonOf(server, speaker.id), "transport close");
    await listener.isAlive();
  });

  for (const [how, end] of [["ends", "end"], ["is reset", "reset"]]) {
    test(`TCP that ${how} without a close frame is a transport close`, async () => {
      const { session, id } = await connect(server);
      session.websocket[end]();
      assert.equal(await session.closed(), NO_CLOSE_FRAME);
      assert.equal(await reasonOf(server, id), "transport close");
    });
  }

  test("TCP that ends in the middle of a frame is a transport close", async () => {
    const { session, id } = await connect(server);
    await session.websocket.write(frame(TEXT, '421["echo",1]').subarray(0, 8));
    session.websocket.end();
    assert.equal(await reasonOf(server, id), "transport close");
  });

  test("an upgrade negotiates no extension that the server does not implement", async () => {
    const headers = { "Sec-WebSocket-Extensions": "made-up-extension" };
    const { status, headers: answer } = await upgrade(server, { headers });
    assert.equal(status, 101);
    assert.equal(answer.upgrade.toLowerCase(), "websocket");
    assert.equal(answer.connection.toLowerCase(), "upgrade");
    assert.equal(answer["sec-websocket-extensions"], undefined);
  });

  test("the names of headers and their values may be written in any case", async () => {
    const headers = { Connection: "keep-alive, UPGRADE", Upgrade: "WebSocket" };
    const session = await websocket(server, { headers });
    assert.match(await session.next(), /^0\{/);
  });
});
