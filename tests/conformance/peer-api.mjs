// The namespace `/api` of Node's server: one event for each call of its API; the same as `api.rs`.

export function api(io) {
  const nsp = io.of("/api");
  let kept;

  nsp.use((socket, next) => {
    socket.data.name = socket.handshake.auth.name ?? "nobody";
    socket.data.seen = [];
    socket.join(`name-${socket.data.name}`);
    next();
  });

  nsp.on("connection", (socket) => {
    socket.use(([event], next) => (event === "forbidden" ? next(new Error("no")) : next()));
    socket.on("error", () => {});
    socket.onAny((event, ...args) => {
      socket.data.seen.push(event);
      if (event === "taken") args.at(-1)("by the catch-all");
    });
    socket.on("taken", () => socket.emit("handled", "by the handler"));
    socket.on("disconnect", (reason) => nsp.to("watchers").emit("gone", socket.id, reason));

    socket.on("sum", (a, b, ack) => ack(a + b));
    socket.on("optional", (...args) => args.pop()(args[0], args[1] ?? null));
    socket.on("both", () => socket.emit("first"));
    socket.on("both", (ack) => {
      socket.emit("second");
      ack("handled");
    });
    socket.on("pair", (ack) => ack("a", { b: 2 }));
    socket.on("nothing", (ack) => ack());
    socket.on("later", (ack) => {
      kept = ack;
    });
    socket.on("release", (ack) => {
      kept("released");
      ack();
    });
    socket.on("never", () => {});
    socket.on("file", (file, ack) => {
      socket.emit("file", file);
      ack(file);
    });
    socket.on("picture", (picture, ack) => {
      socket.emit("picture", picture);
      ack();
    });
    socket.on("shout", (...args) => {
      const ack = args.pop();
      socket.broadcast.emit("shouted", ...args);
      ack();
    });
    socket.on("join", (room, ack) => {
      socket.join(room);
      ack();
    });
    socket.on("tell", (room, except, text, ack) => {
      socket.to(room).except(except).emit("told", text);
      ack();
    });
    socket.on("tell-all", (room, text, ack) => {
      io.of("/api").to(room).emit("told", text);
      ack();
    });
    socket.on("name", (ack) => ack(socket.data.name));
    socket.on("seen", (ack) => ack(socket.data.seen));
    socket.on("forbidden", (ack) => {
      socket.emit("entered");
      ack?.();
    });
    socket.on("rooms", (ack) => ack([...socket.rooms].filter((room) => room !== socket.id).sort()));
    socket.on("ask", async () => socket.emit("answered", ...(await new Promise((resolve) => socket.emit("question", (...answers) => resolve(answers))))));
    socket.on("ask-in-vain", (ack) => {
      socket.timeout(100).emitWithAck("question").then(
        () => ack(false),
        () => ack(true),
      );
    });
    socket.on("ask-all", async (room, ack) => ack((await nsp.to(room).timeout(10_000).emitWithAck("question")).sort()));
    socket.on("buy", (seats, ack) => {
      if (seats > 3) ack({ error: { code: "sold-out", message: "too few seats", data: { free: 3 } } });
      else ack(seats);
    });
    socket.on("fetch", async (room, ack) => ack((await nsp.in(room).fetchSockets()).map(({ data }) => data.name).sort()));
    socket.on("move", (from, to, ack) => {
      nsp.in(from).socketsJoin(to);
      nsp.in(from).socketsLeave(from);
      ack();
    });
    socket.on("kick", (room, ack) => {
      nsp.in(room).disconnectSockets();
      ack();
    });
    socket.on("all-rooms", (ack) => ack([...nsp.adapter.rooms.keys()].filter((room) => room.startsWith("here-")).sort()));

    socket.on("listen", (event, ack) => {
      socket.on(event, (ack) => ack("heard"));
      ack();
    });
    socket.on("listen-once", (event, ack) => {
      socket.once(event, (ack) => ack("heard once"));
      ack();
    });
    socket.on("stop-listening", (event, ack) => {
      socket.removeAllListeners(event);
      ack();
    });
    socket.emit("welcome", { recovered: socket.recovered });
  });
}
