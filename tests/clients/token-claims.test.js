// Claims in the forms of common token libraries: fractional dates, numeric user ids, renamed claims, several keys;
// and the messages about refused tokens, to the client and in the log.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";

import { call } from "./api.js";
import { BINARY, TRANSPORTS, ask, done, refused, start } from "./harness.js";
import { HS256, PAIRS, SECRET, now, part, pem, signed, token } from "./jwt.js";
import { Plain } from "./plain.js";

const OTHER = "another secret of the tests, longer than 32 bytes";

/** The error of a connection with this token: `{ code, message }`. */
async function refusal(server, bad, options) {
  const socket = server.client({ auth: { token: bad }, ...options });
  socket.connect();
  const [name, error] = await socket.inbox.take(([name]) => name === "connect_error" || name === "session", "an answer");
  assert.equal(name, "connect_error", "the connection was not refused");
  socket.disconnect();
  assert.equal(error.message, error.data.code);
  return error.data;
}

/** The user of a connection with this token. */
const who = async (server, good, options) => (await server.connect({ auth: { token: good }, ...options })).session.user;

describe("claims", () => {
  test("for dates may be fractional, as Python's time.time() has", async (t) => {
    const server = await start(t, HS256);
    const exp = Date.now() / 1000 + 60.123456;
    const ada = await server.connect({ auth: { token: token({ sub: "ada", exp, iat: now() - 0.25, nbf: now() - 0.5 }) } });
    const { expiresAt } = await done(ada, "refresh-token", { token: token({ sub: "ada", exp: 4_102_444_800.5 }) });
    assert.equal(expiresAt, "2100-01-01T00:00:00.500Z");
    const forever = await server.connect({ auth: { token: token({ sub: "ada", exp: 253_402_300_799 }) } });
    await done(forever, "send-message", { text: "until the year 9999" });
  });

  test("for the user's id may be a number, which becomes a string", async (t) => {
    const server = await start(t, HS256);
    assert.deepEqual(await who(server, token({ sub: 42, name: "Ada" })), { id: "42", name: "Ada" });
    const big = signed({ alg: "HS256" }, `{"sub":9007199254740993,"exp":${now() + 60}}`);
    assert.deepEqual(await who(server, big), { id: "9007199254740993", name: "9007199254740993" });
    const [one, two] = [await server.connect({ auth: { token: token({ sub: 42 }) } }), await server.connect({ auth: { token: token({ sub: "7" }) } })];
    await done(two, "send-message", { to: "42", text: "psst" });
    const [, { message }] = await one.inbox.take(([name]) => name === "message-saved", "message-saved");
    assert.equal(message.body.text, "psst");
  });

  test("with configured names are read, also by path", async (t) => {
    const settings = { "auth.user-claim": "data.id", "auth.name-claim": "https://example.com/profile.name", "auth.rooms-claim": "chat.rooms" };
    const server = await start(t, { ...HS256, ...settings });
    const claims = { sub: "nobody", data: { id: 7 }, "https://example.com/profile": { name: "Ada" }, chat: { rooms: ["team-*"] } };
    const ada = await server.connect({ auth: { token: token(claims) } });
    assert.deepEqual(ada.session.user, { id: "7", name: "Ada" });
    await done(ada, "join-room", { room: "team-1" });
    assert.equal(await refused(ada, "join-room", { room: "board" }), "forbidden");
    const { message } = await refusal(server, token({ sub: "ada" }));
    assert.equal(message, "the token has no data.id, which says who it is (auth.user-claim)");
  });

  test("with configured names are written by sockeye token", async (t) => {
    const settings = { ...HS256, "auth.user-claim": "data.id", "auth.name-claim": "data.name", "auth.rooms-claim": "rooms.of.user" };
    const server = await start(t, settings);
    const flags = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const { stdout } = await promisify(execFile)(BINARY, ["token", "--user", "u7", "--name", "Ada", "--rooms", "team", ...flags]);
    const ada = await server.connect({ auth: { token: stdout.trim() } });
    assert.deepEqual(ada.session.user, { id: "u7", name: "Ada" });
    await done(ada, "join-room", { room: "team" });
  });
});

