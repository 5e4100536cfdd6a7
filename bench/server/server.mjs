// The server that `bench/server/run` measures: `syncdb/server` with the stores of `syncdb bench`.
//
//   node server.mjs --db FILE [--rules declared|javascript]
//
// --rules declared: schema and rules are the core's alone, as in `syncdb serve --stores`.
// --rules javascript: the same rule as validateUpdate, and a subscriber that is told every push.
import { parseArgs } from "node:util";
import { z } from "zod";
import { createStore } from "../../js/dist/index.js";
import { createDatabase } from "../../js/dist/server/index.js";

const { values: options } = parseArgs({
  options: { db: { type: "string" }, rules: { type: "string", default: "declared" } },
});
const declared = options.rules === "declared";
if (!options.db || !["declared", "javascript"].includes(options.rules)) {
  console.error("usage: node server.mjs --db FILE [--rules declared|javascript]");
  process.exit(2);
}

const chatMessage = createStore({
  name: "chat_message",
  type: "event",
  schema: { role: z.string(), content: z.string() },
  ...(declared
    ? {
        rules: {
          create: { properties: { role: { const: "user" } } }, update: false, delete: true,
        },
      }
    : {
        validateUpdate(action, object) {
          if (action === "create" && object.role !== "user") {
            throw new Error("Only user messages can be created!");
          }
          if (action !== "create" && action !== "delete") {
            throw new Error("Only create and delete actions can be performed.");
          }
        },
      }),
});

const db = createDatabase({
  dbUrl: `sqlite://${options.db}`, stores: [chatMessage], devAuth: true, logLevel: "warn",
});
db.on("log", ({ event, message }) => console.error(`${event}: ${message}`));
let told = 0;
if (!declared) {
  db.subscribe(chatMessage, async (event) => {
    if (event.action === "create" && event.object.role === "user") told++;
  });
}
process.once("SIGTERM", async () => {
  await db.close();
  console.error(`subscribers were told ${told} events`);
});
const { port } = await db.listen();
console.log(`listening on ws://127.0.0.1:${port}`);
