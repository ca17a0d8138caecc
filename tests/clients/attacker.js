// The process of an attack: it begins when it is told to, and ends with its parent.

import { ATTACKS } from "./attacks.js";

process.on("disconnect", () => process.exit());
process.on("message", async ({ name, port, options }) => {
  await ATTACKS[name].run(port, options);
  // Connections stay as they are.
  setInterval(() => {}, 1_000);
});
