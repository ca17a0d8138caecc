// Runs the snippets of the README's chapter on the HTTP API unchanged.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { delimiter, dirname } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { call, newKey } from "./api.js";
import { Api, JWT, token } from "./backend.js";
import { BINARY, done, inTime, once, reload, start } from "./harness.js";
import { Chapter } from "./readme.js";

const [events, api] = [await Chapter.of("Tell one member something"), await Chapter.of("HTTP API")];

/** Standard output and error of a shell command, with `sockeye` and a key in its environment. */
function shell(command, key = "") {
  const env = { ...process.env, PATH: `${dirname(BINARY)}${delimiter}${process.env.PATH}`, SOCKEYE_KEY: key };
  return promisify(execFile)("sh", ["-c", command.replace("curl ", "curl -sS ")], { env });
}

/** A server with a key, and a function that runs one of the chapter's requests and returns the reply. */
async function open(t) {
  const { key, settings } = newKey();
  const server = await start(t, settings);
  const request = async (words) => {
    const { stdout } = await shell(events.take("sh", words).replace("http://localhost:8000", server.url), key);
    return JSON.parse(stdout);
  };
  return { server, key, request };
}

/** The reply that the README shows below a request. */
function shown(words) {
  return JSON.parse(/^# (.*)$/m.exec(events.take("sh", words))[1]);
}

/** Runs a snippet of a page or a backend with these variables. Returns its variable `result`. */
function run(server, snippet, names, result) {
  const body = `return (async () => { ${snippet.replaceAll("http://localhost:8000", server.url)}\n return ${result}; })();`;
  return inTime(new Function(...Object.keys(names), body)(...Object.values(names)), "the end of the snippet");
}

function backend(server, key, result) {
  return run(server, events.take("js", "emitToMembers"), { process: { env: { SOCKEYE_KEY: key } } }, result);
}

test("emitToMembers works after generating a key, adding its configuration and SIGHUP", async (t) => {
  const server = await start(t);
  const { stdout, stderr } = await shell(events.take("sh", "api-key"));
  assert.deepEqual(await reload(server, stderr.slice(stderr.indexOf("[key."))), ["key.backend.hash", "key.backend.scopes"]);
  const seven = await server.user("7");
  await backend(server, stdout.trim());
  assert.deepEqual(await once(seven, "MEMBER_DEACTIVATED"), { reason: "left the company" });
  const { status } = await call(server, stdout.trim(), "GET", "/api/users");
  assert.equal(status, 403, "the scope it was made for, and no other");
});

test("emitToMembers reaches exactly the devices of one member", async (t) => {
  const { server, key } = await open(t);
  const member = { auth: { userId: "7", name: "Ada" } };
  const [phone, laptop, other] = [await server.connect(member), await server.connect(member), await server.user("8")];
  const emitToMembers = await backend(server, key, "emitToMembers");
  for (const socket of [phone, laptop]) {
    assert.deepEqual(await once(socket, "MEMBER_DEACTIVATED"), { reason: "left the company" });
  }
  phone.emit("message", "later");
  await once(other, "message");
  assert.ok(!other.inbox.items.some(([name]) => name === "MEMBER_DEACTIVATED"));
  assert.equal(await emitToMembers(7, "MEMBER_DEACTIVATED", {}), 2, "an id that is a number");
  assert.equal(await emitToMembers("nobody", "MEMBER_DEACTIVATED", {}), 0);
  await assert.rejects(emitToMembers("7", "message-saved", {}), /^Error: bad-payload: /);
});

test("an event to rooms with excluded users", async (t) => {
  const { server, request } = await open(t);
  const [seven, eight, guest] = [await server.user("7"), await server.user("8"), await server.user("guest")];
  for (const socket of [eight, guest]) await done(socket, "join-room", { room: "tea" });
  assert.deepEqual(await request("price-changed"), { success: true, data: { delivered: 2 } });
  for (const socket of [seven, guest]) assert.deepEqual(await once(socket, "price-changed"), { item: "lamp", price: 12 });
});

test("an event with acknowledgements", async (t) => {
  const { server, request } = await open(t);
  const seven = await server.user("7");
  seven.on("still-there?", (answer) => answer("yes"));
  const reply = shown("still-there?");
  reply.data.answers[0].socketId = seven.session.socketId;
  assert.deepEqual(await request("still-there?"), reply);
});

test("a batch with idempotency keys", async (t) => {
  const { server, request } = await open(t);
  const [seven, eight] = [await server.user("7"), await server.user("8")];
  for (let time = 0; time < 2; time += 1) assert.deepEqual(await request("order-paid"), shown("order-paid"));
  assert.deepEqual(await once(seven, "order-paid"), { id: 1 });
  assert.deepEqual(await once(eight, "order-paid"), { id: 2 });
  seven.emit("message", "later");
  await once(seven, "message");
  assert.ok(!seven.inbox.items.some(([name]) => name === "order-paid"), "the second time nobody heard it");
});

test("the requests to the resources return what the README shows", async (t) => {
  const { server, key } = await open(t);
  const [ada, bob] = [await server.user("u7"), await server.user("u8")];
  const replies = [];
  const requests = api.take("sh", "/api/messages").split(/(?<!\\)\n/).filter((line) => line !== "");
  for (const line of requests) {
    const { stdout } = await shell(line.replace("http://localhost:8000", server.url), key);
    replies.push(JSON.parse(stdout));
  }
  assert.deepEqual(replies.map(({ success }) => success), Array(5).fill(true), JSON.stringify(replies));
  const [posted, page, put, users, disconnected] = replies.map(({ data }) => data);
  assert.deepEqual([posted.from, posted.body], [{ id: "u7", name: "Ada" }, { text: "hello" }]);
  assert.deepEqual(page.messages, [posted]);
  assert.deepEqual(put, { joined: true, sockets: 1 });
  assert.deepEqual(users.users.map(({ id }) => id), ["u7", "u8"]);
  assert.deepEqual(disconnected, { sockets: 1 });
  assert.equal(await once(ada, "disconnect"), "io server disconnect");
  assert.equal(bob.connected, true);
});

test("a page lists online and known users, in pages", async (t) => {
  const { key, settings } = newKey();
  const server = await start(t, { ...settings, ...JWT });
  const backend = new Api(server, key);
  const known = Array.from({ length: 250 }, (_, n) => `member-${n}`);
  await Promise.all(known.map((id) => backend.done("POST", "/messages", { from: { id, name: id }, room: "tea", body: {} }, 201)));
  const ada = await token("ada");
  await server.connect({ auth: { token: ada } });
  const fetchChatUsers = api.take("js", "fetchChatUsers");
  const [everybody, online] = await run(server, fetchChatUsers, { token: ada }, "[everybody, online]");
  assert.deepEqual(everybody.map(({ id }) => id), ["ada", ...known].sort());
  assert.deepEqual(online, [{ id: "ada", name: "ada", online: true }]);
  await assert.rejects(run(server, fetchChatUsers, { token: "nonsense" }), /^Error: unauthorized: /);
});

test("the table of a key contains scopes and expiry", async (t) => {
  const { key, settings } = newKey();
  const server = await start(t);
  const table = api.take("toml", "[key.backend]");
  assert.deepEqual(await reload(server, table), ["key.backend.expires-at", "key.backend.hash", "key.backend.scopes"]);
  const own = table.replace(/^hash = .*$/m, `hash = "${settings["key.backend.hash"]}"`);
  const status = async (method, path, body) => (await call(server, key, method, path, body)).status;
  for (const [end, all] of [["2999-01-31T00:00:00Z", [200, 200, 403]], ["2020-01-31T00:00:00Z", [401, 401, 401]]]) {
    await reload(server, own.replace(/^expires-at = "[^"]*"/m, `expires-at = "${end}"`));
    const event = await status("POST", "/api/events", { event: "tick", to: { everyone: true } });
    assert.deepEqual([event, await status("GET", "/api/users"), await status("GET", "/api/rooms")], all);
  }
});

test("every snippet of the chapter is tested", () => {
  for (const chapter of [events, api]) chapter.assertAllTaken();
});
