/**
 * `syncdb/server`: the sync server in Node, on the C core.
 *
 * ```ts
 * const db = createDatabase({ dbUrl: "sqlite://database.sqlite", stores: [chatMessage, account] });
 * db.subscribe(chatMessage, async (event, ctx) => { ... });
 * await db.listen({ port: 8080, devAuth: true });
 * ```
 */
export { SyncError } from "../client/error.js";
export type { SyncObject } from "../client/api.js";
export type { Action, Store, StoreType, ValueOf } from "../store.js";
export { createDatabase, type Database } from "./database.js";
export type { PartialObject } from "./partial.js";
export type * from "./types.js";
