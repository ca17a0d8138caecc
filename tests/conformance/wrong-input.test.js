import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, FORGETFUL } from "./harness.js";
import { connect, join, open, reasonOf, WAYS } from "./session.js";
import { NO_CODE } from "./wire.js";

const BYTES = Buffer.of(1, 2, 3);

/** Packets that are invalid, or invalid in this state: they end the session in all its namespaces. */
const CLOSING = [
  ["a second CONNECT to the same namespace", "40"],
  ["a second CONNECT with a payload", '40{"token":"x"}'],
  ["a second CONNECT that spells out the main namespace", "40/"],
  ["an event to a namespace that was not joined", '42/custom,["echo"]'],
  ["an event to a namespace that does not exist", '42/nope,["echo"]'],
  ["an event without a comma after its namespace", '42/custom["echo"]'],
  ["an acknowledgement in a namespace that was not joined", "43/custom,0[]"],
  ["DISCONNECT from a namespace that was not joined", "41/custom,"],
  ["DISCONNECT from a namespace that does not exist", "41/foo"],
  ["CONNECT with incomplete JSON", '40{"a":'],
  ["CONNECT with an array", "40[1]"],
  ["CONNECT with a string", '40"x"'],
  ["CONNECT with null", "40null"],
  ["CONNECT to another namespace with incomplete JSON", '40/custom,{"a":'],
  ["the reserved event connect", '42["connect"]'],
  ["the reserved event connect_error", '42["connect_error"]'],
  ["the reserved event disconnect", '42["disconnect"]'],
  ["the reserved event disconnecting", '42["disconnecting"]'],
  ["the reserved event newListener", '42["newListener"]'],
  ["the reserved event removeListener", '42["removeListener"]'],
  ["a reserved event with attachments", '451-["disconnect",{"_placeholder":true,"num":0}]', BYTES],
  ["a binary event with no attachments", '450-["hi"]'],
  ["a binary event without a number of attachments", '45-["hi"]'],
  ["a binary event without a dash", '451["hi"]'],
  ["a binary event with only its type", "45"],
  ["a binary event with a negative number of attachments", '45-1-["hi"]'],
  ["a binary event with a fractional number of attachments", '451.5-["hi"]'],
  ["a placeholder with an index above the last attachment", '451-["hi",{"_placeholder":true,"num":1}]', BYTES],
  ["a placeholder with a negative index", '451-["hi",{"_placeholder":true,"num":-1}]', BYTES],
  ["a placeholder with a string as index", '451-["hi",{"_placeholder":true,"num":"0"}]', BYTES],
  ["a placeholder without an index", '451-["hi",{"_placeholder":true}]', BYTES],
  ["text in place of an attachment", '451-["hi",{"_placeholder":true,"num":0}]', '42["hi"]'],
  ["binary without a preceding event", BYTES],
  ["one attachment too many", '451-["hi",{"_placeholder":true,"num":0}]', BYTES, BYTES],
  ["an event without a name", "42[]"],
  ["an event with incomplete JSON", '42["hi"'],
  ["an event with text after its JSON", '42["hi"]x'],
  ["an event that is an object", "42{}"],
  ["an event that is a string", '42"hi"'],
  ["an event that is null", "42null"],
  ["an event named null", "42[null]"],
  ["an event named true", "42[true]"],
  ["an event with an array as name", '42[["hi"]]'],
  ["an event that is not JSON", "42x"],
  ["an event with a number that JSON does not have", '42["hi",NaN]'],
  ["an event with a control character in a string", '42["a\u0000b"]'],
  ["an acknowledgement that is an object", "430{}"],
  ["an acknowledgement that is a string", '430"x"'],
  ["DISCONNECT with an object", '41{"a":1}'],
  ["DISCONNECT with an array", "41[]"],
  ["CONNECT_ERROR from a client", '44{"message":"no"}'],
  ["CONNECT_ERROR from a client, with text", '44"no"'],
  ["CONNECT_ERROR from a client, with nothing", "44"],
  ["packet type 7", "47"],
  ["packet type 9", "49"],
  ["a packet whose type is a letter", "4x"],
  ["an empty message", "4"],
];

/** Valid packets without any effect: the session continues. */
const IDLE = [
  ["an event without a payload", "42"],
  ["an event without a payload, with an id", "421"],
  // Blanks before the JSON would belong to the id.
  ["an event with spaces in and after its JSON", '42[ "burst", 0 ] '],
  ["an event that spells out the main namespace", '42/,["burst",0]'],
  ["an acknowledgement without an id", "43[]"],
  ["an acknowledgement without an id and without a payload", "43"],
  ["an acknowledgement with an unknown id", "430[]"],
  ["an acknowledgement with an unknown id, without a payload", "430"],
  ["OPEN from a client", "0{}"],
  ["UPGRADE outside of an upgrade", "5"],
  ["NOOP", "6"],
];

