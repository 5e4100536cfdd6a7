/** What every kind of definition of a store has: its name, its type, and how it is refused. */
import type { StoreType } from "./store.js";

/** Thrown where a store is defined wrongly: by `createStore` and `moduleStore`. */
export class DefinitionError extends Error {
  override readonly name = "DefinitionError";
  /** The code that the C library has for it. */
  readonly code = "bad_definition";

  /**
   * @param store - The store's name, as it was given.
   * @param path - JSON Pointer into the schema, or into the rules (`/rules/...`); "": the whole.
   * @param reason - What is wrong.
   */
  constructor(readonly store: string, readonly path: string, reason: string) {
    super(`store ${JSON.stringify(store)}: ${path && `${path}: `}${reason}`);
  }
}

/**
 * Checks what stands beside a store's schema.
 *
 * @throws {@link DefinitionError} The name is not one, or the type is neither of the two.
 */
export function checkNameAndType(name: unknown, type: unknown): asserts type is StoreType {
  if (typeof name !== "string" || !/^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(name))
    throw new DefinitionError(
      String(name), "",
      "a name has letters, digits and _, begins with a letter, and is at most 64 long",
    );
  if (type !== "event" && type !== "singular")
    throw new DefinitionError(name, "", 'the type is "event" or "singular"');
}
