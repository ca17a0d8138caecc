// SIGHUP: settings that change while the server runs, and the effect on connected clients.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import Pusher from "pusher";

import { call, newKey } from "./api.js";
import { ask, done, once, refused, reload, start } from "./harness.js";
import { PAIRS, SECRET, pem, token } from "./jwt.js";

const EVENT = { event: "tick", data: 1, to: { everyone: true } };

/** The configuration file's table of this key. */
function table(name, { settings }) {
  return `[key.${name}]\nhash = "${settings[`key.${name}.hash`]}"\nscopes = ["events:write"]\n`;
}

/** The user of a connection with this token, or the code of its refusal. */
async function welcome(server, token) {
  const socket = server.client({ auth: { token } });
  socket.connect();
  const [name, answer] = await socket.inbox.take(([name]) => name === "connect_error" || name === "session", "an answer");
  socket.disconnect();
  return name === "session" ? answer.user.id : answer.message;
}

/** The status of an event request with this key. */
async function status(server, key) {
  return (await call(server, key, "POST", "/api/events", EVENT)).status;
}

test("an API key is rotated without a restart, and clients stay connected", async (t) => {
  const [old, fresh] = [newKey(), newKey()];
  const server = await start(t);
  const ada = await server.user("ada");
  assert.deepEqual(await reload(server, table("backend", old)), ["key.backend.hash", "key.backend.scopes"]);
  assert.equal(await status(server, old.key), 200);
  const both = table("backend", old) + table("other", { settings: { "key.other.hash": fresh.settings["key.backend.hash"] } });
  assert.deepEqual(await reload(server, both), ["key.other.hash", "key.other.scopes"]);
  assert.deepEqual([await status(server, old.key), await status(server, fresh.key)], [200, 200]);
  assert.deepEqual(await reload(server, table("backend", fresh)), ["key.backend.hash", "key.other.hash", "key.other.scopes"]);
  assert.deepEqual([await status(server, old.key), await status(server, fresh.key)], [401, 200]);
  assert.equal(ada.connected, true);
  for (let event = 0; event < 4; event += 1) assert.equal(await once(ada, "tick"), 1);
  assert.ok(!server.stderr.includes(fresh.settings["key.backend.hash"]), "values stay out of the log");
});

test("a key's scopes and expiry can be reloaded", async (t) => {
  const { key, settings } = newKey();
  const server = await start(t);
  const key_ = `[key.backend]\nhash = "${settings["key.backend.hash"]}"\n`;
  await reload(server, `${key_}scopes = ["users:read"]\n`);
  assert.equal(await status(server, key), 403);
  await reload(server, `${key_}scopes = ["*"]\n`);
  assert.equal(await status(server, key), 200);
  assert.deepEqual(await reload(server, `${key_}scopes = ["*"]\nexpires-at = "2020-01-01T00:00:00Z"\n`), ["key.backend.expires-at"]);
  assert.equal(await status(server, key), 401);
});

test("origins can be reloaded, for Socket.IO and the API", async (t) => {
  const { key, settings } = newKey();
  const server = await start(t, settings);
  const origin = "https://app.example.com";
  const statuses = async () => {
    const poll = await server.request("/socket.io/?EIO=4&transport=polling", { headers: { origin } });
    const api = await call(server, key, "POST", "/api/events", EVENT, { origin });
    return [poll, api].map(({ status, headers }) => [status, headers["access-control-allow-origin"]]);
  };
  assert.deepEqual(await statuses(), [[403, undefined], [403, undefined]]);
  assert.deepEqual(await reload(server, `[cors]\norigins = ["${origin}"]\n`), ["cors.origins"]);
  assert.deepEqual(await statuses(), [[200, origin], [200, origin]]);
  assert.deepEqual(await reload(server, ""), ["cors.origins"], "without the file's line the default is back");
  assert.deepEqual(await statuses(), [[403, undefined], [403, undefined]]);
});

