/**
 * The five tables that a device's storage is made of, and the port to what holds them: memory,
 * IndexedDB or a file. Stores go by their names here.
 *
 *     objects   [store, id]    StoredRecord
 *     removes   [store, id]    event id of a remove that is kept
 *     states    [store]        StoreState
 *     pending   [client id]    PendingRow
 *     meta      [name]         "database": its id; "generation": the number of the last opening
 *
 * Invariants: an id stands in `objects` or in `removes` of a store, never in both; a singular store
 * has at most one row in the two together.
 */
import type { PendingPush, StorageStore, StoredRecord, StoreState } from "../core/storage.js";

export const TABLES = ["objects", "removes", "states", "pending", "meta"] as const;
export type TableName = (typeof TABLES)[number];
export type Key = readonly [string, ...string[]];

/** A pending push as it is stored: its store by name, for numbers are of one opening only. */
export type PendingRow = Omit<PendingPush, "store"> & { readonly store: string };

/** One thing to be written. JSON keeps it as it is. */
export type Write =
  | readonly ["put", TableName, Key, unknown]
  | readonly ["drop", TableName, Key]
  /** All rows of a store. */
  | readonly ["clear", "objects" | "removes", string]
  /** Objects, removes and states of all stores but these. */
  | readonly ["only", readonly string[]];

/** What a commit looks at of one store: some ids, or all it holds. */
export interface Wanted {
  readonly ids: Set<string>;
  whole: boolean;
}

/** What is there of what was wanted: event ids by id. */
export interface Held {
  readonly objects: Map<string, string>;
  readonly removes: Map<string, string>;
}

/** What a commit found, one `Held` for each store that was wanted. */
export interface Found {
  readonly held: ReadonlyMap<string, Held>;
  readonly database: string | null;
}

export interface LoadedRows {
  readonly database: string | null;
  /** In the order asked for. */
  readonly states: readonly (StoreState | undefined)[];
  /** Of all stores, in any order. */
  readonly pending: readonly PendingRow[];
}

/** Rejections are of class StorageError, or count as "io". */
export interface Tables {
  readonly durable: boolean;
  load(stores: readonly StorageStore[]): Promise<LoadedRows>;
  /** Reads what is wanted, lets `decide` say what to write, and writes all of it or nothing. */
  commit(
    wanted: ReadonlyMap<string, Wanted>,
    decide: (found: Found) => readonly Write[],
  ): Promise<void>;
  page(store: string, before: string | undefined, limit: number): Promise<readonly StoredRecord[]>;
  /** Without an id: whatever the store holds. */
  object(store: string, id: string | undefined): Promise<StoredRecord | undefined>;
  sync(): Promise<void>;
  close(): Promise<void>;
  /** Closes at once, and gives up what is under way. */
  abandon?(): void;
}
