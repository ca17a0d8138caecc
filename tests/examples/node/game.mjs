// The guessing game of `examples/game.rs`, for Node.

export const options = { cleanupEmptyChildNamespaces: true };

export default function game(io) {
  const secrets = new Map();

  io.of(/^\/game-[^/]+$/).on("connection", async (socket) => {
    const { nsp } = socket;

    async function showPlayers() {
      const players = (await nsp.fetchSockets()).map(({ data }) => data);
      players.sort((a, b) => (a.name < b.name ? -1 : 1));
      nsp.emit("players", players);
    }

    socket.on("start", async (secret, callback) => {
      try {
        const answers = await socket.broadcast.timeout(10_000).emitWithAck("ready?");
        if (answers.every((isReady) => isReady === true)) {
          secrets.set(nsp.name, secret);
          nsp.emit("started", { by: socket.data.name, players: answers.length + 1 });
          return callback("started");
        }
      } catch {
        // Someone has gone, or is slow.
      }
      callback("not everyone is ready");
    });

    socket.on("guess", async (number, callback) => {
      const secret = secrets.get(nsp.name);
      if (secret === undefined) return callback("no round");
      if (number !== secret) return callback(number < secret ? "higher" : "lower");
      secrets.delete(nsp.name);
      socket.data.score += 1;
      callback("right");
      nsp.emit("won", { by: socket.data.name, secret });
      await showPlayers();
    });

    socket.on("disconnect", () => {
      if (nsp.sockets.size === 0) secrets.delete(nsp.name);
      return showPlayers();
    });

    socket.data = { name: socket.handshake.auth.name, score: 0 };
    await showPlayers();
  });
}
