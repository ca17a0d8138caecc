// The session by cookie of `examples/cookie_session.rs`, for Node.

import { randomUUID } from "node:crypto";

import express from "express";
import session from "express-session";

export default function cookieSession(io, app) {
  const cookie = { httpOnly: true, sameSite: "lax" };
  const sessions = session({ secret: randomUUID(), resave: false, saveUninitialized: false, cookie });
  app.use(sessions, express.json());
  io.engine.use(sessions);

  app.post("/login", (request, response) => {
    const { username } = request.body ?? {};
    if (typeof username !== "string") return response.sendStatus(422);
    request.session.regenerate(() => {
      Object.assign(request.session, { username, count: 0 });
      response.sendStatus(204);
    });
  });

  app.get("/whoami", (request, response) => {
    const { username, count } = request.session;
    if (username === undefined) return response.sendStatus(401);
    response.json({ username, count });
  });

  app.post("/logout", (request, response) => {
    const { id } = request.session;
    request.session.destroy(() => {
      io.in(id).disconnectSockets();
      response.sendStatus(204);
    });
  });

  io.use(({ request }, next) => {
    next(request.session.username === undefined ? new Error("unauthorized") : undefined);
  });

  io.on("connection", (socket) => {
    const { session } = socket.request;
    socket.join(session.id);
    socket.on("whoami", (callback) => callback?.(session.username));
    socket.on("incr", (callback) => {
      session.reload(() => {
        const { session } = socket.request;
        session.count += 1;
        session.save(() => callback?.(session.count));
      });
    });
  });
}
