// The same server on uWebSockets.js, which knows no Socket.IO: the packets of the benchmark's events by hand, over
// WebSocket alone. Rooms are its topics. `uwebsockets` on npm has its builds for Node.
import { parseArgs } from "node:util";
import uWS from "uwebsockets";

const { values } = parseArgs({ options: { listen: { type: "string", default: "127.0.0.1:3000" } } });

const OPEN = '0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}';

const app = uWS.App();

const EVENTS = {
  join(ws, room) {
    ws.subscribe(room);
    return { success: true };
  },
  "send-message"(ws, payload) {
    app.publish(payload.room, `42["message-saved",${JSON.stringify(payload)}]`);
    return { success: true };
  },
  echo(ws, payload) {
    return payload;
  },
};

app.ws("/socket.io/*", {
  maxPayloadLength: 1_000_000,
  // Above this, messages would be dropped; the other servers drop none.
  maxBackpressure: 64 * 1024 * 1024,
  idleTimeout: 0,
  open: (ws) => void ws.send(OPEN),
  message(ws, data) {
    const packet = Buffer.from(data).toString();
    if (packet === "40") return void ws.send('40{"sid":"a"}');
    if (!packet.startsWith("42")) return;
    const bracket = packet.indexOf("[");
    const [name, argument] = JSON.parse(packet.slice(bracket));
    const answer = EVENTS[name](ws, argument);
    ws.send(`43${packet.slice(2, bracket)}[${JSON.stringify(answer)}]`);
  },
});

const colon = values.listen.lastIndexOf(":");
const host = values.listen.slice(0, colon);
app.listen(host, Number(values.listen.slice(colon + 1)), (socket) => {
  if (!socket) throw new Error(`cannot listen on ${values.listen}`);
  console.log(`listening on http://${host}:${uWS.us_socket_local_port(socket)}`);
});
