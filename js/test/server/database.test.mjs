// The application's own changes and reads, and how a database is opened and closed.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import {
  account, chatMessage, cleanup, createDatabase, createStore, hello, note, open, serve, stores,
  temporaryFolder, test, z,
} from "./support.mjs";

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const code = (expected, path) => (error) => {
  assert.equal(error.name, "SyncError");
  assert.equal(error.code, expected);
  if (path !== undefined) assert.equal(error.path, path);
  assert.ok(error.message);
  return true;
};

test("an object is pushed, read, replaced, listed and removed", async (t) => {
  const db = open(t);
  const ada = db.as("ada");
  const before = Date.now();
  const first = await db.push(ada, note, { text: "one" });
  assert.match(first.id, UUID_V7);
  assert.equal(first.id, first.eventId);
  const read = await db.get(ada, note, first.id);
  assert.equal(read.object.text, "one");
  assert.equal(read.createdAt, read.object.$createdAt);
  assert.ok(read.createdAt >= before && read.createdAt <= Date.now());
  assert.equal("clientId" in read, false);

  const second = await db.push(ada, note, { text: "two" });
  const replaced = await db.update(ada, note, first.id, { text: "one, again" });
  assert.equal(replaced.id, first.id);
  assert.ok(replaced.eventId > second.eventId);
  const all = await db.list(ada, note);
  assert.deepEqual(all.map(({ object }) => object.text), ["one, again", "two"]);
  const page = await db.list(ada, note, { limit: 1, before: replaced.eventId });
  assert.deepEqual(page.map(({ id }) => id), [second.id]);

  await db.remove(ada, note, first.id);
  assert.equal(await db.get(ada, note, first.id), null);
  assert.deepEqual((await db.list(ada, note)).length, 1);
  assert.deepEqual(await db.list(db.as("bob"), note), [], "another user has none of it");
});

test("a singular store has one object or none", async (t) => {
  const db = open(t);
  const ada = db.as("ada");
  assert.equal(await db.singular(ada, account), null);
  await db.push(ada, account, { name: "Ada" });
  await db.push(ada, account, { name: "Ada Lovelace" });
  assert.equal((await db.singular(ada, account)).object.name, "Ada Lovelace");
  await db.remove(ada, account);
  assert.equal(await db.singular(ada, account), null);
});

test("objects keep what JSON can say: text of any kind, nesting, numbers", async (t) => {
  const any = createStore({ name: "any", type: "event", schema: { value: z.json() } });
  const db = open(t, { stores: [any] });
  const ada = db.as("ada \u{1f600} \"quoted\" \\ \u2028");
  const value = {
    text: "nul \0, quote \", backslash \\, \u00e9 \u4e16 \u{1f600} \u2028 \ud7ff",
    "": [1, -0.5, 1e21, true, null, { deep: [[[]]] }],
    large: "x".repeat(200_000),
  };
  const { id } = await db.push(ada, any, { value });
  assert.deepEqual((await db.get(ada, any, id)).object.value, value);
});

test("what is pushed obeys the schema and zod's refinements, not the rules", async (t) => {
  const even = createStore({
    name: "even",
    type: "event",
    schema: { n: z.number().int().refine((n) => n % 2 === 0, "an even number, please") },
  });
  const db = open(t, { stores: [...stores, even] });
  const ada = db.as("ada");
  await db.push(ada, chatMessage, { role: "assistant", content: "rules are for clients" });
  await assert.rejects(
    db.push(ada, chatMessage, { role: "user" }),
    code("invalid_object"),
  );
  await assert.rejects(
    db.push(ada, chatMessage, { ...hello, extra: 1 }),
    code("invalid_object", "/extra"),
  );
  await assert.rejects(db.push(ada, even, { n: 1 }), code("invalid_object", "/n"));
  await db.push(ada, even, { n: 2 });
  assert.equal((await db.list(ada, even)).length, 1);
});

