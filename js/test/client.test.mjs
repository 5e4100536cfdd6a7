// `syncdb/client` in Node: what an application sees, against the real server.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { fileStorage } from "../dist/node.js";
import { memoryStorage } from "../dist/storage/memory.js";
import { startProgram } from "../../test/e2e/support/server.mjs";
import {
  account, chatMessage, chatStores, cleanup, device, hello, note, shown, standing, startServer,
  stores, storeOf, syncedDevice, temporaryFolder,
} from "./support/devices.mjs";

const contents = ({ records }) => records.map(({ object }) => object.content ?? object.text);

test("a message is pending, then synced, under one key, and on the other device", async (t) => {
  const server = await startServer(t);
  const [phone, laptop] = await Promise.all([1, 2].map(() => syncedDevice(t, server, "ada")));
  const messages = phone.store(chatMessage);
  const states = [];
  messages.subscribe(() => states.push(messages.snapshot().records[0]));

  const clientId = await messages.push(hello);
  const { records: [message] } =
    await shown(messages, ({ records }) => records[0]?.state === "synced");
  const [first] = states.filter(Boolean);
  assert.equal(first.state, "pending");
  assert.equal(first.id, undefined);
  assert.equal(first.clientId, clientId);
  assert.equal(message.key, first.key);
  assert.equal(message.clientId, clientId);
  assert.equal(message.object.content, "hi");
  assert.ok(message.object.$createdAt > 1e12);

  const there = laptop.store(chatMessage);
  await shown(there, ({ records }) => records[0]?.id === message.id);
  await there.remove(message.id);
  await shown(messages, ({ records }) => records.length === 0);
  assert.equal(await messages.get(message.id), undefined);
});

test("an object may be changed by its client id while it has no other", async (t) => {
  const server = await startServer(t);
  const client = device(t, `${server.url}?user=ada`, { startOffline: true });
  const notes = client.store(note);
  const clientId = await notes.push({ text: "one" });
  await notes.update(clientId, { text: "two" });
  const gone = await notes.push({ text: "never" });
  await notes.remove(gone);
  const changed = await shown(notes, (s) => s.records[0]?.object.text === "two");
  assert.deepEqual(contents(changed), ["two"]);
  assert.equal((await notes.get(clientId)).object.text, "two");
  assert.equal(client.status.paused, true);
  client.goOnline();
  await client.delivered();
  const [{ object, id }] = await notes.list();
  assert.equal(object.text, "two");
  await notes.update(id, { text: "three" });
  await client.delivered();
  const other = await syncedDevice(t, server, "ada");
  assert.deepEqual((await other.store(note).list()).map((record) => record.object.text), ["three"]);
});

test("a singular store has one object on all devices", async (t) => {
  const server = await startServer(t);
  const [phone, laptop] = await Promise.all([1, 2].map(() => syncedDevice(t, server, "ada")));
  const [mine, yours] = [phone.store(account), laptop.store(account)];
  assert.equal(await mine.get(), undefined);
  await shown(mine, (s) => !s.loading && s.record === undefined);
  await mine.set({ name: "Ada" });
  assert.equal((await mine.get()).object.name, "Ada");
  await shown(yours, ({ record }) => record?.object.name === "Ada" && record.state === "synced");
  await yours.push({ name: "Countess" });
  await shown(mine, ({ record }) => record?.object.name === "Countess");
  await mine.remove();
  await shown(yours, ({ record }) => record === undefined);
});

