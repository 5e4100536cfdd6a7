/**
 * `syncdb`: stores, defined once for page and server.
 *
 * ```ts
 * export const chatMessage = createStore({
 *   name: "chat_message",
 *   type: "event",
 *   schema: { role: z.string(), content: z.string() },
 * });
 * ```
 */
import { checkNameAndType, DefinitionError } from "./definition.js";
import { checkSubset, checkWhole, type Refuse } from "./schema.js";
import type { Action, Rules, Store, StoreType } from "./store.js";
import { fromZod, type ZodSchema, type ZodValue } from "./zod.js";

export { DefinitionError } from "./definition.js";
export type { Action, JsonSchema, Rules, Store, StoreType, ValueOf } from "./store.js";
export type { ZodSchema, ZodValue } from "./zod.js";

/** What `createStore` takes. */
export interface StoreDefinition<Schema extends ZodSchema, Type extends StoreType> {
  /** Letters, digits and `_`, beginning with a letter, at most 64. */
  readonly name: string;
  /** `event`: many objects a user; `singular`: one. */
  readonly type: Type;
  /**
   * A shape of zod types, which takes no other properties, or a zod type of objects.
   * docs/stores-typescript.md says what becomes of each.
   */
  readonly schema: Schema;
  /**
   * What clients may do, as JSON Schema an action; an action that is left out is refused. Left out
   * as a whole: everything is allowed. Checked by the core, in C programs too.
   */
  readonly rules?: Rules;
  /**
   * Asked whether a client's change is to be made, on its device and on the server, after schema
   * and rules: a throw refuses, with the error's message. `object` is the new one, of a delete the
   * one that is to go. It must give the same answer each time it is asked. A promise counts as yes
   * on the device, and the server waits for it.
   */
  validateUpdate?(action: Action, object: ZodValue<Schema>): void | Promise<void>;
}

const MEMBERS = new Set(["name", "type", "schema", "rules", "validateUpdate"]);
const ACTIONS = new Set(["create", "update", "delete"]);

function checkRules(rules: Rules, refuse: Refuse): Rules {
  if (typeof rules !== "object" || rules === null || Array.isArray(rules))
    refuse("/rules", "rules are an object of JSON Schemas");
  for (const [action, schema] of Object.entries(rules)) {
    if (!ACTIONS.has(action)) refuse("/rules", `no action is called ${JSON.stringify(action)}`);
    checkSubset(schema, `/rules/${action}`, refuse);
    checkWhole(schema, `/rules/${action}`, refuse);
  }
  return rules;
}

/** `refine`, then `validateUpdate`; `null` where there is neither. */
function makeCheck<Value>(
  refine: Store["refine"],
  validateUpdate: ((action: Action, object: Value) => void | Promise<void>) | undefined,
): Store["check"] {
  if (!refine && !validateUpdate) return null;
  return (action, object) => {
    const refined = action === "delete" ? undefined : refine?.(object);
    const validate = (): void | Promise<void> => validateUpdate?.(action, object as Value);
    return refined ? refined.then(validate) : validate();
  };
}

/**
 * Defines a store, for clients and server.
 *
 * @returns The store, read-only. `ValueOf<typeof store>` is the type of its objects.
 * @throws {@link DefinitionError} Name, type, schema or rules are not valid, or the schema has what
 * cannot be synced (a transform, a bigint, a Date...): the message names it and where it stands.
 */
export function createStore<Schema extends ZodSchema, const Type extends StoreType>(
  definition: StoreDefinition<Schema, Type>,
): Store<ZodValue<Schema>, Type> {
  const { name, type, rules, validateUpdate } = definition;
  checkNameAndType(name, type);
  const refuse: Refuse = (path, reason) => {
    throw new DefinitionError(name, path, reason);
  };
  for (const member of Object.keys(definition))
    if (!MEMBERS.has(member)) refuse("", `no member is called ${JSON.stringify(member)}`);
  const { schema, refine } = fromZod(definition.schema, refuse);
  checkSubset(schema, "", refuse);
  checkWhole(schema, "", refuse);
  return Object.freeze({
    name, type, schema, refine,
    rules: rules === undefined ? null : checkRules(rules, refuse),
    check: makeCheck(refine, validateUpdate?.bind(definition)),
  });
}
