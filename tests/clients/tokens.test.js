// auth.mode = "jwt": who may connect, which rooms are open, and what happens when a token expires.

import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { GENERATIONS, TRANSPORTS, ask, done, fence, once, refused, start, untaken } from "./harness.js";
import { HS256, PAIRS, SECRET, now, part, pem, token } from "./jwt.js";

const as = (claims, options) => ({ auth: { token: token(claims, options) } });

describe("a connection", () => {
  test("with a valid token belongs to its subject, with the token's name", async (t) => {
    const server = await start(t, HS256);
    const named = await server.connect(as({ sub: "u-1", name: "Ada" }));
    assert.deepEqual(named.session.user, { id: "u-1", name: "Ada" });
    assert.deepEqual((await server.connect(as({ sub: "u-2" }))).session.user, { id: "u-2", name: "u-2" });
    const liar = await server.connect({ auth: { token: token({ sub: "u-3" }), userId: "u-1", name: "Ada" } });
    assert.deepEqual(liar.session.user, { id: "u-3", name: "u-3" }, "the token alone says who");
  });

  for (const generation of GENERATIONS) {
    for (const transports of TRANSPORTS) {
      test(`of a client ${generation} over ${transports.join(" and ")} is refused with a code`, async (t) => {
        const server = await start(t, HS256);
        const refusal = (claims, options) => server.refusal({ generation, transports, ...as(claims, options) });
        assert.equal(await server.refusal({ generation, transports }), "unauthorized");
        assert.equal(await refusal({ sub: "u-1", exp: now() - 3_600 }), "token-expired");
        assert.equal(await refusal({ sub: "u-1" }, { key: "another secret" }), "unauthorized");
        await server.connect({ generation, transports, ...as({ sub: "u-1" }) });
      });
    }
  }

  test("is refused for an invalid token of any kind", async (t) => {
    const server = await start(t, HS256);
    const good = token({ sub: "u-1" });
    const [head, body, mac] = good.split(".");
    const wrong = {
      empty: "",
      "no token": "token",
      "alg none": token({ sub: "u-1" }, { alg: "none" }),
      "alg None": `${part({ alg: "None" })}.${body}.`,
      "without signature": `${head}.${body}.`,
      "changed claims": `${head}.${part({ sub: "admin", exp: now() + 60 })}.${mac}`,
      "RS256 against a secret": token({ sub: "u-1" }, { alg: "RS256", key: PAIRS.RS256.privateKey }),
      "HS512 in its header": `${part({ alg: "HS512" })}.${body}.${mac}`,
      "no sub": token({}),
      "empty sub": token({ sub: "" }),
      "sub with U+0001": token({ sub: "\u0001" }),
      "sub that is a fraction": token({ sub: 7.5 }),
      "no exp": token({ sub: "u-1", exp: undefined }),
      "exp that is text": token({ sub: "u-1", exp: "never" }),
      "not valid yet": token({ sub: "u-1", nbf: now() + 3_600 }),
    };
    for (const [what, bad] of Object.entries(wrong)) {
      assert.equal(await server.refusal({ auth: { token: bad } }), "unauthorized", what);
    }
    await server.connect({ auth: { token: good } });
  });

  test("may send its token in auth, in the Authorization header or in the query", async (t) => {
    const server = await start(t, HS256);
    const good = token({ sub: "u-1" });
    for (const transports of TRANSPORTS) {
      const headers = { extraHeaders: { Authorization: `Bearer ${good}` } };
      for (const options of [{ auth: { token: good } }, headers, { query: { token: good } }]) {
        const socket = await server.connect({ transports, ...options });
        assert.equal(socket.session.user.id, "u-1");
      }
    }
    const second = { generation: 2, transports: ["polling"], transportOptions: {} };
    second.transportOptions.polling = { extraHeaders: { Authorization: `Bearer ${good}` } };
    assert.equal((await server.connect(second)).session.user.id, "u-1");
  });

  test("uses the token of auth before the header's, and the header's before the query's", async (t) => {
    const server = await start(t, HS256);
    const [one, two, three] = ["u-1", "u-2", "u-3"].map((sub) => token({ sub }));
    const headers = { extraHeaders: { Authorization: `Bearer ${two}` }, query: { token: three } };
    assert.equal((await server.connect({ auth: { token: one }, ...headers })).session.user.id, "u-1");
    assert.equal((await server.connect(headers)).session.user.id, "u-2");
  });

  test("requires the configured audience and issuer", async (t) => {
    const server = await start(t, { ...HS256, "auth.audience": "chat", "auth.issuer": "backend" });
    const right = { sub: "u-1", aud: "chat", iss: "backend" };
    await server.connect(as(right));
    await server.connect(as({ ...right, aud: ["other", "chat"] }));
    for (const change of [{ aud: "other" }, { aud: undefined }, { iss: "other" }, { iss: undefined }]) {
      assert.equal(await server.refusal(as({ ...right, ...change })), "unauthorized", JSON.stringify(change));
    }
  });
});

