/**
 * `syncdb/module`: stores that are not defined in TypeScript: in C, in the WebAssembly module that
 * is compiled from the same file as the server, or in a stores file. `syncdb types` writes the
 * calls. Nothing of zod is imported here.
 */
import { checkNameAndType } from "./definition.js";
import type { JsonSchema, Rules, Store, StoreType } from "./store.js";

export { DefinitionError } from "./definition.js";
export type { Action, JsonSchema, Rules, Store, StoreType, ValueOf } from "./store.js";

/**
 * Names a store of the module that the client is given (`createClient({ wasm })`). Its schema and
 * rules are the module's; a name that the module does not have is refused by `createClient`.
 *
 * @typeParam Value - The type of its objects.
 * @throws {@link DefinitionError} The name or the type is not one.
 */
export function moduleStore<Value extends object, Type extends StoreType>(
  name: string, type: Type,
): Store<Value, Type> {
  checkNameAndType(name, type);
  return Object.freeze({ name, type, schema: null, rules: null, refine: null, check: null });
}

/**
 * Makes a store of JSON Schema, as a stores file has it. `syncdb types` writes the calls. The core
 * checks schema and rules when a client is created.
 *
 * @typeParam Value - The type of its objects.
 * @throws {@link DefinitionError} The name or the type is not one.
 */
export function jsonStore<Value extends object, Type extends StoreType>(definition: {
  readonly name: string; readonly type: Type; readonly schema: JsonSchema; readonly rules?: Rules;
}): Store<Value, Type> {
  const { name, type, schema, rules = null } = definition;
  checkNameAndType(name, type);
  return Object.freeze({ name, type, schema, rules, refine: null, check: null });
}
