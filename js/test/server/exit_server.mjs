// A server that ends in the way it is told: exit_server.mjs FOLDER HOW. (exit.test.mjs)
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { fileURLToPath } from "node:url";
import { createDatabase, note } from "./support.mjs";

const [folder, how] = isMainThread ? process.argv.slice(2) : workerData;

/** A note, of which JavaScript is asked. */
const judged = { ...note, check: () => {} };

/** Blocks this thread, so that what comes meanwhile is found at once. */
function block() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
}

async function listen(store = note) {
  const db = createDatabase({
    dbUrl: `sqlite://${folder}/database.sqlite`, stores: [store], devAuth: true,
  });
  if (store === judged) return { db, port: (await db.listen()).port };
  db.subscribe(note, async (event, ctx) => {
    await db.get(ctx, note, event.id);
  });
  return { db, port: (await db.listen()).port };
}

function inWorker() {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: [folder, how] });
  worker.on("message", (port) => process.stdout.write(`port ${port}\n`));
  process.stdin.once("data", async () => {
    if (how === "worker-exit") process.exit(4);
    await worker.terminate();
    process.stdin.destroy();
  });
}

const ENDS = {
  close: ({ db }) => db.close(),
  exit: () => process.exit(3),
  questions: ({ db }) => {
    block();
    setTimeout(block, 0); // the database is closed before what it asked is read
    return db.close({ graceMs: 0 });
  },
  reject: () => void Promise.reject(new Error("elsewhere")),
  throw: () => {
    throw new Error("elsewhere");
  },
};

if (!isMainThread) {
  parentPort.postMessage((await listen()).port);
} else if (how.startsWith("worker")) {
  inWorker();
} else if (how === "idle") {
  const db = createDatabase({ dbUrl: `sqlite://${folder}/database.sqlite`, stores: [note] });
  await db.push(db.as("ada"), note, { text: "pushed before" });
  process.stdout.write("port 0\n");
} else {
  const server = await listen(how === "questions" ? judged : note);
  if (how === "sigterm") process.once("SIGTERM", () => server.db.close());
  process.stdin.once("data", () => {
    process.stdin.destroy();
    setImmediate(() => ENDS[how]?.(server));
  });
  if (how === "sigterm" || how === "nothing") process.stdin.unref();
  process.stdout.write(`port ${server.port}\n`);
}
