// Rules that only JavaScript can run, asked about what clients push: also by clients that do not
// ask them themselves (these tests speak the protocol with no rule of their own).
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import {
  account, chatMessage, connectSynced, createStore, deferred, hello, note, serve, test, until, z,
} from "./support.mjs";

const wire = ["chatMessage"];

test("a change that validateUpdate refuses gets the thrown message, and is not stored",
  async (t) => {
    const { db, url } = await serve(t);
    const told = [];
    db.subscribe(chatMessage, ({ object }) => told.push(object.content));
    const ada = await connectSynced(t, { url }, "ada", wire);
    const other = await connectSynced(t, { url }, "ada", wire);
    const refused = await ada.errorOf(
      ada.push("chatMessage", { role: "assistant", content: "I am not" }),
    );
    assert.equal(refused.code, "rejected");
    assert.equal(refused.message, "Only user messages can be created!");
    assert.equal(refused.store, "chatMessage");
    const made = await ada.pushed("chatMessage", hello);
    const update = await ada.errorOf(ada.push("chatMessage", hello, { id: made.id }));
    assert.equal(update.code, "rejected");
    assert.equal(update.message, "Only create and delete actions can be performed.");
    const stored = await db.list(db.as("ada"), chatMessage);
    assert.deepEqual(stored.map(({ object }) => object.content), ["hi"]);
    assert.equal((await other.take("update")).object.content, "hi", "devices see nothing else");
    await ada.removed("chatMessage", made.id);
    assert.deepEqual(await db.list(db.as("ada"), chatMessage), []);
    assert.deepEqual(told, ["hi", "hi"]);
  });

/** A store whose rule is `rule(action, object)`. */
const ruled = (rule) =>
  createStore({ name: "ruled", type: "event", schema: { text: z.string() }, validateUpdate: rule });

test("a rule is told what happens to what", async (t) => {
  const asked = [];
  const store = ruled((action, object) => {
    asked.push([action, object.text]);
  });
  const { url } = await serve(t, { stores: [store] });
  const ada = await connectSynced(t, { url }, "ada", ["ruled"]);
  const { id } = await ada.pushed("ruled", { text: "one" });
  await ada.pushed("ruled", { text: "two" }, { id });
  await ada.removed("ruled", id);
  assert.deepEqual(asked, [["create", "one"], ["update", "two"], ["delete", "two"]]);
});

test("a rule may be asynchronous: its user waits, in order, and others do not", async (t) => {
  const slow = deferred();
  const store = ruled(async (action, object) => {
    if (object.text === "slow") await slow.promise;
    if (object.text === "bad") throw new Error("after a while: no");
  });
  const { url } = await serve(t, { stores: [store, note] });
  const ada = await connectSynced(t, { url }, "ada", ["ruled", "note"]);
  const bob = await connectSynced(t, { url }, "bob", ["ruled", "note"]);
  const pushes = [
    ada.push("ruled", { text: "slow" }), ada.push("ruled", { text: "bad" }),
    ada.push("note", { text: "not judged" }), ada.push("ruled", { text: "last" }),
  ];
  await bob.pushed("ruled", { text: "bob's" });
  await ada.pinged();
  const early = ada.messages.filter(({ type }) => type === "update");
  assert.deepEqual(early, [], "nothing of ada's is stored before the verdict");
  slow.resolve();
  for (const id of [pushes[0], pushes[2], pushes[3]]) {
    assert.equal((await ada.answerTo(id)).type, "update");
  }
  const refused = await ada.errorOf(pushes[1]);
  assert.equal(refused.message, "after a while: no");
});

test("zod's refinements are the schema's: invalid_object, with the path", async (t) => {
  const store = createStore({
    name: "ruled",
    type: "event",
    schema: z.object({
      text: z.string().refine((text) => text === text.trim(), "no space around it"),
      list: z.array(z.object({ n: z.number() }).refine(({ n }) => n !== 13, "not that one")),
    }),
  });
  const { url } = await serve(t, { stores: [store] });
  const ada = await connectSynced(t, { url }, "ada", ["ruled"]);
  const refused = async (object) => ada.errorOf(ada.push("ruled", object));
  const first = await refused({ text: " x", list: [] });
  assert.deepEqual([first.code, first.path, first.message],
    ["invalid_object", "/text", "no space around it"]);
  const second = await refused({ text: "x", list: [{ n: 1 }, { n: 13 }] });
  assert.deepEqual([second.code, second.path], ["invalid_object", "/list/1"]);
  const schema = await refused({ text: 7, list: [] });
  assert.equal(schema.code, "invalid_object");
  await ada.pushed("ruled", { text: "x", list: [{ n: 1 }] });
});

