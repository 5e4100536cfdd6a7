// Objects that grow on devices while they are made.
import assert from "node:assert/strict";
import {
  account, chatMessage, connectSynced, createStore, deferred, hello, note, open, serve, test,
  until, z,
} from "./support.mjs";

const wire = ["chatMessage", "account", "note"];
const empty = { role: "assistant", content: "" };
const is = (code) => (error) => error.name === "SyncError" && error.code === code;

test("a partial grows on the user's devices, and is stored by its commit", async (t) => {
  const { db, url } = await serve(t);
  const ada = await connectSynced(t, { url }, "ada", wire);
  const partial = await db.partial(db.as("ada"), chatMessage, empty);
  partial.append("content", "Hello, ");
  partial.append("content", "\0 \x01 é");
  const grown = await ada.take("partial", ({ object }) => object.content === "Hello, \0 \x01 é");
  assert.equal(grown.id, partial.id);
  assert.deepEqual(await db.list(db.as("ada"), chatMessage), [], "nothing is stored yet");
  partial.set({ role: "assistant", content: "Anew" });
  await ada.take("partial", ({ object }) => object.content === "Anew");
  const receipt = await partial.commit();
  assert.equal(receipt.id, partial.id);
  const stored = await ada.take("update");
  assert.equal(stored.id, partial.id);
  assert.equal(stored.object.content, "Anew");
  assert.equal(partial.open, false);
  assert.throws(() => partial.append("content", "x"), is("closed"));
  await assert.rejects(partial.commit(), is("closed"));
  partial.abort();
  assert.equal((await db.get(db.as("ada"), chatMessage, partial.id)).object.content, "Anew");
});

test("what is aborted goes from devices, and nothing is stored", async (t) => {
  const { db, url } = await serve(t);
  const ada = await connectSynced(t, { url }, "ada", wire);
  const partial = await db.partial(db.as("ada"), chatMessage, empty);
  partial.append("content", "Hello");
  await ada.take("partial", ({ object }) => object.content === "Hello");
  partial.abort();
  assert.equal((await ada.take("remove")).id, partial.id);
  assert.deepEqual(await db.list(db.as("ada"), chatMessage), []);
});

test("a commit that is refused leaves the partial to be set right", async (t) => {
  const even = createStore({
    name: "even",
    type: "event",
    schema: { text: z.string().refine((text) => text.length % 2 === 0, "an even length") },
  });
  const db = open(t, { stores: [account, note, even] });
  const ada = db.as("ada");
  const partial = await db.partial(ada, note, {});
  await assert.rejects(partial.commit(), is("invalid_object"));
  assert.throws(() => partial.append("text", "x"), is("invalid_object"));
  partial.set({ text: "whole" });
  await partial.commit();
  const refined = await db.partial(ada, even, { text: "a" });
  await assert.rejects(refined.commit(), is("invalid_object"));
  refined.append("text", "b");
  await refined.commit();
  assert.equal((await db.list(ada, even))[0].object.text, "ab");
  await assert.rejects(db.partial(ada, account, { name: "x" }), is("invalid_argument"));
});

test("what a subscriber leaves open is aborted when it returns", async (t) => {
  const { db, url } = await serve(t);
  const begun = deferred();
  db.subscribe(note, async (event, ctx) => {
    const partial = await db.partial(ctx, chatMessage, empty);
    partial.append("content", "half an ans");
    begun.resolve(partial);
    throw new Error("no more words");
  });
  db.on("error", () => {});
  const ada = await connectSynced(t, { url }, "ada", wire);
  await ada.pushed("note", { text: "x" });
  const partial = await begun.promise;
  assert.equal((await ada.take("remove")).id, partial.id);
  assert.equal(partial.open, false);
});

test("a field with a NUL is refused where it is given", async (t) => {
  const db = open(t);
  const ada = db.as("ada");
  const { id } = await db.push(db.as("bob"), note, { text: "bob's" });
  const field = `x\0y\0r\x00999\x002\0bob\0${id}`;
  const partial = await db.partial(ada, note, { text: "a", [field]: "b" });
  assert.throws(() => partial.append(field, "c"), is("invalid_argument"));
  partial.set({ text: "whole" });
  await partial.commit();
  assert.equal((await db.get(db.as("bob"), note, id)).object.text, "bob's");
});

