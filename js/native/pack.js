// Copies what the tarball has from outside of this folder: the license, and, to native/src, what
// the addon is built from. `npm pack` runs it before and, with --clean, after.
import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const to = fileURLToPath(new URL("./src/", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));
const license = fileURLToPath(new URL("../LICENSE", import.meta.url));

/** The server's floors (docs/design.md), and not the device's. */
const FLOORS = [
  "base", "json", "store", "wire", "hub", "ws", "platform", "storage", "net", "server",
];
const DEVICE = `${root}src/storage/local`;

rmSync(to, { recursive: true, force: true });
rmSync(license, { force: true });
if (process.argv.includes("--clean")) process.exit();
if (!existsSync(`${root}bindings/node`)) throw new Error("not in the project's own tree");
copyFileSync(`${root}LICENSE`, license);
mkdirSync(to, { recursive: true });
cpSync(`${root}include`, `${to}include`, { recursive: true });
cpSync(`${root}bindings/node`, `${to}node`, {
  recursive: true,
  filter: (from) => !from.endsWith("CMakeLists.txt"),
});
for (const floor of FLOORS) {
  cpSync(`${root}src/${floor}`, `${to}src/${floor}`, {
    recursive: true,
    filter: (from) => from !== DEVICE,
  });
}
