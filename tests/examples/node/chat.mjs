// The chat of `examples/chat.rs`, for Node.

export default function chat(io) {
  let numUsers = 0;

  io.on("connection", (socket) => {
    socket.on("add user", (username) => {
      if (socket.data.username !== undefined) return;
      socket.data.username = username;
      numUsers += 1;
      socket.emit("login", { numUsers });
      socket.broadcast.emit("user joined", { username, numUsers });
    });

    socket.on("new message", (message) => {
      socket.broadcast.emit("new message", { username: socket.data.username, message });
    });

    socket.on("typing", () => {
      socket.broadcast.emit("typing", { username: socket.data.username });
    });

    socket.on("stop typing", () => {
      socket.broadcast.emit("stop typing", { username: socket.data.username });
    });

    socket.on("disconnect", () => {
      const { username } = socket.data;
      if (username === undefined) return;
      numUsers -= 1;
      socket.broadcast.emit("user left", { username, numUsers });
    });
  });
}