test("what schema or rules refuse rejects, and is neither stored nor sent", async (t) => {
  const server = await startServer(t);
  const client = await syncedDevice(t, server, "ada");
  const messages = client.store(chatMessage);
  await assert.rejects(messages.push({ role: "user" }), { code: "invalid_object" });
  await assert.rejects(messages.push({ role: "assistant", content: "" }),
    { name: "SyncError", code: "rejected", path: "/role" });
  await assert.rejects(messages.push(undefined), { code: "invalid_object" });
  const cyclic = {};
  cyclic.self = cyclic;
  await assert.rejects(messages.push(cyclic), { code: "bad_json" });
  await assert.rejects(messages.update("nonsense", hello), { code: "invalid_argument" });
  await assert.rejects(messages.list({ limit: 0 }), { code: "invalid_argument" });
  const nobodys = "6e247327-fa96-45f5-b1f1-7e519a3300fc";
  await assert.rejects(messages.retry(nobodys), { code: "not_found" });
  assert.deepEqual(await messages.list(), []);
  assert.equal(client.status.pending + client.status.failed, 0);
  assert.equal(await server.metric("syncdb_pushes_total{result=\"stored\"}").catch(() => 0), 0);
});

test("a rule in JavaScript refuses with its message, if it does so at once", async (t) => {
  const server = await startServer(t);
  const strict = {
    ...storeOf({ ...chatStores[2], name: "note" }),
    check(action, object) {
      if (action === "create" && object.text === "no") throw new Error("Not that one!");
      return object.text === "later" ? Promise.reject(new Error("too late")) : undefined;
    },
  };
  const client = await syncedDevice(t, server, "ada", { stores: [strict] });
  const notes = client.store(strict);
  await assert.rejects(notes.push({ text: "no" }), { code: "rejected", message: "Not that one!" });
  await notes.push({ text: "later" });
  await client.delivered();
  assert.equal(client.status.failed, 0);
});

test("a rule that calls the client is behind what asked it", async (t) => {
  const server = await startServer(t);
  let read;
  const curious = {
    ...note,
    check(action) {
      read ??= Promise.all([client.store(account).get(), notes.list(), notes.pending()]);
      client.goOnline();
      notes.snapshot();
      if (action === "update") throw new Error("Never!");
    },
  };
  const client = await syncedDevice(t, server, "ada", { stores: [curious, account] });
  const notes = client.store(curious);
  await notes.push({ text: "asked" });
  assert.equal((await read)[0], undefined);
  await client.delivered();
  const { records: [{ id }] } = await shown(notes, (s) => s.records[0]?.state === "synced");
  await assert.rejects(notes.update(id, { text: "no" }), { code: "rejected", message: "Never!" });
  assert.deepEqual(client.errors, []);
  assert.equal(client.status.phase, "live");
});

test("what was waited for is what the status says", async (t) => {
  const server = await startServer(t);
  const client = device(t, `${server.url}?user=ada`);
  await client.synced();
  assert.equal(client.status.phase, "live");
  client.goOffline();
  await standing(client, ({ phase }) => phase === "offline");
  await client.store(note).push({ text: "waits" });
  await standing(client, ({ pending }) => pending === 1);
  client.goOnline();
  await client.delivered();
  assert.equal(client.status.pending, 0);
});

test("what the server refuses fails, with its reason, until it is discarded", async (t) => {
  const server = await startServer(t);
  const loose = storeOf({ ...chatStores[0], rules: undefined });
  const client = await syncedDevice(t, server, "ada", { stores: [loose, account, note] });
  const messages = client.store(loose);
  const clientId = await messages.push({ role: "assistant", content: "I am not" });
  const { records: [record] } =
    await shown(messages, ({ records }) => records[0]?.state === "failed");
  assert.equal(record.error.code, "rejected");
  assert.equal(record.error.path, "/role");
  assert.deepEqual(await messages.pending(), []);
  const [push] = await messages.failed();
  assert.equal(push.clientId, clientId);
  assert.equal(push.action, "create");
  assert.equal(push.object.content, "I am not");
  assert.equal(push.error.code, "rejected");
  assert.deepEqual(await client.store(note).failed(), []);
  const { unsynced } = JSON.parse(await client.exportUnsynced());
  assert.deepEqual(unsynced.map((one) => [one.clientId, one.store]), [[clientId, "chatMessage"]]);
  await messages.retry(clientId);
  await shown(messages, ({ records }) => records[0]?.state === "failed");
  await messages.discard(clientId);
  await shown(messages, ({ records }) => records.length === 0);
  assert.equal((await standing(client, ({ failed }) => failed === 0)).pending, 0);
});

