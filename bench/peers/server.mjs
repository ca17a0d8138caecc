// The same server in Node: `join`, `send-message` and echoes, nothing else. With `--save DIR` every message is
// inserted into SQLite before it is emitted and acknowledged, with `--postgres URL` into PostgreSQL: each alone, or with
// `--batch` all that wait in one statement. With `--catch-all` there is an `echo-any`, which has no
// listener of its own.
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { Server } from "socket.io";

const { values } = parseArgs({
  options: {
    listen: { type: "string", default: "127.0.0.1:3000" },
    save: { type: "string" },
    postgres: { type: "string" },
    batch: { type: "boolean", default: false },
    "catch-all": { type: "boolean", default: false },
  },
});

const save = values.save ? (await import("./store.mjs")).open(values.save) : null;
const saveLater = values.postgres
  ? await (await import("./postgres-store.mjs")).open(values.postgres, values)
  : null;
const http = createServer();
const io = new Server(http);

io.on("connection", (socket) => {
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack({ success: true });
  });
  socket.on("send-message", (payload, ack) => {
    const tell = () => {
      io.to(payload.room).emit("message-saved", payload);
      ack({ success: true });
    };
    if (saveLater) {
      saveLater(payload.room, socket.id, payload).then(tell);
      return;
    }
    if (save) save(payload.room, socket.id, payload);
    tell();
  });
  socket.on("echo", (payload, ack) => ack(payload));
  socket.on("echo-args", (number, text, object, ack) => ack(number, text, object));
  socket.on("echo-binary", (file, ack) => ack(file));
  if (values["catch-all"]) {
    socket.onAny((event, ...args) => {
      if (event === "echo-any") args.at(-1)(...args.slice(0, -1));
    });
  }
});

const colon = values.listen.lastIndexOf(":");
http.listen(Number(values.listen.slice(colon + 1)), values.listen.slice(0, colon), () => {
  const { address, port } = http.address();
  console.log(`listening on http://${address}:${port}`);
});
