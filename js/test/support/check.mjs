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
  name, type, schema, ...(rules !== null && { rules }),
});

/** Runs `syncdb check` over a store that stands in a stores file: exit code and both outputs. */
export async function check(stores, name, action, input) {
  const folder = mkdtempSync(join(tmpdir(), "syncdb-check-"));
  try {
    const file = join(folder, "stores.json");
    writeFileSync(file, JSON.stringify({ stores }));
    const options = ["check", "--stores", file, "--store", name, "--action", action, "--lines"];
    const child = spawn(program("syncdb"), options);
    const out = [], errors = [];
    child.stdout.on("data", (part) => out.push(part));
    child.stderr.on("data", (part) => errors.push(part));
    child.stdin.on("error", () => {}); // it may refuse the file before it reads
    child.stdin.end(input);
    const code = await new Promise((resolve, reject) => {
      child.on("error", reject).on("close", resolve);
    });
    return { code, out: Buffer.concat(out).toString(), errors: Buffer.concat(errors).toString() };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The core's verdict of each object: "ok", or the refusal as JSON text. */
export async function verdicts(store, action, objects) {
  const input = objects.map((object) => `${JSON.stringify(object)}\n`).join("");
  const { code, out, errors } = await check([entry(store)], store.name, action, input);
  if (code > 1) throw new Error(errors);
  return out.trimEnd().split("\n");
}
