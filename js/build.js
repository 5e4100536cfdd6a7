// js/build.js: builds the package into dist/: the WebAssembly module, TypeScript, and the module
// once more inside of JavaScript; then tells the sizes of `syncdb/client`.
//
//   node build.js            all of it
//   node build.js --quick    not the sizes
//   node build.js --sizes    the sizes only, of what was built; exit 1 over the budget
//
// SYNCDB_WASM names a module that is built already.
import { execFileSync } from "node:child_process";
import {
  copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateRawSync, gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const dist = join(here, "dist");
// Gzipped, the module included: no more than today. The aim is 45,000 (docs/browser.md).
const CLIENT_BYTES_MAX = 48_500;

const run = (program, ...rest) => execFileSync(program, rest, { cwd: here, stdio: "inherit" });

function newestIn(folder) {
  return Math.max(...readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs));
}

/** The module, built anew where a source of it is newer. */
function wasm() {
  if (process.env.SYNCDB_WASM) return process.env.SYNCDB_WASM;
  const built = join(root, "build/wasm/syncdb.wasm");
  const sources = ["src", "include", "bindings/wasm"].map((folder) => join(root, folder));
  const isNew = existsSync(built) && statSync(built).mtimeMs > Math.max(...sources.map(newestIn));
  if (!isNew) run(join(root, "bindings/wasm/build"), "-o", built);
  return built;
}

/** Raw deflate, by zopfli where it is there: some 5% smaller. */
function deflated(file) {
  try {
    const limits = { maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "ignore"] };
    return execFileSync("zopfli", ["--deflate", "--i15", "-c", file], limits);
  } catch {
    return deflateRawSync(readFileSync(file), { level: 9 });
  }
}

async function embed(file) {
  const { sort } = await import("./sort.js");
  const sorted = join(dist, "sorted");
  writeFileSync(sorted, sort(readFileSync(file)));
  const text = deflated(sorted).toString("base64");
  rmSync(sorted);
  writeFileSync(join(dist, "core/embedded.js"), `export const deflated = "${text}";\n`);
}

/** What a page loads of `syncdb/client`: minified, gzipped, each chunk by itself. */
async function tellSizes() {
  const esbuild = await import("esbuild");
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(dist, "client/index.js")], bundle: true, minify: true, splitting: true,
    format: "esm", platform: "browser", target: "es2022", outdir: "out", write: false,
    external: ["node:*"], logLevel: "warning",
  });
  const sizes = outputFiles.map(({ contents }) => gzipSync(contents, { level: 9 }).length);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const module = Math.max(...sizes);
  const kilobytes = (size) => `${(size / 1000).toFixed(1)} kB`;
  console.log(`syncdb/client, gzipped: ${kilobytes(all)} of ${kilobytes(CLIENT_BYTES_MAX)}: ` +
    `module ${kilobytes(module)}, JavaScript ${kilobytes(all - module)}`);
  return all <= CLIENT_BYTES_MAX;
}

async function build() {
  const module = wasm();
  rmSync(dist, { recursive: true, force: true });
  run("npx", "--no-install", "tsc", "-p", ".");
  mkdirSync(join(dist, "core"), { recursive: true });
  copyFileSync(module, join(dist, "syncdb.wasm"));
  await embed(module);
}

const how = process.argv[2];
if (how !== "--sizes") await build();
if (how !== "--quick" && !(await tellSizes()) && how === "--sizes") {
  console.error("js/build.js: syncdb/client is over its budget");
  process.exitCode = 1;
}
