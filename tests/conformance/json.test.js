import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, FORGETFUL, PATIENT } from "./harness.js";
import { connect, join, open, WAYS } from "./session.js";

const BYTES = Buffer.of(1, 2, 3);

/** A text that ends in the middle of a surrogate pair. */
const HALF = "cut \u{1f600}".slice(0, 5);

const nested = (levels) => "[".repeat(levels) + "]".repeat(levels);

/** JSON texts that JavaScript can represent and serde_json's values cannot. */
const UNUSUAL = [
  ["a lone surrogate", JSON.stringify(HALF)],
  ["reversed surrogates", '"\\ude00 \\ude00\\ud83d"'],
  ["a lone surrogate as a key", '{"\\ud83d":{"\\ude00":1}}'],
  ["130 levels", nested(130)],
  ["1,000 levels", nested(1_000)],
  ["1,000 levels of objects", '{"a":'.repeat(999) + "{}" + "}".repeat(999)],
  ["a number that is infinite", "1e999"],
  ["a duplicate key", '{"a":1,"a":{"a":2}}'],
];

conformance("json", PATIENT, (server) => {
  for (const way of WAYS) {
    const over = `revision ${way.eio} over ${way.transport}`;
    /** These cases do not test whether a server serializes the JSON again. */
    const same = (heard, json) => assert.deepEqual(heard, JSON.parse(JSON.stringify(JSON.parse(json))));
    const read = (value) => JSON.parse(JSON.stringify(value));

    for (const [what, json] of UNUSUAL) {
      test(`${over}: ${what} in an event is echoed`, async () => {
        const socket = await connect(server, way);
        await socket.session.send(`421["echo",${json}]`);
        const { type, data } = await socket.next();
        assert.equal(type, "ACK");
        same(read(data[0]), json);
      });

      test(`${over}: ${what} beside an attachment is echoed`, async () => {
        const socket = await connect(server, way);
        await socket.session.send(`451-1["echo",${json},{"_placeholder":true,"num":0}]`, BYTES);
        const { data } = await socket.next();
        same(read(data[0]), json);
        assert.deepEqual(data[1], BYTES);
      });

      test(`${over}: ${what} in an acknowledgement from the client arrives`, async () => {
        const socket = await connect(server, way);
        await socket.session.send('423["ask",1]');
        const id = await socket.isAsked("question", 1);
        await socket.session.send(`43${id}[${json}]`);
        const { type, id: answered, data } = await socket.next();
        assert.deepEqual([type, answered], ["ACK", 3]);
        same(read(data[0]), json);
      });
    }

    test(`${over}: a lone surrogate is a valid event name`, async () => {
      const socket = await connect(server, way);
      await socket.session.send('42["\\ud83d"]');
      await socket.isAlive();
    });

    test(`${over}: 1,001 levels: Node accepts them, sockeye answers with an error`, async () => {
      const socket = await connect(server, way);
      await socket.session.send(`421["echo",${nested(1_001)}]`, `451-2["echo",${nested(100)},{"_placeholder":true,"num":0}]`, BYTES);
      const { data } = await socket.next();
      if (server.expects({ node: true, sockeye: false })) assert.equal(JSON.stringify(data[0]), nested(1_001));
      else assert.equal(data[0].error.code, "bad-payload");
      assert.equal((await socket.next()).id, 2);
      await socket.isAlive();
    });

    test(`${over}: 1,001 levels beside an attachment: the same`, async () => {
      const socket = await connect(server, way);
      await socket.session.send(`451-2["echo",${nested(1_001)},{"_placeholder":true,"num":0}]`, BYTES);
      const { data } = await socket.next();
      if (server.expects({ node: true, sockeye: false })) assert.deepEqual(data[1], BYTES);
      else assert.equal(data[0].error.code, "bad-payload");
      await socket.isAlive();
    });
  }

  for (const way of WAYS.filter(({ eio }) => eio === 4)) {
    // An object around 1,000 levels has 1,001.
    const within = [...UNUSUAL.filter(([what]) => !what.startsWith("1,000")), ["999 levels", nested(999)]];
    for (const [what, json] of within) {
      test(`revision 4 over ${way.transport}: ${what} in auth is accepted`, async () => {
        const session = await open(server, way);
        await session.send(`40{"x":${json},"\\ud83d":1}`);
        const packet = await session.next();
        assert.match(packet, /^40\{"sid"/);
      });
    }

    test(`revision 4 over ${way.transport}: middleware reads auth with a lone surrogate and 900 levels`, async () => {
      const session = await open(server, way);
      await session.send(`40{"token":"refuse","x":${JSON.stringify(HALF)},"y":${nested(900)}}`);
      assert.equal(await session.next(), '44{"message":"refused","data":{"code":"no"}}');
    });

    test(`revision 4 over ${way.transport}: 1,001 levels in auth: Node accepts them, sockeye refuses with a reason`, async () => {
      const session = await open(server, way);
      await session.send(`40{"x":${nested(1_000)}}`);
      if (server.expects({ node: true, sockeye: false })) assert.match(await session.next(), /^40\{/);
      else assert.match(await session.next(), /^44\{"message":"bad-payload","data":\{"code":"bad-payload","message":"auth /);
    });
  }
});

conformance("refusals without data", FORGETFUL, (server) => {
  for (const way of WAYS) {
    test(`revision ${way.eio} over ${way.transport}: middleware may refuse without data`, async () => {
      if (way.eio === 3) {
        const session = await open(server, { ...way, query: { token: "refuse-without-data" } });
        assert.equal(await session.next(), '44"refused"');
        return;
      }
      const session = await open(server, way);
      await session.send('40{"token":"refuse-without-data"}');
      assert.equal(await session.next(), '44{"message":"refused"}');
      await session.send('40/dynamic-1,{"token":"refuse-without-data"}');
      assert.equal(await session.next(), '44/dynamic-1,{"message":"refused"}');
      const custom = await join(session, "/custom");
      await custom.isAlive();
    });
  }
});
