// The process of a `Bystander`: asks, waits for the answer and asks again.

import { io } from "socket.io-client-4";

const socket = io(process.argv[2], { auth: { userId: "bystander", name: "Bystander" }, transports: ["websocket"] });
let times = [];
let least = Infinity;
process.on("message", (count) => (least = count));
for (const end of [process, socket]) end.on("disconnect", () => process.exit());
for (;;) {
  const began = performance.now();
  await socket.emitWithAck("typing", { room: "lobby", typing: false });
  times.push(performance.now() - began);
  if (times.length < least) continue;
  process.send(times);
  times = [];
  least = Infinity;
}
