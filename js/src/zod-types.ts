/**
 * Which zod types a store can have. An object is the same everywhere: on the device that made it,
 * on the wire, in the database, in a program in C. So a type that changes a value, or that JSON has
 * no value for, is refused; what JSON can carry and JSON Schema cannot say is checked in JavaScript
 * too.
 *
 * The walk follows zod's own definitions (`_zod.def`), which zod and zod/mini share. Paths are
 * those that the JSON Schema has.
 */
import type { $ZodCheckDef, $ZodPipeDef, $ZodType, $ZodTypeDef, $ZodTypes } from "zod/v4/core";
import { below, isPattern, type Refuse } from "./schema.js";

const NO_VALUE = "JSON has no value for it";
const CHANGES = "it changes the value, and an object must be the same everywhere";

/** Why a type of zod cannot be synced, by the name that zod has for it. */
export const REFUSED: { readonly [type: string]: readonly [name: string, reason: string] } = {
  bigint: ["z.bigint()", `${NO_VALUE}; use z.int(), or a string of digits`],
  date: ["z.date()", `${NO_VALUE}; use z.iso.datetime(), or z.int() for milliseconds`],
  map: ["z.map()", `${NO_VALUE}; use z.record()`],
  set: ["z.set()", `${NO_VALUE}; use z.array()`],
  symbol: ["z.symbol()", NO_VALUE],
  undefined: ["z.undefined()", `${NO_VALUE}; use .optional() for what may be left out`],
  void: ["z.void()", NO_VALUE],
  nan: ["z.nan()", NO_VALUE],
  function: ["z.function()", NO_VALUE],
  promise: ["z.promise()", NO_VALUE],
  file: ["z.file()", NO_VALUE],
  custom: ["z.custom(), which z.instanceof() is,", "only JavaScript knows what it takes"],
  success: ["z.success()", CHANGES],
  transform: ["z.transform()", CHANGES],
  pipe: ["z.pipe()", CHANGES],
  default: [".default()", `${CHANGES}; use .optional(), and the default where it is read`],
  prefault: [".prefault()", `${CHANGES}; use .optional(), and the default where it is read`],
  catch: [".catch()", CHANGES],
};

/** A pipe by the name that it was made with. */
function nameOfPipe(type: $ZodType): string {
  const { in: from, out } = type._zod.def as $ZodPipeDef;
  if (type._zod.traits.has("$ZodCodec")) return "z.codec()";
  if (out._zod.def.type === "transform") return ".transform()";
  return from._zod.def.type === "transform" ? "z.preprocess()" : "z.pipe()";
}

/** Checks that become keywords of JSON Schema, by the type that they stand at. */
const SAID: { readonly [type: string]: readonly string[] } = {
  string: ["min_length", "max_length", "length_equals", "string_format"],
  number: ["greater_than", "less_than", "multiple_of", "number_format"],
  array: ["min_length", "max_length", "length_equals"],
  tuple: ["min_length", "max_length", "length_equals"],
};

/** Formats that zod checks with more than the pattern, or the format, that the schema has. */
const MORE = new Set(["url", "jwt", "json_string", "credit_card", "iban"]);

type FormatDef = $ZodCheckDef & {
  readonly format?: string; readonly pattern?: RegExp; readonly fn?: unknown;
};

/** A pattern as the schema has it, which is under the `u` flag; `null`: it cannot have it. */
export function patternText(pattern: RegExp): string | null {
  if (/[^dgu]/.test(pattern.flags)) return null;
  const text = withoutNeedlessEscapes(pattern.source);
  return isPattern(text) ? text : null;
}

