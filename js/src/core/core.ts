/**
 * The device's core: one replica (src/replica, in C) in one WebAssembly instance.
 *
 * Pure, as in C: inputs are calls that never call back (but a store's `check`, which answers at
 * once); `turn()` gives what follows from them. The owner calls it after each input, or once after
 * several.
 *
 * Ids are UUIDs in lower case; compared as strings they are in the order of their bytes.
 */
import { SyncError, toError } from "../client/error.js";
import type { Action, Store } from "../store.js";
import { encoder, hostOf, textAt } from "./host.js";
import type { ChangeResult, Loaded, StorageChange, StoredRecord } from "./storage.js";

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

/**
 * Stores are numbers here: their place in the list that the core was created with.
 *
 * A change may bring its client id (a version 4 UUID): asked for again under it, the change is made
 * once. `askedBefore`: perhaps of another core, which may have sent it.
 */
export type Request = { readonly tag: number; readonly store: number } & (
  | (Named & { readonly kind: "push"; readonly object: string })
  | (Named & { readonly kind: "update"; readonly id: string; readonly object: string })
  | (Named & { readonly kind: "remove"; readonly id?: string })
  | { readonly kind: "list"; readonly before?: string; readonly limit: number }
  | { readonly kind: "get"; readonly id: string }
  | { readonly kind: "singular" }
);

interface Named {
  readonly clientId?: string;
  readonly askedBefore?: boolean;
}

/** What the local storage is to do: see storage.ts, which has the same words. */
export type Operation = { readonly type: "operation"; readonly operation: number } & (
  | { readonly kind: "load" }
  | { readonly kind: "commit"; readonly changes: readonly StorageChange[] }
  | {
      readonly kind: "page"; readonly store: number; readonly before?: string;
      readonly limit: number;
    }
  | { readonly kind: "object"; readonly store: number; readonly id?: string }
  | { readonly kind: "sync" }
);

/** What became of an operation; no object: `{}`. */
export type OperationAnswer =
  | { readonly error: ErrorCode }
  | { readonly result?: Loaded | readonly ChangeResult[] | readonly StoredRecord[] | StoredRecord };

export type Output =
  | { readonly type: "send"; readonly text: string }
  | { readonly type: "disconnect"; readonly code: number }
  | { readonly type: "connect"; readonly token: string }
  | { readonly type: "ask_token"; readonly refused: boolean }
  | {
      readonly type: "change"; readonly store: number; readonly kind: "put";
      readonly record: CoreRecord;
    }
  | {
      readonly type: "change"; readonly store: number; readonly kind: "remove";
      readonly record: { readonly id?: string; readonly clientId?: string };
    }
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

/** What the module gives; docs/browser.md, "The boundary". */
interface ModuleExports {
  readonly memory: WebAssembly.Memory;
  input(size: number): number;
  output(): number;
  add_store(
    nameSize: number, schemaSize: number, rulesSize: number, type: number, checked: number,
    window: number,
  ): number;
  create(
    needsToken: number, startOffline: number, pushTimeoutMs: number, pendingMax: number,
  ): number;
  attach(durable: number, now: number): void;
  opened(now: number): void;
  message(size: number, now: number): void;
  closed(code: number, now: number): void;
  token(size: number, lifetimeMs: number, now: number): number;
  go_online(now: number): void;
  go_offline(now: number): void;
  timer(now: number): void;
  deadline(): number;
  request(
    size: number, kind: number, tag: number, store: number, limit: number, askedBefore: number,
    now: number, wall: number,
  ): number;
  older(size: number, store: number, limit: number): number;
  settle(size: number, again: number): number;
  complete(size: number, operation: number, now: number): number;
  turn(now: number): number;
  status(): number;
  unsynced(byName: number): number;
}

const TYPES = ["event", "singular"];
const KINDS = ["push", "update", "remove", "list", "get", "singular"];
const EVERYTHING = 0xffffffff; // of a store's missed events

interface RequestParts extends Named {
  readonly id: string;
  readonly before: string;
  readonly object: string;
  readonly limit: number;
}

/** As the module reads an id: always as many characters, blanks for none. */
function idText(id: string = ""): string {
  if (id !== "" && id.length !== 36)
    throw new SyncError("invalid_argument", "an id is not a UUID");
  return id.padEnd(36);
}

/**
 * One replica. Times are milliseconds: `now` of a clock that never steps back, `wall` the device's.
 *
 * Methods throw a `SyncError`: what was asked for cannot be, and nothing has happened; but after a
 * failure inside the module (out of memory, a defect) every call throws `unavailable`, and the core
 * has to be made anew.
 */
export class Core {
  #exports: ModuleExports | undefined;
  #ended: SyncError | undefined;
  #inside = false;

  private constructor(exports: ModuleExports) {
    this.#exports = exports;
  }

  /**
   * Makes one in an instance of its own. Rejects with `bad_definition`: a store's definition is not
   * valid: the message begins with its name, the path leads into its schema or rules.
   */
  static async create(module: WebAssembly.Module, options: CoreOptions): Promise<Core> {
    const { imports, bind } = hostOf(options.stores);
    const instance = await WebAssembly.instantiate(module, { syncdb: imports });
    const exports = instance.exports as unknown as ModuleExports;
    bind(exports.memory);
    const core = new Core(exports);
    options.stores.forEach(({ name, type, schema, rules, check }, i) => {
      const json = [schema, rules].map((part) => (part === null ? "" : JSON.stringify(part)));
      const texts = [name, ...json];
      const sizes = texts.map((text) => encoder.encode(text).length) as [number, number, number];
      core.#put(texts.join(""));
      const window = options.windows?.[i] ?? EVERYTHING;
      core.#refuse(core.#call("add_store", ...sizes, TYPES.indexOf(type) + 1, +!!check, window));
    });
    const { needsToken, startOffline, pushTimeoutMs = 0, pendingMax = 0 } = options;
    core.#refuse(core.#call("create", +needsToken, +startOffline, pushTimeoutMs, pendingMax));
    return core;
  }