test("a server that is killed is come back to, and has what was pushed once", async (t) => {
  const folder = temporaryFolder(t);
  const server = await startServer(t, { folder });
  const client = await syncedDevice(t, server, "ada");
  const messages = client.store(chatMessage);
  await messages.push({ ...hello, content: "before" });
  await client.delivered();
  await server.kill();
  const { offlineSince } = await standing(client, ({ phase }) => phase !== "live");
  assert.ok(offlineSince > 1e12);
  await messages.push({ ...hello, content: "meanwhile" });
  await standing(client, ({ pending }) => pending === 1);
  await startServer(t, { folder, listen: `127.0.0.1:${server.port}` });
  client.goOnline();
  await client.synced();
  await client.delivered();
  const all = await shown(messages, (s) => s.records[1]?.state === "synced");
  assert.deepEqual(contents(all), ["meanwhile", "before"]);
  assert.equal((await standing(client, ({ phase }) => phase === "live")).offlineSince, null);
});

test("what was pushed offline is delivered once by the next client of its file", async (t) => {
  const server = await startServer(t);
  const storage = fileStorage(path.join(temporaryFolder(t), "ada.log"));
  const url = `${server.url}?user=ada`;
  const first = device(t, url, { storage, startOffline: true });
  const clientId = await first.store(chatMessage).push(hello);
  assert.equal((await standing(first, (s) => s.pending === 1)).storage, "durable");
  await first.close();
  const next = device(t, url, { storage });
  assert.equal((await next.store(chatMessage).list())[0].clientId, clientId);
  await next.delivered();
  await next.close();
  const last = await syncedDevice(t, server, "ada");
  assert.deepEqual((await last.store(chatMessage).list()).map((r) => r.clientId), [clientId]);
});

test("a list is as long as it was asked to be, and loads older ones, here and there", async (t) => {
  const server = await startServer(t);
  const first = await syncedDevice(t, server, "ada");
  for (let i = 0; i < 130; i++) await first.store(note).push({ text: `${i}` });
  await first.delivered();
  const newest = (count) => Array.from({ length: count }, (_, i) => `${129 - i}`);

  const list = first.store(note);
  assert.deepEqual(contents(await shown(list, (s) => !s.loading)), newest(50));
  assert.equal(list.snapshot().hasOlder, true);
  assert.equal(await list.older(), 50);
  const [kept] = list.snapshot().records;
  assert.deepEqual(contents(await shown(list, (s) => s.records.length === 100)), newest(100));
  assert.equal(await list.older(50), 30);
  const all = await shown(list, (s) => !s.hasOlder);
  assert.deepEqual(contents(all), newest(130));
  assert.equal(all.records[0], kept);
  assert.equal(await list.older(), 0);

  const second = await syncedDevice(t, server, "ada", { window: { note: 20 } });
  const lazy = second.store(note);
  const few = await shown(lazy, (s) => s.hasOlder && !s.loading);
  assert.deepEqual(contents(few), newest(20));
  assert.equal(await lazy.older(30), 30);
  assert.deepEqual(contents(await shown(lazy, (s) => s.records.length === 50)), newest(50));
  assert.equal(lazy.snapshot().records[19].key, few.records[19].key);
  second.goOffline();
  await standing(second, ({ phase }) => phase === "offline");
  assert.equal(await lazy.older(), 20); // came with the others
  assert.equal(await lazy.older(), 0);
  second.goOnline();
  await second.synced();
  while (lazy.snapshot().hasOlder) await lazy.older(200).then(() => shown(lazy, (s) => !s.loading));
  assert.deepEqual(contents(lazy.snapshot()), newest(130));
});

