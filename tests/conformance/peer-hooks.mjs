// The functions and options of Node's server about requests: `allowRequest`, the events `initial_headers` and `headers`,
// CORS, the cookie, transports; the same as `hooks.rs`.

export const hookFlags = {
  hooks: { type: "boolean", default: false },
  cors: { type: "string" },
  cookie: { type: "string" },
  transport: { type: "string" },
  path: { type: "string" },
};

/** An origin of sockeye's settings; one with `*` is a pattern. */
function origin(text) {
  if (text === "*" || !text.includes("*")) return text;
  return new RegExp(`^${text.replaceAll(".", "\\.").replaceAll("*", ".+")}$`);
}

/** The options of the server. */
export function hookOptions({ hooks, cors, cookie, transport, path }) {
  const options = {};
  if (cors !== undefined) {
    options.cors = JSON.parse(cors);
    // Sockeye sends the origin back, as Node does with `origin: true`.
    options.cors.origin = options.cors.origin.includes("*") || options.cors.origin.map(origin);
  }
  if (cookie !== undefined) options.cookie = JSON.parse(cookie);
  if (transport !== undefined) options.transports = [JSON.parse(transport)];
  if (path !== undefined) options.path = path;
  if (hooks) {
    options.allowRequest = (request, callback) => {
      const message = request.headers["x-refuse"];
      setImmediate(() => callback(message, message === undefined));
    };
  }
  return options;
}

export function listenForHeaders(io) {
  io.engine.on("initial_headers", (headers) => {
    headers["x-initial"] = "yes";
  });
  io.engine.on("headers", (headers, request) => {
    headers["x-mark"] = request.headers["x-mark"] ?? "none";
    headers["set-cookie"] = ["a=1", "b=2; HttpOnly"];
  });
}
