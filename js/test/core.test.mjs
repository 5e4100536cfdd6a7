// The core: the replica in WebAssembly, a storage in memory, and a server that the test plays.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { Core } from "../dist/core/core.js";
import { newClientId } from "../dist/core/uuid.js";
import { memoryStorage } from "../dist/storage/memory.js";
import { DATABASE, Device, account, eventId, message, wasm } from "./support/core.mjs";

const update = (data) => ({ type: "update", data: { store: "chatMessage", ...data } });
const event = (n, text) =>
  update({ id: eventId(n), eventId: eventId(n), object: { text, $createdAt: 1 } });
const refusal = (code, more = {}) => (error) => {
  assert.equal(error.code, code, error.message);
  for (const [key, value] of Object.entries(more)) assert.equal(error[key], value);
  return true;
};

test("the module imports and exports what docs/browser.md says, and nothing else", () => {
  const names = (list) => list.map(({ module = "", name, kind }) => [module, name, kind].join(" "));
  assert.deepEqual(names(WebAssembly.Module.imports(wasm)).sort(), [
    "syncdb double function", "syncdb pattern_compile function",
    "syncdb pattern_match function", "syncdb pattern_release function",
    "syncdb random function", "syncdb validate function",
  ]);
  assert.deepEqual(WebAssembly.Module.exports(wasm).map(({ name }) => name).sort(), [
    "add_store", "attach", "closed", "complete", "create", "deadline", "go_offline", "go_online",
    "input", "memory", "message", "older", "opened", "output", "request", "settle", "status",
    "timer", "token", "turn", "unsynced",
  ]);
});

test("a push is stored, shown, sent, and seen back", async () => {
  const device = await Device.make();
  const clientId = await device.push({ text: "hi" });
  assert.equal((await device.storage.load()).pending[0].clientId, clientId);
  assert.deepEqual(await device.list(), [{
    state: "pending", clientId, object: { text: "hi", $createdAt: device.wall },
  }]);
  const hello = await device.connect();
  assert.equal(hello.type, "client_hello");
  const sends = device.outputs.filter(({ type }) => type === "send");
  assert.deepEqual(sends.map(({ text }) => JSON.parse(text)), [
    update({ clientId, object: { text: "hi", $createdAt: device.wall } }),
  ]);
  device.outputs = [];
  const object = { text: "hi", $createdAt: 17 };
  device.hear(update({ id: eventId(1), eventId: eventId(1), clientId, object }));
  assert.deepEqual(await device.see("change"), [{
    type: "change", store: 0, kind: "put",
    record: { state: "synced", id: eventId(1), eventId: eventId(1), clientId, object },
  }]);
  assert.equal((await device.storage.load()).pending.length, 0);
  assert.equal(device.core.status().pending, 0);
});

test("objects keep the digits of their numbers in the storage", async () => {
  const loose = { ...message, schema: { type: "object" } };
  const device = await Device.make({ stores: [loose] });
  await device.connect();
  device.hear(`{"type":"update","data":{"store":"chatMessage","id":"${eventId(1)}",` +
    `"eventId":"${eventId(1)}","object":{"n":12345678901234567890.10,"$createdAt":1}}}`);
  await device.settle();
  const kept = await device.storage.object(0, eventId(1));
  assert.equal(kept.object, '{"n":12345678901234567890.10,"$createdAt":1}');
});

test("an update, a remove, and a singular object", async () => {
  const device = await Device.make();
  await device.connect();
  device.hear(event(1, "a"));
  await device.settle();
  const object = JSON.stringify({ text: "b" });
  await device.ask({ kind: "update", store: 0, id: eventId(1), object });
  assert.equal((await device.list())[0].object.text, "b");
  await device.ask({ kind: "remove", store: 0, id: eventId(1) });
  assert.deepEqual(await device.list(), []);
  await device.ask({ kind: "push", store: 1, object: '{"name":"Ada"}' });
  const { records } = await device.ask({ kind: "singular", store: 1 });
  assert.equal(records[0].object.name, "Ada");
  await assert.rejects(device.ask({ kind: "get", store: 0, id: eventId(9) }), refusal("not_found"));
});

