// The server of memory.test.mjs: asks a rule and calls a subscriber for every push, and says over
// IPC how much memory it has after a collection. Started with --expose-gc.
import { account, chatMessage, createDatabase, createStore, z } from "./support.mjs";

const [folder] = process.argv.slice(2);
const counter = createStore({
  name: "counter",
  type: "singular",
  schema: { n: z.number().refine(Number.isInteger, "a whole number") },
  validateUpdate: (action) => {
    if (action === "delete") throw new Error("a counter stays");
  },
});
const db = createDatabase({
  dbUrl: `sqlite://${folder}/database.sqlite`, stores: [counter, account, chatMessage],
  devAuth: true,
});

async function* words() {
  for (let n = 0; n < 16; n++) yield `word ${n} `;
}

let told = 0;
db.subscribe(counter, async ({ object }, ctx) => {
  told++;
  if (object.n % 16 === 0) await db.singular(ctx, counter);
  if (object.n % 64 === 0) await db.push(ctx, account, { name: `told ${object.n}` });
  if (object.n % 1024 === 0) {
    const empty = { role: "assistant", content: "" };
    const { id } = await db.stream(ctx, chatMessage, empty, "content", words());
    await db.remove(ctx, chatMessage, id);
  }
  if (object.n % 1000 === 0) throw new Error("now and then");
});
let failed = 0;
db.on("error", () => failed++);

process.on("message", () => {
  globalThis.gc();
  process.send({ told, failed, ...process.memoryUsage() });
});
process.send({ port: (await db.listen()).port });
process.once("disconnect", () => db.close());
