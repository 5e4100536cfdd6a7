// docs/api is what the types say today: typedoc writes the same again. `make docs` renews it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const js = dirname(dirname(fileURLToPath(import.meta.url)));
const kept = join(js, "../docs/api");

test("docs/api says what the types say", (t) => {
  const made = mkdtempSync(join(tmpdir(), "syncdb-api-"));
  t.after(() => rmSync(made, { recursive: true }));
  execFileSync("npx", ["--no-install", "typedoc", "--options", "typedoc.json", "--out", made],
    { cwd: js, stdio: ["ignore", "ignore", "inherit"] });
  assert.deepEqual(readdirSync(kept).sort(), readdirSync(made).sort());
  for (const file of readdirSync(made)) {
    const same = readFileSync(join(made, file), "utf8") === readFileSync(join(kept, file), "utf8");
    assert.ok(same, `docs/api/${file} is not as the types are: make docs`);
  }
});
