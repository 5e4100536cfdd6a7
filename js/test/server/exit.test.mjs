// How a server's process ends: what was acknowledged is stored, and nothing keeps the process.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import {
  cleanup, connectSynced, deadline, note, open, temporaryFolder, test,
} from "./support.mjs";

const program = fileURLToPath(new URL("exit_server.mjs", import.meta.url));

/** Starts the server, which ends as `how` says; gives its end, its port and what it said. */
async function start(t, how) {
  const folder = temporaryFolder(t);
  const child = spawn(process.execPath, [program, folder, how], { stdio: "pipe" });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal }));
  cleanup(t, () => child.kill("SIGKILL"));
  let out = "";
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (err += text));
  child.stdout.setEncoding("utf8");
  const port = await deadline(
    new Promise((resolve, reject) => {
      child.stdout.on("data", (text) => {
        out += text;
        const found = /port (\d+)\n/.exec(out);
        if (found) resolve(Number(found[1]));
      });
      child.on("close", () => reject(new Error(`it ended: ${out}${err}`)));
    }),
    () => `it does not listen: ${err}`,
  );
  const end = () => deadline(ended, () => `it does not end by itself: ${out}${err}`);
  return { folder, child, port, end, said: () => out + err };
}

/** Pushes until the server is gone; gives what was acknowledged. */
async function pushAll(t, server, begin) {
  const ada = await connectSynced(t, { url: `ws://127.0.0.1:${server.port}` }, "ada", ["note"]);
  const texts = new Map();
  for (let n = 0; n < 500; n++) texts.set(ada.push("note", { text: `${n}` }), `${n}`);
  await ada.take("update", ({ clientId }) => texts.has(clientId));
  begin();
  await ada.closed;
  const acknowledged = ada.messages.filter(({ type, data }) => type === "update" && data.clientId);
  return acknowledged.map(({ data }) => data.object.text);
}

async function checkStored(t, folder, acknowledged) {
  const db = open(t, { folder });
  const stored = await db.list(db.as("ada"), note, { limit: 1000 });
  const texts = new Set(stored.map(({ object }) => object.text));
  assert.equal(texts.size, stored.length, "nothing is there twice");
  for (const text of acknowledged) assert.ok(texts.has(text), `${text} was acknowledged`);
}

const ends = [
  ["db.close()", "close", "c", { code: 0, signal: null }],
  ["SIGTERM, turned into db.close()", "sigterm", "SIGTERM", { code: 0, signal: null }],
  ["SIGTERM that nobody hears", "nothing", "SIGTERM", { code: null, signal: "SIGTERM" }],
  ["process.exit", "exit", "c", { code: 3, signal: null }],
  ["an uncaught exception elsewhere", "throw", "c", { code: 1, signal: null }],
  ["a rejection that nobody handles", "reject", "c", { code: 1, signal: null }],
  ["SIGKILL", "nothing", "SIGKILL", { code: null, signal: "SIGKILL" }],
];

for (const [name, how, input, expected] of ends) {
  test(`the process ends by ${name}: what was acknowledged is stored`, async (t) => {
    const server = await start(t, how);
    const acknowledged = await pushAll(t, server, () => {
      if (input === "c") server.child.stdin.write("now\n");
      else server.child.kill(input);
    });
    assert.deepEqual(await server.end(), expected, server.said());
    await checkStored(t, server.folder, acknowledged);
  });
}

test("questions that are left when the database is closed are nobody's", async (t) => {
  const server = await start(t, "questions");
  const ada = await connectSynced(t, { url: `ws://127.0.0.1:${server.port}` }, "ada", ["note"]);
  server.child.stdin.write("now\n");
  for (let n = 0; n < 500; n++) ada.push("note", { text: `${n}` });
  await ada.closed;
  assert.deepEqual(await server.end(), { code: 0, signal: null }, server.said());
  assert.doesNotMatch(server.said(), /Error/);
});

test("a database that nobody listens on does not keep the process", async (t) => {
  const server = await start(t, "idle");
  assert.deepEqual(await server.end(), { code: 0, signal: null }, server.said());
  await checkStored(t, server.folder, ["pushed before"]);
});

test("a worker that is terminated closes its database", async (t) => {
  const server = await start(t, "worker");
  const acknowledged = await pushAll(t, server, () => server.child.stdin.write("now\n"));
  assert.deepEqual(await server.end(), { code: 0, signal: null }, server.said());
  await checkStored(t, server.folder, acknowledged);
});

test("process.exit ends workers with databases too", async (t) => {
  const server = await start(t, "worker-exit");
  const acknowledged = await pushAll(t, server, () => server.child.stdin.write("now\n"));
  assert.deepEqual(await server.end(), { code: 4, signal: null }, server.said());
  await checkStored(t, server.folder, acknowledged);
});
