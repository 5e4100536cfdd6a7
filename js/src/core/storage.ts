/**
 * The port to the device's own storage: src/replica/storage_port.h in TypeScript. That says what a
 * storage promises. Stores are numbers here too; what is stored goes by their names.
 *
 * One operation is under way at a time, in the order the core gave them.
 */
import type { Action, StoreType } from "../store.js";
import type { ErrorCode } from "./core.js";

/** How far a store is synced. */
export interface StoreState {
  readonly head: string | null;
  readonly wanted: number;
  /** Ranges below the head, both ends exclusive, newest first; `null`: from the beginning. */
  readonly missing: readonly (readonly [after: string | null, before: string])[];
}

/** A push that was not seen back as an event. */
export interface PendingPush {
  readonly position: number;
  readonly clientId: string;
  readonly id?: string;
  readonly depends?: string;
  readonly store: number;
  readonly action: Action;
  readonly failed?: ErrorCode;
  readonly createdMs: number;
  /** JSON text, as all objects here: so numbers keep their digits. */
  readonly object?: string;
  readonly message?: string;
  readonly path?: string;
}

export interface Loaded {
  readonly database: string | null;
  /** One a store, in the order the storage was opened with. */
  readonly states: readonly StoreState[];
  /** By position. */
  readonly pending: readonly PendingPush[];
}

/** SDB_LOCAL_*. A `store` of -1 is SDB_LOCAL_ANY. */
export type StorageChange =
  | {
      readonly kind: "put" | "singular"; readonly store: number; readonly id: string;
      readonly eventId: string; readonly clientId?: string;
      /** "": the singular store then holds none. */
      readonly object: string; readonly orEqual?: true;
    }
  | {
      readonly kind: "remove"; readonly store: number; readonly id: string;
      readonly eventId: string; readonly keep?: true;
    }
  | { readonly kind: "clear" | "forget"; readonly store: number }
  | { readonly kind: "state"; readonly store: number; readonly state: StoreState }
  | { readonly kind: "database"; readonly id: string }
  | { readonly kind: "pending_put"; readonly pending: PendingPush }
  | { readonly kind: "pending_drop"; readonly clientId: string };

/** Of each change: whether an object came, changed or went; of a remove of any store, where. */
export interface ChangeResult {
  readonly applied: boolean;
  readonly store?: number;
}

export interface StoredRecord {
  readonly id: string;
  readonly eventId: string;
  readonly clientId?: string;
  readonly object: string;
}

export interface DeviceStorage {
  /** It keeps what it is told over a restart; false: memory only. */
  readonly durable: boolean;
  /** What the owner is to be told of its opening: that it was damaged... "": nothing. */
  readonly notice: string;
  load(): Promise<Loaded>;
  commit(changes: readonly StorageChange[]): Promise<readonly ChangeResult[]>;
  /** Objects with an id below `before`, greatest first. */
  page(store: number, before: string | undefined, limit: number): Promise<readonly StoredRecord[]>;
  /** `undefined` id: the object of a singular store. */
  object(store: number, id: string | undefined): Promise<StoredRecord | undefined>;
  sync(): Promise<void>;
  close(): Promise<void>;
  /**
   * Closes it at once, and gives up what is under way: the page may stand still from now on, and
   * what it had begun would keep others waiting.
   */
  abandon?(): void;
}

/** Why an operation failed; anything else that is thrown counts as "io". */
export class StorageError extends Error {
  override readonly name = "StorageError";
  /**
   * @param code `io`: it cannot be read or written, now; `bad_format`: damaged, or of a newer
   *   version; `busy`: another process or an older page has it; `conflict`: it is another user's
   *   or server's.
   * @param fenced Another leader opened the storage: this one never writes again, and the other has
   *   all that was stored.
   */
  constructor(
    readonly code: "io" | "bad_format" | "no_memory" | "busy" | "conflict",
    message: string,
    readonly fenced = false,
  ) {
    super(message);
  }
}

/** What a storage needs to know of a store. */
export interface StorageStore {
  readonly name: string;
  readonly type: StoreType;
}

export interface StorageOptions {
  /** The database of one user at one server (storage/name.ts). */
  readonly name: string;
  /** Numbered by their places. What is stored of other stores stays as it is. */
  readonly stores: readonly StorageStore[];
  /**
   * Called at most once, when the storage was taken away while it was open (evicted, closed by the
   * browser, wanted by a newer version of the page): all that is asked of it fails from then on.
   */
  readonly onLost: (reason: string) => void;
}

/**
 * Opens a storage, as its one writer. Rejects with a `StorageError`; after `io` and `busy` it may
 * be tried again.
 */
export type StorageFactory = (options: StorageOptions) => Promise<DeviceStorage>;
