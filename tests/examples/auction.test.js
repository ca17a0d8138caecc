import assert from "node:assert/strict";
import { test } from "node:test";

import { ask, example, next } from "./harness.js";

example("auction", (server) => {
  const bidder = (name) => server.connect({ namespace: "/auction", auth: { name } });

  test("tells those who watch an item of its bids", async () => {
    const [ada, bob, eve] = [await bidder("Ada"), await bidder("Bob"), await bidder("Eve")];
    assert.equal(await ask(ada, "watch-item", "painting"), null);
    await ask(bob, "watch-item", "painting");
    await ask(eve, "watch-item", "vase");
    const placed = { item: "painting", amount: 100, bidder: "Bob" };
    assert.deepEqual(await ask(bob, "place-bid", { item: "painting", amount: 100 }), placed);
    for (const one of [ada, bob]) assert.deepEqual(await next(one), ["bid-placed", placed]);
    assert.deepEqual(await ask(eve, "watch-item", "painting"), placed);
    const vase = { item: "vase", amount: 1, bidder: "Ada" };
    assert.deepEqual(await ask(ada, "place-bid", { item: "vase", amount: 1, bidder: "Bob" }), vase);
    assert.deepEqual(await next(eve), ["bid-placed", vase], "the first that she hears of");
  });

  test("refuses a bid that is no higher, and one that makes no sense", async () => {
    const ada = await bidder("Ada");
    await ask(ada, "place-bid", { item: "painting", amount: 100 });
    for (const amount of [100, 99, 0]) {
      const error = { code: "conflict", message: "Ada has offered 100" };
      assert.deepEqual(await ask(ada, "place-bid", { item: "painting", amount }), { error });
    }
    for (const bid of [{ item: "painting" }, { amount: 200 }, { item: "painting", amount: -1 }, null]) {
      const { error } = await ask(ada, "place-bid", bid);
      assert.equal(error.code, "bad-payload", error.message);
    }
    assert.equal((await ask(ada, "watch-item", "painting")).amount, 100);
  });
});
