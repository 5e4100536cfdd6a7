/**
 * The five tables that a device's storage is made of, and the port to what holds them: memory,
 * IndexedDB or a file. Stores go by their names here.
 *
 *     objects   [store, id]         StoredRecord
 *     removes   [store, id]         Row, of a remove that is kept
 *     states    [store, ""]         StoreState
 *     pending   ["", client id]     PendingRow
 *     meta      ["", name]          "database": its id; "generation": of the last opening
 *
 * Invariants: an id stands in `objects` or in `removes` of a store, never in both; a singular store
 * has at most one row in the two together.
 */
import type { PendingPush, StorageStore, StoredRecord, StoreState } from "../core/storage.js";

export const TABLES = ["objects", "removes", "states", "pending", "meta"] as const;
export type TableName = (typeof TABLES)[number];
/** What is of stores. */
export const OF_STORES = ["objects", "removes", "states"] as const;
export type Key = readonly [store: string, id: string];

/** What all rows of `objects` and `removes` have. */
export interface Row {
  readonly id: string;
  readonly eventId: string;
}

/** A pending push as it is stored: its store by name, for numbers are of one opening only. */
export type PendingRow = Omit<PendingPush, "store"> & { readonly store: string };

/** One thing to be written. JSON keeps it as it is. */
export type Write =
  | readonly ["put", TableName, Key, unknown]
  | readonly ["drop", TableName, Key]
  /** All rows of a store. */
  | readonly ["clear", TableName, string]
  /** What is of all stores but these. */
  | readonly ["only", readonly string[]];

/** The ids that a commit looks at, by store; of a singular store, it looks at all there is. */
export type Wanted = ReadonlyMap<StorageStore, ReadonlySet<string>>;

/** Event ids by id. */
export interface Held {
  readonly objects: Map<string, string>;
  readonly removes: Map<string, string>;
}

/** What is there of what was wanted, by store. The reader's: nobody else reads it. */
export interface Found {
  readonly held: ReadonlyMap<StorageStore, Held>;
  readonly database: string | undefined;
}

export interface LoadedRows {
  readonly database: string | undefined;
  /** In the order asked for. */
  readonly states: readonly (StoreState | undefined)[];
  /** Of all stores, in any order. */
  readonly pending: readonly PendingRow[];
}

/** Rejections are of class StorageError. */
export interface Tables {
  readonly durable: boolean;
  load(stores: readonly StorageStore[]): Promise<LoadedRows>;
  /** Reads what is wanted, lets `decide` say what to write, and writes all of it or nothing. */
  commit(wanted: Wanted, decide: (found: Found) => readonly Write[]): Promise<void>;
  page(store: string, before: string | undefined, limit: number): Promise<readonly StoredRecord[]>;
  /** Without an id: whatever the store holds. */
  object(store: string, id: string | undefined): Promise<StoredRecord | undefined>;
  sync(): Promise<void>;
  close(): Promise<void>;
  /** Closes at once, and gives up what is under way. */
  abandon?(): void;
}
