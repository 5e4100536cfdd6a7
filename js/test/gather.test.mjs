// A storage that is slower than the messages: what comes while it works is one commit.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { startScripted } from "../../test/e2e/support/scripted.mjs";
import { createClient } from "../dist/client/index.js";
import { memoryStorage } from "../dist/storage/memory.js";

const COUNT = 1000;
const store = {
  name: "note", type: "event", schema: { type: "object" }, rules: null, refine: null, check: null,
};

/** The id of the `n`th event. */
const idOf = (n) => `01974f63-6abc-7000-8000-${n.toString(16).padStart(12, "0")}`;

/** A client whose server answers a push with its event and `COUNT` more. */
async function start(t, commit) {
  const server = await startScripted(t, ["note"], (data, send) => {
    send("update", { ...data, id: idOf(0), eventId: idOf(0) });
    for (let n = 1; n <= COUNT; n++) {
      const object = { text: `event ${n}`, $createdAt: 1 };
      send("update", { store: "note", id: idOf(n), eventId: idOf(n), object });
    }
  });
  const client = createClient({
    url: `${server.url}?user=ada`, stores: [store],
    storage: async ({ stores }) => {
      const memory = memoryStorage(stores);
      return { ...memory, durable: true, commit: (changes) => commit(memory, changes) };
    },
  });
  t.after(() => client.close());
  await client.ready;
  await client.synced();
  return client.store(store);
}

test("what comes while a commit is under way is one commit, and all of it shows", async (t) => {
  let commits = 0;
  const notes = await start(t, async (memory, changes) => {
    commits++;
    await delay(5);
    return memory.commit(changes);
  });
  notes.subscribe(() => {});
  await notes.push({ text: "go" });
  const newest = () => notes.snapshot().records[0]?.object.text;
  while (newest() !== `event ${COUNT}`) await delay(1);
  assert.equal((await notes.list({ limit: 1000 })).length, 1000);
  assert.ok(commits < COUNT / 4, `${commits} commits`);
});
