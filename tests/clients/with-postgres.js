// Runs test files with a server that keeps everything in PostgreSQL: `node with-postgres.js FILES`.

import { spawn } from "node:child_process";

import { Postgres } from "../harness/postgres.js";

const postgres = await Postgres.start();
const flags = ["--test", "--test-force-exit", "--test-concurrency=2", "--test-timeout=300000"];
const tests = spawn(process.execPath, [...flags, ...process.argv.slice(2)], {
  env: { ...process.env, STORE_URL: postgres.url },
  stdio: "inherit",
});
const code = await new Promise((resolve) => tests.once("exit", (code) => resolve(code ?? 1)));
await postgres.stop();
process.exit(code);
