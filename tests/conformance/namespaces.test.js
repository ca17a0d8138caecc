import assert from "node:assert/strict";
import { test } from "node:test";

import { conformance, PATIENT } from "./harness.js";
import { connect, join, open, WAYS } from "./session.js";

const FOUR = WAYS.filter(({ eio }) => eio === 4);
const THREE = WAYS.filter(({ eio }) => eio === 3);

/** CONNECT_ERROR of revision 3. In the protocol the payload is the message; Node sends the data. */
function refused(server, prefix, message, data) {
  return `44${prefix}${JSON.stringify(server.expects({ node: data, sockeye: message }))}`;
}

conformance("namespaces", PATIENT, (server) => {
  for (const way of FOUR) {
    const over = `revision 4 over ${way.transport}`;

    test(`${over}: the server gets the payload of CONNECT`, async () => {
      const bare = await connect(server, way);
      assert.deepEqual(bare.auth, {});
      const auth = { token: "abc", n: 1, nested: { list: [null] } };
      const socket = await connect(server, { ...way, namespace: "/custom", auth });
      assert.deepEqual(socket.auth, auth);
    });

    test(`${over}: the comma after the namespace in CONNECT is optional`, async () => {
      const session = await open(server, way);
      await session.send("40/custom");
      assert.match(await session.next(), /^40\/custom,\{"sid":/);
      assert.match(await session.next(), /^42\/custom,\["welcome",\{\},/);
      await session.send("40/dynamic-10,");
      assert.match(await session.next(), /^40\/dynamic-10,\{"sid":/);
    });

    test(`${over}: a client has a different socket id in every namespace, none equal to the session id`, async () => {
      const main = await connect(server, way);
      const custom = await join(main.session, "/custom");
      const dynamic = await join(main.session, "/dynamic-11");
      const sockets = [main, custom, dynamic];
      for (const socket of sockets) assert.deepEqual(await socket.ask("id"), [socket.id]);
      const secrets = sockets.flatMap(({ id, pid }) => [id, pid]);
      assert.equal(new Set([...secrets, main.session.sid]).size, 7);
    });

    test(`${over}: a refusal by middleware contains its message and its data`, async () => {
      const session = await open(server, way);
      await session.send("40/admin,");
      assert.equal(await session.next(), '44/admin,{"message":"forbidden","data":{"reason":"staff only"}}');
      await session.send('40{"token":"refuse"}');
      assert.equal(await session.next(), '44{"message":"refused","data":{"code":"no"}}');
      await session.send('40/dynamic-12,{"token":"refuse"}');
      assert.equal(await session.next(), '44/dynamic-12,{"message":"refused","data":{"code":"no"}}');
    });

    test(`${over}: a namespace that does not exist is refused`, async () => {
      const session = await open(server, way);
      await session.send("40/nope,");
      assert.equal(await session.next(), '44/nope,{"message":"Invalid namespace"}');
      const names = ["/dynamic", "/dynamic-1/2", "/dynamics-1"];
      await session.send(...names.map((name) => `40${name},`));
      // Sockeye admits a client to several namespaces at once, in any order.
      const answers = [await session.next(), await session.next(), await session.next()];
      assert.deepEqual(answers.sort(), names.map((name) => `44${name},{"message":"Invalid namespace"}`).sort());
    });

    test(`${over}: a query is part of the namespace's name`, async () => {
      const session = await open(server, way);
      await session.send("40/custom?token=x,");
      assert.equal(await session.next(), '44/custom?token=x,{"message":"Invalid namespace"}');
    });

    test(`${over}: a refused client may send CONNECT again in the same session`, async () => {
      const session = await open(server, way);
      await session.send('40{"token":"refuse"}');
      assert.match(await session.next(), /^44\{/);
      const socket = await join(session, "/", { token: "better" });
      assert.deepEqual(socket.auth, { token: "better" });
      await socket.isAlive();
    });

    test(`${over}: a refusal does not affect other namespaces of the session`, async () => {
      const main = await connect(server, way);
      await main.session.send("40/admin,");
      assert.match(await main.session.next(), /^44\/admin,/);
      await main.session.send("40/nope,");
      assert.match(await main.session.next(), /^44\/nope,/);
      await main.isAlive();
    });
  }

  for (const way of THREE) {
    const over = `revision 3 over ${way.transport}`;

    test(`${over}: the server gets the query of a namespace`, async () => {
      const { session } = await connect(server, way);
      await session.send("40/custom?token=x&more=a%20b");
      assert.equal(await session.next(), "40/custom,");
      assert.match(await session.next(), /^42\/custom,\["welcome",\{"token":"x","more":"a b"\}/);
    });

    test(`${over}: a comma ends the query of a namespace`, async () => {
      const { session } = await connect(server, way);
      await session.send("40/custom?token=x,");
      assert.equal(await session.next(), "40/custom,");
      assert.match(await session.next(), /^42\/custom,\["welcome",\{"token":"x"\}/);
    });

    test(`${over}: a refusal by the main namespace's middleware arrives at once`, async () => {
      const session = await open(server, { ...way, query: { token: "refuse" } });
      assert.equal(await session.next(), refused(server, "", "refused", { code: "no" }));
    });

    test(`${over}: middleware can refuse by the query of the namespace`, async () => {
      const { session } = await connect(server, way);
      await session.send("40/dynamic-13?token=refuse,");
      assert.equal(await session.next(), refused(server, "/dynamic-13,", "refused", { code: "no" }));
      await session.send("40/admin,");
      assert.equal(await session.next(), refused(server, "/admin,", "forbidden", { reason: "staff only" }));
    });

    test(`${over}: a namespace that does not exist is refused`, async () => {
      const { session } = await connect(server, way);
      await session.send("40/nope,");
      const message = "Invalid namespace";
      assert.equal(await session.next(), refused(server, "/nope,", message, { message }));
    });

    test(`${over}: the main socket has the id of the session, the others have it behind their name`, async () => {
      const main = await connect(server, way);
      assert.deepEqual(await main.ask("id"), [main.session.sid]);
      const custom = await join(main.session, "/custom");
      assert.deepEqual(await custom.ask("id"), [`/custom#${main.session.sid}`]);
    });
  }

  test("rooms of the same name in two namespaces are two rooms", async () => {
    const [main, custom, speaker] = [
      await connect(server),
      await connect(server, { namespace: "/custom" }),
      await connect(server, { namespace: "/custom" }),
    ];
    await main.ask("join", "same");
    await custom.ask("join", "same");
    await speaker.ask("say", { rooms: ["same"], event: "said", data: 1 });
    await custom.receives("said", 1);
    await main.isAlive();
  });
});