describe("a key file", () => {
  for (const alg of Object.keys(PAIRS)) {
    test(`for ${alg} accepts tokens signed with it, and no others`, async (t) => {
      const folder = await start(t);
      const file = join(folder.folder, "key.pem");
      await writeFile(file, pem(alg));
      const server = await start(t, { "auth.mode": "jwt", "auth.algorithm": alg, "auth.key-file": file });
      const key = PAIRS[alg].privateKey;
      const socket = await server.connect(as({ sub: "u-1" }, { alg, key }));
      assert.equal(socket.session.user.id, "u-1");
      assert.equal(await server.refusal(as({ sub: "u-1", exp: now() - 60 }, { alg, key })), "token-expired");
      const options = { RS256: ["rsa", { modulusLength: 2048 }], ES256: ["ec", { namedCurve: "P-256" }], EdDSA: ["ed25519"] };
      const stranger = generateKeyPairSync(...options[alg]).privateKey;
      const wrong = {
        "another key": token({ sub: "u-1" }, { alg, key: stranger }),
        "the public key as an HS256 secret": token({ sub: "u-1" }, { alg: "HS256", key: pem(alg) }),
        "its DER as an HS256 secret": token(
          { sub: "u-1" },
          { alg: "HS256", key: createPublicKey(pem(alg)).export({ type: "spki", format: "der" }) },
        ),
        "alg none": token({ sub: "u-1" }, { alg: "none" }),
      };
      for (const [what, bad] of Object.entries(wrong)) {
        assert.equal(await server.refusal({ auth: { token: bad } }), "unauthorized", what);
      }
    });
  }
});

describe("rooms", () => {
  test("are those of the token's patterns, the open ones and the lobby", async (t) => {
    const server = await start(t, { ...HS256, "rooms.open": "public-*" });
    const ada = await server.connect(as({ sub: "ada", rooms: ["team-7", "project/*"] }));
    for (const room of ["lobby", "public-1", "team-7", "project/x"]) {
      await done(ada, "join-room", { room });
      await done(ada, "send-message", { room });
    }
    for (const room of ["team-8", "team-77", "xpublic-1", "private", "lobby2"]) {
      const events = [
        ["send-message", { room }],
        ["join-room", { room }],
        ["load-messages", { room }],
        ["list-users", { room }],
        ["mark-read", { room, offset: 1 }],
        ["typing", { room, typing: true }],
      ];
      for (const [event, payload] of events) {
        assert.equal(await refused(ada, event, payload), "forbidden", `${event} ${room}`);
      }
    }
  });

  test("outside of the token's patterns cannot be read, listed or changed", async (t) => {
    const server = await start(t, HS256);
    const ada = await server.connect(as({ sub: "ada", rooms: ["team-7"] }));
    const before = await server.connect(as({ sub: "eve", rooms: ["*"] }));
    const message = await done(before, "send-message", { room: "team-7", text: "then" });
    before.disconnect();
    const eve = await server.connect(as({ sub: "eve" }));
    assert.equal(await refused(eve, "join-room", { room: "team-7" }), "forbidden");
    assert.deepEqual((await done(eve, "list-rooms", {})).rooms, []);
    assert.equal(await refused(eve, "edit-message", { id: message.id, text: "now" }), "not-found");
    await done(ada, "send-message", { room: "team-7" });
    await fence(ada, eve);
    assert.deepEqual(untaken(eve, "message-saved"), []);
  });

  test("of direct messages are open only to their two users, whatever the patterns", async (t) => {
    const server = await start(t, { ...HS256, "rooms.open": "*" });
    const [ada, bob] = [await server.connect(as({ sub: "ada" })), await server.connect(as({ sub: "bob" }))];
    const eve = await server.connect(as({ sub: "eve", rooms: ["*", "dm:*", "\u0001*"] }));
    const message = await done(ada, "send-message", { to: "bob", text: "psst" });
    assert.equal((await once(bob, "message-saved")).message.id, message.id);
    for (const room of ["dm:ada", "dm:bob"]) {
      assert.deepEqual((await done(eve, "join-room", { room, since: 0 })).messages, []);
      assert.deepEqual((await done(eve, "load-messages", { room })).messages, []);
    }
    for (const room of ["\u0001dm:3:ada:bob", "\u0001user:bob"]) {
      assert.equal(await refused(eve, "join-room", { room }), "bad-payload");
    }
    assert.equal(await refused(eve, "edit-message", { id: message.id }), "not-found");
    assert.equal(await refused(eve, "delete-message", { id: message.id }), "not-found");
    await done(ada, "send-message", { to: "bob", text: "psst again" });
    await done(ada, "typing", { room: "dm:bob", typing: true });
    await fence(ada, eve);
    assert.deepEqual(untaken(eve, "message-saved", "typing", "message-read"), []);
  });

  test("change with a new token", async (t) => {
    const server = await start(t, HS256);
    const ada = await server.connect(as({ sub: "ada", rooms: ["team-7"] }));
    await done(ada, "send-message", { room: "team-7" });
    await done(ada, "refresh-token", { token: token({ sub: "ada", rooms: ["team-8"] }) });
    assert.equal(await refused(ada, "send-message", { room: "team-7" }), "forbidden");
    await done(ada, "send-message", { room: "team-8" });
  });

  test("that a new token no longer opens are left", async (t) => {
    const server = await start(t, HS256);
    const ada = await server.connect(as({ sub: "ada", rooms: ["team-7"] }));
    const bob = await server.connect(as({ sub: "bob", rooms: ["team-7"] }));
    await done(ada, "join-room", { room: "team-7" });
    await done(ada, "refresh-token", { token: token({ sub: "ada" }) });
    await done(bob, "send-message", { room: "team-7" });
    await fence(bob, ada);
    assert.deepEqual(untaken(ada, "message-saved"), []);
  });
});

