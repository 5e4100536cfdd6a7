// Subscribers: what they are told, in which order, and that nothing they do takes the server down.
import assert from "node:assert/strict";
import {
  account, chatMessage, connectSynced, deadline, deferred, hello, note, serve, test, until,
} from "./support.mjs";

const wire = ["chatMessage", "account", "note"];

test("an event tells what a client changed", async (t) => {
  const { db, url } = await serve(t);
  const told = [];
  db.subscribe(note, (event, ctx) => told.push({ ...event, ctx: ctx.user }));
  const ada = await connectSynced(t, { url }, "ada", wire);
  const before = Date.now();
  const clientId = ada.push("note", { text: "one" });
  const made = await ada.take("update", (data) => data.clientId === clientId);
  await ada.pushed("note", { text: "two" }, { id: made.id });
  await ada.removed("note", made.id);
  await until(() => told.length === 3, "three events");
  const [create, update, remove] = told;
  assert.equal(create.action, "create");
  assert.equal(create.id, made.id);
  assert.equal(create.clientId, clientId);
  assert.equal(create.user, "ada");
  assert.equal(create.ctx, "ada");
  assert.equal(create.object.text, "one");
  assert.equal("previous" in create, false);
  assert.ok(create.createdAt >= before && create.createdAt <= Date.now());
  assert.equal(update.action, "update");
  assert.equal(update.object.text, "two");
  assert.equal(update.previous.text, "one");
  assert.ok(update.eventId > create.eventId);
  assert.equal(remove.action, "delete");
  assert.equal(remove.object.text, "two");
});

test("the brief's server answers every message, and not its own answers", async (t) => {
  const { db, url } = await serve(t);
  db.subscribe(chatMessage, async (event, ctx) => {
    if (event.action === "create") {
      await db.push(ctx, chatMessage, {
        role: "assistant",
        content: "Hello, how can I help you?",
      });
    }
  });
  const ada = await connectSynced(t, { url }, "ada", wire);
  ada.push("chatMessage", hello);
  const answer = await ada.take("update", ({ object }) => object.role === "assistant");
  assert.equal(answer.object.content, "Hello, how can I help you?");
  await ada.pinged();
  assert.equal((await db.list(db.as("ada"), chatMessage)).length, 2);
});

test("one user's events come in order, one at a time; users side by side", async (t) => {
  const { db, url } = await serve(t);
  const running = new Map();
  const seen = new Map();
  let most = 0;
  db.subscribe(note, async ({ user, object }) => {
    running.set(user, (running.get(user) ?? 0) + 1);
    assert.equal(running.get(user), 1);
    most = Math.max(most, [...running.values()].reduce((sum, n) => sum + n));
    await new Promise((resolve) => setImmediate(resolve));
    seen.set(user, [...(seen.get(user) ?? []), object.text]);
    running.set(user, 0);
  });
  const users = ["ada", "bob", "eve"];
  const texts = Array.from({ length: 200 }, (_, n) => ({ text: `${n}` }));
  await Promise.all(users.map(async (user) => {
    const device = await connectSynced(t, { url }, user, wire);
    await device.pushedAll("note", texts);
  }));
  await until(() => users.every((user) => seen.get(user)?.length === 200), "all events");
  for (const user of users) assert.deepEqual(seen.get(user), texts.map(({ text }) => text));
  assert.ok(most > 1, "users run side by side");
});

test("several subscribers of a store are called one after another, until they are taken off",
  async (t) => {
    const { db, url } = await serve(t);
    const told = [];
    const offFirst = db.subscribe(note, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      told.push("first");
    });
    db.subscribe(note, () => told.push("second"));
    const ada = await connectSynced(t, { url }, "ada", wire);
    await ada.pushed("note", { text: "x" });
    await until(() => told.length === 2, "both");
    assert.deepEqual(told, ["first", "second"]);
    offFirst();
    await ada.pushed("note", { text: "y" });
    await until(() => told.length === 3, "the other");
    assert.deepEqual(told, ["first", "second", "second"]);
  });

test("what a subscriber throws is reported, and nothing else happens", async (t) => {
  const { db, url } = await serve(t);
  const errors = [];
  db.on("error", () => {
    throw new Error("a listener that fails");
  });
  db.on("error", (error, event) => errors.push([error.message, event.object.text]));
  t.mock.method(console, "error", () => {});
  db.subscribe(note, ({ object }) => {
    if (object.text === "throw") throw new Error("thrown");
    return Promise.reject(new Error("rejected"));
  });
  const ada = await connectSynced(t, { url }, "ada", wire);
  await ada.pushed("note", { text: "throw" });
  await ada.pushed("note", { text: "reject" });
  await until(() => errors.length === 2, "both errors");
  assert.deepEqual(errors, [["thrown", "throw"], ["rejected", "reject"]]);
  await ada.pushed("note", { text: "the server goes on" });
});

