// `syncdb/client` where things go wrong: servers that make no sense or do not answer, tokens,
// storages that fail, a core that fails.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { Core } from "../dist/core/core.js";
import { StorageError } from "../dist/core/storage.js";
import { problemOf } from "../dist/client/ask.js";
import { memoryStorage } from "../dist/storage/memory.js";
import { seconds, token } from "../../test/e2e/support/tokens.mjs";
import {
  account, chatMessage, complaint, deadline, device, eventId, hello, note, shown, standing,
  startServer, startTalker, stores, storeOf, syncedDevice, temporaryFolder, until,
} from "./support/devices.mjs";

/** A server that greets, and answers pushes as `onPush(peer, data, number)` says. */
const greeting = (onPush = () => {}) => {
  let number = 0;
  return (peer, { type, data }) => {
    if (type === "client_hello") peer.greet();
    else if (type === "ping") peer.send("pong");
    else onPush(peer, data, ++number);
  };
};

// ---- servers that make no sense

const update = (more) => JSON.stringify({
  type: "update", data: { store: "note", id: eventId(1), object: { text: "x" }, ...more },
});

/** What ends the connection, for to go on without it could lose an event. */
const NONSENSE = {
  "no JSON": "garbage",
  "half a message": update().slice(0, 60),
  "no object": "[1,2]",
  "an id that is no UUID": update({ id: "not-an-id" }),
  "an id that is a number": update({ id: 7 }),
  "an object that is none": update({ object: "text" }),
  "a NUL": "\0",
  "10 MB of one letter": "x".repeat(10_000_000),
  "10 MB of nesting": "[".repeat(10_000_000),
};

for (const [name, text] of Object.entries(NONSENSE)) {
  test(`${name} is told, and the client recovers`, async (t) => {
    let isBad = true;
    const server = await startTalker(t, greeting((peer, data, number) => {
      if (isBad) peer.socket.send(text);
      else peer.echo(data, number);
    }));
    const client = device(t, server.url);
    await client.synced();
    const told = complaint(client);
    await client.store(note).push({ text: "mine" });
    assert.ok((await told).message.length > 0);
    const { problem } = await standing(client, ({ phase }) => phase !== "live");
    assert.ok(problem.length > 0);
    isBad = false;
    client.goOnline();
    await deadline(client.delivered(), () => "it does not recover");
    await client.synced();
    assert.equal((await standing(client, (s) => s.phase === "live")).problem, "");
  });
}

/** What is passed over: the connection stays. */
const UNKNOWN = {
  "an unknown type": JSON.stringify({ type: "surprise", data: { store: "note" } }),
  "an unknown store": update({ store: "elsewhere" }),
  "10 MB of an unknown member": update({ store: "elsewhere", more: "x".repeat(10_000_000) }),
  "an empty message": Buffer.alloc(0),
  "a binary message": Buffer.from([1, 2, 3]),
};

for (const [name, message] of Object.entries(UNKNOWN)) {
  test(`${name} is passed over`, async (t) => {
    const server = await startTalker(t, greeting((peer, data, number) => {
      peer.socket.send(message);
      peer.echo(data, number);
    }));
    const client = device(t, server.url);
    await client.synced();
    await client.store(note).push({ text: "mine" });
    await client.delivered();
    assert.equal(server.peers.length, 1);
    const said = client.errors.map(({ code }) => code);
    assert.deepEqual(said, Buffer.isBuffer(message) ? ["bad_message"] : []);
  });
}

test("a message over 16 MiB is refused with 1009, and never read", async (t) => {
  const server = await startTalker(t, greeting((peer) =>
    peer.socket.send(update({ object: { text: "x".repeat(16 * 1024 * 1024) } }))));
  const client = device(t, server.url);
  await client.synced();
  const told = complaint(client, ({ code }) => code === "too_large");
  await client.store(note).push({ text: "mine" });
  assert.match((await told).message, /16 MiB/);
  assert.equal(await server.peers[0].closed, 1009);
  assert.deepEqual((await client.store(note).list()).map((r) => r.object.text), ["mine"]);
});

