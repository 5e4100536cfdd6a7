// The core's verdicts, through `syncdb check`.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const BUILD = fileURLToPath(new URL("../../../build/bin/", import.meta.url));

/** Where a built program lies. */
export const program = (name) => join(process.env.SYNCDB_BIN_DIR ?? BUILD, name);

/** A stores file's entry for a store. */
export const entry = ({ name, type, schema, rules }) => ({
  name, type, schema, ...(rules && { rules }),
});

/** Runs a built program to its end: exit code and both outputs. */
export async function run(name, options, input = "") {
  const child = spawn(program(name), options);
  const out = [], errors = [];
  child.stdout.on("data", (part) => out.push(part));
  child.stderr.on("data", (part) => errors.push(part));
  child.stdin.on("error", () => {}); // it may end before it reads
  child.stdin.end(input);
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject).on("close", resolve);
  });
  return { code, out: Buffer.concat(out).toString(), errors: Buffer.concat(errors).toString() };
}

/** Calls `use` with the path of a stores file that is there meanwhile. */
export async function withStores(stores, use) {
  const folder = mkdtempSync(join(tmpdir(), "syncdb-stores-"));
  try {
    const file = join(folder, "stores.json");
    writeFileSync(file, JSON.stringify({ stores }));
    return await use(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs `syncdb check` over a store that stands in a stores file. */
export const check = (stores, name, action, input) => withStores(stores, (file) => {
  const options = ["check", "--stores", file, "--store", name, "--action", action, "--lines"];
  return run("syncdb", options, input);
});

/** The core's verdict of each object: "ok", or the refusal as JSON text. */
export async function verdicts(store, action, objects) {
  const input = objects.map((object) => `${JSON.stringify(object)}\n`).join("");
  const { code, out, errors } = await check([entry(store)], store.name, action, input);
  if (code > 1) throw new Error(errors);
  return out.trimEnd().split("\n");
}
