// The same server in Node: `join`, `send-message` and `echo`, nothing else. With `--save DIR` every message is
// inserted into SQLite before it is emitted and acknowledged.
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { Server } from "socket.io";

const { values } = parseArgs({ options: { listen: { type: "string", default: "127.0.0.1:3000" }, save: { type: "string" } } });

const save = values.save ? (await import("./store.mjs")).open(values.save) : null;
const http = createServer();
const io = new Server(http);

io.on("connection", (socket) => {
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack({ success: true });
  });
  socket.on("send-message", (payload, ack) => {
    if (save) save(payload.room, socket.id, payload);
    io.to(payload.room).emit("message-saved", payload);
    ack({ success: true });
  });
  socket.on("echo", (payload, ack) => ack(payload));
});

const colon = values.listen.lastIndexOf(":");
http.listen(Number(values.listen.slice(colon + 1)), values.listen.slice(0, colon), () => {
  const { address, port } = http.address();
  console.log(`listening on http://${address}:${port}`);
});