test("a list that cannot be lengthened says so, and goes on", async (t) => {
  const server = await startServer(t);
  const client = await syncedDevice(t, server, "ada");
  const notes = client.store(note);
  for (let i = 0; i < 60; i++) await notes.push({ text: `${i}` });
  await client.delivered();
  await shown(notes, (s) => s.records.length === 50 && !s.loading);
  for (const count of [0, 0.5, -1, 1001, NaN, Infinity, "5", null])
    await assert.rejects(notes.older(count), { name: "SyncError", code: "invalid_argument" });
  await notes.push({ text: "still told" });
  await shown(notes, ({ records }) => records[0].object.text === "still told");

  await client.close();
  let told = 0;
  notes.subscribe(() => told++);
  assert.equal(await notes.older(5), 0);
  const frames = 20;
  for (let i = 0; i < frames; i++) await new Promise((resolve) => setTimeout(resolve, 17));
  assert.ok(told <= 2, `${told} in ${frames} frames`);
  assert.equal(notes.snapshot().loading, false);
});

test("a list whose objects are removed is filled again from below", async (t) => {
  const server = await startServer(t);
  const client = await syncedDevice(t, server, "ada", { window: 10 });
  const list = client.store(note);
  for (let i = 0; i < 90; i++) await list.push({ text: `${i}` });
  await client.delivered();
  const { records } = await shown(list, (s) => s.records[0]?.state === "synced" && s.hasOlder);
  for (const { id } of records.slice(0, 40)) await list.remove(id);
  const rest = await shown(list, (s) => s.records[0]?.object.text === "49" && !s.hasOlder);
  assert.deepEqual(contents(rest), Array.from({ length: 50 }, (_, i) => `${49 - i}`));
});

test("an answer grows as it is written: only its record becomes another", async (t) => {
  const server = await startProgram(t, path.join(process.env.SYNCDB_BIN_DIR ?? here("build/bin"),
    "chat"), [`sqlite://${temporaryFolder(t)}/chat.sqlite`, "0"]);
  const chat = [storeOf(chatStores[0]), account];
  const client = await syncedDevice(t, server, "ada", { stores: chat });
  const messages = client.store(chat[0]);
  const seen = [];
  messages.subscribe(() => seen.push(messages.snapshot()));
  await messages.push(hello);
  const isAnswered = ({ records }) =>
    records[0]?.state === "synced" && records[0].object.role === "assistant";
  const end = await shown(messages, isAnswered);
  const partials = seen.filter(({ records }) => records[0]?.state === "partial");
  assert.ok(partials.length >= 2, `${partials.length} partials`);
  const [first, last] = [partials[0], partials.at(-1)];
  assert.ok(first.records[0].object.content.length < last.records[0].object.content.length);
  assert.notEqual(first.records[0], last.records[0]);
  assert.equal(first.records[0].key, end.records[0].key);
  assert.equal(last.records[1], end.records[1]);
  assert.ok(end.records[0].object.content.startsWith(last.records[0].object.content));
});

test("what was pushed offline stays in sight while it is delivered, under its key", async (t) => {
  const server = await startServer(t);
  const slow = async ({ stores: of }) => {
    const memory = memoryStorage(of);
    const late = (name) => async (...values) => {
      await new Promise((resolve) => setTimeout(resolve, 3));
      return memory[name](...values);
    };
    const methods = ["load", "commit", "page", "object", "sync"].map((name) => [name, late(name)]);
    return { ...Object.fromEntries(methods), durable: true, close: async () => {} };
  };
  const client = await syncedDevice(t, server, "ada", { storage: slow });
  const notes = client.store(note);
  await shown(notes, (s) => !s.loading);
  for (let round = 0; round < 5; round++) {
    client.goOffline();
    await standing(client, ({ paused }) => paused);
    for (let i = 0; i < 3; i++) await notes.push({ text: `${round} ${i}` });
    const before = await shown(notes, (s) => s.records.length === 3 * (round + 1));
    const seen = [];
    const end = notes.subscribe(() => seen.push(notes.snapshot()));
    client.goOnline();
    await client.synced();
    await client.delivered();
    await shown(notes, ({ records }) => records.every(({ state }) => state === "synced"));
    end();
    const keys = (s) => s.records.map(({ key }) => key).sort();
    for (const snapshot of seen) assert.deepEqual(keys(snapshot), keys(before));
  }
});