test("a server that goes away says when to come back, and is heard", async (t) => {
  const server = await startTalker(t, greeting());
  const client = device(t, server.url);
  await client.synced();
  server.peers[0].socket.close(1012, '{"retryAfterMs":[1,2]}');
  await standing(client, ({ closeCode }) => closeCode === 1012);
  await client.synced();
  assert.equal(server.peers.length, 2);
});

// ---- servers that do not answer

test("a push that is not seen back in time fails, and a retry delivers it once", async (t) => {
  const server = await startTalker(t, greeting((peer, data, number) => {
    if (number > 1) peer.echo(data, number);
  }));
  const client = device(t, server.url, { pushTimeoutMs: 50 });
  await client.synced();
  const notes = client.store(note);
  const clientId = await notes.push({ text: "lost" });
  const { records: [record] } = await shown(notes, (s) => s.records[0]?.state === "failed");
  assert.equal(record.object.text, "lost");
  assert.equal((await standing(client, ({ failed }) => failed === 1)).pending, 0);
  assert.deepEqual((await notes.failed()).map((push) => push.clientId), [clientId]);
  await notes.retry(clientId);
  await shown(notes, ({ records }) => records[0]?.state === "synced");
  const ids = server.peers[0].pushes().map((push) => push.clientId);
  assert.deepEqual(ids, [clientId, clientId]);
  assert.equal((await standing(client, ({ failed }) => failed === 0)).pending, 0);
});

test("discarding a push that failed shows the server's state again", async (t) => {
  const server = await startTalker(t, greeting());
  const client = device(t, server.url, { pushTimeoutMs: 50 });
  await client.synced();
  const mine = client.store(account);
  const clientId = await mine.set({ name: "Nobody" });
  await shown(mine, ({ record }) => record?.state === "failed");
  await mine.discard(clientId);
  await shown(mine, ({ record }) => record === undefined);
  await assert.rejects(mine.discard(clientId), { code: "not_found" });
});

test("a pending push can be neither retried nor counted as failed", async (t) => {
  const server = await startTalker(t, greeting());
  const client = device(t, server.url);
  const notes = client.store(note);
  const clientId = await notes.push({ text: "waits" });
  await assert.rejects(notes.retry(clientId), { code: "conflict" });
  assert.deepEqual((await notes.pending()).map((push) => push.clientId), [clientId]);
  assert.deepEqual(await notes.failed(), []);
});

test("no server: the client is there all the same", async (t) => {
  const client = device(t, "ws://127.0.0.1:9/?user=ada");
  await client.ready;
  await client.store(note).push({ text: "here" });
  assert.equal((await client.store(note).list()).length, 1);
  const status = await standing(client, ({ closeCode, pending }) => closeCode === 1006 && pending);
  assert.notEqual(status.problem, "");
});

// ---- tokens

const KEY = "a secret of thirty-two bytes or so";

async function startStrict(t) {
  const file = path.join(temporaryFolder(t), "key");
  writeFileSync(file, KEY);
  return startServer(t, { identity: ["--jwt-secret-file", file] });
}

const tokenOf = (sub, lifetime = 3600) =>
  token("HS256", KEY, { sub, exp: seconds() + lifetime });

test("a token that is a text names the user, and is shown", async (t) => {
  const server = await startStrict(t);
  const client = device(t, server.url, { token: tokenOf("ada") });
  await client.synced();
  await client.store(note).push({ text: "hers" });
  await client.delivered();
});

test("a function is asked for a token, and again when one was refused", async (t) => {
  const server = await startStrict(t);
  const asked = [];
  const client = device(t, server.url, {
    async token(why) {
      asked.push(why.refused);
      return asked.length === 1 ? token("HS256", "not the key", { sub: "ada" }) : tokenOf("ada");
    },
  });
  await client.synced();
  assert.deepEqual(asked, [false, true]);
});

