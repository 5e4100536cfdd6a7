// createStore and moduleStore: what a store has, what refuses a definition, and what is checked in
// JavaScript.
import assert from "node:assert/strict";
import test from "node:test";
import * as z from "zod";
import * as mini from "zod/mini";
import { createClient } from "../dist/client/index.js";
import { createStore, DefinitionError } from "../dist/index.js";
import { moduleStore } from "../dist/module.js";
import { FORMATS, KEYWORDS } from "../dist/schema.js";
import { check, entry, verdicts } from "./support/check.mjs";

const define = (more = {}) =>
  createStore({ name: "note", type: "event", schema: { text: z.string() }, ...more });

const REFINED = define({
  schema: { inner: z.object({ text: z.string().refine((s) => s !== "no", "not that one") }) },
  validateUpdate(_action, { inner }) {
    if (inner.text === "never") throw new Error("it is a rule");
    if (inner.text === "later") throw new Error("");
  },
});

test("a store has its name, its type, and a closed JSON Schema of its shape", () => {
  const store = define();
  assert.deepEqual(store, {
    name: "note", type: "event", rules: null, refine: null, check: null,
    schema: {
      type: "object", properties: { text: { type: "string" } }, required: ["text"],
      additionalProperties: false,
    },
  });
  assert.ok(Object.isFrozen(store));
});

test("a shape, a z.object and types of zod/mini give the same", () => {
  const shape = define().schema;
  assert.deepEqual(define({ schema: z.object({ text: z.string() }) }).schema, shape);
  assert.deepEqual(define({ schema: { text: mini.string() } }).schema, shape);
  assert.deepEqual(define({ schema: mini.object({ text: mini.string() }) }).schema, shape);
});

test("the brief's rules refuse with their messages", () => {
  const { check } = define({
    schema: { role: z.string(), content: z.string() },
    validateUpdate(action, object) {
      if (action === "create" && object.role !== "user") {
        throw new Error("Only user messages can be created!");
      }
      if (action !== "create" && action !== "delete") {
        throw new Error("Only create and delete actions can be performed.");
      }
    },
  });
  check("create", { role: "user", content: "hi" });
  check("delete", { role: "assistant", content: "hi" });
  assert.throws(() => check("create", { role: "assistant", content: "hi" }),
    { message: "Only user messages can be created!" });
  assert.throws(() => check("update", { role: "user", content: "hi" }),
    { message: "Only create and delete actions can be performed." });
});

test("a refinement refuses with its message and the path, before validateUpdate is asked", () => {
  const asked = [];
  const store = define({
    schema: z.object({
      name: z.string(),
      tags: z.array(z.object({ "a/b": z.string().refine((s) => s !== "no", "not that one") })),
    }).refine((o) => o.name !== o.tags[0]?.["a/b"], { error: "twice the same", path: ["name"] }),
    validateUpdate: (action) => void asked.push(action),
  });
  const object = (name, tag) => ({ name, tags: [{ "a/b": tag }], $createdAt: 1 });
  assert.throws(() => store.check("create", object("x", "no")),
    { name: "Refusal", message: "not that one", path: "/tags/0/a~1b" });
  assert.throws(() => store.check("update", object("x", "x")),
    { message: "twice the same", path: "/name" });
  assert.deepEqual(asked, []);
  store.check("create", object("x", "y"));
  store.check("delete", object("x", "no"));
  assert.deepEqual(asked, ["create", "delete"]);
  assert.throws(() => store.refine(object("x", "no")), { message: "not that one" });
});

test("a device refuses for a refinement as for the schema, for a rule as a rule", async () => {
  const client = createClient({
    url: "ws://127.0.0.1:9", user: "ada", storage: "memory", startOffline: true,
    stores: [REFINED],
  });
  const push = (text) => client.store(REFINED).push({ inner: { text } });
  await push("yes");
  await assert.rejects(push("no"),
    { code: "invalid_object", message: "not that one", path: "/inner/text" });
  await assert.rejects(push("never"), { code: "rejected", message: "it is a rule", path: "" });
  await assert.rejects(push("later"),
    { code: "rejected", message: "create is not allowed in note" });
  await client.close();
});

test("what the protocol adds to an object is none of zod's business", () => {
  const store = define({
    schema: z.strictObject({ text: z.string().refine((text) => text !== "no") }),
  });
  store.refine({ text: "yes", $createdAt: 1749383382805 });
});

test("asynchronous refinements and rules give promises", async () => {
  const store = define({
    schema: { text: z.string().refine(async (text) => text !== "no", "not that one") },
    async validateUpdate(action) {
      if (action === "update") throw new Error("never");
    },
  });
  for (const _ of [1, 2])
    await assert.rejects(store.check("create", { text: "no" }), { message: "not that one" });
  await assert.rejects(store.check("update", { text: "yes" }), { message: "never" });
  await store.check("create", { text: "yes" });
});

test("validateUpdate is asked as a member of its definition", () => {
  const { check } = define({
    validateUpdate() {
      throw new Error(`${this.name} is closed`);
    },
  });
  assert.throws(() => check("create", { text: "" }), { message: "note is closed" });
});

