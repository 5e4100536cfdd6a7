/**
 * What a store is to the rest of the package: made by `createStore` (zod) or `moduleStore` (a
 * WebAssembly module that holds the definition), read by client, server and React hooks.
 */

/** What a change does to an object. */
export type Action = "create" | "update" | "delete";

/** `event`: many objects a user; `singular`: one object a user. */
export type StoreType = "event" | "singular";

/** JSON Schema 2020-12, the subset of docs/schema.md. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

/** Declared rules: a schema an action; an action that is left out is refused. */
export type Rules = { readonly [action in Action]?: JsonSchema };

/** A store. `Value` is the type of its objects, without `$createdAt`. */
export interface Store<Value extends object = object, Type extends StoreType = StoreType> {
  readonly name: string;
  readonly type: Type;
  /** `null`: the WebAssembly module that the client is given has the definition. */
  readonly schema: JsonSchema | null;
  readonly rules: Rules | null;
  /**
   * What zod says of an object and JSON Schema cannot (refinements), asked after the schema: of
   * every create and update, the server's own too. Throws, or rejects, with an error named
   * "Refusal" whose message says what is wrong and whose `path` is a JSON Pointer to it; it refuses
   * as `invalid_object`. `null`: nothing.
   */
  readonly refine: ((object: unknown) => void | Promise<void>) | null;
  /**
   * All that only JavaScript can check of a client's change, after schema and rules: `refine`, then
   * `validateUpdate`. `object` is the new one, of a delete the one that is to go. Throws, or
   * rejects: a "Refusal" is of `refine`, and anything else refuses as `rejected`. `null`: nothing.
   */
  readonly check: ((action: Action, object: unknown) => void | Promise<void>) | null;
  /** Never there: carries the type. */
  readonly $value?: Value;
}

/** The type of a store's objects. */
export type ValueOf<S> = S extends Store<infer Value, StoreType> ? Value : never;
