// Builds the addon, bindings/node over libsyncdb, from the sources in this package: `npm install`
// runs it. Needs no network, only a C compiler and Debian's development packages.
//
// A page's project needs no addon, so where it cannot be built the install goes on: the reason is
// said here, and again by `syncdb/server` when it is imported. SYNCDB_BUILD changes that:
//   source   build, also where a prebuilt binary is there
//   require  as source; where it fails, so does the install
//   skip     do nothing
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const sources = path.join(here, "src");
const built = path.join(here, "build");
const addon = path.join(built, "syncdb.node");
const prebuilt = path.join(here, "prebuilds", `${process.platform}-${process.arch}`, "syncdb.node");
const wish = process.env.SYNCDB_BUILD ?? "";
const cc = process.env.CC ?? "cc";

/** Debian's packages, by a header of each. */
const HEADERS = {
  "stdio.h": "libc6-dev",
  "event2/event.h": "libevent-dev",
  "sqlite3.h": "libsqlite3-dev",
  "openssl/ssl.h": "libssl-dev",
  "zlib.h": "zlib1g-dev",
  "pcre2.h": "libpcre2-dev",
  "jwt.h": "libjwt-dev",
  "uthash.h": "uthash-dev",
};
// Node exports the symbols of OpenSSL and zlib, which would win over those of shared libraries: so
// these come in as archives, and are not exported (bindings/node/CMakeLists.txt in the project's
// tree says why libjwt and libevent do not).
const ARCHIVES = {
  "libssl.a": "libssl-dev",
  "libcrypto.a": "libssl-dev",
  "libsqlite3.a": "libsqlite3-dev",
  "libpcre2-8.a": "libpcre2-dev",
  "libz.a": "zlib1g-dev",
};
const COMPILE = [
  "-std=c11", "-O2", "-fPIC", "-fvisibility=hidden", "-fno-strict-aliasing",
  "-fstack-protector-strong", "-fno-omit-frame-pointer", "-D_FORTIFY_SOURCE=2", "-D_GNU_SOURCE",
];
const LINK = [
  "-shared", "-Wl,--exclude-libs,ALL", "-Wl,-z,nodelete", "-Wl,-z,relro,-z,now,-z,noexecstack",
];

/** Ends the build with a sentence that says what to do. */
class Failure extends Error {}

function loads(file) {
  const script = "require(process.argv[1])";
  return spawnSync(process.execPath, ["-e", script, file], { stdio: "ignore" }).status === 0;
}

function compiles(header, include) {
  const input = header === "pcre2.h" ? "#define PCRE2_CODE_UNIT_WIDTH 8\n" : "";
  const asked = spawnSync(cc, ["-E", "-I", include, "-x", "c", "-o", "/dev/null", "-"], {
    input: `${input}#include <stddef.h>\n#include <stdio.h>\n#include <${header}>\n`,
    stdio: ["pipe", "ignore", "ignore"],
  });
  return asked.status === 0;
}

/** Where the compiler finds an archive; the bare name: nowhere. */
function archive(name) {
  const asked = spawnSync(cc, [`-print-file-name=${name}`], { encoding: "utf8" });
  return (asked.stdout ?? "").trim();
}

function checkTools(include) {
  if (spawnSync(cc, ["--version"], { stdio: "ignore" }).status !== 0) {
    throw new Failure(`no C compiler (${cc}) was found: apt-get install gcc libc6-dev`);
  }
  const missing = new Set();
  for (const [header, debian] of Object.entries(HEADERS)) {
    if (!compiles(header, include)) missing.add(debian);
  }
  for (const [name, debian] of Object.entries(ARCHIVES)) {
    if (!path.isAbsolute(archive(name))) missing.add(debian);
  }
  if (missing.size > 0) {
    const packages = [...missing].join(" ");
    throw new Failure(`Debian packages are missing: apt-get install ${packages}`);
  }
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text) => (said += text));
    child.on("error", reject).on("close", (code) => {
      if (code === 0) resolve();
      else reject(new Failure(`${command} failed:\n${said.split("\n").slice(0, 20).join("\n")}`));
    });
  });
}

function filesOf(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".c"))
    .map((name) => path.join(folder, name));
}

async function compileAll(include) {
  const { version } = JSON.parse(readFileSync(path.join(here, "../package.json"), "utf8"));
  const files = [...filesOf(path.join(sources, "src")), ...filesOf(path.join(sources, "node"))];
  const objects = [];
  const waiting = files.slice();
  const work = async () => {
    for (let file = waiting.pop(); file; file = waiting.pop()) {
      const name = path.relative(sources, file).replaceAll(path.sep, "_").replace(/\.c$/, ".o");
      const object = path.join(built, "objects", name);
      objects.push(object);
      await run(cc, [
        ...COMPILE, `-DSDB_VERSION="${version}"`, "-I", path.join(sources, "include"),
        "-I", path.join(sources, "src"), "-I", include, "-c", file, "-o", object,
      ]);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return objects;
}

async function build() {
  const require = createRequire(import.meta.url);
  const include = require("node-api-headers").include_dir;
  checkTools(include);
  rmSync(built, { recursive: true, force: true });
  mkdirSync(path.join(built, "objects"), { recursive: true });
  const objects = await compileAll(include);
  const archives = Object.keys(ARCHIVES).map(archive);
  const made = path.join(built, "made.node");
  const shared = ["-ljwt", "-levent_core", "-lpthread", "-lm"];
  await run(cc, [...LINK, "-o", made, ...objects, ...archives, ...shared]);
  if (!loads(made)) throw new Failure("what was built cannot be loaded by this Node");
  rmSync(path.join(built, "objects"), { recursive: true });
  renameSync(made, addon);
}

async function main() {
  if (wish === "skip" || !existsSync(sources)) return; // in the project's tree CMake builds it
  const from = wish === "source" || wish === "require";
  if (!from && existsSync(prebuilt) && loads(prebuilt)) return;
  try {
    if (process.platform !== "linux") throw new Failure("syncdb/server runs on Linux only.");
    await build();
  } catch (error) {
    const reason = error instanceof Failure ? error.message : String(error?.stack ?? error);
    mkdirSync(built, { recursive: true });
    writeFileSync(path.join(built, "failed.txt"), `${reason}\n`);
    console.error(`syncdb: the server's native part was not built: ${reason}`);
    console.error("syncdb: pages and clients do not need it; syncdb/server does.");
    if (wish === "require") process.exitCode = 1;
  }
}

await main();
