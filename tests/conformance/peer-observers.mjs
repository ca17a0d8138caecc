// The namespace `/watch` of Node's server, whose sockets are told of the events of the adapters, of the engine and of
// new namespaces; the same as `observers.rs`.

/** Rooms of the suite. In Node every socket has a room of its own besides, whose name is its id. */
const ROOM = /^(seen|name)-/;

/** To be called before there is any other namespace. */
export function watch(io) {
  const watchers = io.of("/watch").on("connection", (socket) => socket.emit("welcome", {}));
  const tell = (...what) => watchers.emit("told", what);

  const hear = ({ name, adapter }) => {
    for (const event of ["create-room", "join-room", "leave-room", "delete-room"]) {
      adapter.on(event, (room, ...socket) => ROOM.test(room) && tell(event, name, room, ...socket));
    }
  };
  hear(io.of("/"));
  io.on("new_namespace", (nsp) => {
    hear(nsp);
    tell("new_namespace", nsp.name);
  });

  io.engine.on("connection_error", ({ req, code, message }) => {
    tell("connection_error", req.headers["x-mark"], code, message, [req.method, req.url]);
  });
  io.engine.on("connection", (conn) => {
    conn.on("upgrade", () => {
      const sockets = [...io._nsps.values()].flatMap((nsp) => [...nsp.sockets.values()]);
      tell(
        "upgrade",
        sockets
          .filter((socket) => socket.conn === conn)
          .map(({ id }) => id)
          .sort(),
      );
    });
  });
}
