// The device's storages that run in Node, in memory and in a file: the suite of behaviours, random
// changes, and what may happen to a file.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFile, mkdir, mkdtemp, open, readFile, readdir, rename, rm, stat, writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { createClient } from "../dist/client/index.js";
import { fileStorage } from "../dist/node.js";
import { memoryStorage } from "../dist/storage/memory.js";
import {
  CHAT, NOTE, STORES, behaviours, fails, idOf, numberOf, pendingOf, pendingPut, pendingDrop, put,
  runBehaviour, state,
} from "./storage_conformance.mjs";
import { runModel } from "./storage_model.mjs";

const NAME = "syncdb ws://127.0.0.1/ alice";

/** A folder that goes with the test. */
async function makeFolder(t) {
  const folder = await mkdtemp(join(tmpdir(), "syncdb-storage-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

const openFile = (path, { name = NAME, stores = STORES } = {}) =>
  fileStorage(path)({ name, stores, onLost: assert.fail });

/** Makes what is written to files fail, after half of it was, or succeed again. */
async function makeFailing(folder) {
  const handle = await open(join(folder, "any"), "w");
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  const { write } = prototype;
  return (failing) => {
    prototype.write = !failing ? write : async function half(bytes, from, size, at) {
      await write.call(this, bytes, from, size >> 1, at);
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    };
  };
}

const kinds = {
  memory: async () => ({ durable: false, open: async (stores) => memoryStorage(stores) }),
  file: async (t) => {
    const folder = await makeFolder(t);
    let path;
    let files = 0;
    return {
      durable: true,
      failCommits: await makeFailing(folder),
      open: (stores) => openFile((path = join(folder, `${files++}.db`)), { stores }),
      reopen: async (storage, stores) => {
        await storage.close();
        return openFile(path, { stores });
      },
    };
  },
};

for (const [name, make] of Object.entries(kinds)) {
  test(`${name} storage`, async (t) => {
    const kind = await make(t);
    for (const { name: does, needs } of behaviours) {
      if (needs(kind)) await t.test(does, () => runBehaviour(kind, does));
    }
    for (let seed = 1; seed <= 3; seed++) {
      await t.test(`random changes end as the model says, seed ${seed}`, () =>
        runModel(kind, seed, 500));
    }
  });
}

// ---- files ----

test("a file holds its user's data alone, and no other reads it", async (t) => {
  const path = join(await makeFolder(t), "a.db");
  const storage = await openFile(path);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await storage.close();
  const error = await fails(openFile(path, { name: "syncdb ws://127.0.0.1/ bob" }), "conflict");
  assert.match(error.message, /is of another user or server: syncdb ws:\/\/127\.0\.0\.1\/ alice/);
  await (await openFile(path)).close();
});

test("what is no file of syncdb's is refused, and stays as it is", async (t) => {
  const folder = await makeFolder(t);
  const path = join(folder, "a.db");
  for (const text of ["", "a letter\n", "a letter", "00000000 [\"syncdb device\",1,\"x\"]\n"]) {
    await writeFile(path, text);
    await fails(openFile(path), "bad_format");
    assert.equal(await readFile(path, "utf8"), text);
  }
  await mkdir(join(folder, "folder"));
  await fails(openFile(join(folder, "folder")), "io");
  await fails(openFile(join(folder, "nowhere", "a.db")), "io");
  assert.deepEqual((await readdir(folder)).sort(), ["a.db", "folder"], "no lock is left");
});

test("a file of a newer version is refused, and stays as it is", async (t) => {
  const path = join(await makeFolder(t), "a.db");
  const header = JSON.stringify(["syncdb device", 9, NAME]);
  const text = `${crc32(header).toString(16).padStart(8, "0")} ${header}\n[]\n`;
  await writeFile(path, text);
  const error = await fails(openFile(path), "bad_format");
  assert.match(error.message, /newer version/);
  assert.equal(await readFile(path, "utf8"), text);
});

// ---- crashes and damage ----

/** A file of some commits; gives its bytes and how long it was after each. */
async function makeCommits(path) {
  const storage = await openFile(path);
  const sizes = [];
  const commit = async (...changes) => {
    await storage.commit(changes);
    sizes.push((await stat(path)).size);
  };
  await commit(pendingPut(pendingOf(1, 1, CHAT, '{"text":"first"}')));
  await commit(put(CHAT, 1, 1, '{"text":"é"}'), pendingDrop(1), state(CHAT, 1));
  await commit(pendingPut(pendingOf(2, 2, CHAT, "{}")), pendingPut(pendingOf(3, 3, NOTE, "{}")));
  await commit(put(CHAT, 2, 2, '{"text":"two"}'), pendingDrop(2), state(CHAT, 2));
  await storage.close();
  return { bytes: await readFile(path), sizes };
}

/** What a storage holds, for comparing. */
async function contents(storage) {
  const { states, pending } = await storage.load();
  const objects = await storage.page(CHAT, undefined, 100);
  return {
    head: states[CHAT].head && numberOf(states[CHAT].head),
    pending: pending.map(({ clientId }) => numberOf(clientId)),
    objects: objects.map(({ id }) => numberOf(id)),
  };
}

const AFTER = [
  { head: null, pending: [], objects: [] },
  { head: null, pending: [1], objects: [] },
  { head: 1, pending: [], objects: [1] },
  { head: 1, pending: [2, 3], objects: [1] },
  { head: 2, pending: [3], objects: [2, 1] },
];

test("a file that was cut anywhere holds the commits that are whole", async (t) => {
  const path = join(await makeFolder(t), "a.db");
  const { bytes, sizes } = await makeCommits(path);
  for (let size = sizes[1]; size <= bytes.length; size++) {
    const whole = sizes.filter((of) => of <= size).length;
    // Cut off, or never written: then the system may show zeros, or old bytes.
    const tail = ["", "\0".repeat(bytes.length - size), "old bytes ".repeat(9)][size % 3];
    await writeFile(path, Buffer.concat([bytes.subarray(0, size), Buffer.from(tail)]));
    const storage = await openFile(path);
    assert.deepEqual(await contents(storage), AFTER[whole], `cut at ${size}`);
    await storage.commit([put(CHAT, 9, 9, "{}")]);
    await storage.close();
    if (size % 7) continue;
    const again = await openFile(path);
    assert.equal((await again.object(CHAT, idOf(9))).object, "{}", `cut at ${size}`);
    assert.equal(again.notice, "");
    await again.close();
  }
});

test("of a file that is damaged in its midst the unsynced pushes are saved", async (t) => {
  const folder = await makeFolder(t);
  const path = join(folder, "a.db");
  const { bytes, sizes } = await makeCommits(path);
  // The commit with the first push's end: the push comes again, which its client id allows.
  for (const [at, pending] of [[sizes[0] + 30, [1, 3]], [sizes[1] + 30, []], [sizes[0] - 1, [3]]]) {
    const damaged = Buffer.from(bytes);
    damaged[at] ^= 1;
    await writeFile(path, damaged);
    const storage = await openFile(path);
    assert.deepEqual(await contents(storage), { head: null, pending, objects: [] }, `at ${at}`);
    const told = new RegExp(
      `was damaged: it is kept as (.*a\\.db\\.damaged-\\d+), and ${pending.length} unsynced`);
    assert.deepEqual(await readFile(told.exec(storage.notice)[1]), damaged);
    await storage.close();
    const again = await openFile(path);
    assert.deepEqual(await contents(again), { head: null, pending, objects: [] });
    assert.equal(again.notice, "");
    await again.close();
  }
});

test("a client tells of a file that was damaged, and has its unsynced pushes", async (t) => {
  const path = join(await makeFolder(t), "a.db");
  const schema = { type: "object" };
  const store = { name: "chat", type: "event", schema, rules: null, refine: null, check: null };
  const start = async () => {
    const client = createClient({
      url: "ws://127.0.0.1:9/", user: "alice", stores: [store], storage: fileStorage(path),
      startOffline: true,
    });
    t.after(() => client.close());
    await client.ready;
    return client;
  };
  const before = await start();
  const clientId = await before.store(store).push({ text: "hello" });
  await before.store(store).push({ text: "lost" });
  assert.equal(before.status.problem, "");
  await before.close();
  const lines = (await readFile(path, "utf8")).split("\n");
  const lost = lines.findIndex((line) => line.includes("lost"));
  lines.splice(lost, 1, lines[lost].replace("lost", "LOST"), lines[lost]);
  await writeFile(path, lines.join("\n"));
  const after = await start();
  const saved = await after.exportUnsynced();
  while (after.status.storage === "memory") await delay(1);
  assert.match(after.status.problem, /a\.db was damaged: it is kept as .*, and 2 unsynced/);
  assert.ok(JSON.stringify(saved).includes(clientId));
});

test("a log of much that is gone is written anew, and holds the same", async (t) => {
  const path = join(await makeFolder(t), "a.db");
  let storage = await openFile(path);
  const text = JSON.stringify({ text: "x".repeat(1000) });
  let largest = 0;
  for (let i = 0; i < 5000; i++) {
    await storage.commit([put(CHAT, i % 100, 1000 + i, text), put(NOTE, i, i, "{}"),
      pendingPut(pendingOf(i + 1, i % 10, CHAT, "{}"))]);
    largest = Math.max(largest, (await stat(path)).size);
  }
  assert.ok(largest > 1 << 20 && largest < 3 << 20, `${largest} bytes of 5 MB were kept`);
  const before = [await storage.load(), await storage.page(NOTE, undefined, 9999),
    await storage.page(CHAT, undefined, 999)];
  await storage.close();
  storage = await openFile(path);
  assert.deepEqual([await storage.load(), await storage.page(NOTE, undefined, 9999),
    await storage.page(CHAT, undefined, 999)], before);
  await storage.close();
});

test("a log that cannot be written anew goes on as it is", async (t) => {
  const folder = await makeFolder(t);
  const path = join(folder, "a.db");
  await mkdir(`${path}.new`); // in the way
  await fails(openFile(path), "io");
  await rm(`${path}.new`, { recursive: true });
  const storage = await openFile(path);
  await mkdir(`${path}.new`);
  for (let i = 0; i < 1500; i++) await storage.commit([put(CHAT, 1, 1 + i, "x".repeat(1000))]);
  assert.ok((await stat(path)).size > 1_500_000);
  await rm(`${path}.new`, { recursive: true });
  for (let i = 1500; i < 4000; i++) await storage.commit([put(CHAT, 1, 1 + i, "x".repeat(1000))]);
  await storage.close();
  assert.ok((await stat(path)).size < 3_200_000);
});

test("a file that was moved away or deleted takes nothing any more", async (t) => {
  const folder = await makeFolder(t);
  const path = join(folder, "a.db");
  const storage = await openFile(path);
  await storage.commit([put(CHAT, 1, 1, "{}")]);
  await rename(path, `${path}.moved`);
  await fails(storage.commit([put(CHAT, 2, 2, "{}")]), "io");
  await writeFile(path, "another file");
  await fails(storage.commit([put(CHAT, 2, 2, "{}")]), "io");
  await rename(`${path}.moved`, path);
  await storage.commit([put(CHAT, 2, 2, "{}")]);
  await storage.close();
});

test("a closed file takes nothing, and closing waits for what is under way", async (t) => {
  const path = join(await makeFolder(t), "a.db");
  const storage = await openFile(path);
  const commits = [1, 2, 3].map((id) => storage.commit([put(CHAT, id, id, "{}")]));
  await storage.close();
  await Promise.all(commits);
  await storage.close();
  await fails(storage.commit([put(CHAT, 4, 4, "{}")]), "io");
  await fails(storage.load(), "io");
  const again = await openFile(path);
  assert.deepEqual((await contents(again)).objects, [3, 2, 1]);
  await again.close();
});

// ---- one process at a time ----

/** A process that has `path` open and committed `id`; gives it, to be ended. */
async function startHolder(t, path, id) {
  const source = `
    import { fileStorage } from ${JSON.stringify(new URL("../dist/node.js", import.meta.url))};
    const [path, name, stores, change] = JSON.parse(process.argv[1]);
    const storage = await fileStorage(path)({ name, stores, onLost() {} });
    await storage.commit([change]);
    console.log("committed");
    setInterval(() => {}, 1000);`;
  const argument = JSON.stringify([path, NAME, STORES, put(CHAT, id, id, "{}")]);
  const child = spawn(process.execPath, ["--input-type=module", "-e", source, argument],
    { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  assert.equal(`${(await once(child.stdout, "data"))[0]}`, "committed\n");
  return child;
}

test("a second opening is refused while the first is there, in any process", async (t) => {
  const path = join(await makeFolder(t), "a.db");
  const child = await startHolder(t, path, 1);
  const error = await fails(openFile(path), "busy");
  assert.match(error.message, new RegExp(`in use by process ${child.pid}`));
  // A process that was killed has it no more, and what it committed is there.
  child.kill("SIGKILL");
  await once(child, "exit");
  const storage = await openFile(path);
  assert.equal((await storage.object(CHAT, idOf(1))).object, "{}");
  assert.match((await fails(openFile(path), "busy")).message, /in use by this process/);
  await storage.close();
  await (await openFile(path)).close();
});

test("a lock of a process whose number another has now is taken over", async (t) => {
  const folder = await makeFolder(t);
  const path = join(folder, "a.db");
  await appendFile(`${path}.lock-${process.pid}-1-0000`, "");
  await appendFile(`${path}.lock-4194304-77-0000`, "");
  await appendFile(`${path}.lock-what`, "");
  const storage = await openFile(path);
  const locks = (await readdir(folder)).filter((name) => name.includes(".lock-"));
  assert.equal(locks.length, 2);
  await storage.close();
  assert.deepEqual((await readdir(folder)).sort(), ["a.db", "a.db.lock-what"]);
});

test("of many that come at the same moment one gets the file at most", async (t) => {
  const path = join(await makeFolder(t), "a.db");
  for (let round = 0; round < 10; round++) {
    const all = await Promise.allSettled(Array.from({ length: 5 }, () => openFile(path)));
    const got = all.filter(({ status }) => status === "fulfilled");
    assert.ok(got.length <= 1);
    for (const { value } of got) await value.close();
  }
  await (await openFile(path)).close();
});
