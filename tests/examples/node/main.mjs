// Starts the Node server of an example: `node main.mjs NAME`. This is what `main` is in the Rust example.

import { createServer } from "node:http";

import express from "express";
import { Server } from "socket.io";

const { default: example, options } = await import(`./${process.argv[2]}.mjs`);
const app = express();
const httpServer = createServer(app);
const io = new Server(httpServer, options);
example(io, app, httpServer);
httpServer.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${httpServer.address().port}`));
