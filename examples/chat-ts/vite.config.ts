import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const page = here("../chat/web");

const ownStores = here("src/stores.ts");

/** The page of examples/chat, with this folder's stores and the package's own module. */
const stores: Plugin = {
  name: "chat-ts-stores",
  enforce: "pre",
  resolveId(source, importer) {
    if (!importer?.startsWith(`${page}/src/`)) return null;
    if (source === "./stores.js") return ownStores;
    if (source === "./chat.wasm?url") return this.resolve("syncdb/syncdb.wasm?url", ownStores);
    return null;
  },
};

// As the page's own configuration: nothing inline, which the server's policy would refuse.
export default defineConfig({
  root: page,
  plugins: [stores, react()],
  build: {
    outDir: here("dist/page"),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
