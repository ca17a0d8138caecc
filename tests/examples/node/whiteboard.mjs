// The whiteboard of `examples/whiteboard.rs`, for Node.

export default function whiteboard(io) {
  io.on("connection", (socket) => {
    socket.on("drawing", (line) => socket.broadcast.emit("drawing", line));
  });
}
