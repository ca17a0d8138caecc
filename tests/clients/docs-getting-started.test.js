// The React app of the README and of docs/getting-started.md, run as it stands there.

import assert from "node:assert/strict";
import { test } from "node:test";

import { io } from "socket.io-client-4";

import { done, fence, once, start, untaken } from "./harness.js";
import { Page } from "./docs.js";

/** The app, opened: its socket, its `send`, and what it shows. `auth` is set before it connects. */
async function open(t, server, name, auth) {
  const page = await Page.of(name);
  const module = page.take("js", "BASE_URL").replace(/^import .*$/m, "").replace("export ", "");
  const shown = [];
  const names = {
    io: (url, options) => Object.assign(io(url, { ...options, forceNew: true }), { auth }),
    BASE_URL: server.url,
    useEffect: (effect) => t.after(effect()),
    setMessages: (update) => shown.splice(0, shown.length, ...update(shown)),
    senderId: "x",
    receiverId: "bob",
  };
  const code = `${module}\n${page.take("jsx", "useEffect")}\nreturn { socket, send };`;
  const { socket, send } = new Function(...Object.keys(names), code)(...Object.values(names));
  server.watch(socket);
  await once(socket, "session");
  return { socket, send, shown };
}

for (const name of ["../README.md", "getting-started.md"]) {
  test(`the app of ${name} shows to everybody what it sends`, async (t) => {
    const server = await start(t);
    const [one, other] = [await open(t, server, name), await open(t, server, name)];
    one.send("t", "i");
    for (const { socket, shown } of [one, other]) {
      await once(socket, "message-saved");
      assert.deepEqual(shown.map(({ body }) => body), [{ senderId: "x", receiverId: "bob", text: "t", image: "i" }]);
    }
  });
}

test("the message that is shown has the fields that a message has", async (t) => {
  const server = await start(t);
  const { message } = JSON.parse((await Page.of("getting-started.md")).take("json", "revision"));
  const { socket, send } = await open(t, server, "getting-started.md");
  send("t", "i");
  const saved = await once(socket, "message-saved");
  assert.deepEqual(Object.keys(saved.message), Object.keys(message));
  assert.deepEqual(Object.keys(saved.message.body), Object.keys(message.body));
});

test("with the recipient's field a message reaches two users and nobody else", async (t) => {
  const [, section, key, value] = /^\[(\w+)\]\n([\w-]+) = "(\w+)"\n$/.exec(
    (await Page.of("getting-started.md")).take("toml", "recipient-field"),
  );
  const server = await start(t, { [`${section}.${key}`]: value });
  const ada = await open(t, server, "getting-started.md", { userId: "ada", name: "Ada" });
  const [bob, eve] = [await server.user("bob"), await server.user("eve")];
  ada.send("t", "i");
  assert.equal((await once(bob, "message-saved")).message.room, "dm:ada");
  assert.equal((await once(ada.socket, "message-saved")).message.room, "dm:bob");
  await fence(bob, eve);
  assert.deepEqual(untaken(eve, "message-saved"), []);
  assert.deepEqual((await done(eve, "list-rooms", {})).rooms, []);
});
