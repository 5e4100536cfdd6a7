/**
 * The device's core: one replica (src/replica, in C) in one WebAssembly instance.
 *
 * Pure, as in C: inputs are calls that never call back (but `CoreHost`, which answers at once);
 * `turn()` gives what follows from them. The owner calls it after each input, or once after several.
 *
 * Ids are UUIDs in lower case; compared as strings they are in the order of their bytes.
 */
import type { Action, Store } from "../store.js";

/** The codes of protocol.md section 4 and of syncdb/status.h, in lower case. */
export type ErrorCode =
  | "no_memory" | "invalid_argument" | "limit" | "bad_json" | "bad_definition" | "io" | "busy"
  | "bad_format" | "closed" | "conflict" | "unauthorized" | "bad_message" | "unknown_type"
  | "unknown_store" | "invalid_object" | "rejected" | "not_found" | "too_large" | "rate_limited"
  | "unavailable";

export interface CoreError {
  readonly code: ErrorCode;
  readonly message: string;
  /** JSON Pointer into the object, or "". */
  readonly path: string;
}

export type RecordState = "synced" | "partial" | "pending" | "failed";

/** An object as it shows (syncdb/client_record.h). What is nil there is left out here. */
export interface CoreRecord {
  readonly state: RecordState;
  readonly id?: string;
  readonly eventId?: string;
  readonly clientId?: string;
  readonly object?: { readonly [key: string]: unknown };
  readonly gap?: true;
  readonly error?: CoreError;
}

export type Phase = "offline" | "connecting" | "catching_up" | "live" | "unauthorized" | "closed";

export interface CoreStatus {
  readonly phase: Phase;
  readonly storesSynced: number;
  readonly pending: number;
  readonly failed: number;
  readonly closeCode: number;
  readonly eventsReceived: number;
  readonly problem: string;
}

export interface Unsynced {
  readonly clientId: string;
  readonly store: number;
  readonly action: Action;
  readonly id?: string;
  readonly object?: { readonly [key: string]: unknown };
  readonly createdAt: number;
  readonly error?: CoreError;
}

/** Stores are numbers here: their place in the list that the core was created with. */
export type Request = { readonly tag: number; readonly store: number } & (
  | { readonly kind: "push"; readonly object: string; readonly clientId?: string }
  | { readonly kind: "update"; readonly id: string; readonly object: string; readonly clientId?: string }
  | { readonly kind: "remove"; readonly id?: string; readonly clientId?: string }
  | { readonly kind: "list"; readonly before?: string; readonly limit: number }
  | { readonly kind: "get"; readonly id: string }
  | { readonly kind: "singular" }
);

/** What the local storage is to do: see storage.ts, which has the same words. */
export type Operation = { readonly type: "operation"; readonly operation: number } & (
  | { readonly kind: "load" }
  | { readonly kind: "commit"; readonly changes: readonly import("./storage.js").StorageChange[] }
  | { readonly kind: "page"; readonly store: number; readonly before?: string; readonly limit: number }
  | { readonly kind: "object"; readonly store: number; readonly id?: string }
  | { readonly kind: "sync" }
);

export type Output =
  | { readonly type: "send"; readonly text: string }
  | { readonly type: "disconnect"; readonly code: number }
  | { readonly type: "connect"; readonly token: string }
  | { readonly type: "ask_token"; readonly refused: boolean }
  | { readonly type: "change"; readonly store: number; readonly kind: "put" | "remove"; readonly record: CoreRecord }
  | { readonly type: "change"; readonly store: number; readonly kind: "reset" }
  | {
      readonly type: "done"; readonly tag: number; readonly error?: CoreError;
      readonly clientId?: string; readonly records?: readonly CoreRecord[];
    }
  | ({ readonly type: "status" } & CoreStatus)
  | { readonly type: "storage_failed"; readonly code: ErrorCode }
  | Operation;

export interface CoreOptions {
  readonly stores: readonly Store[];
  /** Missed events loaded by themselves, one a store; `undefined`: all. */
  readonly windows?: readonly (number | undefined)[];
  readonly needsToken: boolean;
  readonly startOffline: boolean;
  readonly pushTimeoutMs?: number;
  readonly pendingMax?: number;
}