test("limits can be reloaded: per event at once, per socket for new sockets", async (t) => {
  const server = await start(t);
  const ada = await server.user("ada");
  assert.equal((await ask(ada, "message", "x".repeat(5_000))).success, true);
  const changed = await reload(server, "[limits]\npayload-bytes = 1000\nevents-per-second = 1\nsockets-per-user = 1\n");
  assert.deepEqual(changed, ["limits.events-per-second", "limits.payload-bytes", "limits.sockets-per-user"]);
  assert.equal(await refused(ada, "message", "x".repeat(5_000)), "too-large");
  for (let event = 0; event < 5; event += 1) assert.equal((await ask(ada, "message", "x")).success, true);
  assert.equal(await server.refusal({ auth: { userId: "ada", name: "ada" } }), "rate-limited");
  const bob = await server.user("bob");
  const replies = await Promise.all(Array.from({ length: 50 }, () => ask(bob, "message", "x")));
  assert.ok(replies.some(({ error }) => error?.code === "rate-limited"));
  assert.equal((await server.request("/api/events", { method: "POST" })).status, 401);
});

test("the request rate of a key can be reloaded", async (t) => {
  const { key, settings } = newKey();
  const server = await start(t, settings);
  const burst = async () => (await Promise.all(Array.from({ length: 50 }, () => status(server, key)))).filter((status) => status === 429).length;
  assert.equal(await burst(), 0);
  assert.deepEqual(await reload(server, "[api]\nrequests-per-second = 1\n"), ["api.requests-per-second"]);
  assert.ok((await burst()) >= 35);
});

test("the secret of Pusher's API can be reloaded, without affecting API keys", async (t) => {
  const { key, settings } = newKey();
  const server = await start(t, settings);
  const ada = await server.user("ada");
  const [old, fresh] = ["the old secret", "the new secret"];
  const table = (secret) => `[pusher]\napp-id = "3"\nkey = "app"\nsecret = "${secret}"\n`;
  const triggered = async (secret) => {
    const pusher = new Pusher({ appId: "3", key: "app", secret, host: "127.0.0.1", port: String(server.port), useTLS: false });
    const { status } = await pusher.trigger("lobby", "shipped", secret).catch((error) => error);
    return status;
  };
  const statuses = async () => [await triggered(old), await triggered(fresh), await status(server, key)];
  await reload(server, table(old));
  assert.deepEqual(await statuses(), [200, 401, 200]);
  assert.deepEqual(await reload(server, table(fresh)), ["pusher.secret"]);
  assert.deepEqual(await statuses(), [401, 200, 200]);
  for (const heard of [old, fresh]) assert.equal(await once(ada, "shipped"), heard);
  assert.equal(ada.connected, true);
});

test("keys of tokens are rotated, and clients stay connected", async (t) => {
  const [old, fresh] = [SECRET, "another secret of the tests, longer than 32 bytes"];
  const server = await start(t, { "auth.mode": "jwt", "auth.secret": old });
  const ada = await server.connect({ auth: { token: token({ sub: "ada" }) } });
  const answers = () => Promise.all([{}, { key: fresh, kid: "2" }].map((options) => welcome(server, token({ sub: "bob" }, options))));
  assert.deepEqual(await answers(), ["bob", "unauthorized"]);
  assert.deepEqual(await reload(server, `[auth.keys.2]\nsecret = "${fresh}"\n`), ["auth.keys.2.key-file", "auth.keys.2.secret"]);
  assert.deepEqual(await answers(), ["bob", "bob"]);
  await done(ada, "refresh-token", { token: token({ sub: "ada" }, { key: fresh, kid: "2" }) });
  assert.deepEqual(await reload(server, ""), ["auth.keys.2.key-file", "auth.keys.2.secret"]);
  assert.deepEqual(await answers(), ["bob", "unauthorized"]);
  assert.equal((await ask(ada, "message", "still here")).success, true);
  for (const secret of [old, fresh]) assert.ok(!server.stderr.includes(secret), "secrets stay out of the log");
});

