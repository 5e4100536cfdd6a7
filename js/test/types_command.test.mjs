// `syncdb types`: what it writes compiles, takes every object that the core takes, and refuses what
// TypeScript can tell from one.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { entry, run, verdicts, withStores } from "./support/check.mjs";
import { errorsOf, here } from "./support/compile.mjs";

async function inFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), "syncdb-types-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function typesOf(file) {
  const { code, out, errors } = await run("syncdb", ["types", "--stores", file]);
  assert.equal(code, 0, errors);
  return out;
}

const EQUAL = `
type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
const sure = <Holds extends true>(): Holds | undefined => undefined;
`;

/** Compiles what was generated together with a text that imports it. */
function compile(generated, user) {
  return errorsOf([], { texts: { "generated.ts": generated, "user.ts": EQUAL + user },
    lib: ["lib.es2022.d.ts"] });
}

const NOTE = {
  type: "object", description: "A note, of :( people | others & \"more.\nAnd */ on",
  properties: {
    text: { type: "string", maxLength: 10, description: "What it says" },
    kind: { enum: ["a", "b\"c", 0.1, null] },
    tags: { type: "array", items: { type: ["string", "null"] } },
    pair: { type: "array", prefixItems: [{ type: "string" }, { type: "number" }], minItems: 1,
      items: false },
    rest: { type: "array", prefixItems: [{ const: "x" }], minItems: 1, items: { type: "integer" } },
    counts: { type: "object", additionalProperties: { type: "number" } },
    listed: { type: "object", propertyNames: { enum: ["x", "y"] }, required: ["x"],
      additionalProperties: { type: "boolean" } },
    tree: { $ref: "#/$defs/a~1tree%20of" },
    self: { $ref: "#" },
    either: { anyOf: [{ type: "string" },
      { type: "array", items: { type: ["string", "number"] } }] },
    "needs-quotes": { type: "null" },
    never: { not: {} },
    any: true,
  },
  required: ["text", "any"], additionalProperties: false,
  $defs: { "a/tree of": { type: "object", required: ["kids"], additionalProperties: false,
    properties: { kids: { type: "array", items: { $ref: "#/$defs/a~1tree%20of" } } } } },
};

const STORES = [
  { name: "note", type: "event", schema: NOTE,
    rules: { create: { properties: { text: { const: "hi" } } }, delete: true } },
  { name: "delete", type: "singular", schema: { oneOf: [
    { type: "object", properties: { k: { const: "a" } }, required: ["k"],
      additionalProperties: false },
    { properties: { k: { const: "b" }, n: { type: "number" } }, required: ["k", "z"] },
  ] } },
  { name: "record", type: "event", schema: true },
  { name: "both", type: "event", schema: { type: "object", properties: { a: { type: "string" } },
    allOf: [{ properties: { b: { type: "number" } } },
      { anyOf: [{ required: ["a"] }, { required: ["b"] }] }] } },
  { name: "module_store", type: "event", schema: { properties: { n: { multipleOf: 0.1 } } } },
];