test("a change that is asked for twice under one client id is made once", async () => {
  const device = await Device.make();
  const clientId = newClientId();
  const object = JSON.stringify({ text: "once" });
  for (let i = 0; i < 3; i++) {
    const done = await device.ask({ kind: "push", store: 0, object, clientId, askedBefore: i > 0 });
    assert.equal(done.clientId, clientId);
  }
  assert.equal((await device.list()).length, 1);
  await device.connect();
  device.hear(update({ id: eventId(1), eventId: eventId(1), clientId, object: { text: "once" } }));
  await device.settle();
  await device.ask({ kind: "push", store: 0, object, clientId, askedBefore: true });
  assert.deepEqual((await device.list()).map(({ state }) => state), ["synced"]);
});

test("what is asked for wrongly is refused, and nothing happens", async () => {
  const device = await Device.make();
  const ask = (request) => device.ask({ store: 0, ...request });
  const object = '{"text":"x"}';
  const invalid = refusal("invalid_argument");
  await assert.rejects(ask({ kind: "get", id: "no uuid" }), invalid);
  await assert.rejects(ask({ kind: "get", id: "x".repeat(36) }), invalid);
  await assert.rejects(ask({ kind: "get", id: "\u00e9".repeat(36) }), invalid);
  await assert.rejects(ask({ kind: "list", limit: 0 }), invalid);
  await assert.rejects(ask({ kind: "list", limit: 1001 }), invalid);
  await assert.rejects(ask({ kind: "push", object, clientId: eventId(1) }), invalid);
  await assert.rejects(ask({ kind: "list", store: 7, limit: 1 }), refusal("unknown_store"));
  await assert.rejects(ask({ kind: "push", object: "{" }), refusal("bad_json"));
  await assert.rejects(ask({ kind: "push", object: '{"text":"\\ud800"}' }), refusal("bad_json"));
  await assert.rejects(ask({ kind: "push", object: '{"text":1}' }),
    refusal("invalid_object", { path: "/text" }));
  await assert.rejects(ask({ kind: "push", object: JSON.stringify({ text: "x".repeat(300_000) }) }),
    refusal("too_large"));
  assert.throws(() => device.core.older(0, undefined, 10), refusal("not_found"));
  assert.throws(() => device.core.older(0, "?", 10), invalid);
  assert.throws(() => device.core.retry(newClientId()), refusal("not_found"));
  assert.throws(() => device.core.discard(newClientId()), refusal("not_found"));
  assert.throws(() => device.core.token("", 0, 0), invalid);
  assert.throws(() => device.core.token("x".repeat(20_000), 0, 0), invalid);
  assert.deepEqual(await device.list(), []);
});

test("a refused push is failed, with its reason, until it is retried or discarded", async () => {
  const device = await Device.make();
  await device.connect();
  const clientId = await device.push({ text: "no" });
  await device.settle();
  const error = { code: "rejected", message: "never", path: "/text" };
  device.hear({ type: "error", data: { ...error, clientId, store: "chatMessage" } });
  const [{ record }] = await device.see("change");
  assert.equal(record.state, "failed");
  assert.deepEqual(record.error, error);
  const [push] = device.core.unsynced();
  assert.deepEqual(push, {
    clientId, store: 0, action: "create", object: { text: "no", $createdAt: device.wall },
    createdAt: device.wall, error,
  });
  const exported = JSON.parse(device.core.exportUnsynced());
  assert.deepEqual(exported, { unsynced: [{ ...push, store: "chatMessage" }] });
  device.core.retry(clientId);
  assert.equal((await device.see("send")).length, 1);
  device.hear({ type: "error", data: { ...error, clientId, store: "chatMessage" } });
  await device.settle();
  device.core.discard(clientId);
  await device.settle();
  assert.deepEqual(device.core.unsynced(), []);
  assert.deepEqual(await device.list(), []);
});

test("a push that is not seen back in time has failed", async () => {
  const device = await Device.make({ pushTimeoutMs: 2000 });
  await device.connect();
  await device.push({ text: "late" });
  await device.settle();
  assert.equal(device.core.deadline(), device.now + 2000);
  device.now = device.core.deadline();
  device.core.timer(device.now);
  const [{ record }] = await device.see("change");
  assert.equal(record.state, "failed");
  assert.equal(record.error.code, "unavailable");
});

