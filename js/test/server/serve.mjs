// `syncdb serve` in Node, as far as the protocol's tests (test/e2e) need it: they run against this
// too, where SYNCDB_SERVE=node. Each change is also asked of a rule in JavaScript, which takes its
// time, and told to a subscriber.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createDatabase } from "../../dist/server/index.js";

const { values } = parseArgs({
  options: {
    stores: { type: "string" }, db: { type: "string" }, listen: { type: "string" },
    "dev-auth": { type: "boolean", default: false },
    "compress-loopback": { type: "boolean", default: false },
    "max-message-bytes": { type: "string" }, "max-object-bytes": { type: "string" },
  },
});
const check = () => new Promise((resolve) => setImmediate(resolve));
const { stores: definitions } = JSON.parse(readFileSync(values.stores, "utf8"));
const stores = definitions.map(({ name, type, schema, rules = null }) => ({
  name, type, schema, rules, refine: null, check,
}));
const bytes = (name) => (values[name] ? Number(values[name]) : undefined);
const db = createDatabase({
  dbUrl: values.db, stores, devAuth: values["dev-auth"],
  compressLoopback: values["compress-loopback"],
  messageBytesMax: bytes("max-message-bytes"), objectBytesMax: bytes("max-object-bytes"),
});
for (const store of stores) {
  db.subscribe(store, async (event, ctx) => {
    await db.list(ctx, store, { limit: 1 });
  });
}
process.once("SIGTERM", () => db.close());
const [host, port] = values.listen.split(":");
const bound = await db.listen({ host, port: Number(port) });
console.log(`listening on ws://${host}:${bound.port}`);
