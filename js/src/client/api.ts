/**
 * What an application sees of `syncdb/client`: options, the client, the handles of its stores.
 *
 * Promises of changes resolve when the change is stored on the device, not when the server has it,
 * and reject with a `SyncError`. Snapshots are the same object until something changed.
 */
import type { CoreError, ErrorCode, Phase, RecordState } from "../core/core.js";
import type { StorageFactory } from "../core/storage.js";
import type { Action, Store } from "../store.js";
import type { SyncError } from "./error.js";

export type { CoreError, ErrorCode, Phase, RecordState, StorageFactory };

/** An object as it is read: the store's value, and when it was made (ms since the epoch). */
export type SyncObject<Value extends object> = Value & { readonly $createdAt: number };

/** An object as it shows. Never changed in place: what changed is another object. */
export interface SyncRecord<Value extends object> {
  /** In a live list: the same for the object's whole life, before it has an id and after. */
  readonly key: string;
  /**
   * `synced`: as the server has it; `partial`: being written by the server, grows until it is
   * synced or gone, may lack members meanwhile; `pending`: with a change of this device that was
   * not seen back yet; `failed`: the same, and the change failed: `error` says why.
   */
  readonly state: RecordState;
  /** Left out while it is a create that is pending. */
  readonly id?: string;
  /** Of the event that it is as. */
  readonly eventId?: string;
  /** Of the push that it is as: this device's or another's. */
  readonly clientId?: string;
  readonly object: SyncObject<Value>;
  /** Older objects, between this and the next, were not loaded. */
  readonly gap?: true;
  readonly error?: CoreError;
}

/** A push of this device that was not seen back as an event. */
export interface UnsyncedPush<Value extends object> {
  readonly clientId: string;
  readonly action: Action;
  /** The object's; left out for a create, and where its create is unsynced too. */
  readonly id?: string;
  /** Left out for a delete. */
  readonly object?: SyncObject<Value>;
  /** Of this device's clock, ms since the epoch. */
  readonly createdAt: number;
  /** Why it failed; left out while it is pending. */
  readonly error?: CoreError;
}

/** What handles of both types of stores have. */
export interface StoreHandle<Value extends object> {
  /** The pushes that wait to be seen back as events, in the order they were made in. */
  pending(): Promise<readonly UnsyncedPush<Value>[]>;
  /** The pushes that failed: `retry` or `discard` them. */
  failed(): Promise<readonly UnsyncedPush<Value>[]>;
  /**
   * Sends a failed push again, under the same client id: stored once, even where the first one
   * arrived after all. `not_found`: no such push; `conflict`: it has not failed.
   */
  retry(clientId: string): Promise<void>;
  /** Gives a push up, with those that need it, and shows the server's state again. `not_found`. */
  discard(clientId: string): Promise<void>;
  /**
   * Has `listener` called when the snapshot is another: at most once a frame. Gives the function
   * that ends it.
   */
  subscribe(listener: () => void): () => void;
}

/** The live list of an event store. */
export interface EventSnapshot<Value extends object> {
  /** Newest first; unchanged records keep their identity. */
  readonly records: readonly SyncRecord<Value>[];
  /** There are older ones, here or at the server: `older` loads them. */
  readonly hasOlder: boolean;
  /** The first page, or older ones, are being loaded. */
  readonly loading: boolean;
}

/** An event store: many objects a user. */
export interface EventStore<Value extends object> extends StoreHandle<Value> {
  /**
   * Creates an object; gives the push's client id, its name until it has an id. Rejects with
   * `invalid_object`, `rejected` (a rule says no: its message), `too_large` (nothing was stored or
   * sent), `limit` (too many pushes are unsynced), `io`, `closed`.
   */
  push(object: Value): Promise<string>;
  /**
   * Replaces object `id` whole: its id, or, while it has none, its client id. Gives the push's
   * client id. Errors as `push`, and `not_found`.
   */
  update(id: string, object: Value): Promise<string>;
  /** Removes object `id`, named as above. Errors as `update`. */
  remove(id: string): Promise<void>;
  /** Object `id`, named as above; `undefined`: it is not here. */
  get(id: string): Promise<SyncRecord<Value> | undefined>;
  /**
   * The newest objects on this device, at most `limit` (1 to 1000; 50), in the order they were
   * created in; `before` is the id (or, where there is none, the client id) of the last record of
   * the page before.
   */
  list(options?: { before?: string; limit?: number }): Promise<readonly SyncRecord<Value>[]>;
  /**
   * Lengthens the live list by `count` (1 to 1000; 50) older objects, of this device or of the
   * server. Gives how many came: 0 where there are none, or none can be had without a connection.
   * Rejects: `invalid_argument`.
   */
  older(count?: number): Promise<number>;
  /** The live list, which begins with the first call of this or of `subscribe`: 50 objects. */
  snapshot(): EventSnapshot<Value>;
}

/** The one object of a singular store, as it shows. */
export interface SingularSnapshot<Value extends object> {
  /** `undefined`: there is none, or it is not loaded yet. */
  readonly record: SyncRecord<Value> | undefined;
  readonly loading: boolean;
}