test("an error without a listener goes to standard error", async (t) => {
  const { db, url } = await serve(t);
  const said = t.mock.method(console, "error", () => {});
  db.subscribe(note, () => {
    throw new Error("nobody listens");
  });
  const ada = await connectSynced(t, { url }, "ada", wire);
  await ada.pushed("note", { text: "x" });
  await until(() => said.mock.callCount() === 1, "a line");
  assert.match(String(said.mock.calls[0].arguments[1]), /nobody listens/);
});

test("a subscriber that never resolves holds up its user only, and not the close", async (t) => {
  const { db, url } = await serve(t);
  const told = [];
  db.subscribe(note, ({ user, object }) => {
    told.push(`${user} ${object.text}`);
    return user === "ada" ? new Promise(() => {}) : undefined;
  });
  const ada = await connectSynced(t, { url }, "ada", wire);
  const bob = await connectSynced(t, { url }, "bob", wire);
  await ada.pushed("note", { text: "1" });
  await ada.pushed("note", { text: "2" });
  for (let n = 0; n < 10; n++) await bob.pushed("note", { text: `${n}` });
  await until(() => told.filter((text) => text.startsWith("bob")).length === 10, "bob's events");
  assert.deepEqual(told.filter((text) => text.startsWith("ada")), ["ada 1"]);
  await deadline(db.close({ graceMs: 10 }), () => "the close waits for ever");
});

test("who never has an end is refused more, others are not", async (t) => {
  const { db, url } = await serve(t);
  db.subscribe(note, ({ user }) => (user === "ada" ? new Promise(() => {}) : undefined));
  const ada = await connectSynced(t, { url }, "ada", wire);
  const bob = await connectSynced(t, { url }, "bob", wire);
  let refused = null;
  for (let round = 0; round < 20 && !refused; round++) {
    const ids = Array.from({ length: 500 }, (_, n) => ada.push("note", { text: `${n}` }));
    const answers = await Promise.all(ids.map((id) => ada.answerTo(id)));
    refused = answers.find(({ type }) => type === "error");
  }
  assert.equal(refused.data.code, "rate_limited");
  await bob.pushed("note", { text: "as ever" });
  await db.close({ graceMs: 0 });
});

test("a subscriber may push 10,000 objects", async (t) => {
  const { db, url } = await serve(t);
  const done = deferred();
  db.subscribe(note, async (event, ctx) => {
    const pushes = [];
    for (let n = 0; n < 10_000; n++) pushes.push(db.push(ctx, account, { name: `${n}` }));
    done.resolve(await Promise.all(pushes));
  });
  const ada = await connectSynced(t, { url }, "ada", wire);
  const bob = await connectSynced(t, { url }, "bob", wire);
  await ada.pushed("note", { text: "go" });
  await bob.pushed("note", { text: "not held up" });
  const receipts = await deadline(done.promise, () => "the pushes never end");
  assert.equal(new Set(receipts.map(({ eventId }) => eventId)).size, 10_000);
  assert.equal((await db.singular(db.as("ada"), account)).object.name, "9999");
});

test("at the close subscribers that run may finish, and what they push is stored", async (t) => {
  const { db, url } = await serve(t);
  const began = deferred();
  const go = deferred();
  const ended = deferred();
  db.subscribe(note, async (event, ctx) => {
    began.resolve();
    await go.promise;
    ended.resolve(await db.push(ctx, account, { name: "the last word" }));
  });
  const ada = await connectSynced(t, { url }, "ada", wire);
  await ada.pushed("note", { text: "x" });
  await began.promise;
  const closing = db.close();
  go.resolve();
  await ended.promise;
  await closing;
  assert.equal((await ada.closed).code, 1001);
  assert.ok(ada.messages.some(({ data }) => data.object?.name === "the last word"));
});

test("a subscriber that was added twice is taken off once at a time", async (t) => {
  const { db, url } = await serve(t);
  let calls = 0;
  const subscriber = () => void calls++;
  const off = db.subscribe(note, subscriber);
  db.subscribe(note, subscriber);
  const ended = [];
  db.subscribe(note, ({ object }) => ended.push(object.text));
  const ada = await connectSynced(t, { url }, "ada", wire);
  await ada.pushed("note", { text: "one" });
  await until(() => ended.includes("one"), "the first");
  assert.equal(calls, 2);
  off();
  off();
  await ada.pushed("note", { text: "two" });
  await until(() => ended.includes("two"), "the second");
  assert.equal(calls, 3);
});
