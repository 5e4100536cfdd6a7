// The tables of docs/stores-typescript.md against zod and against the core: what each type becomes,
// what is refused, and that device and server take what zod takes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import * as z from "zod";
import { createStore, DefinitionError } from "../dist/index.js";
import { verdicts } from "./support/check.mjs";
import { Device } from "./support/core.mjs";

const PAGE = new URL("../../docs/stores-typescript.md", import.meta.url);

/** The rows of the table under a heading. */
function rows(heading) {
  const section = readFileSync(PAGE, "utf8").split(/^## /m).find((one) => one.startsWith(heading));
  return section.split("\n").filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

const code = (cell) => cell.replace(/^`|`$/g, "");
const typeOf = (cell) => new Function("z", `return ${code(cell)}`)(z);
const storeOf = (type) => createStore({ name: "table", type: "event", schema: { v: type } });

const BECOMES = rows("Which zod type").map(([type, json, note]) => ({
  source: code(type), type: typeOf(type), json: code(json), note: note ?? "",
}));

test("each zod type becomes the JSON Schema that the docs say", () => {
  assert.ok(BECOMES.length > 50);
  for (const { source, type, json, note } of BECOMES) {
    const store = storeOf(type);
    const made = JSON.stringify(store.schema.properties.v);
    const pattern = JSON.stringify(store.schema.properties.v.pattern);
    assert.equal(made, json.replace('"pattern":...', () => `"pattern":${pattern}`), source);
    assert.equal(store.refine !== null, note.startsWith("and JavaScript"), `${source}: JavaScript`);
    const optional = store.schema.required === undefined;
    assert.equal(optional, /\.(optional|nullish)\(\)$/.test(source), `${source}: optional`);
  }
});

test("what cannot be synced is refused by name, with the reason that the docs say", () => {
  const refused = rows("What is refused");
  assert.ok(refused.length > 25);
  for (const [type, reason] of refused) {
    assert.throws(() => storeOf(typeOf(type)), (error) => {
      assert.ok(error instanceof DefinitionError, `${code(type)}: ${error}`);
      assert.ok(error.path.startsWith("/properties/v"), error.path);
      const told = reason === "it is a bigint" ? "z.bigint()" : reason;
      assert.ok(error.message.includes(told), `${code(type)}: ${error.message}`);
      return true;
    });
  }
});

test("every kind of type that zod has stands in one of the tables", () => {
  const core = new URL(import.meta.resolve("zod/v4/core"));
  const text = readFileSync(new URL("./schemas.d.ts", core), "utf8");
  const kinds = /interface \$ZodTypeDef \{\s+type: ([^;]+);/.exec(text)[1].match(/\w+/g);
  const there = new Set(["int"]); // named there, and made as a number with a format
  const seen = new Set();
  const note = (type) => {
    if (!type?._zod?.def.type || seen.has(type)) return;
    seen.add(type);
    there.add(type._zod.def.type);
    const inner = Object.values(type._zod.def);
    for (const one of inner) (Array.isArray(one) ? one : [one]).forEach(note);
  };
  for (const { type } of BECOMES) note(type);
  for (const [cell] of rows("What is refused")) note(typeOf(cell));
  assert.deepEqual(kinds.filter((kind) => !there.has(kind)), []);
});

const VALUES = [
  null, true, false, 0, 1, -1, 0.01, 0.015, 1.5, 2147483648, 9007199254740992, 1e300, "", "a", "b",
  "A", "aa", "az", "abc", "no", "even", "v1", "v-1.5", "1-2", "x".repeat(80), "x".repeat(81),
  "a@b.cd", "a b@c.de", "fed649ad-f26f-4fcb-ad05-d1b70049fa1f",
  "01974f63-6abc-7000-8107-66e6c9a45dda", "fed649ad-f26f-0fcb-0d05-d1b70049fa1f",
  "https://example.com/a?b#c", "example.com", "mailto:a@b.cd", "http://host:99999/", "127.0.0.1",
  "256.0.0.1", "01.2.3.4", "::1", "2001:db8::1", "::ffff:1.2.3.4", "::g", "2024-02-29",
  "2025-02-29", "2025-06-08T11:49:42Z", "2025-06-08T11:49:42.805Z", "2025-06-08T11:49:42+02:00",
  "2025-06-08T25:00:00Z", "11:49:42", "25:00", "P1D", "P", "aGk=", "aGk", "_-__",
  "V1StGXR8_Z5jdHi6B-myT", "4242 4242 4242 4242", "4242424242424241",
  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1In0.c2ln", "a.b.c", "line\nbreak", [], ["a"],
  [""], ["a", 1], ["a", "b"], ["a", 1, 2], [1], Array(10).fill("a"), [null], {}, { a: "x" },
  { a: 1 }, { a: "x", b: "y" }, { a: 1, b: 2 }, { b: "y" }, { k: "a" }, { k: "b" }, { k: "c" },
  { k: "a", x: 1 }, { 1: "x" }, { 1.5: "x" }, { x: { y: [1, "2", null] } },
];

/** Whether zod takes an object as it is: properties that it would take off are refused here. */
function zodTakes(type, object) {
  const result = z.object({ v: type }).safeParse(object);
  return result.success && JSON.stringify(result.data) === JSON.stringify(object);
}

function refines(store, object) {
  try {
    store.refine?.(object);
    return true;
  } catch {
    return false;
  }
}

const OBJECTS = [...VALUES.map((v) => ({ v })), {}];

test("a page's core takes what the server's does, and what zod takes", async () => {
  const stores = BECOMES.map(({ type }, i) =>
    createStore({ name: `store${i}`, type: "event", schema: { v: type } }));
  const device = await Device.make({ stores, startOffline: true, pendingMax: 100_000 });
  for (const [store, { source, type }] of BECOMES.entries()) {
    for (const object of OBJECTS) {
      const asked = device.ask({ kind: "push", store, object: JSON.stringify(object) });
      const takes = await asked.then(() => true, ({ code, message }) => {
        assert.equal(code, "invalid_object", message);
        return false;
      });
      assert.equal(takes, zodTakes(type, object), `${source} of ${JSON.stringify(object)}`);
    }
  }
});

test("core and refinements together take what zod takes", async () => {
  for (const { source, type } of BECOMES) {
    const store = storeOf(type);
    const core = await verdicts(store, "create", OBJECTS);
    OBJECTS.forEach((object, i) => {
      const takes = core[i] === "ok" && refines(store, object);
      const message = `${source} of ${JSON.stringify(object)}: ${core[i]}`;
      assert.equal(takes, zodTakes(type, object), message);
    });
  }
});

test("types that hold themselves are checked at any depth", async () => {
  const Part = z.object({ name: z.string(), get parts() { return z.array(Part); } });
  const deep = (name) => ({ name: "a", parts: [{ name: "b", parts: [{ name, parts: [] }] }] });
  const tree = createStore({ name: "tree", type: "event", schema: Part });
  assert.deepEqual(tree.schema.properties.parts, { type: "array", items: { $ref: "#" } });
  const [good, bad] = await verdicts(tree, "create", [deep("c"), deep(1)]);
  assert.equal(good, "ok");
  assert.equal(JSON.parse(bad).path, "/parts/0/parts/0/name");
  const within = createStore({ name: "within", type: "event", schema: { root: Part } });
  const [inner] = await verdicts(within, "create", [{ root: deep(1) }]);
  assert.equal(JSON.parse(inner).path, "/root/parts/0/parts/0/name");
});

test("what cannot be synced is found deep in a type, and in one that is used twice", () => {
  const either = z.union([z.string().optional(), z.number()]);
  const schema = { a: either, b: z.array(either) };
  assert.throws(() => createStore({ name: "twice", type: "event", schema }),
    { name: "DefinitionError", path: "/properties/b/items/anyOf/0" });
  const born = { people: z.record(z.string(), z.object({ born: z.date() })) };
  assert.throws(() => createStore({ name: "deep", type: "event", schema: born }),
    { path: "/properties/people/additionalProperties/properties/born" });
});
