import assert from "node:assert/strict";
import { test } from "node:test";

import { ask, example, next } from "./harness.js";

const NOT_FOUND = { error: "entity not found" };
const NO_TITLE = {
  message: '"title" must be a text of 1 to 256 characters',
  path: ["title"],
  type: "string.base",
};
const NOT_COMPLETED = { message: '"completed" must be a boolean', path: ["completed"], type: "boolean.base" };

example("todo", (server) => {
  test("creates, reads, updates, lists and deletes, and tells the others", async () => {
    const [ada, bob] = [await server.connect(), await server.connect()];
    assert.deepEqual(await ask(ada, "todo:list"), { data: [] });
    const { data: id } = await ask(ada, "todo:create", { title: "write", completed: false, owner: "nobody" });
    const written = { id, title: "write", completed: false };
    assert.deepEqual(await next(bob), ["todo:created", written]);
    assert.deepEqual(await ask(bob, "todo:read", id), { data: written });
    const { data: other } = await ask(bob, "todo:create", { title: "read", completed: true });
    assert.deepEqual(await next(ada), ["todo:created", { id: other, title: "read", completed: true }]);
    const done = { ...written, completed: true };
    assert.deepEqual(await ask(ada, "todo:update", done), { data: id });
    assert.deepEqual(await next(bob), ["todo:updated", done]);
    assert.deepEqual((await ask(ada, "todo:list")).data.map(({ title }) => title), ["write", "read"]);
    assert.deepEqual(await ask(bob, "todo:delete", id), { data: id });
    assert.deepEqual(await next(ada), ["todo:deleted", id], "not what she has updated herself");
    assert.deepEqual(await ask(ada, "todo:read", id), NOT_FOUND);
  });

  test("says what is wrong, and changes nothing", async () => {
    const [ada, bob] = [await server.connect(), await server.connect()];
    const { data: id } = await ask(ada, "todo:create", { title: "write", completed: false });
    await next(bob);
    for (const title of [undefined, "", 1, "x".repeat(257)]) {
      const refused = { error: "invalid payload", errorDetails: [NO_TITLE] };
      assert.deepEqual(await ask(ada, "todo:create", { title, completed: true }), refused);
      assert.deepEqual(await ask(ada, "todo:update", { id, title, completed: true }), refused);
    }
    for (const draft of [{}, null, "write"]) {
      const refused = { error: "invalid payload", errorDetails: [NO_TITLE, NOT_COMPLETED] };
      assert.deepEqual(await ask(ada, "todo:create", draft), refused);
    }
    for (const event of ["todo:read", "todo:delete"]) assert.deepEqual(await ask(ada, event, "none"), NOT_FOUND);
    assert.deepEqual(await ask(ada, "todo:update", { id: "none", title: "write", completed: true }), NOT_FOUND);
    assert.deepEqual(await ask(ada, "todo:list"), { data: [{ id, title: "write", completed: false }] });
    ada.emit("todo:delete", id);
    assert.deepEqual(await next(bob), ["todo:deleted", id], "the first that he hears of, and nobody needs an answer");
  });

  test("has the same list over HTTP, of whose changes all sockets hear", async () => {
    const [ada, bob] = [await server.connect(), await server.connect()];
    const { data: id } = await ask(ada, "todo:create", { title: "write", completed: false });
    await next(bob);
    const { status, body } = await server.request("/todos");
    assert.deepEqual([status, body], [200, { data: [{ id, title: "write", completed: false }] }]);
    const json = { title: "read", completed: false };
    const created = await server.request("/todos", { method: "POST", json });
    assert.equal(created.status, 200);
    const read = { id: created.body.data, ...json };
    for (const one of [ada, bob]) assert.deepEqual(await next(one), ["todo:created", read]);
    assert.deepEqual((await server.request(`/todos/${read.id}`)).body, { data: read });
    const removed = await server.request(`/todos/${id}`, { method: "DELETE" });
    assert.deepEqual([removed.status, removed.body], [200, { data: id }]);
    for (const one of [ada, bob]) assert.deepEqual(await next(one), ["todo:deleted", id]);
    assert.deepEqual(await ask(ada, "todo:list"), { data: [read] });
  });

  test("refuses over HTTP with a status", async () => {
    const refused = await server.request("/todos", { method: "POST", json: { title: "read" } });
    assert.deepEqual([refused.status, refused.body.errorDetails], [400, [NOT_COMPLETED]]);
    for (const method of ["GET", "DELETE"]) {
      const { status, body } = await server.request("/todos/none", { method });
      assert.deepEqual([status, body], [404, NOT_FOUND]);
    }
  });
});
