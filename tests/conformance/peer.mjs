// Node's own server with the events that the suite asks for: the specification that both halves are held against.

import { createServer } from "node:http";
import { parseArgs } from "node:util";

import { Server } from "socket.io";

import { api } from "./peer-api.mjs";
import { calls } from "./peer-calls.mjs";
import { connecting } from "./peer-connecting.mjs";
import { hookFlags, hookOptions, listenForHeaders } from "./peer-hooks.mjs";
import { watch } from "./peer-observers.mjs";
import { namespaces } from "./peer-runtime.mjs";

const { values: flags } = parseArgs({
  options: {
    listen: { type: "string", default: "127.0.0.1:0" },
    "ping-interval-ms": { type: "string", default: "25000" },
    "ping-timeout-ms": { type: "string", default: "20000" },
    "connect-timeout-ms": { type: "string", default: "45000" },
    "upgrade-timeout-ms": { type: "string", default: "10000" },
    "max-payload": { type: "string", default: "1000000" },
    "no-recovery": { type: "boolean", default: false },
    "no-eio3": { type: "boolean", default: false },
    "keep-children": { type: "boolean", default: false },
    ...hookFlags,
  },
});

const server = createServer((request, response) => response.writeHead(404).end());
const io = new Server(server, {
  allowEIO3: !flags["no-eio3"],
  cleanupEmptyChildNamespaces: !flags["keep-children"],
  connectionStateRecovery: flags["no-recovery"] ? undefined : {},
  connectTimeout: Number(flags["connect-timeout-ms"]),
  maxHttpBufferSize: Number(flags["max-payload"]),
  pingInterval: Number(flags["ping-interval-ms"]),
  pingTimeout: Number(flags["ping-timeout-ms"]),
  serveClient: false,
  upgradeTimeout: Number(flags["upgrade-timeout-ms"]),
  ...hookOptions(flags),
});

/** `[socketId, reason]` of the latest disconnects. */
const reasons = [];

function refusal(message, data) {
  return Object.assign(new Error(message), { data });
}

/** Clients of v2 have no `auth` for the main namespace: theirs is the query. */
function refuseToken({ handshake }, next) {
  const isToken = (token) => handshake.auth.token === token || handshake.query.token === token;
  if (isToken("refuse")) next(refusal("refused", { code: "no" }));
  else if (isToken("refuse-without-data")) next(new Error("refused"));
  else next();
}

function listen(socket) {
  const { nsp } = socket;

  socket.on("echo", (...args) => args.pop()(...args));
  socket.on("emit-back", (...args) => socket.emit("back", ...args));
  socket.on("ask", (arg, ack) => socket.emit("question", arg, (answer) => ack(answer)));
  socket.on("join", async (room, ack) => {
    await socket.join(room);
    ack();
  });
  socket.on("leave", async (room, ack) => {
    await socket.leave(room);
    ack();
  });
  socket.on("rooms", (ack) => ack([...socket.rooms].filter((room) => room !== socket.id)));
  socket.on("say", ({ rooms = [], except = [], volatile = false, event, data }, ack) => {
    const everyone = volatile ? nsp.volatile : nsp.except([]);
    everyone.to(rooms).except(except).emit(event, data);
    ack();
  });
  socket.on("ask-everyone", ({ data, timeoutMs }, ack) => {
    nsp.timeout(timeoutMs).emit("question", data, (error, answers) => ack(answers.sort()));
  });
  socket.on("burst", (n) => {
    for (let i = 0; i < n; i++) socket.emit("tick", i);
  });
  socket.on("disconnect-me", (close) => socket.disconnect(close));
  socket.on("id", (ack) => ack(socket.id));
  socket.on("reasons", (ack) => ack(reasons));
  socket.on("namespaces", (ack) => ack([...io._nsps.keys()].sort()));
  socket.on("disconnect", (reason) => {
    reasons.push([socket.id, reason]);
    if (reasons.length > 50) reasons.shift();
  });

  if (!socket.recovered) socket.emit("welcome", socket.handshake.auth);
}

watch(io);
if (flags.hooks) listenForHeaders(io);
io.use(refuseToken).on("connection", listen);
io.of("/custom").on("connection", listen);
api(io);
calls(io);
io.of("/admin").use((socket, next) => next(refusal("forbidden", { reason: "staff only" })));
io.of(/^\/dynamic-\d+$/).use(refuseToken).on("connection", listen);
connecting(io);
namespaces(io);

const [host, port] = flags.listen.split(":");
server.listen(Number(port), host, () => console.log(`listening on http://${host}:${server.address().port}`));
