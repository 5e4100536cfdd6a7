// One process, several databases; databases in worker threads.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { cleanup, connectSynced, note, serve, temporaryFolder, test, until } from "./support.mjs";

const program = new URL("exit_server.mjs", import.meta.url);

/** A server in a worker thread, as exit_server.mjs has it. */
async function startWorker(t) {
  const worker = new Worker(program, { workerData: [temporaryFolder(t), "worker"] });
  cleanup(t, () => worker.terminate());
  const [port] = await once(worker, "message");
  return { url: `ws://127.0.0.1:${port}`, worker };
}

test("two databases in one process know nothing of each other", async (t) => {
  const [one, two] = [await serve(t), await serve(t)];
  const told = [];
  one.db.subscribe(note, () => told.push("one"));
  two.db.subscribe(note, () => told.push("two"));
  const device = await connectSynced(t, one, "ada", ["note"]);
  const { id } = await device.pushed("note", { text: "x" });
  assert.equal(await two.db.get(two.db.as("ada"), note, id), null);
  await until(() => told.length === 1, "the event of one"); // behind the echo
  await one.db.close();
  const other = await connectSynced(t, two, "ada", ["note"]);
  await other.pushed("note", { text: "y" });
  await until(() => told.length === 2, "the event of two");
  assert.deepEqual(told, ["one", "two"]);
});

test("databases in worker threads and in the main one run side by side, and end", async (t) => {
  const servers = [await startWorker(t), await startWorker(t), await serve(t)];
  await Promise.all(servers.map(async (server, n) => {
    const device = await connectSynced(t, server, `user ${n}`, ["note"]);
    const texts = Array.from({ length: 300 }, (_, m) => ({ text: `${n} ${m}` }));
    await device.pushedAll("note", texts);
  }));
  for (const { worker } of servers.slice(0, 2)) assert.equal(await worker.terminate(), 1);
  const left = await connectSynced(t, servers[2], "user 2", ["note"]);
  assert.equal(left.synced.events.filter(({ type }) => type === "update").length, 300);
});

test("workers come and go, in the midst of their work", async (t) => {
  for (let n = 0; n < 5; n++) {
    const server = await startWorker(t);
    const device = await connectSynced(t, server, "ada", ["note"]);
    for (let m = 0; m < 200; m++) device.push("note", { text: `${m}` });
    await device.take("update");
    await server.worker.terminate();
    await device.closed;
  }
});