/** `\-` outside of a class, `\'` and the like: taken without the `u` flag only. */
function withoutNeedlessEscapes(source: string): string {
  let inClass = false;
  return source.replace(/\\[^]|\[|\]/g, (part) => {
    if (part === "[") inClass = true;
    else if (part === "]") inClass = false;
    else if (/\\[!"#%&',:;<=>@_`~ ]/.test(part) || (part === "\\-" && !inClass)) return part[1]!;
    return part;
  });
}

/** What JavaScript has to check of one thing that zod checks; false: the schema says all of it. */
function needsJavaScript(type: string, def: FormatDef): boolean {
  if (!SAID[type]?.includes(def.check)) return true;
  if (def.check !== "string_format") return false;
  if (MORE.has(def.format ?? "") || !def.pattern) return true;
  return patternText(def.pattern) === null;
}

/** The checks of a type: its own, where it is one (`z.email()`), and those that were added. */
export function checksOf(type: $ZodType): readonly FormatDef[] {
  const def: $ZodTypeDef & Partial<FormatDef> = type._zod.def;
  const added = (def.checks ?? []).map((check) => check._zod.def as FormatDef);
  return def.check ? [def as $ZodTypeDef & FormatDef, ...added] : added;
}

/**
 * Refuses what cannot be synced.
 *
 * @returns Whether something of the type must be checked in JavaScript too.
 */
export function checkTypes(root: $ZodType, refuse: Refuse): boolean {
  const seen = [new Set<$ZodType>(), new Set<$ZodType>()] as const;
  let javascript = false;

  const cannot = (path: string, what: string, why: string): never =>
    refuse(path, `${what} cannot be synced: ${why}`);

  function checks(type: $ZodTypes, path: string): void {
    const { def } = type._zod;
    if ("coerce" in def && def.coerce) cannot(path, "z.coerce", CHANGES);
    for (const one of checksOf(type)) {
      if (one.check === "overwrite")
        cannot(path, ".trim(), .toLowerCase(), .normalize() and the like", CHANGES);
      if ("normalize" in one && one.normalize) cannot(path, "normalize", CHANGES);
      if (needsJavaScript(def.type, one)) javascript = true;
    }
  }

  function literal(values: readonly unknown[], path: string): void {
    for (const value of values)
      if (typeof value === "bigint" || value === undefined ||
          (typeof value === "number" && !Number.isFinite(value)))
        cannot(path, `the literal ${String(value)}`, NO_VALUE);
  }

  function object(def: $ZodTypes["_zod"]["def"] & { readonly type: "object" }, path: string): void {
    if (Object.getOwnPropertySymbols(def.shape).length)
      cannot(path, "a symbol as a key", NO_VALUE);
    for (const [key, type] of Object.entries(def.shape))
      walk(type, below(`${path}/properties`, key), true);
    if (def.catchall) walk(def.catchall, `${path}/additionalProperties`, false);
  }

  /** `leftOut`: the value stands where it may be left out. */
  function walk(given: $ZodType, path: string, leftOut: boolean): void {
    const type = given as $ZodTypes;
    const { def } = type._zod;
    if (def.type === "optional" && !leftOut)
      cannot(path, ".optional()", "only a property and the last items of a tuple can be left out");
    if (seen[Number(leftOut) as 0 | 1].has(type)) return;
    seen[Number(leftOut) as 0 | 1].add(type);
    const refused = REFUSED[def.type];
    if (refused) cannot(path, def.type === "pipe" ? nameOfPipe(type) : refused[0], refused[1]);
    checks(type, path);
    const list = (types: readonly $ZodType[], under: string, leftOut: boolean): void =>
      types.forEach((one, i) => walk(one, `${path}/${under}/${i}`, leftOut));
    switch (def.type) {
      case "object": return object(def, path);
      case "array": return walk(def.element, `${path}/items`, false);
      case "union": return list(def.options, def.inclusive === false ? "oneOf" : "anyOf", leftOut);
      case "intersection": return list([def.left, def.right], "allOf", leftOut);
      case "literal": return literal(def.values, path);
      case "enum": return literal(Object.values(def.entries), path);
      case "optional": case "nullable": case "nonoptional": case "readonly":
        return walk(def.innerType, path, leftOut);
      case "lazy": return walk(def.getter(), path, leftOut);
      case "tuple":
        list(def.items, "prefixItems", true);
        return def.rest ? walk(def.rest, `${path}/items`, false) : undefined;
      case "record":
        if ((def as { readonly mode?: string }).mode === "loose")
          cannot(path, "z.looseRecord()", "JSON Schema would need patternProperties");
        // a number as a key is a text in JSON: what is said of its size cannot be said there
        if ((def.keyType as $ZodTypes)._zod.def.type === "number") javascript = true;
        walk(def.keyType, `${path}/propertyNames`, false);
        return walk(def.valueType, `${path}/additionalProperties`, false);
      case "string": case "number": case "boolean": case "null": case "any": case "unknown":
      case "never": case "template_literal":
        return;
      default:
        cannot(path, `zod's type ${JSON.stringify(def.type)}`, "this version does not know it");
    }
  }

  walk(root, "", false);
  return javascript;
}
