// Attacks: clients that make the server hold as much memory as possible. Each attack uses a number of connections and
// runs in a separate process (`attacker.js`).

import { randomBytes } from "node:crypto";
import net from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** `limits.memory`: small, so that an attack reaches it quickly. `ATTACK_MEMORY` overrides it. */
export const MEMORY = Number(process.env.ATTACK_MEMORY ?? 64_000_000);

const MEGABYTE = 1_000_000;
const TEXT = "x".repeat(950_000);

/** A connection that ignores errors: the server may close it at any time. */
function connection(port) {
  const socket = net.connect({ port, noDelay: true });
  socket.on("error", () => {});
  return socket;
}

/** Writes the data and waits until the connection has taken it; false if it was closed. */
async function write(socket, bytes) {
  if (socket.destroyed) return false;
  if (socket.write(bytes)) return true;
  await new Promise((resolve) => {
    const done = () => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.once("drain", done);
    socket.once("close", done);
  });
  return !socket.destroyed;
}

/** A text frame, masked with zeros (RFC 6455, section 5.2). `announced` may be more than the length of the text. */
function frame(text, { opcode = 1, announced } = {}) {
  const payload = Buffer.from(text);
  const length = announced ?? payload.length;
  const head = Buffer.alloc(length < 126 ? 6 : length < 65_536 ? 8 : 14);
  head[0] = 0x80 | opcode;
  if (length < 126) head[1] = 0x80 | length;
  else if (length < 65_536) (head[1] = 0x80 | 126), head.writeUInt16BE(length, 2);
  else (head[1] = 0x80 | 127), head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

/** A raw WebSocket. Incoming data is read, unless `reads` is false. */
async function websocket(port, { path = "/socket.io/?EIO=4&transport=websocket", reads = true } = {}) {
  const socket = connection(port);
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
  );
  await new Promise((resolve) => {
    socket.once("data", resolve);
    socket.once("close", resolve);
  });
  if (reads) socket.on("data", () => {});
  else socket.pause();
  return socket;
}

/** Sends CONNECT with this `auth`, and waits for the answer. */
async function enter(socket, auth = {}) {
  const entered = new Promise((resolve) => {
    let text = "";
    const look = (data) => (text += data.toString("latin1")).includes("40{") && (socket.off("data", look), resolve());
    socket.on("data", look);
    socket.once("close", resolve);
  });
  socket.resume();
  socket.write(frame(`40${JSON.stringify(auth)}`));
  await entered;
}