test("a token is asked for again before it expires", async (t) => {
  const server = await startStrict(t);
  let asked = 0;
  // Asked for at most every 30 s, so the first one that is given has to be old already.
  const client = device(t, server.url, { token: () => tokenOf("ada", asked++ ? 3600 : 1) });
  await client.synced();
  await standing(client, ({ closeCode }) => closeCode === 4401);
  await client.synced();
  assert.ok(asked >= 2);
});

test("a token that is refused waits for another one", async (t) => {
  const server = await startStrict(t);
  const client = device(t, server.url, { user: "ada", token: "nonsense" });
  const status = await standing(client, ({ phase }) => phase === "unauthorized");
  assert.notEqual(status.problem, "");
  await assert.rejects(client.synced(), { code: "unauthorized" });
  await client.store(note).push({ text: "kept" });
  client.setToken(tokenOf("ada"));
  await standing(client, ({ phase }) => phase === "live");
  await client.delivered();
});

test("a function that fails, or gives nonsense, is told, and no token is in it", async (t) => {
  const server = await startStrict(t);
  const fails = device(t, server.url, {
    user: "ada", token: () => Promise.reject(new Error("signed out")),
  });
  assert.match((await complaint(fails)).message, /signed out/);
  assert.match((await standing(fails, (s) => s.problem)).problem, /no token: signed out/);
  const blank = device(t, server.url, { user: "ada", token: () => "a secret with blanks" });
  const { message, code } = await complaint(blank);
  assert.equal(code, "unauthorized");
  assert.doesNotMatch(message, /secret/);
});

test("a token of another user is refused: that user gets nothing", async (t) => {
  const server = await startStrict(t);
  const bobs = tokenOf("bob");
  const client = device(t, server.url, { token: tokenOf("ada"), startOffline: true });
  const notes = client.store(note);
  await notes.push({ text: "hers" });
  const told = complaint(client);
  client.setToken(bobs);
  const { code, message } = await told;
  assert.deepEqual([code, message], ["unauthorized", "the token is of another user"]);
  client.goOnline();
  await client.synced();
  await client.delivered();
  assert.match((await standing(client, (s) => s.problem)).problem, /of another user/);
  client.setToken(tokenOf("ada"));
  await standing(client, ({ problem }) => problem === "");

  const texts = async (of) => (await of.store(note).list()).map(({ object }) => object.text);
  const [ada, bob] = ["ada", "bob"].map((sub) => device(t, server.url, { token: tokenOf(sub) }));
  await Promise.all([ada, bob].map((one) => one.synced()));
  assert.deepEqual([await texts(client), await texts(ada), await texts(bob)],
    [["hers"], ["hers"], []]);
});

test("a function that gives a token of another user is told, and nothing is sent", async (t) => {
  const server = await startTalker(t, (peer, { type }) =>
    type === "client_hello" && peer.socket.close(4401));
  let asked = 0;
  const client = device(t, server.url, { token: () => tokenOf(asked++ ? "bob" : "ada") });
  assert.match((await complaint(client, ({ message }) => /another/.test(message))).message,
    /of another user/);
  await standing(client, ({ problem }) => /of another user/.test(problem));
  assert.equal(server.peers.length, 1);
});

test("a function that names no user has to be helped", async (t) => {
  const storage = async ({ stores }) => memoryStorage(stores);
  const make = (token) => device(t, "ws://127.0.0.1:9/", { storage, token });
  const nameless = make(() => "no.jwt");
  await assert.rejects(nameless.ready, { code: "invalid_argument", message: /^user: / });
  await assert.rejects(nameless.store(note).list(), { code: "invalid_argument" });
  const silent = make(() => Promise.reject(new Error("no network")));
  await assert.rejects(silent.ready, { code: "unauthorized", message: /no network/ });
});

// ---- storages

