// The tarball in an empty project: it builds its native part from source, or says what is missing.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { suiteCleanup } from "../../../test/e2e/support/cleanup.mjs";
import { install, pack } from "../support/pack.mjs";
import { temporaryFolder } from "../../../test/e2e/support/server.mjs";

const suite = suiteCleanup();
test.after(() => suite.end());
const js = fileURLToPath(new URL("../../", import.meta.url));
const folder = temporaryFolder(suite);
const installed = path.join(folder, "node_modules/syncdb");

/** Runs a program in the project; what CTest says of the addon is not for it. */
function run(program, args, { env = {}, cwd = folder } = {}) {
  const { SYNCDB_NATIVE: _, ...inherited } = process.env;
  const ran = spawnSync(program, args, { cwd, encoding: "utf8", env: { ...inherited, ...env } });
  return { code: ran.status, said: `${ran.stdout}${ran.stderr}` };
}

const build = (env) => run(process.execPath, [path.join(installed, "native/build.js")], { env });

const PROGRAM = `
import { createStore } from "syncdb";
import { createDatabase } from "syncdb/server";
import { z } from "zod";
const note = createStore({ name: "note", type: "event", schema: { text: z.string() } });
const db = createDatabase({ dbUrl: "sqlite://database.sqlite", stores: [note] });
const { id } = await db.push(db.as("ada"), note, { text: "hello" });
const { port } = await db.listen({ devAuth: true });
const health = await fetch(\`http://127.0.0.1:\${port}/healthz\`);
console.log((await db.get(db.as("ada"), note, id)).object.text, (await health.text()).trim());
await db.close();
`;
const start = () => run(process.execPath, ["program.mjs"]);

test("the tarball has the sources, and nothing that was built", async () => {
  const { filename } = await pack(folder);
  await install(folder, filename, ["zod"], "--ignore-scripts");
  writeFileSync(path.join(folder, "program.mjs"), PROGRAM);
  assert.ok(existsSync(path.join(installed, "native/src/include/syncdb/mailbox.h")));
  assert.ok(!existsSync(path.join(installed, "native/build")));
  assert.ok(!existsSync(path.join(js, "native/src")), "the tree is left as it was");
  assert.equal(start().code, 1);
});

test("where it cannot be built the install goes on, and the reason is said", () => {
  const built = build({ CC: "/no/compiler" });
  assert.equal(built.code, 0);
  assert.match(built.said, /no C compiler.*apt-get install gcc libc6-dev/);
  assert.match(start().said, /no C compiler.*apt-get install gcc libc6-dev/);
  assert.equal(build({ CC: "/no/compiler", SYNCDB_BUILD: "require" }).code, 1);
});

test("packages that are missing are named", () => {
  // A compiler that finds no header and no archive but its own.
  const cc = path.join(folder, "cc");
  writeFileSync(cc, '#!/bin/sh\ncase "$*" in *--version*) exit 0;; *) exit 1;; esac\n', {
    mode: 0o755,
  });
  const built = build({ CC: cc });
  for (const name of ["libevent-dev", "libsqlite3-dev", "libssl-dev", "libjwt-dev", "zlib1g-dev"]) {
    assert.match(built.said, new RegExp(`apt-get install .*${name}`));
  }
});

test("it is built at install, without a network, and serves", () => {
  const built = run("npm", ["rebuild", "syncdb"], {
    env: { SYNCDB_BUILD: "require", npm_config_offline: "true" },
  });
  assert.equal(built.code, 0, built.said);
  assert.deepEqual(readdirSync(path.join(installed, "native/build")), ["syncdb.node"]);
  const ran = start();
  assert.equal(ran.code, 0, ran.said);
  assert.equal(ran.said, "hello ok\n");
});
