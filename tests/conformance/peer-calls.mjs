// The namespace `/calls` of Node's server: the calls of its API that `/api` has not; the same as `calls.rs`.

export function calls(io) {
  const nsp = io.of("/calls");
  const waiting = [];

  nsp.on("connection", (socket) => {
    rooms(io, nsp, socket);
    listeners(socket);
    let joined;
    socket.on("disconnecting", () => {
      joined = [...socket.rooms].filter((room) => room !== socket.id).sort();
    });
    socket.on("disconnect", async (reason) => {
      const found = joined.length === 0 ? [] : await nsp.in(joined[0]).fetchSockets();
      const ids = found.map(({ id }) => id);
      nsp.to("watchers").emit("gone", socket.id, reason, socket.connected, joined, ids);
    });
    socket.on("wants-ack", (ack) => {
      socket.emit("wanted", ack !== undefined);
      ack?.();
    });
    socket.on("connected", (ack) => ack(socket.connected));
    socket.on("wait", (ack) => waiting.push(ack));
    socket.on("release", (ack) => {
      waiting.shift()();
      ack();
    });
    socket.emit("welcome", {});
  });
}

function rooms(io, nsp, socket) {
  const own = ({ id, rooms }) => [...rooms].filter((room) => room !== id).sort();
  const on = (event, call) =>
    socket.on(event, async (...args) => {
      const ack = args.pop();
      await call(...args);
      ack();
    });

  on("join", (room) => socket.join(room));
  on("leave-all", () => {
    for (const room of own(socket)) socket.leave(room);
  });
  socket.on("rooms", (ack) => ack(own(socket)));
  on("emit-to-root", (text) => io.emit("said", text));
  on("emit-volatile", (text) => socket.volatile.emit("said", text));
  on("emit-local", (room, text) => nsp.local.to(room).emit("said", text));
  on("emit-except", (rooms, text) => socket.broadcast.except(rooms).emit("said", text));
  on("emit-to-many", (rooms, text) => nsp.to(rooms).emit("said", text));
  on("socket-to-many", (first, second, text) => socket.to(first).to(second).emit("said", text));
  on("remote-emit", async (room, text) => {
    for (const remote of await nsp.in(room).fetchSockets()) remote.emit("said", text);
  });
  on("remote-move", async (from, to) => {
    for (const remote of await nsp.in(from).fetchSockets()) {
      remote.join(to);
      remote.leave(from);
    }
  });
  socket.on("remote-rooms", async (room, ack) => ack((await nsp.in(room).fetchSockets()).map((remote) => [remote.id, own(remote)]).sort()));
  on("remote-disconnect", async (room, close) => {
    for (const remote of await nsp.in(room).fetchSockets()) remote.disconnect(close);
  });
  on("disconnect-room", (room, close) => nsp.in(room).disconnectSockets(close));
  on("all-join", (room, other) => nsp.in(room).socketsJoin(other));
  on("all-leave", (room, other) => nsp.in(room).socketsLeave(other));
}

function listeners(socket) {
  /** How to remove what was added, by its label. */
  const added = {};
  const seen = [];
  const own = [];
  const on = (event, call) =>
    socket.on(event, (...args) => {
      const ack = args.pop();
      call(...args);
      ack();
    });

  on("add-listener", (event, label) => {
    const listener = () => socket.emit("heard", label);
    socket.on(event, listener);
    own.push(event);
    added[label] = () => socket.off(event, listener);
  });
  const catchAlls = {
    "add-any": ["onAny", "offAny"],
    "prepend-any": ["prependAny", "offAny"],
    "add-any-outgoing": ["onAnyOutgoing", "offAnyOutgoing"],
    "prepend-any-outgoing": ["prependAnyOutgoing", "offAnyOutgoing"],
  };
  for (const [event, [add, remove]] of Object.entries(catchAlls)) {
    on(event, (label) => {
      const listener = (event) => seen.push(`${label} ${event}`);
      socket[add](listener);
      added[label] = () => socket[remove](listener);
    });
  }
  on("refuse", (refused) => socket.use(([event], next) => next(event === refused ? new Error("no") : undefined)));
  socket.on("error", () => {});
  on("remove", (label) => added[label]());
  // Those of the suite stay, as handlers of the namespace do in sockeye.
  on("remove-all", () => {
    for (const event of own) socket.removeAllListeners(event);
    socket.offAny();
    socket.offAnyOutgoing();
  });
  socket.on("event-names", (ack) =>
    ack(
      socket
        .eventNames()
        .filter((event) => own.includes(event))
        .sort(),
    ),
  );
  socket.on("seen", (ack) => ack(seen));
}