test("a token is asked for, and shown in the hello", async () => {
  const device = await Device.make({ needsToken: true });
  device.core.timer(device.now);
  assert.deepEqual((await device.settle()).filter(({ type }) => type === "ask_token"), [
    { type: "ask_token", refused: false },
  ]);
  device.core.token("secret", 60_000, device.now);
  const [connect] = await device.see("connect");
  assert.equal(connect.token, "secret");
  const hello = await device.connect();
  assert.equal(hello.data.token, "secret");
});

test("what a server says that makes no sense ends the connection, and is told", async () => {
  const nonsense = [
    "", "{", "null", "[]", '{"type":1}', '{"type":"update"}', '{"type":"update","data":[]}',
    '{"type":"update","data":{"store":"chatMessage","id":"x"}}', '{"type":"update","data":',
    `${"[".repeat(100)}${"]".repeat(100)}`, '{"type":"synced","data":{"store":1}}',
    '{"type":"update","data":{"store":"chatMessage","id":"\u0000"}}', "\ud800",
  ];
  for (const text of nonsense) {
    const device = await Device.make();
    await device.connect();
    device.outputs = [];
    device.hear(text);
    const outputs = await device.settle();
    assert.ok(outputs.some(({ type }) => type === "disconnect"), text);
    assert.notEqual(device.core.status().problem, "", text);
  }
});

test("what a server says that is new is passed over", async () => {
  const device = await Device.make();
  await device.connect();
  device.outputs = [];
  device.hear({ type: "weather", data: { sun: true } });
  device.hear(update({ store: "elsewhere", id: eventId(1), eventId: eventId(1), object: {} }));
  assert.ok((await device.settle()).every(({ type }) => type === "status"));
});

test("a message of 10 MB is read or refused, and nothing breaks", async () => {
  const device = await Device.make();
  await device.connect();
  device.hear(update({ id: eventId(1), eventId: eventId(1), object: { text: "x".repeat(1e7) } }));
  await device.settle();
  assert.equal((await device.list())[0].object.text.length, 1e7);
  device.hear(`[${"0,".repeat(5e6)}0]`);
  await device.settle();
  assert.equal(device.core.status().phase, "offline");
});

test("a connection that ended is told, and made anew after a while", async () => {
  const device = await Device.make();
  await device.connect();
  device.core.closed(1013, '{"retryAfterMs":[700,700]}', "try \u0000later", device.now);
  await device.settle();
  const status = device.core.status();
  assert.equal(status.phase, "offline");
  assert.equal(status.closeCode, 1013);
  assert.ok(device.core.deadline() > device.now);
  device.now = device.core.deadline();
  device.core.timer(device.now);
  assert.equal((await device.see("connect")).length, 1);
});

test("offline and online", async () => {
  const device = await Device.make({ startOffline: true });
  assert.equal(device.core.deadline(), Infinity);
  assert.equal(device.core.status().phase, "offline");
  device.core.goOnline(device.now);
  assert.equal((await device.see("connect")).length, 1);
  await device.connect();
  device.core.goOffline(device.now);
  assert.equal((await device.see("disconnect")).length, 1);
});

test("a window leaves older events out, and older asks for them", async () => {
  const device = await Device.make({ windows: [2, undefined] });
  const hello = await device.connect({ chatMessage: { head: eventId(9) } });
  assert.deepEqual(hello.data.window, { chatMessage: 2 });
  for (const n of [9, 8]) {
    const object = { text: `${n}`, $createdAt: 1 };
    device.hear(update({ id: eventId(n), eventId: eventId(n), object }));
  }
  const synced = { store: "chatMessage", after: null, before: null, more: true };
  device.hear({ type: "synced", data: synced });
  await device.settle();
  const records = await device.list();
  assert.deepEqual(records.map(({ gap }) => gap), [undefined, true]);
  device.core.older(0, eventId(8), 10);
  const [{ text }] = await device.see("send");
  assert.equal(JSON.parse(text).type, "fetch");
});

// ---- the storage ----

