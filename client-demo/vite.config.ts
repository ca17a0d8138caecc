import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where `sockeye serve` listens by default; only the development server needs to know. */
const SERVER = "http://localhost:8000";

export default defineConfig({
  plugins: [react()],
  server: {
    port: 5173,
    strictPort: true,
    proxy: { "/socket.io": { target: SERVER, ws: true }, "/api": SERVER },
  },
  build: { target: "es2022" },
});
