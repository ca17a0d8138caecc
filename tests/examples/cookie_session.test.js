import assert from "node:assert/strict";
import { test } from "node:test";

import { ask, example, next } from "./harness.js";

example("cookie_session", (server) => {
  /** The headers of a browser that has logged in. */
  async function logIn(username) {
    const { status, headers } = await server.request("/login", { method: "POST", json: { username } });
    assert.equal(status, 204);
    const [cookie] = headers["set-cookie"];
    assert.match(cookie, /HttpOnly; SameSite=Lax$/);
    return { cookie: `theme=dark; ${/^connect\.sid=[^;]+/.exec(cookie)[0]}` };
  }

  /** The answers of `/whoami`: the status, and the session. */
  async function whoami(headers) {
    const { status, body } = await server.request("/whoami", { headers });
    return [status, body];
  }

  for (const transports of [["websocket"], ["polling", "websocket"]]) {
    test(`has one session for routes and sockets, over ${transports.join(" and ")}`, async () => {
      const [ada, bob] = [await logIn("Ada"), await logIn("Bob")];
      const tabs = [];
      for (const extraHeaders of [ada, ada, bob]) tabs.push(await server.connect({ transports, extraHeaders }));
      const names = await Promise.all(tabs.map((tab) => ask(tab, "whoami")));
      assert.deepEqual(names, ["Ada", "Ada", "Bob"]);
      assert.equal(await ask(tabs[0], "incr"), 1);
      assert.equal(await ask(tabs[1], "incr"), 2);
      assert.equal(await ask(tabs[2], "incr"), 1);
      assert.deepEqual(await whoami(ada), [200, { username: "Ada", count: 2 }]);
    });
  }

  test("refuses clients without a session", async () => {
    for (const extraHeaders of [{}, { cookie: "connect.sid=made-up" }, { cookie: "theme=dark" }]) {
      const client = server.client({ extraHeaders });
      assert.deepEqual(await next(client), ["connect_error", "unauthorized"]);
      assert.equal((await whoami(extraHeaders))[0], 401);
    }
    const { status, headers } = await server.request("/login", { method: "POST", json: {} });
    assert.deepEqual([status, headers["set-cookie"]], [422, undefined]);
  });

  test("disconnects the sockets of a session that logs out, and no others", async () => {
    const [ada, bob] = [await logIn("Ada"), await logIn("Bob")];
    const tabs = [await server.connect({ extraHeaders: ada }), await server.connect({ extraHeaders: ada })];
    const other = await server.connect({ extraHeaders: bob });
    const { status } = await server.request("/logout", { method: "POST", headers: ada });
    assert.equal(status, 204);
    for (const tab of tabs) assert.deepEqual(await next(tab), ["disconnect", "io server disconnect"]);
    assert.equal(await ask(other, "whoami"), "Bob");
    assert.deepEqual(await next(server.client({ extraHeaders: ada })), ["connect_error", "unauthorized"]);
    assert.equal((await whoami(ada))[0], 401);
    assert.deepEqual(await whoami(bob), [200, { username: "Bob", count: 0 }]);
  });
});
