// The blocks of docs/http-api.md, run as they stand there.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { delimiter, dirname } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { call, newKey } from "./api.js";
import { Api, JWT, token } from "./backend.js";
import { BINARY, done, inTime, once, reload, start } from "./harness.js";
import { Page } from "./docs.js";

const docs = await Page.of("http-api.md");

/** The standard output and the standard error of a shell's command, which finds `sockeye` and a key. */
function shell(command, key = "") {
  const env = { ...process.env, PATH: `${dirname(BINARY)}${delimiter}${process.env.PATH}`, SOCKEYE_KEY: key };
  return promisify(execFile)("sh", ["-c", command.replace("curl ", "curl -sS ")], { env });
}

/** A server with a key, and a way to run one of the page's requests for events: its reply. */
async function open(t) {
  const { key, settings } = newKey();
  const server = await start(t, settings);
  const request = async (words) => {
    const { stdout } = await shell(docs.take("sh", words).replace("http://localhost:8000", server.url), key);
    return JSON.parse(stdout);
  };
  return { server, key, request };
}

/** The reply that the page shows below a request. */
function shown(words) {
  return JSON.parse(/^# (.*)$/m.exec(docs.take("sh", words))[1]);
}

/** Runs a page's or a backend's snippet with these names around it; returns what it calls `result`. */
function run(server, snippet, names, result) {
  const body = `return (async () => { ${snippet.replaceAll("http://localhost:8000", server.url)}\n return ${result}; })();`;
  return inTime(new Function(...Object.keys(names), body)(...Object.values(names)), "the end of the snippet");
}

function backend(server, key, result) {
  return run(server, docs.take("js", "emitToMembers"), { process: { env: { SOCKEYE_KEY: key } } }, result);
}

test("a made key, its lines in the file and SIGHUP are all that emitToMembers needs", async (t) => {
  const server = await start(t);
  const { stdout, stderr } = await shell(docs.take("sh", "api-key"));
  assert.deepEqual(await reload(server, stderr.slice(stderr.indexOf("[key."))), ["key.backend.hash", "key.backend.scopes"]);
  const seven = await server.user("7");
  await backend(server, stdout.trim());
  assert.deepEqual(await once(seven, "MEMBER_DEACTIVATED"), { reason: "left the company" });
  const { status } = await call(server, stdout.trim(), "GET", "/api/users");
  assert.equal(status, 403, "the scope it was made for, and no other");
});

test("emitToMembers reaches all devices of one member and nobody else", async (t) => {
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

test("rooms and users without some", async (t) => {
  const { server, request } = await open(t);
  const [seven, eight, guest] = [await server.user("7"), await server.user("8"), await server.user("guest")];
  for (const socket of [eight, guest]) await done(socket, "join-room", { room: "tea" });
  assert.deepEqual(await request("price-changed"), { success: true, data: { delivered: 2 } });
  for (const socket of [seven, guest]) assert.deepEqual(await once(socket, "price-changed"), { item: "lamp", price: 12 });
});

test("answers", async (t) => {
  const { server, request } = await open(t);
  const seven = await server.user("7");
  seven.on("still-there?", (answer) => answer("yes"));
  const reply = shown("still-there?");
  reply.data.answers[0].socketId = seven.session.socketId;
  assert.deepEqual(await request("still-there?"), reply);
});

test("a batch, once", async (t) => {
  const { server, request } = await open(t);
  const [seven, eight] = [await server.user("7"), await server.user("8")];
  for (let time = 0; time < 2; time += 1) assert.deepEqual(await request("order-paid"), shown("order-paid"));
  assert.deepEqual(await once(seven, "order-paid"), { id: 1 });
  assert.deepEqual(await once(eight, "order-paid"), { id: 2 });
  seven.emit("message", "later");
  await once(seven, "message");
  assert.ok(!seven.inbox.items.some(([name]) => name === "order-paid"), "the second time nobody heard it");
});

test("requests of the resources do what they say", async (t) => {
  const { server, key } = await open(t);
  const [ada, bob] = [await server.user("u7"), await server.user("u8")];
  const replies = [];
  const requests = docs.take("sh", "/api/messages").split(/(?<!\\)\n/).filter((line) => line !== "");
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

test("a page reads who is here and who ever was, page by page", async (t) => {
  const { key, settings } = newKey();
  const server = await start(t, { ...settings, ...JWT });
  const backend = new Api(server, key);
  const known = Array.from({ length: 250 }, (_, n) => `member-${n}`);
  await Promise.all(known.map((id) => backend.done("POST", "/messages", { from: { id, name: id }, room: "tea", body: {} }, 201)));
  const ada = await token("ada");
  await server.connect({ auth: { token: ada } });
  const fetchChatUsers = docs.take("js", "fetchChatUsers");
  const [everybody, online] = await run(server, fetchChatUsers, { token: ada }, "[everybody, online]");
  assert.deepEqual(everybody.map(({ id }) => id), ["ada", ...known].sort());
  assert.deepEqual(online, [{ id: "ada", name: "ada", online: true }]);
  await assert.rejects(run(server, fetchChatUsers, { token: "nonsense" }), /^Error: unauthorized: /);
});

test("the table of a key says what it may do, and until when", async (t) => {
  const { key, settings } = newKey();
  const server = await start(t);
  const table = docs.take("toml", "[key.backend]");
  assert.deepEqual(await reload(server, table), ["key.backend.expires-at", "key.backend.hash", "key.backend.scopes"]);
  const own = table.replace(/^hash = .*$/m, `hash = "${settings["key.backend.hash"]}"`);
  const status = async (method, path, body) => (await call(server, key, method, path, body)).status;
  for (const [end, all] of [["2999-01-31T00:00:00Z", [200, 200, 403]], ["2020-01-31T00:00:00Z", [401, 401, 401]]]) {
    await reload(server, own.replace(/^expires-at = "[^"]*"/m, `expires-at = "${end}"`));
    const event = await status("POST", "/api/events", { event: "tick", to: { everyone: true } });
    assert.deepEqual([event, await status("GET", "/api/users"), await status("GET", "/api/rooms")], all);
  }
});

test("the page names every request that the API describes", async (t) => {
  const server = await start(t);
  const { paths } = await (await fetch(`${server.url}/api/openapi.json`)).json();
  const requests = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
  assert.ok(requests.length > 15);
  const emitting = ["POST /api/events", "POST /api/events/batch"];
  for (const request of emitting) {
    assert.ok(requests.includes(request) && docs.text.includes(`curl http://localhost:8000${request.slice(5)} `), request);
  }
  const missing = requests.filter((request) => !emitting.includes(request) && !docs.text.includes(`| \`${request}`));
  assert.deepEqual(missing, []);
});

test("the page has no block that is not run", () => docs.assertAllTaken());