test("text may be cut within a character", async (t) => {
  const { db, url } = await serve(t);
  const ada = await connectSynced(t, { url }, "ada", wire);
  const partial = await db.partial(db.as("ada"), chatMessage, empty);
  const text = "a\u{1f600}\u{1f601}b\u{1f602}";
  for (let at = 0; at < text.length; at++) partial.append("content", text[at]);
  await ada.take("partial", ({ object }) => object.content === text);
  const { id } = await partial.commit();
  assert.equal((await db.get(db.as("ada"), chatMessage, id)).object.content, text);
  const half = await db.partial(db.as("ada"), chatMessage, empty);
  half.append("content", "x\ud83d");
  await half.commit();
  assert.equal((await db.get(db.as("ada"), chatMessage, half.id)).object.content, "x\ufffd");
});

test("a partial that is being committed does not change", async (t) => {
  const going = deferred();
  const slow = createStore({
    name: "slow",
    type: "event",
    schema: { text: z.string().refine(async () => (await going.promise, true)) },
  });
  const db = open(t, { stores: [slow] });
  const ada = db.as("ada");
  const partial = await db.partial(ada, slow, { text: "as checked" });
  const committed = partial.commit();
  assert.throws(() => partial.append("text", "x"), is("closed"));
  assert.throws(() => partial.set({ text: "x" }), is("closed"));
  await assert.rejects(partial.commit(), is("closed"));
  const object = { text: "as checked" };
  const pushed = db.push(ada, slow, object);
  object.text = "changed since";
  going.resolve();
  await Promise.all([committed, pushed]);
  const texts = (await db.list(ada, slow)).map((record) => record.object.text);
  assert.deepEqual(texts, ["as checked", "as checked"]);
});

test("a partial that is begun after its subscriber returned is aborted", async (t) => {
  const { db, url } = await serve(t);
  const late = deferred();
  db.subscribe(note, (event, ctx) => late.resolve(ctx));
  const ada = await connectSynced(t, { url }, "ada", wire);
  await ada.pushed("note", { text: "x" });
  const ctx = await late.promise;
  const partial = await db.partial(ctx, chatMessage, empty);
  assert.equal(partial.open, false);
  assert.throws(() => partial.append("content", "x"), is("closed"));
  assert.equal((await ada.take("remove")).id, partial.id);
});

test("a stream of tokens is one line", async (t) => {
  const { db, url } = await serve(t);
  const words = ["Hello, ", "how ", "can ", "I ", "help ", "you?"];
  const shown = deferred();
  async function* tokens() {
    yield words[0];
    await shown.promise; // the device has seen the first word: it is no answer at the end only
    yield* words.slice(1);
  }
  db.subscribe(chatMessage, async (event, ctx) => {
    if (event.action === "create") await db.stream(ctx, chatMessage, empty, "content", tokens());
  });
  const ada = await connectSynced(t, { url }, "ada", wire);
  ada.push("chatMessage", hello);
  await ada.take("partial", ({ object }) => object?.content === words[0]);
  shown.resolve();
  const answer = await ada.take("update", ({ object }) => object.role === "assistant");
  assert.equal(answer.object.content, words.join(""));
});

test("where the model fails the answer is aborted, and the error is the caller's", async (t) => {
  const { db, url } = await serve(t);
  const ada = await connectSynced(t, { url }, "ada", wire);
  let ended = false;
  async function* tokens() {
    try {
      yield "Hello";
      throw new Error("the model is out of words");
    } finally {
      ended = true;
    }
  }
  const streamed = db.stream(db.as("ada"), chatMessage, empty, "content", tokens());
  await assert.rejects(streamed, /out of words/);
  assert.ok(ended);
  const { id } = await ada.take("partial");
  assert.equal((await ada.take("remove")).id, id);
});

test("a stream that does not wait lets the loop turn", async (t) => {
  const db = open(t);
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  t.after(() => clearInterval(timer));
  async function* tokens() {
    for (let n = 0; n < 5_000; n++) yield "x";
  }
  const { id } = await db.stream(db.as("ada"), chatMessage, empty, "content", tokens());
  const { object } = await db.get(db.as("ada"), chatMessage, id);
  assert.equal(object.content.length, 5_000);
  assert.ok(turns > 1);
});

test("a close in the midst of a stream aborts it", async (t) => {
  const { db, url } = await serve(t);
  const ada = await connectSynced(t, { url }, "ada", wire);
  let given = 0;
  async function* tokens() {
    for (;;) {
      yield `${given++} `;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const streamed = db.stream(db.as("ada"), chatMessage, empty, "content", tokens());
  const refused = assert.rejects(streamed, is("closed"));
  await until(() => given > 5, "some tokens");
  await db.close();
  await refused;
  await ada.closed;
  assert.equal(ada.messages.some(({ type }) => type === "update"), false);
});
