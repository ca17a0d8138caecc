// The HTTP API's messages: posts and changes by a backend are broadcast to the sockets, and users read what they may.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { newKey } from "./api.js";
import { Api, JWT, token } from "./backend.js";
import { done, fence, once, refused, start, untaken } from "./harness.js";

const SYSTEM = { id: "system", name: "System" };
const EVENTS = ["message-saved", "message-edited", "message-deleted"];

/** A server and a backend with a key. */
async function open(t, settings = {}) {
  const { key, settings: known } = newKey();
  const server = await start(t, { ...known, ...settings });
  return { server, backend: new Api(server, key) };
}

const enter = (socket, room) => done(socket, "join-room", { room });
const ids = ({ messages }) => messages.map(({ id }) => id);
const numbers = ({ messages }) => messages.map(({ body }) => body.n);

describe("posting", () => {
  test("the author's name may be a whole number or null", async (t) => {
    const { backend } = await open(t);
    for (const [name, expected] of [[5, "5"], ["Ada", "Ada"], [null, "Ada"]]) {
      const { from } = await backend.done("POST", "/messages", { from: { id: "ada", name }, body: {} }, 201);
      assert.deepEqual(from, { id: "ada", name: expected });
    }
    for (const name of [2.5, true, {}]) {
      const answer = await backend.refused("POST", "/messages", { from: { id: "ada", name }, body: {} });
      assert.equal(answer, "400 bad-payload");
    }
  });

  test("as a user has the effect of the user's send-message", async (t) => {
    const { server, backend } = await open(t);
    const v4 = await server.user("bob");
    const v2 = await server.user("eve", { generation: 2 });
    const outside = await server.user("zoe");
    for (const socket of [v4, v2]) await enter(socket, "tea");
    const from = { id: "ada", name: "Ada" };
    const message = await backend.done("POST", "/messages", { from, room: "tea", body: { text: "hello" } }, 201);
    assert.deepEqual(message.from, from);
    assert.deepEqual([message.room, message.offset, message.revision], ["tea", 1, 1]);
    assert.match(message.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    for (const socket of [v4, v2]) assert.deepEqual(await once(socket, "message-saved"), { success: true, message });
    await fence(v4, outside);
    assert.deepEqual(untaken(outside, "message-saved"), []);
    const ada = await server.user("ada");
    const { rooms } = await done(ada, "list-rooms", {});
    assert.deepEqual(rooms.map(({ room }) => room), ["tea"], "posting makes the author a member");
    await done(ada, "edit-message", { id: message.id, text: "mine to change" });
  });

  test("keeps the body byte for byte", async (t) => {
    const { server, backend } = await open(t);
    const socket = await server.websocket();
    socket.socket.send("40");
    const said = '{"price" : 1.00,"big":123456789012345678901234567890,"é":"\\u00e9", "room":"not where it goes"}';
    await socket.frames.take((frame) => frame.includes('"session"'), "session");
    const { status, body: text } = await backend.call("POST", "/messages", `{ "body" : ${said} }`);
    assert.equal(status, 201);
    assert.ok(text.includes(`"body":${said}}`), text);
    const heard = await socket.frames.take((frame) => frame.includes("message-saved"), "message-saved");
    assert.ok(heard.includes(`"body":${said}}`), heard);
    const odd = await backend.done("POST", "/messages", { body: "no object" }, 201);
    assert.deepEqual(odd.body, { value: "no object" });
  });

  test("without from is by the system, which becomes no member", async (t) => {
    const { server, backend } = await open(t);
    const bob = await server.user("bob");
    const message = await backend.done("POST", "/messages", { to: "bob", body: { text: "deactivated" } }, 201);
    assert.deepEqual(message.from, SYSTEM);
    assert.equal(message.room, "dm:bob");
    const heard = (await once(bob, "message-saved")).message;
    assert.deepEqual(heard, { ...message, room: "dm:system" });
    const [{ room, unread, with: other }] = (await done(bob, "list-rooms", {})).rooms;
    assert.deepEqual([room, unread, other], ["dm:system", 1, SYSTEM]);
    const lobby = await backend.done("POST", "/messages", { body: { text: "to all" } }, 201);
    assert.equal(lobby.room, "lobby");
    const { users } = await done(bob, "list-users", {});
    assert.deepEqual(users.map(({ id }) => id), ["bob"]);
    const page = await backend.done("GET", "/messages?room=dm:bob");
    assert.deepEqual(ids(page), [message.id], "the backend reads what the system said");
    assert.equal(page.messages[0].room, "dm:bob");
    await done(bob, "send-message", { to: "system", text: "why?" });
    assert.deepEqual((await backend.done("GET", "/messages?between=system&and=bob")).messages.at(-1).body, { text: "why?" });
  });

  test("as the system is refused to clients", async (t) => {
    const { server, backend } = await open(t);
    assert.equal(await server.refusal({ auth: { userId: "system" } }), "unauthorized");
    const guarded = await open(t, JWT);
    assert.equal(await guarded.server.refusal({ auth: { token: await token("system") } }), "unauthorized");
    assert.equal(await new Api(server).refused("GET", "/users?userId=system"), "401 unauthorized");
    const from = { id: "system", name: "root" };
    assert.equal(await backend.refused("POST", "/messages", { from, body: {} }), "400 bad-payload");
    assert.deepEqual((await server.connect({ auth: { name: "system" } })).session.user.id, "name:system");
  });

  test("takes the author's name from the request, else from the store, else from the id", async (t) => {
    const { server, backend } = await open(t);
    const post = async (from) => (await backend.done("POST", "/messages", { from, body: {} }, 201)).from.name;
    assert.equal(await post({ id: "ada" }), "ada");
    await server.connect({ auth: { userId: "ada", name: "Ada L." } });
    assert.equal(await post({ id: "ada" }), "Ada L.");
    assert.equal(await post({ id: "eve", name: " Eve " }), "Eve");
    assert.equal(await post({ id: "eve" }), "Eve", "a name that was given is kept");
    for (const from of [{ id: "" }, { id: "a\u0001b" }, { id: "a", name: "" }, { id: "a", name: "\u0001" }, { name: "Ada" }, "ada"]) {
      assert.equal(await backend.refused("POST", "/messages", { from, body: {} }), "400 bad-payload", JSON.stringify(from));
    }
  });

  test("with an idempotencyKey saves once per author", async (t) => {
    const { server, backend } = await open(t);
    const bob = await server.user("bob");
    const post = (from, text) => backend.call("POST", "/messages", { from, idempotencyKey: "k", body: { text } });
    const first = await post({ id: "ada" }, "once");
    const again = await post({ id: "ada" }, "once");
    assert.deepEqual([again.status, again.reply], [201, first.reply]);
    const other = await post({ id: "ada" }, "twice");
    assert.deepEqual([other.status, other.reply.error.code], [409, "conflict"]);
    const mine = await post(undefined, "once");
    assert.notEqual(mine.reply.data.id, first.reply.data.id, "a key is its author's own");
    const heard = [await once(bob, "message-saved"), await once(bob, "message-saved")];
    assert.deepEqual(heard.map(({ message }) => message.id), [first.reply.data.id, mine.reply.data.id]);
    const ada = await server.user("ada");
    const same = await done(ada, "send-message", { text: "once", idempotencyKey: "k" });
    assert.equal(same.id, first.reply.data.id, "whichever way in");
    for (const idempotencyKey of ["", "x".repeat(129), 7]) {
      assert.equal(await backend.refused("POST", "/messages", { idempotencyKey, body: {} }), "400 bad-payload");
    }
  });

  test("an invalid message is refused and not saved", async (t) => {
    const { backend } = await open(t, { "limits.payload-bytes": 2_000, "limits.rooms-per-user": 1 });
    const wrong = [
      "",
      "no JSON",
      "[]",
      {},
      { room: "tea" },
      { room: "a\u0001b", body: {} },
      { room: "\u0001dm:3:ada:bob", body: {} },
      { to: "\u0001", body: {} },
      { room: "tea", to: "bob", body: {} },
      { room: 7.5, body: {} },
      { room: "tea", body: [] },
      { body: {}, text: "beside the body" },
    ];
    for (const body of wrong) {
      assert.equal(await backend.refused("POST", "/messages", body), "400 bad-payload", JSON.stringify(body));
    }
    assert.equal(await backend.refused("POST", "/messages", { body: "x".repeat(2_000) }), "413 too-large");
    await backend.done("POST", "/messages", { from: { id: "ada" }, room: "one", body: {} }, 201);
    const second = { from: { id: "ada" }, room: "two", body: {} };
    assert.equal(await backend.refused("POST", "/messages", second), "403 forbidden", "limits.rooms-per-user");
    const { rooms } = await backend.done("GET", "/rooms");
    assert.deepEqual(rooms.map(({ room }) => room), ["one"]);
  });
});

describe("reading", () => {
  test("pages as load-messages does", async (t) => {
    const { backend } = await open(t);
    for (let n = 1; n <= 55; n += 1) await backend.done("POST", "/messages", { room: "log", body: { n } }, 201);
    const page = (query) => backend.done("GET", `/messages?room=log${query}`);
    const last = await page("");
    assert.deepEqual([numbers(last).length, numbers(last)[0], numbers(last).at(-1), last.more], [50, 6, 55, true]);
    assert.deepEqual(Object.keys(last).sort(), ["messages", "more"]);
    const before = await page("&before=6&limit=3");
    assert.deepEqual([numbers(before), before.more], [[3, 4, 5], true]);
    const first = await page("&before=4&limit=3");
    assert.deepEqual([numbers(first), first.more], [[1, 2, 3], false]);
    const after = await page("&after=53&limit=2");
    assert.deepEqual([numbers(after), after.more], [[54, 55], false]);
    assert.deepEqual(numbers(await page("&after=55")), []);
    assert.deepEqual(numbers(await page("&before=1")), []);
    assert.equal(numbers(await page("&limit=1000")).length, 55);
    assert.deepEqual(await backend.done("GET", "/messages?room=unheard-of"), { messages: [], more: false });
    const wrong = [
      "",
      "?room=",
      "?room=a%01b",
      "?room=%01dm:3:ada:bob",
      "?room=log&limit=0",
      "?room=log&limit=-1",
      "?room=log&limit=many",
      "?room=log&before=2&after=1",
      "?room=log&since=1&limit=5",
      "?room=log&between=ada&and=bob",
      "?between=ada",
      "?and=ada",
    ];
    for (const query of wrong) assert.equal(await backend.refused("GET", `/messages${query}`), "400 bad-payload", query);
  });

  test("since returns the same as join-room", async (t) => {
    const { server, backend } = await open(t);
    const posted = [];
    for (let n = 1; n <= 3; n += 1) posted.push(await backend.done("POST", "/messages", { room: "log", body: { n } }, 201));
    await backend.done("PATCH", `/messages/${posted[0].id}`, { body: { n: "one" } });
    await backend.done("DELETE", `/messages/${posted[1].id}`);
    const socket = await server.user("ada");
    for (const since of [0, 2, 3, 4, 5, 6]) {
      const { head, messages, more, reset } = await done(socket, "join-room", { room: "log", since });
      const answer = await backend.done("GET", `/messages?room=log&since=${since}`);
      assert.deepEqual(answer, { head, messages, more, reset }, `since ${since}`);
    }
    const { head, messages, reset } = await backend.done("GET", "/messages?room=log&since=3");
    assert.deepEqual([head, reset], [{ offset: 3, revision: 5 }, false]);
    assert.deepEqual(messages.map(({ revision, offset }) => [revision, offset]), [[4, 1], [5, 2]]);
    assert.equal((await backend.done("GET", "/messages?room=log&since=6")).reset, true);
  });

  test("a backend reads the direct messages of any two users, in the view of the first one", async (t) => {
    const { server, backend } = await open(t);
    const ada = await server.user("ada");
    const { id } = await done(ada, "send-message", { to: "bob", text: "psst" });
    const rooms = async (query) => (await backend.done("GET", `/messages?${query}`)).messages.map(({ room }) => room);
    assert.deepEqual(await rooms("between=ada&and=bob"), ["dm:bob"]);
    assert.deepEqual(await rooms("between=bob&and=ada"), ["dm:ada"]);
    assert.deepEqual(await rooms("between=bob&and=eve"), []);
    const one = await backend.done("GET", `/messages/${id}`);
    assert.deepEqual([one.room, one.body], ["dm:bob", { text: "psst" }]);
  });

  test("a message is found by its id", async (t) => {
    const { backend } = await open(t);
    const message = await backend.done("POST", "/messages", { body: { text: "here" } }, 201);
    assert.deepEqual(await backend.done("GET", `/messages/${message.id}`), message);
    assert.equal(await backend.refused("GET", "/messages/01a1fd56-8ccf-713d-b077-2d061da8c0e9"), "404 not-found");
    assert.equal(await backend.refused("GET", "/messages/no-uuid"), "400 bad-payload");
  });

  test("a user may read the same rooms as with a socket", async (t) => {
    const { server, backend } = await open(t, JWT);
    const post = (where, from = "bob") => backend.done("POST", "/messages", { from: { id: from }, ...where, body: {} }, 201);
    const open_ = await post({ room: "team-7" });
    const closed = await post({ room: "team-8" });
    const hers = await post({ to: "ada" });
    const others = await post({ to: "eve" });
    const ada = new Api(server, await token("ada", "team-7"));
    assert.deepEqual(ids(await ada.done("GET", "/messages?room=team-7")), [open_.id]);
    const direct = await ada.done("GET", "/messages?room=dm:bob");
    assert.deepEqual([ids(direct), direct.messages[0].room], [[hers.id], "dm:bob"]);
    assert.deepEqual(ids(await ada.done("GET", "/messages?room=dm:bob&since=0")), [hers.id]);
    assert.deepEqual(await ada.done("GET", `/messages/${hers.id}`), { ...hers, room: "dm:bob" });
    assert.deepEqual((await ada.done("GET", "/messages?room=dm:eve")).messages, [], "hers with eve, and there are none");
    assert.equal(await ada.refused("GET", "/messages?room=team-8"), "403 forbidden");
    assert.equal(await ada.refused("GET", "/messages?room=team-8&since=0"), "403 forbidden");
    for (const query of ["between=bob&and=eve", "between=ada&and=bob"]) {
      assert.equal(await ada.refused("GET", `/messages?${query}`), "403 forbidden", query);
    }
    for (const { id } of [closed, others]) assert.equal(await ada.refused("GET", `/messages/${id}`), "404 not-found");
    assert.equal(await new Api(server).refused("GET", "/messages?room=lobby"), "401 unauthorized");
  });
});

describe("changing", () => {
  test("a backend may edit and delete any message, and the room is notified", async (t) => {
    const { server, backend } = await open(t);
    const ada = await server.user("ada");
    const v2 = await server.user("bob", { generation: 2 });
    for (const socket of [ada, v2]) await enter(socket, "tea");
    const said = await done(ada, "send-message", { room: "tea", text: "rude" });
    const text = '{"text":"*" ,"n":1.0}';
    const edited = await backend.call("PATCH", `/messages/${said.id}`, `{"body":${text}}`);
    assert.equal(edited.status, 200);
    assert.ok(edited.body.includes(`"body":${text}}`), edited.body);
    assert.deepEqual(edited.reply.data.from, said.from, "it is still hers");
    const gone = await backend.done("DELETE", `/messages/${said.id}`);
    assert.deepEqual([gone.body, gone.revision, typeof gone.deletedAt], [{}, 3, "string"]);
    for (const socket of [ada, v2]) {
      assert.deepEqual(await once(socket, "message-edited"), { success: true, message: edited.reply.data });
      assert.deepEqual(await once(socket, "message-deleted"), { success: true, message: gone });
    }
    assert.deepEqual(await backend.done("DELETE", `/messages/${said.id}`), gone, "again is no error");
    assert.equal(await backend.refused("PATCH", `/messages/${said.id}`, { body: {} }), "409 conflict");
    await fence(ada, v2);
    assert.deepEqual(untaken(v2, "message-deleted"), [], "and nobody hears of it twice");
  });

  test("a changed direct message reaches both users, each under the other's id", async (t) => {
    const { server, backend } = await open(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    const { id } = await done(ada, "send-message", { to: "bob", text: "psst" });
    assert.equal((await backend.done("PATCH", `/messages/${id}`, { body: { text: "hush" } })).room, "dm:bob");
    assert.equal((await once(ada, "message-edited")).message.room, "dm:bob");
    assert.equal((await once(bob, "message-edited")).message.room, "dm:ada");
  });

  test("with by, only the author may", async (t) => {
    const { server, backend } = await open(t);
    const bob = await server.user("bob");
    const { id } = await backend.done("POST", "/messages", { from: { id: "ada" }, body: { n: 1 } }, 201);
    const direct = await backend.done("POST", "/messages", { from: { id: "ada" }, to: "eve", body: {} }, 201);
    assert.equal(await backend.refused("PATCH", `/messages/${id}`, { body: { n: 2 }, by: "bob" }), "403 forbidden");
    assert.equal(await backend.refused("DELETE", `/messages/${id}?by=bob`), "403 forbidden");
    assert.equal(await backend.refused("DELETE", `/messages/${direct.id}?by=bob`), "404 not-found", "not his to know of");
    assert.equal(await backend.refused("DELETE", `/messages/${id}?by=%01`), "400 bad-payload");
    assert.equal(await backend.refused("PATCH", `/messages/${id}`, { by: "ada" }), "400 bad-payload");
    assert.deepEqual((await backend.done("PATCH", `/messages/${id}`, { body: { n: 2 }, by: "ada" })).body, { n: 2 });
    await backend.done("DELETE", `/messages/${id}?by=ada`);
    await once(bob, "message-deleted");
    const before = untaken(bob, ...EVENTS).map(([name]) => name);
    assert.deepEqual(before, ["message-saved", "message-edited"], "what was refused did not happen");
    const unknown = "/messages/01a1fd56-8ccf-713d-b077-2d061da8c0e9";
    assert.equal(await backend.refused("PATCH", unknown, { body: {} }), "404 not-found");
    assert.equal(await backend.refused("DELETE", unknown), "404 not-found");
    assert.equal(await refused(bob, "delete-message", { id: direct.id }), "not-found");
  });

  test("each needs its scope, and users have none", async (t) => {
    const reader = newKey("reader", "messages:read");
    const writer = newKey("writer", "messages:write,rooms:read");
    const server = await start(t, { ...reader.settings, ...writer.settings, ...JWT });
    const [read, write] = [new Api(server, reader.key), new Api(server, writer.key)];
    const { id } = await write.done("POST", "/messages", { body: {} }, 201);
    const user = new Api(server, await token("ada"));
    for (const api of [read, user]) {
      assert.equal(await api.refused("POST", "/messages", { body: {} }), "403 forbidden");
      assert.equal(await api.refused("PATCH", `/messages/${id}`, { body: {} }), "403 forbidden");
      assert.equal(await api.refused("DELETE", `/messages/${id}`), "403 forbidden");
    }
    for (const query of [`/${id}`, "?room=lobby", "?room=lobby&since=0", "?between=ada&and=bob"]) {
      assert.equal(await write.refused("GET", `/messages${query}`), "403 forbidden", query);
      await read.done("GET", `/messages${query}`);
    }
  });
});