test("a device begins with what its storage holds", async () => {
  const first = await Device.make();
  await first.connect();
  first.hear(event(1, "a"));
  await first.settle();
  const clientId = await first.push({ text: "b" });
  await first.ask({ kind: "remove", store: 0, id: eventId(1) });
  const second = await Device.make({ storage: first.storage });
  assert.deepEqual((await second.list()).map((record) => record.clientId), [clientId]);
  assert.equal(second.core.status().pending, 2);
  const hello = await second.connect({ chatMessage: { head: eventId(1) } });
  assert.equal(hello.data.syncStatus.chatMessage, eventId(1));
  assert.equal(hello.data.database, DATABASE);
});

/** A storage of which one method is another. */
const altered = (change) => Object.assign(Object.create(memoryStorage([message, account])), change);
const fresh = { head: null, wanted: 0, missing: [] };

test("a storage that says nonsense has failed, and pushes are not lost", async () => {
  const push = {
    position: 1, clientId: newClientId(), store: 0, action: "create", createdMs: 1, object: "{}",
  };
  const loads = [
    null, 1, [], {}, { states: [], pending: [] }, { states: [fresh], pending: [] },
    { states: [fresh, { ...fresh, head: "x" }], pending: [] },
    { states: [fresh, { ...fresh, wanted: -1 }], pending: [] },
    { states: [fresh, { ...fresh, missing: [[null]] }], pending: [] },
    { states: [fresh, { ...fresh, missing: [[eventId(2), eventId(1)]] }], pending: [] },
    {
      states: [fresh, { ...fresh, missing: [[null, eventId(1)], [null, eventId(2)]] }],
      pending: [],
    },
    { database: 5, states: [fresh, fresh], pending: [] },
    { states: [fresh, fresh], pending: [{ ...push, position: 0 }] },
    { states: [fresh, fresh], pending: [push, push] },
    { states: [fresh, fresh], pending: [{ ...push, action: "make" }] },
    { states: [fresh, fresh], pending: [{ ...push, object: 7 }] },
    { states: [fresh, fresh], pending: [{ ...push, clientId: "me" }] },
  ];
  for (const loaded of loads) {
    const device = await Device.make({ storage: altered({ load: async () => loaded }) });
    const outputs = device.outputs.concat(await device.settle());
    assert.ok(outputs.length === 0 || outputs.every(({ type }) => type !== "change"));
    const tag = 77;
    device.core.request({ kind: "push", store: 0, tag, object: '{"text":"kept"}' }, 1, 1);
    await device.settle();
    device.core.attach(false, device.now);
    device.storage = memoryStorage([message, account]);
    const done = (await device.see("done")).find((output) => output.tag === tag);
    assert.equal(done?.error, undefined, JSON.stringify(loaded));
    assert.equal((await device.list()).length, 1, JSON.stringify(loaded));
  }
});

test("pages, objects and commits that make no sense count as a damaged storage", async () => {
  const record = { id: eventId(1), eventId: eventId(1), object: '{"text":"a"}' };
  const storages = [
    altered({ page: async () => 1 }), altered({ page: async () => [{}] }),
    altered({ page: async () => [{ ...record, object: "no json" }] }),
    altered({ page: async () => Array(900).fill(record) }),
    altered({ page: async () => [{ ...record, eventId: 7 }] }),
  ];
  for (const storage of storages) {
    const device = await Device.make({ storage });
    device.core.request({ kind: "list", store: 0, tag: 1, limit: 10 }, 1, 1);
    const outputs = await device.settle();
    assert.deepEqual(outputs.filter(({ type }) => type === "storage_failed"),
      [{ type: "storage_failed", code: "bad_format" }]);
  }
  for (const results of [[], 3, [{ applied: true, store: -4 }]]) {
    const device = await Device.make({ storage: altered({ commit: async () => results }) });
    device.core.request({ kind: "push", store: 0, tag: 1, object: '{"text":"a"}' }, 1, 1);
    assert.deepEqual(await device.see("storage_failed"),
      [{ type: "storage_failed", code: "bad_format" }]);
  }
});

test("a storage that fails: another takes its place, with what was pushed", async () => {
  const full = Object.assign(new Error("full"), { code: "io" });
  const device = await Device.make({
    storage: altered({ commit: async () => { throw full; } }),
  });
  device.core.request({ kind: "push", store: 0, tag: 5, object: '{"text":"a"}' }, 1, 1);
  assert.deepEqual(await device.see("storage_failed"), [{ type: "storage_failed", code: "io" }]);
  device.storage = memoryStorage([message, account]);
  device.core.attach(false, device.now);
  const [done] = await device.see("done");
  assert.equal(done.tag, 5);
  assert.equal(done.error, undefined);
  assert.equal((await device.storage.load()).pending.length, 1);
});

