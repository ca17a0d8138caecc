// The namespaces of Node's server that show what connects: `/handshake` and `/handshake-too` with the request and
// `auth`, `/gate` with middleware; the same as `connecting.rs`.

export function connecting(io) {
  for (const path of ["/handshake", "/handshake-too"]) handshakes(io.of(path));
  gate(io.of("/gate"));
}

function described({ handshake: { address, auth, issued, query, secure, url, xdomain } }) {
  return { address, auth, issued, query, secure, url, xdomain };
}

function handshakes(nsp) {
  nsp.use((socket, next) => {
    socket.data.described = described(socket);
    next();
  });
  nsp.on("connection", (socket) => {
    socket.on("handshake", (ack) => ack(described(socket)));
    socket.on("handshake-in-middleware", (ack) => ack(socket.data.described));
    socket.on("header", (name, ack) => ack(socket.handshake.headers[name] ?? null));
    socket.on("parameter", (name, ack) => ack(socket.handshake.query[name] ?? null));
    socket.on("transport", (ack) => ack(socket.conn.transport.name));
    socket.emit("welcome", {});
  });
}

function gate(nsp) {
  /** How often middleware has run for a client that names itself. */
  const runs = {};

  nsp.use((socket, next) => {
    const { name } = socket.handshake.auth;
    runs[name] = (runs[name] ?? 0) + 1;
    socket.data.passed = ["first"];
    next();
  });
  nsp.use((socket, next) => {
    socket.data.passed.push("second");
    const { refuse } = socket.handshake.auth;
    setImmediate(() => {
      if (refuse === undefined) next();
      else if (refuse === null) next(new Error("refused"));
      else next(Object.assign(new Error("refused"), { data: refuse }));
    });
  });
  nsp.use((socket, next) => {
    socket.data.passed.push("third");
    socket.join("passed");
    next();
  });

  nsp.on("connection", (socket) => {
    const rooms = () => [...socket.rooms].filter((room) => room !== socket.id);
    socket.on("disconnect", () => nsp.to("watchers").emit("gone", socket.id));
    socket.on("watch", (ack) => {
      socket.join("watchers");
      ack();
    });
    socket.on("passed", (ack) => ack(socket.data.passed));
    socket.on("rooms", (ack) => ack(rooms()));
    socket.on("say-to-passed", (text) => nsp.to("passed").emit("said", text));
    socket.on("runs", (name, ack) => ack(runs[name] ?? 0));
    if (!socket.recovered) socket.emit("welcome", socket.data.passed, rooms());
  });
}