test("an asynchronous refinement of another copy of zod is known by its error", async (t) => {
  class $ZodAsyncError extends Error {}
  let asked = 0;
  const other = createStore({
    name: "other",
    type: "event",
    schema: { n: z.number().refine(() => {
      if (asked++ === 0) throw new $ZodAsyncError();
      return true;
    }) },
  });
  const db = open(t, { stores: [other] });
  await db.push(db.as("ada"), other, { n: 1 });
  assert.equal(asked, 2);
});

test("what JSON cannot say is no object", async (t) => {
  const db = open(t);
  const ada = db.as("ada");
  const round = { text: "x" };
  round.round = round;
  for (const bad of [round, { text: 1n }, { toJSON: () => undefined }, undefined]) {
    await assert.rejects(db.push(ada, note, bad), code("invalid_object"));
    await assert.rejects(db.partial(ada, note, bad), code("invalid_object"));
  }
});

test("errors carry the protocol's codes", async (t) => {
  const db = open(t, { objectBytesMax: 1000 });
  const ada = db.as("ada");
  const nobody = "01974f63-6abc-7000-8107-66e6c9a45dda";
  await assert.rejects(db.update(ada, note, nobody, { text: "x" }), code("not_found"));
  await assert.rejects(db.update(ada, note, "no uuid", { text: "x" }), code("not_found"));
  await assert.rejects(db.remove(ada, note, nobody), code("not_found"));
  await assert.rejects(db.push(ada, note, { text: "x".repeat(2000) }), code("too_large"));
  await assert.rejects(db.list(ada, note, { limit: 1001 }), code("invalid_argument"));
  await assert.rejects(db.list(ada, note, { before: nobody }), code("invalid_argument"));
  for (const user of ["", "x".repeat(256), "nul\0", undefined]) {
    await assert.rejects(db.push({ user }, note, { text: "x" }), code("invalid_argument"));
    assert.throws(() => db.as(user), code("invalid_argument"));
  }
  const other = createStore({ name: "other", type: "event", schema: { text: z.string() } });
  await assert.rejects(db.push(ada, other, { text: "x" }), code("unknown_store"));
  assert.throws(() => db.subscribe(other, () => {}), code("unknown_store"));
});

test("an id that is none reaches nobody else's objects", async (t) => {
  const db = open(t);
  const ada = db.as("ada");
  const bob = db.as("bob");
  const { id } = await db.push(bob, note, { text: "bob's" });
  await db.push(ada, account, { name: "Ada" });
  const injected = `x\0r\x00999\x002\0bob\0${id}`;
  const nil = "00000000-0000-0000-0000-000000000000";
  for (const bad of [injected, "nul\0", `${id}\0`, "no uuid", "", nil, 7, null, {}]) {
    assert.equal(await db.get(ada, note, bad), null);
    assert.equal(await db.get(ada, account, bad), null);
    await assert.rejects(db.update(ada, note, bad, { text: "x" }), code("not_found"));
    await assert.rejects(db.update(ada, account, bad, { name: "x" }), code("not_found"));
    await assert.rejects(db.remove(ada, note, bad), code("not_found"));
    await assert.rejects(db.remove(ada, account, bad), code("not_found"));
    if (bad === "") continue; // the first page
    await assert.rejects(db.list(ada, note, { before: bad }), code("invalid_argument"));
  }
  await assert.rejects(db.remove(ada, note), code("not_found"));
  assert.equal((await db.get(bob, note, id)).object.text, "bob's");
  assert.equal((await db.singular(ada, account)).object.name, "Ada", "nobody removed it");
});

