// A server that ends in the way it is told: exit_server.mjs FOLDER HOW. (exit.test.mjs)
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { fileURLToPath } from "node:url";
import { createDatabase, note } from "./support.mjs";

const [folder, how] = isMainThread ? process.argv.slice(2) : workerData;

async function listen() {
  const db = createDatabase({
    dbUrl: `sqlite://${folder}/database.sqlite`, stores: [note], devAuth: true,
  });
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
  const server = await listen();
  if (how === "sigterm") process.once("SIGTERM", () => server.db.close());
  process.stdin.once("data", () => {
    process.stdin.destroy();
    setImmediate(() => ENDS[how]?.(server));
  });
  if (how === "sigterm" || how === "nothing") process.stdin.unref();
  process.stdout.write(`port ${server.port}\n`);
}