describe("refresh-token", () => {
  test("accepts only a token of the same user, and returns its expiry", async (t) => {
    const server = await start(t, HS256);
    const ada = await server.connect(as({ sub: "ada" }));
    const exp = now() + 7_200;
    const { expiresAt } = await done(ada, "refresh-token", { token: token({ sub: "ada", exp }) });
    assert.equal(expiresAt, new Date(exp * 1000).toISOString());
    const refusals = [
      [token({ sub: "bob" }), "forbidden"],
      [token({ sub: "ada", exp: now() - 60 }), "token-expired"],
      [token({ sub: "ada" }, { key: "another secret" }), "unauthorized"],
      [token({ sub: "ada" }, { alg: "none" }), "unauthorized"],
      ["nonsense", "unauthorized"],
      ["", "unauthorized"],
    ];
    for (const [bad, code] of refusals) assert.equal(await refused(ada, "refresh-token", { token: bad }), code);
    assert.equal((await done(ada, "send-message", {})).from.id, "ada");
  });
});

// These wait for times set by tokens, so they run concurrently.
describe("a token that expires", { concurrency: true }, () => {
  // A token is accepted for 30 s after its expiry, because clocks differ: this one has 5 to 6 s of them left.
  const endingSoon = () => ({ sub: "ada", exp: now() - 24 });

  for (const generation of GENERATIONS) {
    test(`is reported to a client ${generation}, which is disconnected after the leeway`, async (t) => {
      const server = await start(t, HS256);
      const socket = await server.connect({ generation, ...as(endingSoon()) });
      const error = await once(socket, "event-error");
      assert.deepEqual([error.event, error.code], ["session", "token-expired"]);
      assert.equal(await once(socket, "disconnect"), "io server disconnect");
      const line = await server.logged({ message: "disconnected", user: "ada" });
      assert.equal(line.reason, "server namespace disconnect");
    });
  }

  test("is reported at its expiry", async (t) => {
    const server = await start(t, HS256);
    const exp = now() + 2;
    const socket = await server.connect(as({ sub: "ada", exp }));
    await once(socket, "event-error");
    assert.ok(Date.now() >= exp * 1000 - 50, "not before");
    assert.equal((await ask(socket, "send-message", {})).success, true, "within the leeway all goes on");
  });

  test("has no effect once a new one was sent", async (t) => {
    const server = await start(t, HS256);
    const [socket, other] = [await server.connect(as(endingSoon())), await server.connect(as(endingSoon()))];
    for (const told of [socket, other]) await once(told, "event-error");
    await done(socket, "refresh-token", { token: token({ sub: "ada" }) });
    // The other client had no new token: it is disconnected when the first one would have been.
    assert.equal(await once(other, "disconnect"), "io server disconnect");
    await done(socket, "send-message", { text: "still here" });
    assert.equal(socket.connected, true);
    assert.deepEqual(untaken(socket, "disconnect"), []);
  });
});

for (const level of ["info", "debug", "trace"]) {
  test(`the log contains neither secrets nor tokens at level ${level}`, async (t) => {
    const server = await start(t, { ...HS256, "log.level": level });
    const good = token({ sub: "ada" });
    const bad = token({ sub: "ada" }, { key: "another secret" });
    for (const transports of TRANSPORTS) {
      for (const generation of GENERATIONS) {
        await server.connect({ generation, transports, auth: { token: good } });
        assert.equal(await server.refusal({ generation, transports, auth: { token: bad } }), "unauthorized");
      }
      await server.connect({ transports, query: { token: good } });
      await server.connect({ transports, extraHeaders: { Authorization: `Bearer ${good}` } });
    }
    const socket = await server.connect({ auth: { token: good } });
    await done(socket, "refresh-token", { token: good });
    await refused(socket, "refresh-token", { token: bad });
    const { id } = socket;
    socket.disconnect();
    await server.logged({ message: "disconnected", socket: id });
    assert.match(server.stderr, /"message":"connected"/);
    const secrets = { secret: SECRET, "a token": good.split(".")[2], "a refused token": bad.split(".")[2] };
    for (const [what, text] of Object.entries(secrets)) {
      const leaks = server.stderr.split("\n").filter((line) => line.includes(text));
      assert.equal(leaks.length, 0, `${what} is in ${leaks.length} lines of the log, such as ${leaks[0]}`);
    }
  });
}