describe("Bearer before a token", () => {
  test("is skipped wherever a token is accepted", async (t) => {
    const server = await start(t, HS256);
    const good = token({ sub: "ada" });
    for (const scheme of ["Bearer", "bearer", "BEARER "]) {
      const text = `${scheme} ${good}`;
      for (const transports of TRANSPORTS) {
        assert.equal((await who(server, text, { transports })).id, "ada", scheme);
        assert.equal((await who(server, undefined, { transports, auth: undefined, query: { token: text } })).id, "ada", scheme);
        const extraHeaders = { Authorization: `Bearer ${text}` };
        assert.equal((await who(server, undefined, { transports, auth: undefined, extraHeaders })).id, "ada", scheme);
      }
      const second = await server.connect({ generation: 2, auth: { token: text } });
      assert.equal(second.session.user.id, "ada");
      await done(second, "refresh-token", { token: text });
      const plain = await Plain.connect(server);
      assert.equal((await plain.done("Register", { token: text })).user.id, "ada");
      const named = await Plain.connect(server, { query: `token=${encodeURIComponent(text)}` });
      assert.equal((await named.done("Register")).user.id, "ada");
      assert.equal((await call(server, text, "GET", "/api/messages?room=lobby")).status, 200);
    }
    assert.equal((await call(server, good, "GET", "/api/messages?room=lobby", undefined, { authorization: `BEARER ${good}` })).status, 200);
  });

  test("with nothing after it is no token", async (t) => {
    const server = await start(t, HS256);
    for (const nothing of ["Bearer", "Bearer ", "bearer  "]) {
      assert.deepEqual(await refusal(server, nothing), { code: "unauthorized", message: "a token is needed" });
      const query = { token: token({ sub: "ada" }) };
      assert.equal((await who(server, nothing, { query })).id, "ada", "the next place counts");
    }
    const { message } = await refusal(server, "Bearer undefined");
    assert.match(message, /no JSON Web Token/);
  });
});

const REASONS = [
  ["an expiry in the past", () => token({ sub: "ada", exp: 1_700_000_000 }), "token-expired", "the token expired at 2023-11-14T22:13:20.000Z"],
  ["milliseconds", () => token({ sub: "ada", exp: 1_763_712_000_000 }), "unauthorized", /exp must be a number, the seconds since 1970: 1763712000000 looks like milliseconds/],
  ["a date as text", () => token({ sub: "ada", exp: "2030-01-01" }), "unauthorized", /exp must be a number.*not a string/],
  ["no expiry", () => token({ sub: "ada", exp: undefined }), "unauthorized", /has no exp/],
  ["a not-before time in the future", () => token({ sub: "ada", nbf: 4_102_444_800 }), "unauthorized", /not valid before 2100-01-01T00:00:00.000Z/],
  ["no user", () => token({}), "unauthorized", /has no sub/],
  ["a fractional user id", () => token({ sub: 1.5 }), "unauthorized", /sub must be a string or a whole number, not 1.5/],
  ["the system's id", () => token({ sub: "system" }), "unauthorized", /system/],
  ["rooms as text", () => token({ sub: "ada", rooms: "team-*" }), "unauthorized", /rooms must be a list of strings, not a string/],
  ["another audience", () => token({ sub: "ada", aud: "shop" }), "unauthorized", /aud is "shop", another audience/],
  ["another issuer", () => token({ sub: "ada", iss: "evil" }), "unauthorized", /iss is "evil", another issuer/],
  ["crit", () => token({ sub: "ada" }, { crit: ["exp"] }), "unauthorized", /crit/],
  ["an empty crit", () => token({ sub: "ada" }, { crit: [] }), "unauthorized", /crit/],
  ["another algorithm", () => token({ sub: "ada" }, { alg: "none" }), "unauthorized", /alg must be HS256, not "none"/],
  ["an unknown kid", () => token({ sub: "ada" }, { kid: "2019\u001b[2J" }), "unauthorized", /kid "2019\\u\{1b\}\[2J" is unknown/],
  ["a kid that is a number", () => token({ sub: "ada" }, { kid: 7 }), "unauthorized", /kid must be a string, not 7/],
  ["a wrong signature", () => token({ sub: "ada" }, { key: OTHER }), "unauthorized", "the token's signature is not that of the key"],
  ["five parts", () => "a.b.c.d.e", "unauthorized", /three parts/],
  ["no claims", () => signed({ alg: "HS256" }, "[]"), "unauthorized", /claims are no JSON object/],
  ["base64 with padding", () => `${part({ alg: "HS256" })}.${part({ sub: "ada" })}==.x`, "unauthorized", /./],
];

