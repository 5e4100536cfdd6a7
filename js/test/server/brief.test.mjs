// The brief's two blocks of TypeScript, as they stand there, joined by imports only.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chatMessage, cleanup, connectSynced, hello, test } from "./support.mjs";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const require = createRequire(import.meta.url);

const STORES = `export const chatMessage = createStore({
  // The name of the store
  name: "chat_message",
  // event/singular
  type: "event",
  // The schema for objects that this store represents
  schema: {
    role: z.string(),
    content: z.string(),
  },
  // A function that will be run to check a store update is valid
  validateUpdate(action, object) {
    if (action === "create" && object.role !== "user") {
      throw new Error("Only user messages can be created!");
    }
    if (action !== "create" && action !== "delete") {
      throw new Error("Only create and delete actions can be performed.");
    }
  },
});
`;

const SERVER = `const db = createDatabase({
  dbUrl: "sqlite://database.sqlite",
  stores: [chatMessage, account],
});

db.subscribe(chatMessage, async (event, ctx) => {
  if (event.action === "create") {
    await db.push(ctx, chatMessage, {
      role: "assistant",
      message: "Hello, how can I help you?",
    });
  }
});
`;

// The brief's server says \`message\` where its schema says \`content\`: the schema stands.
const server = SERVER.replace("message: ", "content: ");

/** A folder in the project's tree, where \`syncdb\` and \`zod\` are found. */
function folderOf(t) {
  mkdirSync(`${root}build`, { recursive: true });
  const folder = mkdtempSync(`${root}build/brief-`);
  cleanup(t, () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function write(folder, files) {
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
}

function compile(folder) {
  const tsc = require.resolve("typescript/bin/tsc");
  const options = ["--strict", "--target", "es2022", "--module", "nodenext", "--types", "node"];
  const files = ["stores.ts", "account.ts", "server.ts"].map((name) => path.join(folder, name));
  return spawnSync(process.execPath, [tsc, ...options, ...files], { encoding: "utf8" });
}

const FILES = {
  "package.json": '{"type":"module"}',
  "account.ts":
    'import { createStore } from "syncdb";\nimport { z } from "zod";\n' +
    'export const account = createStore({\n' +
    '  name: "account", type: "singular", schema: { name: z.string() },\n});\n',
  "stores.ts": `import { createStore } from "syncdb";\nimport { z } from "zod";\n\n${STORES}`,
  "server.ts":
    'import { createDatabase } from "syncdb/server";\nimport { account } from "./account.js";\n' +
    `import { chatMessage } from "./stores.js";\n\n${server}\nexport { db };\n`,
};

test("the blocks here are the brief's", (t) => {
  const brief = path.join(root, "../shared/brief.md");
  if (!existsSync(brief)) {
    t.skip("the brief is not here");
    return;
  }
  const blocks = [...readFileSync(brief, "utf8").matchAll(/```ts\n([^]*?)```/g)];
  assert.deepEqual(blocks.map(([, text]) => text), [STORES, SERVER]);
});

test("they compile under tsc --strict, and run", async (t) => {
  const folder = folderOf(t);
  write(folder, FILES);
  const compiled = compile(folder);
  assert.equal(compiled.status, 0, compiled.stdout);
  const before = process.cwd();
  process.chdir(folder); // the brief's database is a relative path
  cleanup(t, () => process.chdir(before));
  const { db } = await import(pathToFileURL(path.join(folder, "server.js")).href);
  cleanup(t, () => db.close());
  const { port } = await db.listen({ devAuth: true });
  const ada = await connectSynced(t, { url: `ws://127.0.0.1:${port}` }, "ada", ["chatMessage"]);
  ada.push("chatMessage", hello);
  const answer = await ada.take("update", ({ object }) => object.role === "assistant");
  assert.equal(answer.object.content, "Hello, how can I help you?");
  assert.ok(existsSync(path.join(folder, "database.sqlite")));
  assert.equal(chatMessage.name, "chat_message");
});
