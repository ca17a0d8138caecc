import { io, type Socket } from "socket.io-client";

import { credentials } from "./client/identity";
import type { ClientToServerEvents, ServerToClientEvents } from "./wire";

/** Where the server is; by default the one that served this page. */
export const SERVER_URL: string | undefined = import.meta.env.VITE_SOCKEYE_URL || undefined;

const OPTIONS = {
  autoConnect: false,
  // A function, so that every connection is made as whoever is signed in at that moment.
  auth: (give: (auth: object) => void) => give(credentials()),
  reconnectionDelay: 500,
  reconnectionDelayMax: 5_000,
};

/** The one connection of this page. Who connects and disconnects it: `client/session.ts`. */
export const socket: Socket<ServerToClientEvents, ClientToServerEvents> =
  SERVER_URL === undefined ? io(OPTIONS) : io(SERVER_URL, OPTIONS);
