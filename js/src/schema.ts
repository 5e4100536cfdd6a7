/**
 * Holds a JSON Schema to the subset of docs/schema.md, so that what the core would refuse is
 * refused by name where the store is defined. The core compiles and checks; this only looks at
 * what is said: keywords, types, formats, patterns, references and names. A test holds both lists
 * against the core.
 */

import type { JsonSchema } from "./store.js";

/** Told what is wrong, and the JSON Pointer to it. */
export type Refuse = (path: string, reason: string) => never;

type Json = { readonly [key: string]: unknown };

const ONE = ["additionalProperties", "propertyNames", "items", "not"];
const LISTS = ["prefixItems", "allOf", "anyOf", "oneOf"];
const MAPS = ["properties", "$defs", "definitions"];
const PLAIN = [
  "type", "enum", "const", "required", "minProperties", "maxProperties", "minItems", "maxItems",
  "uniqueItems", "minLength", "maxLength", "pattern", "format", "minimum", "maximum",
  "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "$ref", "title", "description", "default",
  "examples", "deprecated", "readOnly", "writeOnly", "$schema", "$comment", "$anchor",
];

/** Every keyword that the core knows, but `$id`, which only the root may have. */
export const KEYWORDS: ReadonlySet<string> = new Set([...ONE, ...LISTS, ...MAPS, ...PLAIN]);

/** The formats that the core asserts. */
export const FORMATS: ReadonlySet<string> = new Set([
  "uuid", "email", "date-time", "date", "time", "uri", "ipv4", "ipv6",
]);

const TYPES = new Set(["null", "boolean", "integer", "number", "string", "array", "object"]);

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `path` one level down, as JSON Pointer writes it. */
export const below = (path: string, key: string | number): string =>
  `${path}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;

/** Whether a pattern is ECMA-262's with the `u` flag. */
export function isPattern(source: string): boolean {
  try {
    new RegExp(source, "u");
    return true;
  } catch {
    return false;
  }
}

function checkPlain(schema: Json, path: string, refuse: Refuse): void {
  const { format, pattern, type } = schema;
  if (format !== undefined && !FORMATS.has(format as string))
    refuse(below(path, "format"), `the format ${JSON.stringify(format)} is not supported`);
  if (pattern !== undefined && !(typeof pattern === "string" && isPattern(pattern)))
    refuse(below(path, "pattern"), `not a pattern with the u flag: ${String(pattern)}`);
  const place = below(path, "type");
  const types = Array.isArray(type) ? type : type === undefined ? [] : [type];
  for (const [i, one] of types.entries())
    if (!TYPES.has(one as string))
      refuse(type === one ? place : below(place, i), `no type is called ${JSON.stringify(one)}`);
}

function checkReference(target: unknown, path: string, root: Json, refuse: Refuse): void {
  const form = /^#(?:\/(\$defs|definitions)\/([^/]+))?$/;
  const found = typeof target === "string" && form.exec(target);
  if (!found) return refuse(below(path, "$ref"), '$ref is "#" or "#/$defs/NAME"');
  const [, under, name] = found;
  if (under && !(isObject(root[under]) && Object.hasOwn(root[under], decode(name!))))
    refuse(below(path, "$ref"), `$ref leads nowhere: ${target}`);
}

/** A name in a `$ref`, without its escapes. */
function decode(name: string): string {
  try {
    name = decodeURIComponent(name);
  } catch {
    // a lone % stands for itself
  }
  return name.replaceAll("~1", "/").replaceAll("~0", "~");
}

/**
 * Refuses what the core does not know, anywhere in a schema.
 *
 * @param schema - JSON Schema, as values that `JSON.stringify` can write.
 * @param path - Where it stands.
 */
export function checkSubset(schema: unknown, path: string, refuse: Refuse): void {
  const walk = (at: unknown, path: string, depth: number): void => {
    if (typeof at === "boolean") return;
    if (!isObject(at)) return refuse(path, "a schema is an object, true or false");
    if (depth > 64) refuse(path, "a schema is at most 64 levels deep");
    for (const [keyword, value] of Object.entries(at)) {
      const place = below(path, keyword);
      if (!KEYWORDS.has(keyword) && !(keyword === "$id" && at === schema))
        refuse(place, `the keyword ${JSON.stringify(keyword)} is not supported`);
      if (ONE.includes(keyword)) walk(value, place, depth + 1);
      const inner = LISTS.includes(keyword) ? Array.isArray(value) && value
        : MAPS.includes(keyword) && isObject(value) && value;
      if (inner)
        for (const [key, one] of Object.entries(inner)) walk(one, below(place, key), depth + 2);
      else if (LISTS.includes(keyword)) refuse(place, `${keyword} is a list of schemas`);
      else if (MAPS.includes(keyword)) refuse(place, `${keyword} is an object of schemas`);
    }
    checkPlain(at, path, refuse);
    if (at["$ref"] !== undefined) checkReference(at["$ref"], path, schema as Json, refuse);
  };
  walk(schema, path, 0);
}

/** The schema that a `$ref` of this one means. */
function resolve(target: string, root: Json): unknown {
  const [, under, name] = target.split("/");
  return name === undefined ? root : (root[under!] as Json)[decode(name)];
}

/**
 * Refuses what neither a schema of a store's objects nor a rule can say: names that begin with `$`,
 * which are the protocol's, and a type other than object.
 *
 * @param schema - A schema that {@link checkSubset} let through.
 */
export function checkWhole(schema: JsonSchema, path: string, refuse: Refuse): void {
  const seen = new Set<unknown>();
  const walk = (at: unknown, path: string): void => {
    if (!isObject(at) || seen.has(at)) return;
    seen.add(at);
    const properties = Object.keys((at["properties"] as Json | undefined) ?? {});
    for (const name of [...properties, ...((at["required"] as string[] | undefined) ?? [])])
      if (name.startsWith("$"))
        refuse(`${path}/properties/${name}`, "names that begin with $ are the protocol's");
    for (const keyword of ["allOf", "anyOf", "oneOf"])
      for (const [i, one] of Object.entries((at[keyword] as unknown[] | undefined) ?? []))
        walk(one, `${path}/${keyword}/${i}`);
    walk(at["not"], `${path}/not`);
    if (at["$ref"] !== undefined) walk(resolve(at["$ref"] as string, schema as Json), path);
  };
  walk(schema, path);
  const type = isObject(schema) ? schema["type"] : undefined;
  if (type !== undefined && ![type].flat().includes("object"))
    refuse(path, "this is the schema of a store's objects: its type must be object");
}
