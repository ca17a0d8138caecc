// Deleting rooms, erasing users, exporting both: over the HTTP API and on the command line.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { newKey } from "./api.js";
import { Api } from "./backend.js";
import { BINARY, done, fence, once, start, untaken } from "./harness.js";

/** A server and a backend with a key. */
async function open(t, { scopes = "*", ...settings } = {}) {
  const { key, settings: known } = newKey("backend", scopes);
  const server = await start(t, { ...known, ...settings });
  return { server, backend: new Backend(server, key) };
}

class Backend extends Api {
  /** The lines of a response. */
  async lines(method, path) {
    const headers = { authorization: `Bearer ${this.credential}` };
    const { status, headers: answered, body } = await this.server.request(`/api${path}`, { method, headers });
    assert.equal(status, 200, body);
    assert.equal(answered["content-type"], "application/x-ndjson");
    return body.trimEnd().split("\n").map((line) => JSON.parse(line));
  }

  /** The `data` of work that must succeed. */
  async erase(path) {
    const { success, data } = (await this.lines("DELETE", path)).pop();
    assert.equal(success, true);
    return data;
  }
}

const enter = (socket, room, since) => done(socket, "join-room", { room, since });
const say = (socket, text, where = { room: "tea" }) => done(socket, "send-message", { ...where, text });
const texts = ({ messages }) => messages.map(({ body }) => body.text);

/** The standard output of a command on the database of a stopped server. */
async function command(server, ...words) {
  const { stdout } = await promisify(execFile)(BINARY, [...words, "--data", "data"], { cwd: server.folder, env: {} });
  return stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
}

test("sockets in a deleted room hear of it and leave it; its offsets go on", async (t) => {
  const { server, backend } = await open(t);
  const [ada, bob, eve] = [await server.user("ada"), await server.user("bob"), await server.user("eve")];
  for (const socket of [ada, bob]) await enter(socket, "tea");
  for (const text of ["1", "2", "3"]) await say(ada, text);
  const { revision } = await say(ada, "4");
  assert.deepEqual(await backend.done("DELETE", "/rooms/tea?dryRun=true"), { messages: 4, members: 2 });
  assert.equal((await backend.done("GET", "/rooms/tea")).memberCount, 2);
  assert.deepEqual(await backend.erase("/rooms/tea"), { messages: 4, members: 2 });
  for (const socket of [ada, bob]) assert.deepEqual(await once(socket, "room-deleted"), { room: "tea" });
  await fence(ada, eve);
  assert.deepEqual(untaken(eve, "room-deleted"), []);
  assert.equal(await backend.refused("GET", "/rooms/tea"), "404 not-found");
  assert.deepEqual((await done(ada, "list-rooms")).rooms, []);
  // They are no longer subscribed: what is written to the room now does not reach them.
  await enter(eve, "tea");
  const next = await say(eve, "new");
  assert.equal(next.offset, 5);
  await fence(eve, ada, bob);
  for (const socket of [ada, bob]) {
    assert.ok(!untaken(socket, "message-saved").some(([, { message }]) => message.body.text === "new"));
  }
  const { reset, messages } = await enter(ada, "tea", revision);
  assert.deepEqual([reset, texts({ messages })], [true, ["new"]]);
  assert.equal(await backend.refused("DELETE", "/rooms/lobby"), "403 forbidden");
});

test("an erased user leaves tombstones, and nothing else", async (t) => {
  const { server, backend } = await open(t, { "presence.grace": "0s" });
  const [ada, bob] = [await server.user("ada"), await server.user("bob")];
  for (const socket of [ada, bob]) await enter(socket, "tea");
  const mine = await say(ada, "secret");
  await say(bob, "kept");
  const { revision } = await say(ada, "also secret");
  await say(ada, "psst", { to: "bob" });
  await say(bob, "hm", { to: "ada" });
  const counted = (await backend.lines("DELETE", "/users/ada/data?dryRun=true")).pop().data;
  const counts = { messages: 2, directMessages: 2, memberships: 2, keys: 0 };
  assert.deepEqual(counted, { ...counts, scanned: 5 });
  const exported = await backend.lines("GET", "/users/ada/data");
  assert.equal(exported[0].user.id, "ada");
  assert.deepEqual(exported.filter((line) => line.membership).map((line) => line.membership.room).sort(), ["dm:bob", "tea"]);
  const found = exported.filter((line) => line.message).map(({ message }) => message);
  assert.deepEqual(texts({ messages: found }), ["secret", "also secret", "psst"]);
  assert.deepEqual(exported.at(-1), { end: { messages: 3 } });
  assert.deepEqual(await backend.erase("/users/ada/data"), { ...counts, memberships: 1, scanned: 3 });
  assert.equal(await once(ada, "disconnect"), "io server disconnect");
  assert.deepEqual(await once(bob, "room-deleted"), { room: "dm:ada" });
  for (const offset of [1, 3]) {
    const { message } = await once(bob, "message-deleted");
    assert.deepEqual([message.offset, message.from.id, message.body], [offset, "system", {}]);
  }
  assert.ok(!JSON.stringify(await backend.done("GET", "/messages?room=tea")).includes("ada"));
  assert.deepEqual(texts(await backend.done("GET", "/messages?between=ada&and=bob")), []);
  assert.equal(await backend.refused("GET", "/users/ada"), "404 not-found");
  assert.deepEqual(texts(await backend.done("GET", `/messages?room=tea&since=${revision}`)), [undefined, undefined]);
  assert.equal((await backend.done("GET", `/messages/${mine.id}`)).deletedAt !== undefined, true);
  // Once more: nothing is left.
  assert.deepEqual(await backend.erase("/users/ada/data"), { messages: 0, directMessages: 0, memberships: 0, keys: 0, scanned: 3 });
  const audited = await server.logged({ message: "a user was erased" });
  assert.deepEqual([audited.user, audited.by, audited.messages], ["ada", "backend", 2]);
  assert.ok(!server.stderr.includes("secret"));
  assert.equal(await backend.refused("DELETE", "/users/system/data"), "403 forbidden");
});

