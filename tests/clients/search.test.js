// The search for messages, as an event and over HTTP: words, readers, filters, pages, and the setting of the fields.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { newKey } from "./api.js";
import { Api, JWT, token } from "./backend.js";
import { done, refused, start as begin } from "./harness.js";

/** A server that searches the field `text`, unless the settings say otherwise. */
const start = (t, settings) => begin(t, { "search.fields": '["text"]', ...settings });
const texts = ({ messages }) => messages.map(({ body }) => body.text);
const search = (socket, text, more = {}) => done(socket, "search-messages", { text, ...more });
const say = (socket, room, text) => done(socket, "send-message", { room, text });

describe("search-messages", () => {
  test("finds words, whatever their case and accents, the newest message first", async (t) => {
    const server = await start(t);
    for (const generation of [4, 3, 2]) {
      const ada = await server.user("ada", { generation });
      const room = `room-${generation}`;
      const first = await say(ada, room, `The first Café of ${room}`);
      await say(ada, room, "A second CAFÉ; cafeteria");
      await say(ada, room, "nothing");
      assert.deepEqual(texts(await search(ada, "cafe", { room })), ["A second CAFÉ; cafeteria", first.body.text]);
      assert.deepEqual(await search(ada, "FIRST café", { room }), { messages: [first] });
      assert.deepEqual(texts(await search(ada, "cafet", { room })), ["A second CAFÉ; cafeteria"]);
      assert.deepEqual(await search(ada, "cafe tea", { room }), { messages: [] });
    }
  });

  test("follows edits and deletions", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    const message = await say(ada, "tea", "before");
    await done(ada, "edit-message", { id: message.id, text: "after" });
    assert.deepEqual(texts(await search(ada, "before")), []);
    assert.deepEqual(texts(await search(ada, "after")), ["after"]);
    await done(ada, "delete-message", { id: message.id });
    assert.deepEqual(texts(await search(ada, "after")), []);
  });

  test("finds only what the user may read", async (t) => {
    const server = await start(t, JWT);
    const connect = async (user, ...rooms) => server.connect({ auth: { token: await token(user, ...rooms) } });
    const [ada, bob, eve] = [await connect("ada", "tea", "den"), await connect("bob", "tea"), await connect("eve", "d*")];
    await say(ada, "tea", "secret of tea");
    await say(ada, "den", "secret of den");
    await done(ada, "send-message", { to: "bob", text: "secret of two" });
    assert.deepEqual(texts(await search(ada, "secret")), ["secret of two", "secret of den", "secret of tea"]);
    assert.deepEqual(texts(await search(bob, "secret")), ["secret of two", "secret of tea"]);
    assert.deepEqual(texts(await search(eve, "secret")), ["secret of den"]);
    assert.equal(await refused(eve, "search-messages", { text: "secret", room: "tea" }), "forbidden");
    const { messages } = await search(bob, "two");
    assert.equal(messages[0].room, "dm:ada");
    assert.deepEqual(texts(await search(bob, "secret", { room: "dm:ada" })), ["secret of two"]);
    assert.deepEqual(texts(await search(eve, "secret", { room: "dm:ada" })), []);
  });

  test("is limited to a room and an author, and goes on where a page ends", async (t) => {
    const server = await start(t);
    const [ada, bob] = [await server.user("ada"), await server.user("bob")];
    for (let n = 1; n <= 5; n += 1) {
      await say(ada, "tea", `ada ${n}: word`);
      await say(bob, n % 2 ? "tea" : "den", `bob ${n}: word`);
    }
    assert.deepEqual(texts(await search(ada, "word", { room: "den" })), ["bob 4: word", "bob 2: word"]);
    assert.deepEqual(texts(await search(ada, "word", { room: "tea", from: "bob" })), ["bob 5: word", "bob 3: word", "bob 1: word"]);
    const seen = [];
    let before;
    do {
      const page = await search(ada, "word", { limit: 3, ...(before && { before }) });
      seen.push(...texts(page));
      before = page.next;
    } while (before);
    assert.equal(seen.length, 10);
    assert.deepEqual([seen[0], seen[9]], ["bob 5: word", "ada 1: word"]);
  });

  test("refuses what is no search", async (t) => {
    const server = await start(t);
    const ada = await server.user("ada");
    const wrong = [{}, { text: "" }, { text: "..." }, { text: 5 }, { text: "x".repeat(257) }, { text: "a", limit: 0 }, { text: "a", before: 3 }];
    for (const payload of wrong) assert.equal(await refused(ada, "search-messages", payload), "bad-payload", JSON.stringify(payload));
    await say(ada, "tea", 'quotes " and \' and * : ( ) OR');
    for (const text of ['"', "'"]) assert.equal(await refused(ada, "search-messages", { text }), "bad-payload");
    for (const text of ['quotes" OR nothing', "quotes' OR '1'='1", "NOT quotes nothing", "words : quotes nothing"]) {
      assert.deepEqual(texts(await search(ada, text)), [], text);
    }
    assert.equal(texts(await search(ada, 'quotes* "and (OR)')).length, 1);
  });

  test("searches the fields of the setting, also in messages that were saved before", async (t) => {
    const server = await start(t, { "search.fields": '["title", "file.name"]' });
    const ada = await server.user("ada");
    await done(ada, "send-message", { title: "Agenda", text: "hidden", file: { name: "minutes.pdf" } });
    const found = await search(ada, "minutes agenda");
    assert.equal(found.messages.length, 1);
    assert.deepEqual(await search(ada, "hidden"), { messages: [] });
    server.settings["search.fields"] = '["text"]';
    await server.kill();
    await server.start();
    const again = await server.user("ada");
    // The index is made anew beside the traffic.
    const until = Date.now() + 30_000;
    while ((await search(again, "hidden")).messages.length === 0) assert.ok(Date.now() < until, "never indexed");
    assert.deepEqual(await search(again, "agenda"), { messages: [] });
    server.settings["search.fields"] = "[]";
    await server.kill();
    await server.start();
    assert.equal(await refused(await server.user("ada"), "search-messages", { text: "hidden" }), "forbidden");
  });
});