  /** Begins with a storage; no operation of an earlier one may be on its way. */
  attach(durable: boolean, now: number): void {
    this.#call("attach", +durable, now);
  }

  /** The connection that a "connect" asked for is there. */
  opened(now: number): void {
    this.#call("opened", now);
  }

  /** One whole text message of it; at most 16 MiB are to be let in here. */
  message(text: string, now: number): void {
    this.#call("message", this.#put(text), now);
  }

  /** It ended, or could not be made: with the close frame's words, and one for people. */
  closed(code: number, reason: string, problem: string, now: number): void {
    this.#put([reason, problem, ""].map((text) => text.replaceAll("\0", "")).join("\0"));
    this.#call("closed", code, now);
  }

  /** The application's token; `lifetimeMs` 0: not known. */
  token(token: string, lifetimeMs: number, now: number): void {
    this.#refuse(this.#call("token", this.#put(token), lifetimeMs, now));
  }

  goOnline(now: number): void {
    this.#call("go_online", now);
  }

  goOffline(now: number): void {
    this.#call("go_offline", now);
  }

  timer(now: number): void {
    this.#call("timer", now);
  }

  /** When `timer` is to be called at the latest; Infinity: no need. */
  deadline(): number {
    return this.#call("deadline");
  }

  /** Exactly one "done" follows. Throws `invalid_argument`: an id is no UUID, a limit is wrong. */
  request(request: Request, now: number, wall: number): void {
    const { kind, tag, store } = request;
    const { id, before, clientId, object, limit, askedBefore } = request as Partial<RequestParts>;
    const size = this.#put(idText(id) + idText(before) + idText(clientId) + (object ?? ""));
    this.#refuse(this.#call(
      "request", size, KINDS.indexOf(kind) + 1, tag, store, limit ?? 0, +!!askedBefore, now, wall));
  }

  /** sdb_client_older. Throws `not_found`, `unavailable`, `invalid_argument`. */
  older(store: number, before: string | undefined, limit: number): void {
    this.#refuse(this.#call("older", this.#put(idText(before)), store, limit));
  }

  /** sdb_client_retry. Throws `not_found`, `conflict`: it has not failed. */
  retry(clientId: string): void {
    this.#refuse(this.#call("settle", this.#put(idText(clientId)), 1));
  }

  /** sdb_client_discard. Throws `not_found`. */
  discard(clientId: string): void {
    this.#refuse(this.#call("settle", this.#put(idText(clientId)), 0));
  }

  /**
   * What the storage says of the oldest operation under way. A result that is not what was asked
   * for counts as `bad_format`. Throws `conflict`: another one is the oldest.
   */
  complete(operation: number, answer: OperationAnswer, now: number): void {
    this.#refuse(this.#call("complete", this.#put(JSON.stringify(answer)), operation, now));
  }

  /** What follows from all inputs since the last turn. */
  turn(now: number): readonly Output[] {
    return this.#parse(this.#call("turn", now)) as readonly Output[];
  }

  status(): CoreStatus {
    return this.#parse(this.#call("status")) as CoreStatus;
  }

  /** The pushes that were not seen back as events, in their order. */
  unsynced(): readonly Unsynced[] {
    return this.#parse(this.#call("unsynced", 0)) as readonly Unsynced[];
  }

  /** The same as JSON text, stores by their names: as sdb_client_export_unsynced gives it. */
  exportUnsynced(): string {
    return `{"unsynced":${this.#take(this.#call("unsynced", 1))}}`;
  }

  /** Lets go of the instance: every later call throws `closed`. */
  close(): void {
    this.#end(new SyncError("closed", "the core was closed"));
  }

  /** A rule is being asked: nothing else can be called until it has answered. */
  get isInside(): boolean {
    return this.#inside;
  }

  #end(why: SyncError): SyncError {
    this.#exports = undefined;
    return (this.#ended = why);
  }

  /** What was written to the module's memory half way is never looked at again. */
  #break(cause?: unknown): SyncError {
    const why = cause ? "unavailable" : "no_memory";
    return this.#end(new SyncError(why, `the core failed: ${cause ?? "out of memory"}`));
  }

  #call<Name extends Exclude<keyof ModuleExports, "memory">>(
    name: Name, ...values: Parameters<ModuleExports[Name]>
  ): number {
    if (!this.#exports) throw this.#ended;
    if (this.#inside) throw new SyncError("conflict", "a rule must not call the client");
    this.#inside = true;
    try {
      return (this.#exports[name] as (...values: number[]) => number)(...values);
    } catch (cause) {
      throw this.#break(cause);
    } finally {
      this.#inside = false;
    }
  }

  /** Puts text into the module's memory; gives its size. */
  #put(text: string): number {
    const bytes = encoder.encode(text);
    const at = this.#call("input", bytes.length);
    if (!at) throw this.#break();
    new Uint8Array(this.#exports!.memory.buffer, at >>> 0, bytes.length).set(bytes);
    return bytes.length;
  }

  #take(size: number): string {
    if (size < 0) throw this.#break();
    return textAt(this.#exports!.memory, this.#call("output"), size);
  }

  #parse(size: number): unknown {
    return JSON.parse(this.#take(size));
  }

  #refuse(size: number): void {
    if (size) throw toError(this.#parse(size) as CoreError);
  }
}