test("whatever a rule throws is a refusal, and the server goes on", async (t) => {
  const thrown = {
    text: "a text",
    nothing: undefined,
    null: null,
    number: 42,
    long: new Error(`é${"x".repeat(10_000)}`),
    empty: new Error(""),
    odd: { message: 7, path: {} },
    control: new Error("\0 \x01 \n \" \\ \u{1f600}"),
  };
  const store = ruled((action, { text }) => {
    if (text in thrown) throw thrown[text];
  });
  const { url } = await serve(t, { stores: [store] });
  const ada = await connectSynced(t, { url }, "ada", ["ruled"]);
  for (const text of Object.keys(thrown)) {
    const refused = await ada.errorOf(ada.push("ruled", { text }));
    assert.equal(refused.code, "rejected", text);
    assert.ok(refused.message.length > 0 && refused.message.length <= 255, text);
  }
  const messages = await Promise.all(["text", "control", "odd"].map(async (text) =>
    (await ada.errorOf(ada.push("ruled", { text }))).message));
  assert.equal(messages[0], "a text");
  assert.equal(messages[1], " \x01 \n \" \\ \u{1f600}");
  assert.equal(messages[2], "the change was refused by a rule");
  await ada.pushed("ruled", { text: "fine" });
});

test("a push that is sent again is stored once, judged or not", async (t) => {
  const { db, url } = await serve(t);
  const ada = await connectSynced(t, { url }, "ada", wire);
  const clientId = randomUUID();
  for (let n = 0; n < 3; n++) ada.push("chatMessage", hello, { clientId });
  for (let n = 0; n < 3; n++) await ada.take("update", (data) => data.clientId === clientId);
  assert.equal((await db.list(db.as("ada"), chatMessage)).length, 1);
});

test("a singular store is judged as what it will be", async (t) => {
  const asked = [];
  const store = createStore({
    name: "account",
    type: "singular",
    schema: { name: z.string() },
    validateUpdate(action, object) {
      asked.push([action, object.name]);
    },
  });
  const { url } = await serve(t, { stores: [store] });
  const ada = await connectSynced(t, { url }, "ada", ["account"]);
  await ada.pushed("account", { name: "Ada" });
  await ada.pushed("account", { name: "Ada Lovelace" });
  assert.deepEqual(asked, [["create", "Ada"], ["update", "Ada Lovelace"]]);
  assert.equal(account.check, null, "a store with nothing to ask is not judged");
});

test("a device that goes while it is judged loses nothing that matters", async (t) => {
  const slow = deferred();
  const asked = deferred();
  const store = ruled(() => {
    asked.resolve();
    return slow.promise;
  });
  const { db, url } = await serve(t, { stores: [store] });
  const ada = await connectSynced(t, { url }, "ada", ["ruled"]);
  ada.push("ruled", { text: "gone" });
  await asked.promise;
  ada.socket.terminate();
  await ada.closed;
  slow.resolve();
  const bob = await connectSynced(t, { url }, "bob", ["ruled"]);
  await bob.pushed("ruled", { text: "as ever" });
  await until(async () => (await db.list(db.as("ada"), store)).length <= 1, "an end");
});

test("a close in the midst of a judgement ends", async (t) => {
  const asked = deferred();
  const store = ruled(() => {
    asked.resolve();
    return new Promise(() => {});
  });
  const { db, url } = await serve(t, { stores: [store] });
  const ada = await connectSynced(t, { url }, "ada", ["ruled"]);
  ada.push("ruled", { text: "never" });
  await asked.promise;
  await db.close();
  assert.equal((await ada.closed).code, 1001);
});

test("what is thrown may throw itself: it is a refusal like any other", async (t) => {
  const store = ruled(() => {
    throw { get message() { throw new Error("no words"); } };
  });
  const { url } = await serve(t, { stores: [store] });
  const ada = await connectSynced(t, { url }, "ada", ["ruled"]);
  for (let times = 0; times < 2; times++) {
    const refused = await ada.errorOf(ada.push("ruled", { text: "x" }));
    assert.equal(refused.code, "rejected");
    assert.ok(refused.message);
  }
});