test("a key file is reloaded even if its path is the same", async (t) => {
  const { folder } = await start(t);
  const file = join(folder, "key.pem");
  const pair = generateKeyPairSync("ed25519");
  await writeFile(file, pem("EdDSA"));
  const settings = { "auth.mode": "jwt", "auth.algorithm": "EdDSA", "auth.key-file": file };
  const server = await start(t, settings);
  const answers = () =>
    Promise.all([PAIRS.EdDSA, pair].map(({ privateKey: key }) => welcome(server, token({ sub: "bob" }, { alg: "EdDSA", key }))));
  assert.deepEqual(await answers(), ["bob", "unauthorized"]);
  await writeFile(file, pair.publicKey.export({ type: "spki", format: "pem" }));
  assert.deepEqual(await reload(server, ""), ["auth.key-file"]);
  assert.deepEqual(await answers(), ["unauthorized", "bob"]);
  assert.deepEqual(await reload(server, ""), []);
  for (const broken of ["no key", undefined]) {
    await (broken === undefined ? rm(file) : writeFile(file, broken));
    server.hangUp();
    const line = await server.logged({ message: "the settings cannot be read again: nothing changes" });
    assert.match(line.error, /^auth\.key-file: /);
    assert.deepEqual(await answers(), ["unauthorized", "bob"]);
  }
});

test("a new file without jwt mode is rejected, and the old keys stay valid", async (t) => {
  const server = await start(t);
  await writeFile(join(server.folder, "sockeye.toml"), `[auth]\nmode = "jwt"\nsecret = "${SECRET}"\n`);
  await server.kill();
  await server.start();
  assert.equal(await welcome(server, token({ sub: "bob" })), "bob");
  await writeFile(join(server.folder, "sockeye.toml"), "");
  server.hangUp();
  const line = await server.logged({ message: "the settings cannot be read again: nothing changes" });
  assert.match(line.error, /auth\.secret/);
  assert.equal(await welcome(server, token({ sub: "eve" }, { key: "" })), "unauthorized");
  assert.equal(await welcome(server, token({ sub: "bob" })), "bob");
});

test("settings that need a restart are reported at each reload and not applied", async (t) => {
  const server = await start(t);
  const text = '[server]\nping-interval = "7s"\n[relay.draw]\nto = "everyone"\n[pusher]\napp-id = "1"\nkey = "k"\nsecret = "hush"\n';
  for (const changed of [["pusher.app-id", "pusher.key", "pusher.secret"], []]) {
    assert.deepEqual(await reload(server, text), changed);
    for (const setting of ["relay.draw.to", "relay.message.to", "server.ping-interval"]) {
      assert.equal((await server.logged({ message: "needs a restart", setting })).level, "WARN");
    }
  }
  assert.ok(!server.stderr.includes("hush"));
  const ada = await server.user("ada");
  assert.equal(await refused(ada, "draw", 1), "unknown-event");
});

test("an invalid file is logged with one line per mistake, and no setting changes", async (t) => {
  const { key } = newKey();
  const server = await start(t);
  const valid = newKey();
  await reload(server, table("backend", valid));
  const ada = await server.user("ada");
  const cases = ["[limits\n", "[limits]\nevent-per-second = 1\n", '[key.backend]\nhash = "short"\nscopes = ["*"]\n', '[cors]\norigins = ["nonsense/"]\n', "[store]\nreaders = 0\n"];
  for (const text of cases) {
    await writeFile(join(server.folder, "sockeye.toml"), text);
    server.hangUp();
    const line = await server.logged({ message: "the settings cannot be read again: nothing changes" });
    assert.equal(line.level, "ERROR");
    assert.ok(line.error.length > 10, text);
    assert.deepEqual([await status(server, valid.key), await status(server, key)], [200, 401]);
  }
  await writeFile(join(server.folder, "sockeye.toml"), "[limits]\nfoo = 1\n[server]\ndrain = true\n");
  server.hangUp();
  for (const word of ["limits.foo", "server.drain"]) {
    const line = await server.logged({ message: "the settings cannot be read again: nothing changes" });
    assert.ok(line.error.startsWith(word) && line.error.includes("sockeye.toml, line "), line.error);
  }
  assert.equal((await ask(ada, "message", "still here")).success, true);
});
