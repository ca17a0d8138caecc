import assert from "node:assert/strict";
import { test } from "node:test";

import { example, next } from "./harness.js";

example("whiteboard", (server) => {
  test("shows the others every line, in order", async () => {
    const [painter, ...others] = [await server.connect(), await server.connect(), await server.connect()];
    const lines = Array.from({ length: 500 }, (_, x) => ({ x0: x, y0: 0.5, x1: x + 1, y1: 0.25, color: "#ff0000" }));
    for (const line of lines) painter.emit("drawing", line);
    for (const other of others) {
      for (const line of lines) assert.deepEqual(await next(other), ["drawing", line]);
    }
    others[0].emit("drawing", { color: "black" });
    assert.deepEqual(await next(painter), ["drawing", { color: "black" }], "the first that she hears of");
  });
});