/** A singular store: one object a user. */
export interface SingularStore<Value extends object> extends StoreHandle<Value> {
  /** Creates or replaces the object; gives the push's client id. Errors as `EventStore.push`. */
  set(object: Value): Promise<string>;
  /** The same as `set`. */
  push(object: Value): Promise<string>;
  /** Removes the object. Errors as `EventStore.remove`. */
  remove(): Promise<void>;
  /** The object; `undefined`: there is none here. */
  get(): Promise<SyncRecord<Value> | undefined>;
  snapshot(): SingularSnapshot<Value>;
}

/** How a client stands. */
export interface ClientStatus {
  /**
   * `offline`: no connection, the next try comes by itself; `connecting`; `catching_up`: being sent
   * what was missed; `live`; `unauthorized`: the server takes no token that it was given;
   * `closed`.
   */
  readonly phase: Phase;
  /** Where objects and unsynced pushes are kept; `memory`: `problem` says why, if unasked for. */
  readonly storage: "durable" | "memory";
  /** Pushes that wait to be seen back as events, failed ones apart. */
  readonly pending: number;
  readonly failed: number;
  /** `goOffline` was called: it stays offline until `goOnline`. */
  readonly paused: boolean;
  /** ms since the epoch; `null` while connected. */
  readonly offlineSince: number | null;
  /** While catching up: of how many stores all is here. */
  readonly storesSynced: number;
  /** Since the connection was made. */
  readonly eventsReceived: number;
  /** With which the last connection ended (RFC 6455); 0: none ended. */
  readonly closeCode: number;
  /** This tab has the connection and the storage that all tabs of the user share. */
  readonly leader: boolean;
  /** What keeps it from being live and durable, for people, or "". */
  readonly problem: string;
}

/** What `on` tells. */
export interface ClientEvents {
  status: ClientStatus;
  /** For logs: a server that cannot be understood, a storage or a token that failed. */
  error: SyncError;
}

/** A device of one user: reads and changes are answered by what is on it. */
export interface Client {
  /** The storage is there. Rejects where it cannot ever be (`user` cannot be told). */
  readonly ready: Promise<void>;
  /** The same object until something changed. */
  readonly status: ClientStatus;
  /** The handle of a store the client was made with; the same one each time. Throws otherwise. */
  store<Value extends object>(store: Store<Value, "event">): EventStore<Value>;
  store<Value extends object>(store: Store<Value, "singular">): SingularStore<Value>;
  /** Calls `listener` with each status or error from now on. Gives the function that ends it. */
  on<Event extends keyof ClientEvents>(
    event: Event, listener: (value: ClientEvents[Event]) => void): () => void;
  /**
   * The token for this and later connections, in place of the option. One of another user (`sub` of
   * a JWT) is not used, which `on("error")`, `unauthorized`, and `status.problem` say: another user
   * needs another client.
   */
  setToken(token: string): void;
  /** Disconnects, and stays so. All tabs of the user do. */
  goOffline(): void;
  /** Connects, and stays connected; at once where it waited for its next try. */
  goOnline(): void;
  /** All unsynced pushes as JSON text, for a support case or another device. */
  exportUnsynced(): Promise<string>;
  /** No push is pending: each was seen back, or failed (`status.failed`). Rejects: `closed`. */
  delivered(): Promise<void>;
  /** All that was asked for is here. Rejects: `closed`; `unauthorized`. */
  synced(): Promise<void>;
  /**
   * Ends it: waits until the changes that were asked for are stored, and lets go of socket and
   * storage. Unsynced pushes stay in the storage for the next client. Never rejects.
   */
  close(): Promise<void>;
}

/** What of the standard's WebSocket is used. */
export type WebSocketConstructor = new (url: string, protocol: string) => WebSocket;

/** What `createClient` takes. */
export interface ClientOptions {
  /** `ws(s)://...` or `http(s)://...`; in a page also relative to it: `/sync?user=ada`. */
  readonly url: string | URL;
  readonly stores: readonly Store[];
  /**
   * Shown to the server. A function is asked before the first connection, before a token that is a
   * JWT expires, and when one was refused.
   */
  readonly token?: string | ((why: { readonly refused: boolean }) => string | Promise<string>);
  /**
   * Whose data it is: names the local storage, together with the server. Not sent. Default: `user`
   * of the url's query, else `sub` of the token, if it is a JWT.
   */
  readonly user?: string;
  /** Default: IndexedDB where there is one, else memory. */
  readonly storage?: "indexeddb" | "memory" | StorageFactory;
  /** The WebAssembly module: where to load it from, or itself. Default: the one embedded. */
  readonly wasm?: string | URL | BufferSource | Response | WebAssembly.Module;
  /** How many missed objects of a store load by themselves, the newest. Default: all. */
  readonly window?: number | { readonly [store: string]: number };
  /** Share one connection and one storage among the tabs of a user. Default: where it can be. */
  readonly tabs?: boolean;
  /** Online, a push not seen back for so long has failed. Default: 10 s. */
  readonly pushTimeoutMs?: number;
  /** Unsynced pushes. Default: 10,000. */
  readonly pendingMax?: number;
  /** Do not connect before `goOnline`. */
  readonly startOffline?: boolean;
  /** Default: the platform's; in Node npm's `ws`. */
  readonly webSocket?: WebSocketConstructor;
}