test("a stores file becomes types, and stores that have all that the file says", async () => {
  const generated = await withStores(STORES, typesOf);
  const user = `
import { note, deleteStore, record, both, moduleStoreStore } from "./generated.js";
import type { Both, Delete, Note, NoteATreeOf, Record } from "./generated.js";
import type { Store, ValueOf } from "syncdb/module";

sure<Equal<typeof note, Store<Note, "event">>>();
sure<Equal<ValueOf<typeof deleteStore>, Delete>>();
sure<Equal<(typeof deleteStore)["type"], "singular">>();
export const all: readonly Store[] = [note, deleteStore, record, both, moduleStoreStore];

sure<Equal<Note["text"], string>>();
sure<Equal<Note["kind"], "a" | "b\\"c" | 0.1 | null | undefined>>();
sure<Equal<Note["tags"], (string | null)[] | undefined>>();
sure<Equal<Note["pair"], [string, number?] | undefined>>();
sure<Equal<Note["rest"], ["x", ...number[]] | undefined>>();
sure<Equal<Note["counts"], { [key: string]: number } | undefined>>();
sure<Equal<Note["listed"], { x: boolean; y?: boolean } | undefined>>();
sure<Equal<Note["tree"], NoteATreeOf | undefined>>();
sure<Equal<NoteATreeOf["kids"][number]["kids"], NoteATreeOf[]>>();
sure<Equal<Note["self"], Note | undefined>>();
sure<Equal<Note["either"], string | (string | number)[] | undefined>>();
sure<Equal<Note["needs-quotes"], null | undefined>>();
sure<Equal<Note["never"], undefined>>();
sure<Equal<Note["any"], unknown>>();
export const b1: Both = { a: "x" }, b2: Both = { b: 1, c: [] }, r: Record = { x: 1 };
export const d1: Delete = { k: "a" }, d2: Delete = { k: "b", z: 1, more: true };
// @ts-expect-error it needs a or b
export const b3: Both = { c: 1 };
// @ts-expect-error a is a text
export const b4: Both = { a: 1 };
// @ts-expect-error it needs z
export const d3: Delete = { k: "b" };
// @ts-expect-error no kind is called so
export const d4: Delete = { k: "c", z: 1 };
// @ts-expect-error a note has its text
export const n1: Note = { any: 1 };
// @ts-expect-error a note has nothing else
export const n2: Note = { text: "", any: 1, more: 1 };
`;
  assert.deepEqual(compile(generated, user), []);
  assert.match(generated, /^ {2}\/\*\* What it says \*\/$/m);
  assert.deepEqual(Object.values(await evaluate(generated)).map(entry).sort(byName), STORES);
});

const byName = (a, b) => STORES.findIndex(({ name }) => name === a.name) -
  STORES.findIndex(({ name }) => name === b.name);

/** What a generated text exports. */
function evaluate(generated) {
  const module = new URL("../dist/module.js", import.meta.url).href;
  const code = ts.transpile(generated.replace('"syncdb/module"', JSON.stringify(module)),
    { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 });
  return inFolder(async (folder) => {
    const file = join(folder, "generated.mjs");
    writeFileSync(file, code);
    return { ...await import(pathToFileURL(file)) };
  });
}

test("fields of a C file become types, and stores of the module", async () => {
  await inFolder(async (folder) => {
    const object = join(folder, "stores.so");
    execFileSync("cc", ["-shared", "-fPIC", `-I${here("../../../include")}`, "-o", object,
      here("../fixtures/fields.c")]);
    const generated = await typesOf(object);
    const user = `
import { allFields, nothing, written } from "./generated.js";
import type { AllFields, AllFieldsTreeOf, Nothing, Written } from "./generated.js";
type Label = AllFieldsTreeOf["label"];
import type { Store } from "syncdb/module";

sure<Equal<typeof allFields, Store<AllFields, "event">>>();
sure<Equal<typeof nothing, Store<Nothing, "singular">>>();
sure<Equal<typeof written, Store<Written, "event">>>();
sure<Equal<AllFields, {
  text: string; state: "open" | "done" | null; count?: number; share: number; done: boolean;
  note?: unknown; "tree-of": { kids?: AllFieldsTreeOf[]; label?: Label };
}>>();
sure<Equal<Label, string | null | undefined>>();
sure<Equal<AllFieldsTreeOf["kids"], AllFieldsTreeOf[] | undefined>>();
// @ts-expect-error it has no properties
export const no: Nothing = { a: 1 };
`;
    assert.deepEqual(compile(generated, user), []);
    assert.match(generated, /moduleStore<Nothing, "singular">\("nothing", "singular"\)/);
    const checked = await run("syncdb",
      ["check", "--stores", object, "--store", "allFields", "--action", "create"],
      '{"text":"a","state":null,"share":0,"done":true,"note":1,"tree-of":{}}');
    assert.deepEqual(JSON.parse(checked.out),
      { code: "rejected", message: "no notes", path: "" });
  });
});