test("an operation is answered once, the oldest first", async () => {
  const device = await Device.make();
  device.core.request({ kind: "get", store: 0, tag: 1, id: eventId(1) }, 1, 1);
  const [{ operation }] = device.core.turn(1);
  assert.throws(() => device.core.complete(operation + 1, {}, 1), refusal("conflict"));
  device.core.complete(operation, {}, 1);
  assert.throws(() => device.core.complete(operation, {}, 1), refusal("conflict"));
  const [done] = device.core.turn(1);
  assert.equal(done.error.code, "not_found");
});

// ---- stores ----

test("a wrong definition is refused with its store and the place", async () => {
  const make = (...stores) =>
    Core.create(wasm, { stores, needsToken: false, startOffline: true });
  const bad = (more) => (error) => refusal("bad_definition", more)(error);
  const odd = { type: "object", properties: { a: { type: "string", maxi: 1 } } };
  await assert.rejects(make({ ...message, schema: odd }), (error) => {
    assert.match(error.message, /^chat_message: .*maxi/);
    return bad({ path: "/properties/a/maxi" })(error);
  });
  const pattern = { type: "object", properties: { a: { type: "string", pattern: "(" } } };
  await assert.rejects(make({ ...message, schema: pattern }), bad());
  await assert.rejects(make({ ...message, rules: { read: true } }), bad());
  await assert.rejects(make({ ...message, name: "9" }), bad());
  await assert.rejects(make(message, { ...message, name: "chatMessage" }), bad());
  await assert.rejects(make({ ...message, schema: null }), /no store of this name/);
  await assert.rejects(make(), refusal("invalid_argument"));
  await assert.rejects(
    make(...Array.from({ length: 257 }, (_, i) => ({ ...message, name: `s${i}` }))), bad());
});

test("patterns are ECMAScript's, unicode and all", async () => {
  const device = await Device.make();
  await device.push({ text: "", code: "\u00c4\u00d6" });
  await assert.rejects(device.push({ text: "", code: "\ufeffA" }),
    refusal("invalid_object", { path: "/code" }));
  await assert.rejects(device.push({ text: "", code: "a" }), refusal("invalid_object"));
});

test("numbers become doubles as JavaScript reads them", async () => {
  const schema = {
    type: "object",
    properties: { n: { multipleOf: 1e-30 }, list: { type: "array", uniqueItems: true } },
  };
  const device = await Device.make({ stores: [{ ...message, schema }] });
  await device.ask({ kind: "push", store: 0, object: '{"n":5e-30}' });
  await assert.rejects(device.ask({ kind: "push", store: 0, object: '{"list":[10.50,1.05e1]}' }),
    refusal("invalid_object"));
  await device.ask({ kind: "push", store: 0, object: '{"list":[1.5,15e-2,0.5,-0.25,1e400]}' });
});

test("a rule in JavaScript is asked last, and refuses by what it throws", async () => {
  const asked = [];
  let answer = () => {};
  const check = (action, object) => {
    asked.push([action, object]);
    return answer();
  };
  const device = await Device.make({ stores: [{ ...message, check }, account] });
  await device.push({ text: "ok" });
  assert.deepEqual(asked, [["create", { text: "ok" }]]);
  await assert.rejects(device.push({ text: 1 }), refusal("invalid_object"));
  assert.equal(asked.length, 1);

  const refuses = async (thrown, more) => {
    answer = () => { throw thrown; };
    await assert.rejects(device.push({ text: "x" }), refusal("rejected", more));
  };
  await refuses(new Error("Only user messages!"), { message: "Only user messages!", path: "" });
  await refuses(Object.assign(new Error("no"), { path: "/text" }), { path: "/text" });
  await refuses("a word", { message: "a word" });
  await refuses(undefined, {});
  await refuses(Object.create(null), {});
  const long = "\u00e9".repeat(200);
  await refuses(new Error(long), { message: "\u00e9".repeat(127) });

  // What comes later cannot refuse any more, and is nobody's unhandled rejection.
  answer = () => Promise.reject(new Error("later"));
  await device.push({ text: "y" });
  answer = () => device.core.turn(1);
  await assert.rejects(device.push({ text: "z" }), refusal("rejected"));
  answer = () => {};
  await device.push({ text: "the core goes on" });
});

