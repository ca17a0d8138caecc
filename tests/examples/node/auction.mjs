// The auction of `examples/auction.rs`, for Node.

export default function auction(io) {
  const bids = new Map();

  io.of("/auction").on("connection", (socket) => {
    socket.on("watch-item", (item, callback) => {
      socket.join(item);
      callback(bids.get(item) ?? null);
    });

    socket.on("place-bid", (bid, callback) => {
      const { item, amount } = bid ?? {};
      if (typeof item !== "string" || !Number.isSafeInteger(amount) || amount < 0) {
        return callback({ error: { code: "bad-payload", message: "place-bid: { item, amount } is needed" } });
      }
      const highest = bids.get(item);
      if (highest !== undefined && highest.amount >= amount) {
        const message = `${highest.bidder} has offered ${highest.amount}`;
        return callback({ error: { code: "conflict", message } });
      }
      const placed = { item, amount, bidder: socket.handshake.auth.name };
      bids.set(item, placed);
      io.of("/auction").to(item).emit("bid-placed", placed);
      callback(placed);
    });
  });
}
