// `promtool`, the linter of Prometheus, on /metrics. `make test` installs it; on Debian it is in the package
// `prometheus`.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { METRICS, done, refused, start } from "./harness.js";

/** The output of `promtool check metrics`; empty without findings. */
function promtool(text) {
  const { error, status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  assert.equal(error, undefined, "promtool is missing: on Debian, apt-get install prometheus");
  return { status, findings: stdout + stderr };
}

test("promtool finds nothing wrong with the metrics of a busy server", async (t) => {
  const server = await start(t, { ...METRICS, "limits.events-per-second": 30, "recovery.window": "1s", "presence.grace": "0s" });
  const [ada, bob] = [await server.user("ada"), await server.user("bob", { transports: ["polling"] })];
  await done(ada, "join-room", { room: "r" });
  await done(bob, "send-message", { room: "lobby", text: "hello" });
  await refused(ada, "join-room", {});
  const asked = Array.from({ length: 100 }, () => new Promise((resolve) => ada.emit("invented", {}, resolve)));
  await Promise.all(asked);
  assert.equal(await server.refusal({ auth: { userId: "x".repeat(1000) } }), "bad-payload");
  await server.request("/api/rooms");
  bob.disconnect();
  await server.logged({ message: "disconnected", user: "bob" });
  ada.io.engine.close();
  await server.logged({ message: "away", user: "ada" });
  ada.connect();
  await server.logged({ message: "back", user: "ada" });
  const text = await server.metrics();
  for (const name of new Set(text.match(/^sockeye_[a-z_]+?(?=_bucket|_sum|_count|\{| )/gm))) {
    assert.match(text, new RegExp(`^# HELP ${name} \\S`, "m"), `${name} has no help text`);
    assert.match(text, new RegExp(`^# TYPE ${name} (counter|gauge|histogram)$`, "m"), `${name} has no type`);
  }
  const missing = ["recoveries_total", "refused_connections_total", "limited_total", "http_requests_total", "disconnects_total"];
  for (const name of missing) assert.ok(text.includes(`\nsockeye_${name}{`), `the server was not busy enough for ${name}`);
  assert.deepEqual(promtool(text), { status: 0, findings: "" });
});

test("promtool reports an invalid metric", () => {
  const { status, findings } = promtool("# TYPE sockeye_events counter\nsockeye_events 1\n");
  assert.notEqual(status, 0);
  assert.match(findings, /no help text/);
});