// ---- schemas at random ----

/** Numbers from 0 to 1, the same for the same seed. */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const KINDS = ["null", "boolean", "integer", "number", "string", "array", "object"];
const LEAVES = [null, true, false, 0, 1, -1.5, "", "a", "bc", [], {}, ["a"], { a: 1 }];

function makers(next) {
  const pick = (list) => list[Math.floor(next() * list.length)];
  const some = (most, make) => Array.from({ length: Math.floor(next() * (most + 1)) }, make);
  const name = () => pick(["a", "b", "c", "d-e"]);
  const value = (depth) => depth === 0 || next() < 0.4 ? pick(LEAVES)
    : next() < 0.4 ? some(3, () => value(depth - 1))
    : Object.fromEntries(some(3, () => [name(), value(depth - 1)]));
  const maker = {
    type: () => (next() < 0.7 ? pick(KINDS) : [...new Set([pick(KINDS), pick(KINDS)])]),
    enum: () => [...new Set(some(3, () => pick(LEAVES)).concat("a"))],
    const: () => pick(LEAVES),
    properties: (depth) => Object.fromEntries(some(3, () => [name(), schema(depth)])),
    required: () => [...new Set(some(2, name))],
    additionalProperties: (depth) => schema(depth),
    propertyNames: () => ({ enum: ["a", "b"] }),
    items: (depth) => schema(depth),
    prefixItems: (depth) => [schema(depth), ...some(1, () => schema(depth))],
    minItems: () => pick([0, 1, 2]), maxItems: () => pick([1, 2, 3]),
    anyOf: (depth) => [schema(depth), ...some(2, () => schema(depth))],
    oneOf: (depth) => [schema(depth), ...some(2, () => schema(depth))],
    allOf: (depth) => [schema(depth), ...some(1, () => schema(depth))],
    not: () => ({ type: pick(KINDS) }), minLength: () => 1, minimum: () => 0,
    $ref: () => pick(["#/$defs/a", "#/$defs/b"]),
  };
  const schema = (depth) => {
    if (depth === 0 || next() < 0.1) return pick([true, {}, { type: pick(KINDS) }]);
    const keywords = some(2, () => pick(Object.keys(maker)));
    return Object.fromEntries(["type", ...keywords].filter(() => next() < 0.8)
      .map((keyword) => [keyword, maker[keyword](depth - 1)]));
  };
  return { schema, value, some, name };
}

test("what the core takes is of the type, for schemas at random", async () => {
  const { schema, value, some, name } = makers(random(20260101));
  const stores = [], samples = [];
  while (stores.length < 100) {
    const made = { ...schema(3), type: "object", $defs: { a: { type: "string" }, b: schema(1) } };
    const store = { name: `s${stores.length}`, type: "event", schema: made };
    delete made.enum;
    const objects = Array.from({ length: 40 }, () =>
      Object.fromEntries(some(4, () => [name(), value(2)])));
    let core;
    try {
      core = await verdicts(store, "create", objects);
    } catch {
      continue; // a $ref that leads back to itself
    }
    stores.push({ name: store.name, type: "event", schema: made });
    objects.forEach((object, i) => core[i] === "ok" && samples.push([store.name, object]));
  }
  assert.ok(samples.length > 500, `${samples.length} were taken`);
  const generated = await withStores(stores, typesOf);
  const user = [...new Set(samples.map(([store]) => store.toUpperCase()))]
    .map((type) => `import type { ${type} } from "./generated.js";\n`)
    .concat(samples.map(([store, object], i) =>
      `export const v${i}: ${store.toUpperCase()} = ${JSON.stringify(object)};\n`));
  assert.deepEqual(compile(generated, user.join("")).slice(0, 5), []);
});
