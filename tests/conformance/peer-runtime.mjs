// The namespaces of Node's server that are made while it runs, and `/control`, which makes them and emits to them; the
// same as `runtime.rs`.

export function namespaces(io) {
  io.of("/orders-fixed").on("connection", (socket) => {
    socket.on("kind", (ack) => ack("fixed"));
    socket.emit("welcome", {});
  });
  const orders = io.of(/^\/orders-[^/]+$/);
  const tenants = io.of((name, auth, next) => {
    setImmediate(() => next(null, name.startsWith("/tenant-") && auth.key === "secret"));
  });
  io.of((name, auth, next) => next(new Error("none")));
  orders.use(({ nsp }, next) => next(nsp.name === "/orders-0" ? new Error("no such order") : undefined));
  orders.on("connection", (socket) => socket.on("kind", (ack) => ack(socket.nsp.name.slice("/orders-".length))));
  for (const parent of [orders, tenants]) parent.on("connection", members);

  const parents = { orders, tenants };
  io.of("/control").on("connection", (socket) => {
    socket.on("add", (path, ack) => {
      io.of(path).on("connection", members);
      ack();
    });
    socket.on("namespaces", (ack) => ack([...io._nsps.keys()].sort()));
    socket.on("emit", (path, text, ack) => {
      io.of(path).emit("news", text);
      ack();
    });
    socket.on("emit-to-parent", (name, text, ack) => {
      parents[name].emit("news", text);
      ack();
    });
    socket.on("emit-to-room-of-parent", (name, room, text, ack) => {
      parents[name].to(room).emit("news", text);
      ack();
    });
    socket.emit("welcome", {});
  });
}

function members(socket) {
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack();
  });
  socket.on("path", (ack) => ack(socket.nsp.name));
  socket.on("tell-others", (text, ack) => {
    socket.broadcast.emit("news", text);
    ack();
  });
  socket.emit("welcome", {});
}