test("a snapshot is the same object until something changed", async (t) => {
  const server = await startServer(t);
  const client = await syncedDevice(t, server, "ada");
  const notes = client.store(note);
  assert.equal(client.store(note), notes);
  for (const text of ["a", "b", "c"]) await notes.push({ text });
  await client.delivered();
  const before = await shown(notes, (s) => s.records.length === 3 && !s.loading);
  assert.equal(notes.snapshot(), before);
  client.goOffline(); // reads the list anew when it is live again
  await standing(client, ({ phase }) => phase === "offline");
  client.goOnline();
  await client.synced();
  await notes.update(before.records[1].id, { text: "B" });
  const after = await shown(notes, (s) => s.records[1].object.text === "B");
  assert.equal(after.records[0], before.records[0]);
  assert.notEqual(after.records[1], before.records[1]);
  assert.equal(after.records[1].key, before.records[1].key);
  assert.equal(after.records[2], before.records[2]);
  assert.equal(client.status, client.status);
});

test("options that cannot be are refused when the client is made", () => {
  const refused = { name: "SyncError", code: "invalid_argument" };
  const make = (options) => device({ after() {} }, "ws://127.0.0.1:1/?user=ada", options);
  assert.throws(() => make({ url: "gopher://x" }), refused);
  assert.throws(() => make({ url: "/relative" }), refused);
  assert.throws(() => make({ stores: [] }), refused);
  assert.throws(() => make({ storage: "indexeddb" }), refused);
  assert.throws(() => make({ window: 0 }), refused);
  const storage = () => new Promise(() => {});
  const nameless = () => make({ url: "ws://127.0.0.1:1/", storage });
  assert.throws(nameless, { ...refused, message: /^user: / });
  assert.throws(() => make({ url: "ws://127.0.0.1:1/", storage, token: "no.jwt" }), refused);
});

test("a definition that is not valid ends the client, and says so", async (t) => {
  const broken = storeOf({ name: "bad", type: "event", schema: { type: "object", nonsense: 1 } });
  const client = device(t, "ws://127.0.0.1:1/?user=ada", { stores: [broken] });
  await assert.rejects(client.ready, { code: "bad_definition" });
  await assert.rejects(client.store(broken).push({}), { code: "bad_definition" });
  assert.equal(client.status.phase, "closed");
  assert.match(client.status.problem, /nonsense/);
  assert.throws(() => client.store(note), { code: "unknown_store" });
});

test("a client that is closed stores what was asked for, and refuses the rest", async (t) => {
  const server = await startServer(t);
  const client = await syncedDevice(t, server, "ada");
  const late = client.synced.bind(client);
  const notes = client.store(note);
  const asked = notes.push({ text: "just in time" });
  const closed = client.close();
  await assert.rejects(notes.push({ text: "too late" }), { code: "closed" });
  assert.match(await asked, /^[\da-f-]{36}$/);
  await closed;
  assert.equal(client.status.phase, "closed");
  await assert.rejects(late(), { code: "closed" });
  await assert.rejects(notes.list(), { code: "closed" });
  await client.close();
});

test("a process ends by itself when its client is closed", async (t) => {
  const server = await startServer(t);
  const script = `
    import { createClient } from ${JSON.stringify(here("js/dist/client/index.js"))};
    const stores = ${JSON.stringify(stores)};
    const client = createClient({ url: ${JSON.stringify(`${server.url}?user=ada`)}, stores });
    await client.store(stores[2]).push({ text: "from a script" });
    await client.delivered();
    await client.close();`;
  const all = ["--input-type=module", "-e", script];
  const child = spawn(process.execPath, all, { stdio: "inherit" });
  cleanup(t, () => child.kill("SIGKILL"));
  assert.deepEqual(await once(child, "close"), [0, null]);
  const client = await syncedDevice(t, server, "ada");
  assert.equal((await client.store(note).list())[0].object.text, "from a script");
});

function here(file) {
  return path.join(path.dirname(fileURLToPath(import.meta.url)), "../..", file);
}
