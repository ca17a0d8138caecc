// The private messages of `examples/private_messages.rs`, for Node.

import { randomUUID } from "node:crypto";

export default function privateMessages(io) {
  const sessions = new Map();
  const messages = [];

  io.use((socket, next) => {
    const { sessionID, username } = socket.handshake.auth;
    if (sessions.has(sessionID)) {
      socket.data = { sessionID, session: sessions.get(sessionID) };
      return next();
    }
    if (typeof username !== "string" || username === "") return next(new Error("invalid username"));
    socket.data = { sessionID: randomUUID(), session: { userID: randomUUID(), username, connected: false } };
    sessions.set(socket.data.sessionID, socket.data.session);
    next();
  });

  io.on("connection", (socket) => {
    const { sessionID, session } = socket.data;
    const { userID, username } = session;
    socket.join(userID);
    session.connected = true;
    socket.emit("session", { sessionID, userID });

    const own = messages.filter(({ from, to }) => from === userID || to === userID);
    const users = [...sessions.values()].map((other) => {
      return { ...other, messages: own.filter(({ from, to }) => (from === userID ? to : from) === other.userID) };
    });
    socket.emit("users", users);
    socket.broadcast.emit("user connected", { ...session, messages: [] });

    socket.on("private message", (draft) => {
      const { content, to } = draft ?? {};
      if (typeof content !== "string" || typeof to !== "string") return;
      const message = { content, from: userID, to };
      messages.push(message);
      socket.to(to).to(userID).emit("private message", message);
    });

    socket.on("disconnect", async () => {
      const others = await io.in(userID).fetchSockets();
      if (others.length > 0) return;
      session.connected = false;
      socket.broadcast.emit("user disconnected", userID);
    });
  });
}