test("a rule sees the object that a delete is to take", async () => {
  const asked = [];
  const check = (action, object) => void asked.push([action, object?.text]);
  const device = await Device.make({ stores: [{ ...message, check }, account] });
  await device.connect();
  device.hear(event(1, "a"));
  await device.settle();
  await device.ask({ kind: "remove", store: 0, id: eventId(1) });
  assert.deepEqual(asked, [["delete", "a"]]);
});

// ---- instances ----

test("two cores of one module know nothing of one another", async () => {
  const [a, b] = [await Device.make(), await Device.make()];
  await a.push({ text: "a" });
  assert.equal((await a.list()).length, 1);
  assert.equal((await b.list()).length, 0);
  assert.notEqual(newClientId(), newClientId());
  assert.match(newClientId(), /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
});

test("a closed core says so", async () => {
  const device = await Device.make();
  device.core.close();
  assert.throws(() => device.core.turn(1), refusal("closed"));
  assert.throws(() => device.core.message("x", 1), refusal("closed"));
});

/** The module with a memory of at most so many pages. */
async function smallModule(pages) {
  const bytes = new Uint8Array(await readFile(new URL("../dist/syncdb.wasm", import.meta.url)));
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (bytes[at++] !== 5) { // the memory's section
    const size = number();
    at += size;
  }
  number(), number(); // its size; one memory
  assert.equal(bytes[at++], 1); // it has a maximum
  number();
  for (const start = at; ; at++) {
    const last = bytes[at] < 128;
    bytes[at] = (pages >>> (7 * (at - start)) & 127) | (last ? 0 : 128);
    if (last) break;
  }
  return WebAssembly.compile(bytes);
}

test("without memory a core says so, and is not used any more", async () => {
  const device = await Device.make({ module: await smallModule(48) });
  await device.connect();
  const object = { text: "x".repeat(50_000), $createdAt: 1 };
  const outputs = [];
  for (let n = 1; !outputs.some(({ type }) => type === "storage_failed"); n++) {
    device.hear(update({ id: eventId(n), eventId: eventId(n), object }));
    outputs.push(...device.core.turn(device.now)); // and the storage does not answer
  }
  assert.equal(outputs.find(({ type }) => type === "storage_failed").code, "no_memory");
  assert.throws(() => device.hear("x".repeat(4e6)), refusal("no_memory"));
  assert.throws(() => device.core.turn(1), refusal("no_memory"));
});

test("a failure inside the module is one clear error, and the end of the core", async () => {
  const device = await Device.make();
  device.core.attach(true, device.now);
  device.core.turn(device.now);
  // Against the contract: an operation of the earlier storage is on its way.
  assert.throws(() => device.core.attach(true, device.now), refusal("unavailable"));
  assert.throws(() => device.core.turn(device.now), refusal("unavailable"));
});

test("memory is flat over 100,000 messages", async () => {
  const device = await Device.make();
  const exports = await watchMemory(device);
  await device.connect();
  let settled;
  for (let n = 1; n <= 100_000; n++) {
    const id = eventId(n % 500);
    const counter = String(n).padStart(12, "0");
    const object = { text: `message ${n}`, $createdAt: n };
    device.hear(update({ id, eventId: `0190b001-0000-7000-8000-${counter}`, object }));
    if (n % 50 === 0) await device.settle();
    if (n === 10_000) settled = exports.memory.buffer.byteLength;
  }
  assert.equal(exports.memory.buffer.byteLength, settled);
  assert.ok(settled < 8e6, `${settled} bytes`);
});

/** Another core in the device's place, of which the memory can be looked at. */
async function watchMemory(device) {
  let exports;
  const instantiate = WebAssembly.instantiate;
  WebAssembly.instantiate = async (...rest) => {
    const instance = await instantiate(...rest);
    exports = instance.exports;
    return instance;
  };
  try {
    const made = await Device.make();
    device.core = made.core;
    device.storage = made.storage;
  } finally {
    WebAssembly.instantiate = instantiate;
  }
  return exports;
}
