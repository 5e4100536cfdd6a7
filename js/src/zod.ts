/**
 * From zod to what a store has: JSON Schema for the core, and a function for what JSON Schema
 * cannot say. zod/v4/core is all that is imported, so types of zod and of zod/mini do.
 */
import {
  $ZodAsyncError, $ZodObject, registry, safeParse, safeParseAsync, toJSONSchema,
  type $InferObjectOutput, type $ZodIssue, type $ZodShape, type $ZodType, type JSONSchema,
  type output,
} from "zod/v4/core";
import { below, FORMATS, type Refuse } from "./schema.js";
import type { JsonSchema, Store } from "./store.js";
import { checksOf, checkTypes, patternText } from "./zod-types.js";

/** What `createStore` takes for a schema: a shape of zod types, or a type of objects. */
export type ZodSchema = $ZodType<object> | $ZodShape;

/** The type of the objects that a schema takes. */
export type ZodValue<Schema extends ZodSchema> =
  Schema extends $ZodType ? (output<Schema> extends infer Value extends object ? Value : never)
  : Schema extends $ZodShape ? $InferObjectOutput<Schema, {}>
  : never;

/** Thrown where an object is refused. */
class Refusal extends Error {
  override readonly name = "Refusal";
  constructor(message: string, readonly path: string) {
    super(message);
  }
}

function isType(schema: unknown): schema is $ZodType {
  return typeof (schema as { _zod?: { def?: unknown } } | null)?._zod?.def === "object";
}

/** The type that a schema stands for, as `z.object` would make it from a shape. */
function typeOf(schema: unknown, refuse: Refuse): $ZodType {
  if (isType(schema)) return schema;
  if (typeof schema !== "object" || schema === null || Array.isArray(schema))
    return refuse("", "the schema is an object of zod types, or a z.object");
  for (const [key, type] of Object.entries(schema))
    if (!isType(type)) refuse(below("/properties", key), "this is not a type of zod 4");
  return new $ZodObject({ type: "object", shape: schema as $ZodShape });
}

/** Brings a string's patterns and format to what the core knows. */
function adaptString(type: $ZodType, json: JSONSchema.BaseSchema): void {
  const texts = new Map<string, string | null>();
  for (const { pattern } of checksOf(type))
    if (pattern) texts.set(pattern.source, patternText(pattern));
  const adapted = (source: string): string | null =>
    texts.has(source) ? texts.get(source)! : source;
  delete json["contentEncoding"];
  // its own pattern leaves out addresses that end like IPv4, which zod and the core take
  if (json.format === "ipv6" && json.pattern) delete json.pattern;
  if (json.format !== undefined && !FORMATS.has(json.format)) delete json.format;
  const more = (json.allOf ?? []).map((one) => (one as JSONSchema.Schema).pattern);
  const sources = [json.pattern, ...more];
  delete json.pattern;
  delete json.allOf;
  const patterns = sources.flatMap((source) => (source && adapted(source)) || []);
  if (patterns.length === 1) json.pattern = patterns[0]!;
  else if (patterns.length) json.allOf = patterns.map((pattern) => ({ pattern }));
}

function toSchema(type: $ZodType, refuse: Refuse): JsonSchema {
  try {
    const { $schema: _, ...schema } = toJSONSchema(type, {
      // none: descriptions and ids are not the core's, and an id would move a type to $defs
      metadata: registry(),
      override: ({ zodSchema, jsonSchema }) => {
        if (zodSchema._zod.def.type === "string") adaptString(zodSchema, jsonSchema);
      },
    });
    return schema;
  } catch (error) {
    return refuse("", error instanceof Error ? error.message : String(error));
  }
}

/** An object as zod's types know it: what the protocol adds is none of theirs. */
function withoutCreatedAt(object: unknown): unknown {
  if (typeof object !== "object" || object === null || !("$createdAt" in object)) return object;
  const { $createdAt: _, ...rest } = object;
  return rest;
}

function report(result: { readonly error?: { readonly issues: readonly $ZodIssue[] } }): void {
  const issue = result.error?.issues[0];
  if (issue) throw new Refusal(issue.message, issue.path.map(String).reduce(below, ""));
}

/** By its name too: the application's types may come from another copy of zod. */
function isAsyncError(error: unknown): boolean {
  if (error instanceof $ZodAsyncError) return true;
  return error instanceof Error && error.constructor.name === "$ZodAsyncError";
}

function makeRefine(type: $ZodType): NonNullable<Store["refine"]> {
  let asynchronous = false;
  return (object) => {
    const value = withoutCreatedAt(object);
    if (!asynchronous)
      try {
        return report(safeParse(type, value));
      } catch (error) {
        if (!isAsyncError(error)) throw error;
        asynchronous = true;
      }
    return safeParseAsync(type, value).then(report);
  };
}

/**
 * Brings a zod schema to what a store has.
 *
 * @param refuse - Called for what cannot be synced, with the place in the JSON Schema.
 */
export function fromZod(
  schema: unknown, refuse: Refuse,
): { readonly schema: JsonSchema; readonly refine: Store["refine"] } {
  const type = typeOf(schema, refuse);
  const javascript = checkTypes(type, refuse);
  return { schema: toSchema(type, refuse), refine: javascript ? makeRefine(type) : null };
}