test("the reason for refusing a token is sent to the client, over every transport, and logged", async (t) => {
  const settings = { ...HS256, "auth.keys.2026.secret": OTHER, "auth.audience": "chat", "auth.issuer": "id" };
  const server = await start(t, settings);
  const fit = (claims) => ({ aud: "chat", iss: "id", ...claims });
  const ada = await server.connect({ auth: { token: token(fit({ sub: "ada" })) } });
  for (const [what, make, code, reason] of REASONS) {
    // Valid except for one claim or part.
    const bad = repaired(make(), fit);
    const told = await refusal(server, bad);
    assert.equal(told.code, code, what);
    if (typeof reason === "string") assert.equal(told.message, reason, what);
    else assert.match(told.message, reason, what);
    const plain = await Plain.connect(server);
    assert.deepEqual((await plain.ask("Register", { token: bad })).error, told, what);
    assert.deepEqual((await call(server, bad, "GET", "/api/messages?room=lobby")).reply.error, told, what);
    assert.deepEqual((await ask(ada, "refresh-token", { token: bad })).error, told, what);
    // At most ten lines per second are written; those of the first second are complete.
  }
  const first = REASONS[0][3];
  const refused = await server.logged({ message: "connection refused" });
  assert.deepEqual([refused.level, refused.error, JSON.parse(refused.data).message], ["INFO", "token-expired", first]);
  assert.equal((await server.logged({ message: "credentials refused" })).error, first);
  const line = await server.logged({ message: "token refused" });
  assert.deepEqual([line.level, line.user, line.error], ["INFO", "ada", first]);
  for (const secret of [SECRET, OTHER]) assert.ok(!server.stderr.includes(secret));
});

/** The case's token with valid values for the other claims, signed again; unchanged if it is no token. */
function repaired(bad, fit) {
  const [head, claims, mac] = bad.split(".");
  const read = (text) => {
    try {
      return JSON.parse(Buffer.from(text, "base64url"));
    } catch {
      return undefined;
    }
  };
  const [header, body] = [read(head), read(claims)];
  const isSigned = mac === signed(header ?? { alg: "none" }, Buffer.from(claims, "base64url")).split(".")[2];
  return isSigned && !Array.isArray(body) ? signed(header, JSON.stringify(fit(body))) : bad;
}

test("refusals are logged at most ten times per second, but each is answered", async (t) => {
  const server = await start(t, HS256);
  const answers = await Promise.all(Array.from({ length: 100 }, () => call(server, "a.b.c", "GET", "/api/messages?room=lobby")));
  assert.ok(answers.every(({ status }) => status === 401));
  const seconds = new Map();
  const lines = server.stderr.split("\n").filter((line) => line.includes("credentials refused"));
  for (const line of lines) {
    const second = JSON.parse(line).timestamp.slice(0, 19);
    seconds.set(second, (seconds.get(second) ?? 0) + 1);
  }
  assert.ok(lines.length > 0);
  // A bucket of ten that refills at ten per second.
  for (const count of seconds.values()) assert.ok(count <= 20, `${count} lines in a second`);
});

describe("several keys", () => {
  test("are found by kid, each with its own algorithm", async (t) => {
    const { folder } = await start(t);
    const file = join(folder, "rsa.pem");
    await writeFile(file, pem("RS256"));
    const server = await start(t, {
      ...HS256,
      "auth.keys.hmac.secret": OTHER,
      "auth.keys.rsa.algorithm": "RS256",
      "auth.keys.rsa.key-file": file,
    });
    const rsa = { alg: "RS256", key: PAIRS.RS256.privateKey };
    for (const options of [{}, { kid: "hmac", key: OTHER }, { kid: "rsa", ...rsa }]) {
      assert.equal((await who(server, token({ sub: "ada" }, options))).id, "ada");
    }
    const wrong = [
      [{ kid: "hmac" }, /signature/],
      [{ key: OTHER }, /signature/],
      [{ kid: "rsa", key: pem("RS256") }, /alg must be RS256, not "HS256"/],
      [{ kid: "hmac", ...rsa }, /alg must be HS256, not "RS256"/],
      [{ kid: "HMAC", key: OTHER }, /kid "HMAC" is unknown/],
      [{ kid: "", key: OTHER }, /kid "" is unknown/],
    ];
    for (const [options, reason] of wrong) assert.match((await refusal(server, token({ sub: "ada" }, options))).message, reason);
  });

  test("may exist without a default key, and then every token needs a kid", async (t) => {
    const server = await start(t, { "auth.mode": "jwt", "auth.keys.one.secret": SECRET });
    assert.equal((await who(server, token({ sub: "ada" }, { kid: "one" }))).id, "ada");
    assert.equal((await refusal(server, token({ sub: "ada" }))).message, "the token's header has no kid, and every key here has one");
    const flags = ["--set", "auth.mode=jwt", "--set", `auth.keys.one.secret=${SECRET}`];
    const { stdout } = await promisify(execFile)(BINARY, ["token", "--user", "u7", "--kid", "one", ...flags]);
    assert.equal((await who(server, stdout.trim())).id, "u7");
  });

  test("are not required: with only a default key the kid is ignored", async (t) => {
    const server = await start(t, HS256);
    assert.equal((await who(server, token({ sub: "ada" }, { kid: "whatever" }))).id, "ada");
  });
});
