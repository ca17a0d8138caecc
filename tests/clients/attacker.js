// The process of an attack: starts on a message from its parent and ends with it.

import { ATTACKS } from "./attacks.js";

process.on("disconnect", () => process.exit());
process.on("message", async ({ name, port, options }) => {
  await ATTACKS[name].run(port, options);
  // The connections stay open.
  setInterval(() => {}, 1_000);
});