/** A storage that says it is durable, outlives its clients, and fails while `disk.isBroken`. */
function makeDisk() {
  const memory = memoryStorage(stores);
  const disk = { isBroken: false, opened: 0, lose: undefined };
  const guard = (method) => async (...values) => {
    if (disk.isBroken) throw new StorageError("io", "the disk is full");
    return memory[method](...values);
  };
  disk.open = async ({ onLost }) => {
    if (disk.isBroken) throw new StorageError("io", "it cannot be opened");
    disk.opened++;
    disk.lose = onLost;
    const methods = ["load", "commit", "page", "object", "sync"].map((name) => [name, guard(name)]);
    return { ...Object.fromEntries(methods), durable: true, close: async () => {} };
  };
  return disk;
}

test("a storage that fails is done without, and used again when it can be", async (t) => {
  const server = await startServer(t);
  const disk = makeDisk();
  const url = `${server.url}?user=ada`;
  const client = device(t, url, { storage: disk.open });
  const notes = client.store(note);
  await notes.push({ text: "before" });
  await client.delivered();
  assert.equal(client.status.storage, "durable");
  client.goOffline();
  await standing(client, ({ paused }) => paused);
  disk.isBroken = true;
  const pushed = notes.push({ text: "meanwhile" });
  const status = await standing(client, ({ storage }) => storage === "memory");
  assert.match(status.problem, /only in memory: the disk is full/);
  await pushed.catch(() => notes.push({ text: "meanwhile" }));
  disk.isBroken = false;
  assert.equal((await standing(client, (s) => s.storage === "durable")).problem, "");
  const both = await shown(notes, ({ records }) => records.length === 2);
  assert.deepEqual(both.records.map(({ object }) => object.text), ["meanwhile", "before"]);
  await client.close();

  const next = device(t, url, { storage: disk.open });
  const [{ object }] = await next.store(note).pending();
  assert.equal(object.text, "meanwhile");
  await next.delivered();
  assert.equal((await next.store(note).list()).length, 2);
});

test("a storage that cannot be opened is done without, and tried again", async (t) => {
  const server = await startServer(t);
  const disk = makeDisk();
  disk.isBroken = true;
  const client = device(t, `${server.url}?user=ada`, { storage: disk.open });
  await client.ready;
  await client.store(note).push({ text: "in memory" });
  await client.delivered();
  assert.match((await standing(client, (s) => s.problem)).problem, /it cannot be opened/);
  disk.isBroken = false;
  await standing(client, ({ storage }) => storage === "durable");
  await until(async () => (await client.store(note).list()).length === 1, "the note");
});

test("a storage that is taken away is done without at once", async (t) => {
  const server = await startServer(t);
  const disk = makeDisk();
  const client = await syncedDevice(t, server, "ada", { storage: disk.open });
  await client.store(note).push({ text: "kept" });
  disk.lose("the browser took it away");
  const status = await standing(client, ({ storage }) => storage === "memory");
  assert.match(status.problem, /the browser took it away/);
  await standing(client, ({ storage }) => storage === "durable");
  assert.equal(disk.opened, 2);
  await client.delivered();
});

test("a storage that another one writes is not quarrelled about", async (t) => {
  const server = await startServer(t);
  const disk = makeDisk();
  const client = await syncedDevice(t, server, "ada", { storage: async (options) => ({
    ...(await disk.open(options)),
    commit: async () => {
      throw new StorageError("io", "another page has it", true);
    },
  }) });
  await client.store(note).push({ text: "mine" }).catch(() => {});
  await standing(client, ({ storage }) => storage === "memory");
  await client.store(note).push({ text: "mine" });
  await client.delivered();
  assert.equal(disk.opened, 1);
});

// ---- a core that fails

/** Has `method` of every core fail once. */
function failOnce(t, method) {
  const original = Core.prototype[method];
  let failed = false;
  t.mock.method(Core.prototype, method, function (...values) {
    if (failed) return original.apply(this, values);
    failed = true;
    throw new WebAssembly.RuntimeError("unreachable");
  });
}

