// The echo of `examples/echo.rs`, for Node.

import { WebSocketServer } from "ws";

export const options = { destroyUpgrade: false };

export default function echo(io, _, httpServer) {
  const plain = new WebSocketServer({ noServer: true });

  httpServer.on("upgrade", (request, socket, head) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname === "/" || pathname === "/ws") {
      plain.handleUpgrade(request, socket, head, (socket) => plain.emit("connection", socket));
    }
  });

  plain.on("connection", (socket) => {
    socket.send("connection established");
    socket.on("message", (text) => socket.send(`Roger that! ${text}`));
  });

  io.on("connection", (socket) => {
    socket.emit("message", "connection established");
    socket.on("message", (text) => socket.emit("message", `Roger that! ${text}`));
  });
}
