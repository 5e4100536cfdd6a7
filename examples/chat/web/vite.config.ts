import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page is served by the chat's server (examples/chat/chat.c), under a policy that allows
// nothing inline: so no file becomes a data: URL, and there is no polyfill.
export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  // `npm run dev`: the page from Vite, its WebSocket from the chat's server.
  server: { proxy: { "/sync": { target: "ws://127.0.0.1:8080", ws: true } } },
});