test("a core that fails is told, and made anew with all that was asked for", async (t) => {
  const server = await startServer(t);
  const client = await syncedDevice(t, server, "ada");
  const [notes, mine] = [client.store(note), client.store(account)];
  await notes.push({ text: "before" });
  await client.delivered();
  const list = await shown(notes, ({ records }) => records[0]?.state === "synced");
  client.goOffline();
  await standing(client, ({ paused }) => paused);
  await mine.set({ name: "Ada" }); // held in memory only
  await notes.push({ text: "offline" });

  const told = complaint(client, ({ code }) => code === "unavailable");
  failOnce(t, "request");
  await notes.push({ text: "in its midst" });
  assert.match((await told).message, /unreachable/);
  assert.equal((await standing(client, (s) => s.pending === 3)).paused, true);
  assert.equal((await mine.get()).object.name, "Ada");
  client.goOnline();
  await client.delivered();
  const { records } = await shown(notes, (s) => s.records.length === 3 &&
    s.records.every(({ state }) => state === "synced"));
  assert.deepEqual(records.map(({ object }) => object.text), ["in its midst", "offline", "before"]);
  assert.equal(records[2], list.records[0]);
  assert.equal((await standing(client, (s) => s.phase === "live")).problem, "");
  const other = await syncedDevice(t, server, "ada");
  assert.equal((await other.store(note).list()).length, 3);
  assert.equal((await other.store(account).get()).object.name, "Ada");
});

for (const method of ["message", "turn", "complete", "deadline", "status", "attach", "timer"]) {
  test(`a core that fails in ${method}() does not throw, and the client goes on`, async (t) => {
    const server = await startServer(t);
    const client = await syncedDevice(t, server, "ada");
    failOnce(t, method);
    await client.store(note).push({ text: "through" });
    client.goOffline();
    client.goOnline();
    await deadline(client.delivered(), () => `not delivered: ${JSON.stringify(client.status)}`);
    const other = await syncedDevice(t, server, "ada");
    assert.equal((await other.store(note).list()).length, 1);
  });
}

test("a module that cannot be loaded is tried again", async (t) => {
  const server = await startServer(t);
  const original = Core.create;
  let tries = 0;
  t.mock.method(Core, "create", (...values) =>
    ++tries < 3 ? Promise.reject(new Error("404 Not Found")) : original.apply(Core, values));
  const client = device(t, `${server.url}?user=ada`);
  assert.match((await complaint(client)).message, /404/);
  await client.synced();
  assert.equal(client.errors.length, 2);
});

// ---- applications that fail

test("a listener that throws stops no other", async (t) => {
  const server = await startServer(t);
  const client = await syncedDevice(t, server, "ada");
  const logged = t.mock.method(console, "error", () => {});
  const notes = client.store(note);
  notes.subscribe(() => {
    throw new Error("a bug of the application");
  });
  let told = 0;
  const end = notes.subscribe(() => told++);
  await notes.push({ text: "x" });
  await until(() => told > 0, "the other listener");
  assert.match(String(logged.mock.calls[0].arguments[0]), /a bug of the application/);
  end();
  end();
});

test("asks that come from elsewhere are looked at", () => {
  const uuid = "6e247327-fa96-45f5-b1f1-7e519a3300fc";
  const good = { kind: "push", store: 2, object: "{}", clientId: uuid };
  assert.equal(problemOf(good, stores), undefined);
  assert.equal(problemOf({ kind: "list", store: 2, limit: 50 }, stores), undefined);
  assert.equal(problemOf({ kind: "export" }, stores), undefined);
  for (const bad of [
    undefined, null, {}, 7, { kind: "toString" }, { kind: "constructor" }, { ...good, store: 3 },
    { ...good, store: "0" }, { ...good, store: -1 }, { ...good, object: {} },
    { ...good, clientId: undefined }, { ...good, clientId: uuid.toUpperCase() },
    { ...good, askedBefore: 1 }, { kind: "list", store: 2, limit: 1001 },
    { kind: "list", store: 1, limit: 5 }, { kind: "list", store: 2, limit: 1.5 },
    { kind: "list", store: 2, limit: 5, before: "x" }, { kind: "singular", store: 2 },
    { kind: "token", token: "a b" }, { kind: "token", token: "" }, { kind: "retry" },
  ])
    assert.equal(typeof problemOf(bad, stores), "string", JSON.stringify(bad));
});
