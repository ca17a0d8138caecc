// Client data in the text log: it must not add lines, fields or escape sequences.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { start } from "./harness.js";

/** Values that would break the log if they were printed unescaped. */
const FORGERIES = [
  "x\n2030-01-01T00:00:00.000000Z ERROR forged=yes",
  "x\r\nforged=yes",
  "\u001b[2J\u001b[31mforged=yes",
  "x\u009b31m forged=yes",
  "x\u2028forged=yes",
  "x\u202eforged=yes",
  "x forged=yes",
  'x" forged="yes',
  '"x" forged="yes"',
  "forged=yes",
];

/** Sends a raw request, and waits for the response. */
async function raw(server, lines) {
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  socket.end(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"));
  socket.resume();
  await once(socket, "close");
}

test("client data adds no line, field or escape sequence to the text log", async (t) => {
  const server = await start(t, { "log.format": "text", "log.level": "trace", "pusher.app-id": "1", "pusher.key": "k", "pusher.secret": "s" });
  for (const text of FORGERIES) {
    // Ids and names without control characters are accepted; the others are refused, and the refusal is logged.
    for (const auth of [{ userId: text, name: text }, { name: text }, { userId: `u${text}`, name: "u" }, { token: text }]) {
      const socket = server.client({ auth });
      socket.connect();
      await socket.inbox.take(([name]) => name === "session" || name === "connect_error", "an answer");
      if (!socket.connected) continue;
      await new Promise((resolve) => socket.emit(text, { text }, resolve));
      for (const event of ["join-room", "send-message", "load-messages", "typing", "edit-message"]) {
        await new Promise((resolve) => socket.emit(event, { room: text, id: text, to: text, text }, resolve));
      }
      socket.disconnect();
    }
    const namespace = server.client({ url: `${server.url}/${text}`, auth: { name: "n" } });
    namespace.connect();
    await namespace.inbox.take(([name]) => name === "session" || name === "connect_error", "an answer");
    // Only some values are possible in a header: Node's client refuses to send the others.
    const value = Buffer.from(text.replaceAll(/[\r\n]/g, " ")).toString("latin1");
    for (const header of ["Origin", "X-Request-Id", "Authorization", "Host", "User-Agent", "X-Forwarded-For"]) {
      await raw(server, ["GET /socket.io/?EIO=4&transport=polling HTTP/1.1", `${header}: ${value}`, "Connection: close"]);
      await raw(server, ["GET /api/rooms HTTP/1.1", "Host: a", `${header}: ${value}`, "Connection: close"]);
    }
    const path = encodeURIComponent(text);
    for (const target of [`/api/rooms/${path}`, `/api/users/${path}?${path}=${path}`, `/apps/1/channels?auth_key=${path}`]) {
      await server.request(target, { headers: { authorization: `Bearer ${path}` } });
    }
  }
  server.terminate();
  await server.exited();
  const lines = server.stderr.split("\n").slice(0, -1);
  for (const line of lines) {
    assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z +(TRACE|DEBUG|INFO|WARN|ERROR) /, "a line of its own");
    assert.ok(!line.startsWith("2030-"), line);
    assert.doesNotMatch(line, /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/u, "control characters");
    const bare = line.replaceAll(/"(?:[^"\\]|\\.)*"/g, "");
    assert.doesNotMatch(bare, /forged=/, `a field of its own in: ${line}`);
  }
  // Each value was logged: as user, event, path and header.
  const forged = lines.filter((line) => line.includes("forged"));
  for (const words of ["connected", "an event was refused", "origin refused", "a request was answered"]) {
    assert.ok(forged.some((line) => line.includes(words)), `no line of "${words}" quotes a client`);
  }
});
