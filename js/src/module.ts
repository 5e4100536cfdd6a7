/**
 * `syncdb/module`: stores whose definitions are in a WebAssembly module, compiled from the same C
 * file as the server's. `syncdb types` writes the calls. Nothing of zod is imported here.
 */
import { checkNameAndType } from "./definition.js";
import type { Store, StoreType } from "./store.js";

export { DefinitionError } from "./definition.js";
export type { Action, Store, StoreType, ValueOf } from "./store.js";

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
