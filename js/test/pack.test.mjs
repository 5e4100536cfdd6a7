// The tarball, installed into an empty folder: every entry point is there, the types stand by
// themselves, and a client of it works.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { startServer } from "../../test/e2e/support/server.mjs";
import { entry } from "./support/check.mjs";
import { here } from "./support/compile.mjs";
import { install, pack, runIn } from "./support/pack.mjs";
import { jsonStore } from "../dist/module.js";

const folder = mkdtempSync(join(tmpdir(), "syncdb-pack-"));
const { exports: ENTRIES, version } = JSON.parse(readFileSync(here("../../package.json"), "utf8"));
let packed;

test.before(async () => {
  packed = await pack(folder);
  await install(folder, packed.filename, ["zod", "react", "typescript"], "--ignore-scripts");
});
test.after(() => rmSync(folder, { recursive: true }));

function program(name, text) {
  writeFileSync(join(folder, name), text);
  return runIn(folder, process.execPath, name);
}

test("it holds what it needs, and nothing of the tests", () => {
  const names = packed.files.map(({ path }) => path);
  assert.equal(packed.filename, `syncdb-${version}.tgz`);
  for (const name of ["README.md", "LICENSE", "dist/syncdb.wasm", "dist/core/embedded.js"])
    assert.ok(names.includes(name), name);
  const foreign = /(^|\/)(test|node_modules)\/|\.test\.|\.(sqlite|node|so|o)$|^src\//;
  assert.deepEqual(names.filter((name) => foreign.test(name)), []);
});

test("every entry point can be imported", async () => {
  const names = Object.keys(ENTRIES).map((name) => name.replace(/^\./, "syncdb"));
  const text = await program("entries.mjs", `
    for (const name of ${JSON.stringify(names)}) {
      if (name.endsWith(".wasm")) {
        const { readFileSync } = await import("node:fs");
        const bytes = readFileSync(new URL(import.meta.resolve(name)));
        console.log(name, WebAssembly.validate(bytes));
        continue;
      }
      const found = await import(name).catch((error) => error.message);
      console.log(name, typeof found === "string" ? found : Object.keys(found).sort().join(" "));
    }`);
  const told = Object.fromEntries(text.trim().split("\n").map((line) => {
    const [, name, rest] = /^(\S+) (.*)$/.exec(line) ?? [, line, ""];
    return [name, rest];
  }));
  assert.equal(told["syncdb"], "DefinitionError createStore");
  assert.equal(told["syncdb/module"], "DefinitionError jsonStore moduleStore");
  assert.match(told["syncdb/client"], /\bSyncError\b.*\bcreateClient\b/);
  assert.match(told["syncdb/react"], /\bSyncdbProvider\b.*\buseSingular useStatus useStore/);
  assert.match(told["syncdb/node"], /\bfileStorage\b/);
  assert.equal(told["syncdb/syncdb.wasm"], "true");
  assert.equal(told["syncdb/server"], "SyncError createDatabase");
});

test("where its part in C was not built, the server says what to do", async () => {
  const text = await program("server.mjs", `
    import { createDatabase } from "syncdb/server";
    try {
      createDatabase({ dbUrl: "sqlite://database.sqlite", stores: [] });
    } catch (error) {
      console.log(error.message);
    }`);
  assert.match(text, /needs its native part: it was not built[^]*npm rebuild syncdb/);
});

test("the brief's createStore compiles under --strict, with the tarball's types", async () => {
  cpSync(here("../types/brief.ts"), join(folder, "brief.ts"));
  const options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022"];
  await runIn(folder, process.execPath, "node_modules/typescript/bin/tsc", ...options, "brief.ts");
  writeFileSync(join(folder, "wrong.ts"),
    readFileSync(join(folder, "brief.ts"), "utf8").replace('"event"', '"events"'));
  await assert.rejects(
    runIn(folder, process.execPath, "node_modules/typescript/bin/tsc", ...options, "wrong.ts"),
    ({ stdout }) => /Type '"events"' is not assignable/.test(stdout));
});

test("zod and react are needed only where they are used", async () => {
  for (const name of ["zod", "react"])
    rmSync(join(folder, "node_modules", name), { recursive: true });
  const text = await program("without.mjs", `
    await import("syncdb/client");
    await import("syncdb/module");
    await import("syncdb/node");
    for (const name of ["syncdb", "syncdb/react"])
      await import(name).catch((error) => console.log(error.code));`);
  assert.equal(text, "ERR_MODULE_NOT_FOUND\nERR_MODULE_NOT_FOUND\n");
});

test("a client of the tarball is in step with a server, and lets its process end", async (t) => {
  const schema = {
    type: "object", properties: { text: { type: "string" } }, required: ["text"],
    additionalProperties: false,
  };
  const note = jsonStore({ name: "note", type: "event", schema });
  const server = await startServer(t, { stores: [entry(note)] });
  const text = await program("client.mjs", `
    import { createClient } from "syncdb/client";
    import { jsonStore } from "syncdb/module";
    const note = jsonStore(${JSON.stringify(entry(note))});
    const device = () => createClient({
      url: "${server.url}/?user=ada", stores: [note], storage: "memory",
    });
    const one = device();
    await one.store(note).push({ text: "hi" });
    await one.store(note).push({ text: 1 }).catch(({ code, path }) => console.log(code, path));
    await one.delivered();
    await one.close();
    const other = device();
    await other.synced();
    const [record] = await other.store(note).list();
    console.log(record.state, record.object.text);
    await other.close();`);
  assert.equal(text, "invalid_object /text\nsynced hi\n");
});
