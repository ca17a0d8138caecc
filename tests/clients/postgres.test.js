// A server that keeps everything in PostgreSQL: two binaries on one schema, a database that is killed under load, and
// what operators get wrong. The tests that `with-postgres.js` runs say that clients see no difference.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { Postgres } from "../harness/postgres.js";
import { TIMEOUT_MS } from "../harness/time.js";
import { done, start, untaken } from "./harness.js";

const UNLIMITED = { "limits.events-per-second": "0" };
const ROOMS = ["red", "green", "blue"];

let postgres;
before(async () => (postgres = await Postgres.start()));
after(() => postgres.stop());

/** All messages of a room, in their order. */
async function history(socket, room) {
  const all = [];
  for (let more = true; more; ) {
    const page = await done(socket, "load-messages", { room, after: all.length, limit: 200 });
    all.push(...page.messages);
    more = page.more;
  }
  return all;
}

const numbered = (count) => Array.from({ length: count }, (_, index) => index + 1);

/** What a server says that does not start. */
async function startFailure(t, settings) {
  const failure = await start(t, settings).then(
    () => assert.fail("the server starts"),
    (error) => error,
  );
  return failure.message;
}

describe("two binaries on one schema", () => {
  test("10,000 sends into three rooms have no hole and are never doubled", async (t) => {
    const settings = { ...postgres.settings(), "store.shared": "true", ...UNLIMITED };
    const servers = [await start(t, settings), await start(t, settings)];
    const senders = [];
    for (const server of servers) {
      for (const name of ["ada", "bob"]) senders.push(await server.user(name));
    }
    let sent = 0;
    const saved = [];
    await Promise.all(
      senders.map(async (sender) => {
        while (sent < 10_000) {
          const burst = numbered(Math.min(100, 10_000 - sent));
          sent += burst.length;
          const replies = burst.map((n) => done(sender, "send-message", { room: ROOMS[n % 3], n }));
          saved.push(...(await Promise.all(replies)));
        }
      }),
    );
    assert.equal(saved.length, 10_000);
    let total = 0;
    for (const room of ROOMS) {
      const [mine, other] = await Promise.all(servers.map(async (server) => history(await server.user("eve"), room)));
      assert.deepEqual(mine, other);
      assert.deepEqual(mine.map(({ offset }) => offset), numbered(mine.length));
      assert.deepEqual(mine.map(({ revision }) => revision), numbered(mine.length));
      const acknowledged = saved.filter((message) => message.room === room);
      acknowledged.sort((one, two) => one.offset - two.offset);
      assert.deepEqual(mine, acknowledged);
      total += mine.length;
    }
    assert.equal(total, 10_000);
  });

  test("a second one is refused unless both share", async (t) => {
    const settings = postgres.settings();
    await start(t, settings);
    assert.match(await startFailure(t, settings), /in use by another server.*store\.shared = true/);
    assert.match(await startFailure(t, { ...settings, "store.shared": "true" }), /in use by another server/);
  });
});

test("a database that is killed under load: what was acknowledged is there, and the server works again", async (t) => {
  const own = await Postgres.start();
  t.after(() => own.stop());
  const server = await start(t, { ...own.settings(), ...UNLIMITED });
  const senders = await Promise.all(["ada", "bob", "eve"].map((name) => server.user(name)));
  const acknowledged = new Map();
  let isOver = false;
  let failures = 0;
  const sending = senders.map(async (sender, index) => {
    for (let n = 0; !isOver; n++) {
      const reply = await sender.emitWithAck("send-message", { room: ROOMS[index], n });
      if (reply.success) acknowledged.set(`${ROOMS[index]} ${reply.data.offset}`, reply.data.id);
      else {
        assert.equal(reply.error.code, "unavailable");
        failures += 1;
        await pause(10);
      }
    }
  });
  const works = async () => {
    const reply = await senders[0].emitWithAck("send-message", { room: "probe" });
    const ready = await server.request("/ready");
    return reply.success && ready.status === 200;
  };
  for (let kill = 0; kill < Number(process.env.SOAK_KILLS ?? 3); kill++) {
    await pause(100 + Math.random() * 300);
    await own.kill();
    // Long enough that commands that wait for the database are refused.
    if (kill === 0) await pause(6_000);
    await own.run();
    const until = Date.now() + TIMEOUT_MS;
    while (!(await works())) {
      assert.ok(Date.now() < until, "the server works again");
      await pause(10);
    }
  }
  isOver = true;
  await Promise.all(sending);
  assert.ok(failures > 0, "without the database, sends are refused");
  for (const room of ROOMS) {
    const messages = await history(senders[0], room);
    assert.deepEqual(messages.map(({ offset }) => offset), numbered(messages.length));
    const stored = new Map(messages.map(({ offset, id }) => [`${room} ${offset}`, id]));
    for (const [place, id] of acknowledged) {
      if (place.startsWith(`${room} `)) assert.equal(stored.get(place), id);
    }
    assert.equal(new Set(messages.map(({ body }) => body.n)).size, messages.length, "nothing twice");
  }
  // Each sender has got its own messages as events, in the order of their revisions.
  const told = untaken(senders[0], "message-saved").map(([, { message }]) => message);
  const offsets = told.filter(({ room }) => room === ROOMS[0]).map(({ offset }) => offset);
  assert.deepEqual(offsets, [...offsets].sort((one, two) => one - two));
});

describe("what operators get wrong", () => {
  for (const [what, settings, sentence] of [
    ["another database's URL", { "store.url": "mysql://db/chat" }, /store\.url: must begin with postgres:\/\//],
    ["a password in the URL", { "store.url": "postgres://ada:hunter2@db/chat" }, /must not contain a password/],
    ["no such host", { "store.url": "postgres://ada@127.0.0.1:1/chat" }, /the store cannot be opened.*connect/s],
    ["no such file", { "store.url": "postgres://ada@db/chat", "store.password-file": "/none" }, /password-file: \/none/],
  ]) {
    test(`${what} is refused with a sentence`, async (t) => {
      const failure = await startFailure(t, settings);
      assert.match(failure, sentence);
      assert.doesNotMatch(failure, /hunter2/);
    });
  }

  test("a database that does not exist is named", async (t) => {
    const { "store.url": url } = postgres.settings();
    assert.match(await startFailure(t, { "store.url": url.replace(/sockeye$/, "none") }), /database "none" does not exist/);
  });

  test("a password from the environment or a file is never printed", async (t) => {
    const settings = postgres.settings();
    const server = await start(t, { ...settings, "log.level": "debug" }, { SOCKEYE_STORE__PASSWORD: "hunter2" });
    await server.kill();
    await writeFile(join(server.folder, "password"), "hunter2\n");
    server.settings["store.password-file"] = "password";
    server.variables = {};
    await server.start();
    await server.kill();
    assert.doesNotMatch(server.stderr, /hunter2/);
  });
});