test("definitions that are not valid are refused where they are made", () => {
  const refused = (more, path, reason) =>
    assert.throws(() => define(more), (error) => {
      assert.ok(error instanceof DefinitionError, String(error));
      assert.equal(error.code, "bad_definition");
      assert.equal(error.path, path, error.message);
      assert.match(error.message, reason);
      return true;
    });
  for (const name of ["", "1a", "a-b", "ä", "_a", "a".repeat(65), 7])
    refused({ name }, "", /a name has letters/);
  refused({ type: "events" }, "", /"event" or "singular"/);
  refused({ schema: undefined }, "", /an object of zod types/);
  refused({ schema: [] }, "", /an object of zod types/);
  refused({ schema: { text: "string" } }, "/properties/text", /not a type of zod 4/);
  refused({ schema: z.string() }, "", /its type must be object/);
  refused({ schema: { $text: z.string() } }, "/properties/$text", /the protocol's/);
  refused({ schema: z.union([z.object({ a: z.string() }), z.object({ $b: z.string() })]) },
    "/anyOf/1/properties/$b", /the protocol's/);
  refused({ validate() {} }, "", /no member is called "validate"/);
  refused({ rules: [] }, "/rules", /rules are an object/);
  refused({ rules: { push: true } }, "/rules", /no action is called "push"/);
  refused({ rules: { create: "yes" } }, "/rules/create", /a schema is an object/);
  refused({ rules: { create: { properties: { a: { if: true } } } } },
    "/rules/create/properties/a/if", /the keyword "if" is not supported/);
  refused({ schema: { n: z.number().multipleOf(0) } }, "", /multipleOf/);
});

test("a schema as large as the core takes is made, and $defs are kept", () => {
  const shape = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`p${i}`, z.string()]));
  assert.equal(Object.keys(define({ schema: shape }).schema.properties).length, 2000);
});

/** What createStore says of rules: "" where it takes them. */
function said(create) {
  try {
    define({ rules: { create } });
    return "";
  } catch (error) {
    return error.path;
  }
}

/** What the core says of the same. */
async function coreSaid(create) {
  const stores = [{ name: "note", type: "event", schema: true, rules: { create } }];
  const { code, errors } = await check(stores, "note", "create", "");
  const place = /stores\.json: \/stores\/0(\/rules\/[^:]*): /.exec(errors)?.[1];
  return code === 0 ? "" : (place ?? errors);
}

test("createStore and the core know the same keywords and formats", async () => {
  const values = {
    type: "object", enum: [1], properties: {}, required: [], additionalProperties: true,
    propertyNames: true, items: true, prefixItems: [true], uniqueItems: true, pattern: "a",
    format: "uuid", anyOf: [true], oneOf: [true], allOf: [true], not: false, $ref: "#/$defs/a",
    $defs: { a: true }, definitions: {},
  };
  const foreign = ["if", "then", "else", "dependentSchemas", "patternProperties", "contains",
    "unevaluatedProperties", "contentEncoding", "$dynamicRef", "nullable", "constructor"];
  for (const keyword of [...KEYWORDS, ...foreign, "$id"]) {
    const value = Object.hasOwn(values, keyword) ? values[keyword] : 1;
    const schema = { $defs: { a: true }, [keyword]: value };
    assert.equal(said(schema), await coreSaid(schema), keyword);
    assert.equal(said({ properties: { x: schema } }) === "",
      (await coreSaid({ $defs: { a: true }, properties: { x: schema } })) === "" &&
      keyword !== "$ref", `inner ${keyword}`);
  }
  for (const format of [...FORMATS, "hostname", "jwt", "regex", "date_time", ""])
    assert.equal(said({ format }), await coreSaid({ format }), format);
  assert.ok(KEYWORDS.size > 35 && FORMATS.size === 8);
});

test("createStore and the core refuse the same things at the same place", async () => {
  for (const schema of [
    { type: "text" }, { type: ["string", "text"] }, { $ref: "#/$defs/none" }, { $ref: "x" },
    { $ref: "#/properties/a" }, { $defs: { "a/b": true, "%": true }, $ref: "#/$defs/a~1b" },
    { $defs: { "a b": true }, $ref: "#/$defs/a%20b" }, { pattern: "(" }, { pattern: 1 },
    { items: [true] }, { prefixItems: true }, { anyOf: {} }, { properties: [] }, { not: 1 },
    { properties: { a: { properties: { "b/c": { format: "x" } } } } }, { $ref: "#" }, 7, null,
  ]) {
    const ours = said(schema), core = await coreSaid(schema);
    if (JSON.stringify(schema) === '{"$ref":"#"}') assert.notEqual(core, ""); // it alone compiles
    else assert.equal(ours, core, JSON.stringify(schema));
  }
});

test("declared rules reach the core as they are", async () => {
  const store = define({
    schema: { role: z.string() },
    rules: { create: { properties: { role: { const: "user" } } }, delete: true },
  });
  assert.deepEqual(entry(store).rules, store.rules);
  const [mine, other] = await verdicts(store, "create", [{ role: "user" }, { role: "assistant" }]);
  assert.equal(mine, "ok");
  assert.equal(JSON.parse(other).path, "/role");
  const [update] = await verdicts(store, "update", [{ role: "user" }]);
  assert.equal(JSON.parse(update).message, "update is not allowed in note");
});

test("moduleStore names a store of a module", () => {
  const store = moduleStore("chat_message", "singular");
  assert.deepEqual(store, {
    name: "chat_message", type: "singular", schema: null, rules: null, refine: null, check: null,
  });
  assert.throws(() => moduleStore("chat message", "event"), { name: "DefinitionError" });
  assert.throws(() => moduleStore("chat_message", "many"), { code: "bad_definition" });
});