describe("GET /api/messages?search=", () => {
  test("finds for a backend in all rooms, and for a user what the user may read", async (t) => {
    const { key, settings } = newKey();
    const server = await start(t, { ...settings, ...JWT });
    const backend = new Api(server, key);
    const post = (body) => backend.done("POST", "/messages", body, 201);
    const one = await post({ room: "tea", body: { text: "one word" } });
    const two = await post({ from: { id: "ada" }, to: "bob", body: { text: "two words" } });
    const both = await backend.done("GET", "/messages?search=WORD");
    assert.deepEqual(both, { messages: [two, one] });
    const page = await backend.done("GET", "/messages?search=word&limit=1");
    assert.deepEqual(page, { messages: [two], next: two.id });
    assert.deepEqual(await backend.done("GET", `/messages?search=word&before=${page.next}`), { messages: [one] });
    assert.deepEqual(await backend.done("GET", "/messages?search=word&from=ada"), { messages: [two] });
    assert.deepEqual(await backend.done("GET", "/messages?search=word&room=tea"), { messages: [one] });
    const direct = await backend.done("GET", "/messages?search=word&between=bob&and=ada");
    assert.deepEqual(direct, { messages: [{ ...two, room: "dm:ada" }] });
    const eve = new Api(server, await token("eve", "tea"));
    assert.deepEqual(await eve.done("GET", "/messages?search=word"), { messages: [one] });
    assert.equal(await eve.refused("GET", "/messages?search=word&room=den"), "403 forbidden");
    for (const query of ["search=", "search=word&since=1", "search=word&after=1", "search=word&before=1", "room=tea&from=ada", "search=word&room=tea&between=ada&and=bob"]) {
      assert.equal(await backend.refused("GET", `/messages?${query}`), "400 bad-payload", query);
    }
  });
});