test("only the newest 200 tombstones of a room are told, the others show in since", async (t) => {
  const { server, backend } = await open(t);
  const bob = await server.user("bob");
  await enter(bob, "tea");
  for (let number = 1; number <= 230; number += 1) {
    await backend.done("POST", "/messages", { from: { id: "ada" }, room: "tea", body: { number } }, 201);
  }
  assert.equal((await backend.erase("/users/ada/data")).messages, 230);
  await fence(bob, bob);
  const told = untaken(bob, "message-deleted").map(([, { message }]) => message.offset);
  assert.deepEqual([told.length, told[0], told.at(-1)], [200, 31, 230]);
  const { messages, reset, more } = await backend.done("GET", "/messages?room=tea&since=230");
  assert.deepEqual([messages.length, messages[0].offset, reset, more], [200, 1, false, true]);
});

test("a room is exported with its members and all its messages", async (t) => {
  const { server, backend } = await open(t, { scopes: "data:read" });
  const ada = await server.user("ada");
  await enter(ada, "tea");
  await Promise.all(Array.from({ length: 80 }, (_, number) => say(ada, `${number}`)));
  const lines = await backend.lines("GET", "/rooms/tea/export");
  assert.deepEqual(lines.slice(0, 2).map((line) => Object.keys(line)[0]), ["room", "member"]);
  assert.deepEqual(lines[0].room, { room: "tea", head: { offset: 80, revision: 80 } });
  assert.deepEqual(lines.slice(2, -1).map(({ message }) => message.offset), Array.from({ length: 80 }, (_, at) => at + 1));
  assert.deepEqual(lines.at(-1), { end: { messages: 80 } });
  assert.equal(await backend.refused("DELETE", "/rooms/tea"), "403 forbidden");
  assert.equal(await backend.refused("DELETE", "/users/ada/data"), "403 forbidden");
  assert.equal(await backend.refused("DELETE", "/users/ada/data?dry_run=true"), "400 bad-payload");
});

test("the command line erases and exports while the server is stopped", async (t) => {
  const { server } = await open(t);
  const [ada, bob] = [await server.user("ada"), await server.user("bob")];
  for (const socket of [ada, bob]) await enter(socket, "tea");
  await say(ada, "secret");
  await say(bob, "kept");
  await assert.rejects(command(server, "erase", "user", "ada"), /in use by another server/);
  server.terminate();
  await server.exited();
  const [dry] = await command(server, "erase", "user", "ada", "--dry-run");
  assert.deepEqual(dry.data, { messages: 1, directMessages: 0, memberships: 1, keys: 0, scanned: 2 });
  assert.equal((await command(server, "export", "user", "ada")).find((line) => line.message).message.body.text, "secret");
  const [erased] = await command(server, "erase", "user", "ada");
  assert.deepEqual(erased.data, dry.data);
  const exported = (await command(server, "export", "room", "tea")).filter((line) => line.message);
  assert.deepEqual(texts({ messages: exported.map(({ message }) => message) }), [undefined, "kept"]);
  assert.deepEqual((await command(server, "erase", "room", "tea"))[0].data, { messages: 2, members: 1 });
  assert.deepEqual((await command(server, "export", "room", "tea")).at(-1), { end: { messages: 0 } });
  await server.start();
  const carl = await server.user("carl");
  await enter(carl, "tea");
  assert.equal((await say(carl, "new")).offset, 3);
});

test("the command line leaves the index of the search as it is, but for what it erases", async (t) => {
  const { server } = await open(t, { "search.fields": '["text"]' });
  const [ada, bob] = [await server.user("ada"), await server.user("bob")];
  for (const socket of [ada, bob]) await enter(socket, "tea");
  await say(ada, "secret word");
  await say(bob, "kept word");
  server.terminate();
  await server.exited();
  await command(server, "erase", "user", "ada", "--dry-run");
  await command(server, "erase", "user", "ada");
  await server.start();
  const { messages } = await done(await server.user("carl"), "search-messages", { text: "word" });
  assert.deepEqual(texts({ messages }), ["kept word"]);
  assert.doesNotMatch(server.stderr, /indexed for the search/);
});