test("a wrong option is refused by its name", (t) => {
  const dbUrl = `sqlite://${temporaryFolder(t)}/database.sqlite`;
  const refused = (options, words) =>
    assert.throws(
      () => createDatabase({ dbUrl, stores, ...options }),
      (error) => code("invalid_argument")(error) && words.test(error.message),
    );
  refused({ dbUrl: "postgres://x" }, /sqlite/);
  refused({ dbUrl: 7 }, /dbUrl/);
  refused({ stores: [] }, /stores/);
  refused({ helloTimeoutMs: 0 }, /helloTimeoutMs/);
  refused({ readers: 65 }, /readers/);
  refused({ depthMax: 1.5 }, /depthMax/);
  refused({ dedupeWindowMs: 1 }, /7 days/);
  refused({ devAuth: "yes" }, /devAuth/);
  refused({ jwtSecret: "" }, /jwtSecret/);
  refused({ jwtSecret: "too short" }, /32/);
  refused({ durability: "some" }, /durability/);
  refused({ authenticate: true }, /authenticate/);
  refused({ logLevel: "loud" }, /logLevel/);
  refused({ origins: "*" }, /origins/);
  refused({ databaseUrl: "x" }, /databaseUrl/);
  const inModule = { ...note, schema: null };
  refused({ stores: [inModule] }, /WebAssembly/);
  const twice = [note, { ...note }];
  assert.throws(() => createDatabase({ dbUrl, stores: twice }), code("bad_definition"));
});

test("a database that another has open is busy, and free again after its close", async (t) => {
  const folder = temporaryFolder(t);
  const first = open(t, { folder });
  assert.throws(() => open(t, { folder }), code("busy"));
  const { id } = await first.push(first.as("ada"), note, { text: "kept" });
  await first.close();
  const second = open(t, { folder });
  assert.equal((await second.get(second.as("ada"), note, id)).object.text, "kept");
});

test("what is asked after the close is refused, what was asked before is answered", async (t) => {
  const db = open(t);
  const ada = db.as("ada");
  const pushes = Array.from({ length: 1000 }, (_, n) => db.push(ada, note, { text: `${n}` }));
  const closing = db.close();
  assert.equal(db.close(), closing);
  const ends = await Promise.allSettled(pushes);
  assert.deepEqual(ends.filter(({ status }) => status === "rejected"), []);
  await closing;
  await assert.rejects(db.push(ada, note, { text: "late" }), code("closed"));
  await assert.rejects(db.get(ada, note, "x"), code("closed"));
  await assert.rejects(db.listen(), code("closed"));
  assert.throws(() => db.subscribe(note, () => {}), code("closed"));
});

test("listening needs one way of identity, and a free port", async (t) => {
  const db = open(t);
  await assert.rejects(db.listen(), code("unauthorized"));
  await assert.rejects(db.listen({ host: "nowhere" }), code("invalid_argument"));
  await assert.rejects(db.listen({ port: -1 }), code("invalid_argument"));
  await assert.rejects(
    db.listen({ devAuth: true, host: "0.0.0.0" }),
    code("unauthorized"),
    "dev-auth is for loopback",
  );
  const taken = createServer().listen(0, "127.0.0.1");
  cleanup(t, () => taken.close());
  await once(taken, "listening");
  await assert.rejects(db.listen({ port: taken.address().port, devAuth: true }), code("io"));
  await assert.rejects(
    db.listen({ devAuth: true, tls: { cert: "/no/cert.pem", key: "/no/key.pem" } }),
    code("io"),
  );
  const pages = temporaryFolder(t);
  writeFileSync(`${pages}/index.html`, "<!doctype html><title>a page</title>");
  await assert.rejects(db.listen({ devAuth: true, pages: "/no/such/folder" }), code("io"));
  const { port } = await db.listen({ devAuth: true, pages });
  const page = await fetch(`http://127.0.0.1:${port}/`);
  assert.match(await page.text(), /a page/);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/healthz`)).text(), "ok\n");
});

test("the log is told, by level, and without a secret", async (t) => {
  const entries = [];
  const { db, port } = await serve(t, { logLevel: "info" });
  db.on("log", (entry) => entries.push(entry));
  await db.close();
  assert.ok(port > 0);
  assert.ok(entries.some(({ level, event }) => level === "info" && event === "closing"));
});