/** Sends a request on a new connection, and reads the response unless told not to. */
function request(port, method, path, body = "", { announced, headers = "", reads = true } = {}) {
  const socket = connection(port);
  const length = method === "POST" ? `Content-Length: ${announced ?? Buffer.byteLength(body)}\r\n` : "";
  socket.write(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${headers}${length}\r\n${body}`);
  if (!reads) socket.pause();
  const answer = new Promise((resolve) => {
    let text = "";
    socket.on("data", (data) => ((text += data.toString("latin1")), text.length < 10_000 && resolve(text)));
    socket.on("close", () => resolve(text));
  });
  return { socket, answer };
}

/** Opens a polling session. */
async function session(port) {
  const { socket, answer } = request(port, "GET", "/socket.io/?EIO=4&transport=polling");
  const sid = /"sid":"([^"]+)"/.exec(await answer)?.[1];
  socket.destroy();
  return `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
}

/** Runs `act` in many parallel loops. */
const all = (count, work) => Promise.all(Array.from({ length: count }, (_, index) => work(index)));

/** Sends the same packets over WebSockets as fast as the server reads them. */
async function packets(port, count, texts, options) {
  const many = Buffer.concat(Array.from({ length: 4_000 }, (_, index) => frame(texts[index % texts.length], options)));
  await all(count, async () => {
    const socket = await websocket(port, options);
    if (options?.enters) await enter(socket);
    while (await write(socket, many));
  });
}

/** An attack with this number of connections; `run` gets the server's port and the number. */
const by = (connections, run) => ({ connections, run: (port, options) => run(port, connections, options) });

export const ATTACKS = {
  /** CONNECT and DISCONNECT in turn, 0.99 MB per request. */
  "connects by polling": by(8, async (port, count) => {
    const many = Array.from({ length: 160_000 }, () => "40\x1e41").join("\x1e").slice(0, 990_000 - 3);
    const body = many.slice(0, many.lastIndexOf("\x1e"));
    await all(count, async () => request(port, "POST", await session(port), body).answer);
  }),
  "connects by WebSocket": by(4, async (port, count) => {
    await packets(port, count, ["40", "41"]);
  }),
  "connects to namespaces that do not exist": by(4, async (port, count) => {
    await packets(port, count, ["40/nothing,{}"]);
  }),
  "pongs and acknowledgements": by(4, async (port, count) => {
    await packets(port, count, ["3", "431[]"], { enters: true });
  }),
  "pings of WebSocket": by(4, async (port, count) => {
    await packets(port, count, ["ping"], { opcode: 9 });
  }),
  "registers on plain WebSocket": by(4, async (port, count) => {
    const register = JSON.stringify({ eventType: "ClientEvent", event: "Register", requestData: { token: "no" } });
    await packets(port, count, [register], { path: "/ws" });
  }),
  /** Saved messages of almost a megabyte, up to the limit of events in flight. */
  "large messages": by(8, async (port, count) => {
    const message = frame(`421["send-message",{"text":"${TEXT}"}]`);
    await all(count, async (index) => {
      const socket = await websocket(port);
      await enter(socket, { userId: `large-${index}` });
      while (await write(socket, message));
    });
  }),
  /** Sockets that read everything and acknowledge nothing; each is in a room of its own. */
  "recovery logs": by(100 * Math.ceil(MEMORY / 64_000_000), async (port, count) => {
    await all(count, async (index) => {
      const socket = await websocket(port, { path: "/socket.io/?EIO=4&transport=websocket&recovery=true" });
      await enter(socket, { userId: `log-${index}` });
      const own = frame(`42["own",{"user":"log-${index}","text":"${TEXT.slice(0, 20_000)}"}]`);
      while (await write(socket, own)) await pause(500);
    });
  }),
  /** Clients with a long `auth` that disconnect at once and may be recovered. */
  "credentials of clients that go": by(20, async (port, count) => {
    await all(count, async () => {
      for (let round = 0; round < 200; round += 1) {
        const socket = await websocket(port, { path: "/socket.io/?EIO=4&transport=websocket&recovery=true" });
        await enter(socket, { x: TEXT.slice(0, 120_000) });
        socket.destroy();
      }
    });
  }),
  /** Messages whose last bytes are never sent, from clients before CONNECT. */
  "unfinished messages": by(700, async (port, count) => {
    const message = frame(TEXT, { announced: MEGABYTE });
    await all(count, async () => write(await websocket(port), message));
  }),
  "unfinished fragments": by(700, async (port, count) => {
    const head = frame(TEXT.slice(0, 200_000));
    head[0] = 0x01;
    const rest = frame(TEXT.slice(0, 200_000));
    rest[0] = 0x00;
    await all(count, async () => {
      const socket = await websocket(port);
      socket.write(head);
      for (let n = 0; n < 3; n += 1) await write(socket, rest);
    });
  }),
  "unfinished attachments": by(700, async (port, count) => {
    await all(count, async () => {
      const socket = await websocket(port);
      await enter(socket);
      socket.write(frame('452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'));
      await write(socket, frame(TEXT, { opcode: 2 }));
    });
  }),
  "unfinished requests of polling": by(450, async (port, count) => {
    await all(count, async () => request(port, "POST", await session(port), TEXT, { announced: 999_000 }));
  }),
  "unfinished requests of the API": by(450, async (port, count, { key }) => {
    const headers = `Authorization: Bearer ${key}\r\nContent-Type: application/json\r\n`;
    await all(count, async () => request(port, "POST", "/api/events", `{"data":"${TEXT}`, { headers, announced: 999_000 }));
  }),
  "heads of requests": by(900, async (port, count) => {
    await all(count, async () => {
      const socket = connection(port);
      await write(socket, `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Long: ${TEXT.slice(0, 30_000)}`);
    });
  }),
  /** Requests for pages of history whose responses are not read. */
  "answers of the API": by(450, async (port, count, { key }) => {
    const headers = `Authorization: Bearer ${key}\r\n`;
    await all(count, async () => request(port, "GET", "/api/messages?room=lobby", "", { headers, reads: false }));
  }),
  /** Polling clients that send four polls each and do not read the responses. */
  "answers of polling": by(1_500, async (port, count) => {
    const paths = await all(count / 5, () => session(port));
    await all(paths.length, (index) => request(port, "POST", paths[index], "40").answer);
    const loud = await websocket(port);
    await enter(loud, { userId: "loud" });
    const poll = (index) => request(port, "GET", paths[index], "", { reads: false });
    for (let round = 0; round < 40; round += 1) {
      await write(loud, frame(`42["message","${TEXT.slice(0, 60_000)}"]`));
      await pause(100);
      if (round % 10 === 0) await all(paths.length, poll);
    }
  }),
  /** WebSockets that never read: events to all of them, and to each alone. */
  "2,000 clients that never read": by(2_000, async (port, count) => {
    const deaf = [];
    await all(count, async (index) => {
      const socket = await websocket(port, { reads: false });
      await enter(socket, { userId: `deaf-${index}` });
      deaf.push(socket.pause());
    });
    const loud = await websocket(port);
    await enter(loud, { userId: "loud" });
    const shared = frame(`42["message","${TEXT.slice(0, 60_000)}"]`);
    for (let index = 0; await write(loud, shared); index += 1) {
      const own = `42["own",{"user":"deaf-${index % count}","text":"${TEXT.slice(0, 900_000)}"}]`;
      await write(loud, frame(own));
      await pause(100);
    }
  }),
};