/** Engine.IO packets that end a session, and the disconnect reason. */
const CLOSING_ENGINE = [
  ["a ping from a client of revision 4", 4, "2", "transport error"],
  ["a probe outside of an upgrade", 4, "2probe", "transport error"],
  ["a pong from a client of revision 3", 3, "3", "transport error"],
  ["packet type 7", undefined, "7", "parse error"],
  ["packet type x", undefined, "x", "parse error"],
  ["a sign before the type", undefined, "-1", "parse error"],
];

/** The reason depends on whether a poll was waiting, so both are accepted. */
function assertForced(reason) {
  assert.match(reason, /^forced (server )?close$/);
}

async function assertClosed(session) {
  const code = await session.closed();
  if (session.transport === "websocket") assert.equal(code, NO_CODE);
}

conformance("wrong input", FORGETFUL, (server) => {
  for (const way of WAYS) {
    const over = `revision ${way.eio} over ${way.transport}`;

    for (const [what, ...packets] of CLOSING) {
      test(`${over}: ${what} closes the session`, async () => {
        const socket = await connect(server, way);
        await socket.session.send(...packets);
        await assertClosed(socket.session);
        assertForced(await reasonOf(server, socket.id));
      });
    }

    for (const [what, ...packets] of IDLE) {
      test(`${over}: ${what} has no effect`, async () => {
        const socket = await connect(server, way);
        await socket.session.send(...packets);
        await socket.isAlive();
      });
    }

    for (const [what, eio, packet, reason] of CLOSING_ENGINE) {
      if (eio !== undefined && eio !== way.eio) continue;
      test(`${over}: ${what} closes the session`, async () => {
        const socket = await connect(server, way);
        await socket.session.send(packet);
        await assertClosed(socket.session);
        assert.equal(await reasonOf(server, socket.id), reason);
      });
    }

    test(`${over}: an invalid packet for one namespace closes all of the session, and no other session`, async () => {
      const bystander = await connect(server, way);
      const main = await connect(server, way);
      const custom = await join(main.session, "/custom");
      await main.session.send('42/custom,["disconnect"]');
      await assertClosed(main.session);
      assertForced(await reasonOf(server, main.id));
      assertForced(await reasonOf(server, custom.id));
      await bystander.isAlive();
    });

    test(`${over}: packets after an invalid one are ignored`, async () => {
      const speaker = await connect(server, { ...way, namespace: "/dynamic-1" });
      const listener = await connect(server, { namespace: "/dynamic-1" });
      await listener.ask("join", "room");
      const said = speaker.event(["say", { rooms: ["room"], event: "said", data: 1 }], 1);
      await speaker.session.send("42/dynamic-1,[]", ...said);
      await assertClosed(speaker.session);
      await reasonOf(server, speaker.id);
      await listener.isAlive();
    });
  }

  test("an unsolicited pong is ignored", async () => {
    for (const way of WAYS.filter(({ eio }) => eio === 4)) {
      const socket = await connect(server, way);
      await socket.session.send("3", "3probe");
      await socket.isAlive();
    }
  });

  for (const way of WAYS.filter(({ eio }) => eio === 4)) {
    for (const packet of ['42["echo",1]', '421["echo",1]', "41", "430[]", "43", '44{"message":"no"}']) {
      test(`revision 4 over ${way.transport}: ${packet} before CONNECT closes the session`, async () => {
        const session = await open(server, way);
        await session.send(packet);
        await assertClosed(session);
      });
    }

    test(`revision 4 over ${way.transport}: an event after DISCONNECT from the only namespace closes the session`, async () => {
      const { session, id } = await connect(server, way);
      await session.send("41");
      assert.equal(await reasonOf(server, id), "client namespace disconnect");
      await session.send('42["echo",1]');
      await assertClosed(session);
    });

    test(`revision 4 over ${way.transport}: an event to a namespace that refused the client closes the session`, async () => {
      const session = await open(server, way);
      await session.send("40/admin,");
      assert.match(await session.next(), /^44\/admin,/);
      await session.send('42/admin,["echo",1]');
      await assertClosed(session);
    });
  }

  for (const eio of [4, 3]) {
    test(`revision ${eio}: an empty frame closes the session`, async () => {
      const socket = await connect(server, { eio });
      await socket.session.websocket.send("");
      await assertClosed(socket.session);
      assert.equal(await reasonOf(server, socket.id), "parse error");
    });

    test(`revision ${eio}: the packet CLOSE over WebSocket: Node ignores it, sockeye closes the session`, async () => {
      const socket = await connect(server, { eio });
      await socket.session.send("1");
      if (server.expects({ node: true, sockeye: false })) return socket.isAlive();
      await assertClosed(socket.session);
      assert.equal(await reasonOf(server, socket.id), "transport close");
    });
  }

  test("base64 over WebSocket is a valid attachment", async () => {
    const { session } = await connect(server);
    await session.send('451-1["echo",{"_placeholder":true,"num":0}]', "bAQID");
    assert.equal(await session.next(), '461-1[{"_placeholder":true,"num":0}]');
    assert.deepEqual(await session.next(), BYTES);
  });
});
