// The process of a `Bystander`: sends an event, waits for the acknowledgement, and repeats.

import { io } from "socket.io-client-4";

import { timed } from "./stopwatch.js";

const [url, auth] = process.argv.slice(2);
const socket = io(url, { auth: JSON.parse(auth), transports: ["websocket"] });
let times = [];
let least = Infinity;
process.on("message", (count) => (least = count));
for (const end of [process, socket]) end.on("disconnect", () => process.exit());
for (;;) {
  times.push(await timed(() => socket.emitWithAck("typing", { room: "lobby", typing: false })));
  if (times.length < least) continue;
  process.send(times);
  times = [];
  least = Infinity;
}
