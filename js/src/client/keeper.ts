/**
 * Which storage the core works on: the durable one, or memory while that cannot be used, with tries
 * to go back (src/client/storage.c in TypeScript).
 *
 * Invariants: one operation is under way at a time, in the core's order. The core is attached to
 * another storage only when nothing of the one before is on its way. A memory storage that was used
 * is never used again after a durable one: it would give the core heads and pushes of back then.
 */
import type { ErrorCode, Operation } from "../core/core.js";
import { StorageError } from "../core/storage.js";
import type { DeviceStorage, StorageFactory, StorageStore } from "../core/storage.js";
import { memoryStorage } from "../storage/memory.js";
import { messageOf } from "./error.js";

const RETRY_FIRST_MS = 1000; // then twice as long each time
const RETRY_MAX_MS = 30000;
const STABLE_MS = 60000; // a storage in use for so long lets that begin anew
const AGAIN_MS = 1000;

export const ONLY_IN_MEMORY = "only in memory: ";

/** What is told to who has the core. Must not throw. */
export interface KeeperOwner {
  /** The core is to begin with the storage that there is now. */
  attach(): void;
  /** `durable`, `problem` or `deadline` changed. */
  changed(): void;
  /** Another leader has the storage. */
  fenced(): void;
}

export type Done = (value: unknown, error: ErrorCode | undefined) => void;

function carryOut(storage: DeviceStorage, operation: Operation): Promise<unknown> {
  switch (operation.kind) {
    case "load":
      return storage.load();
    case "commit":
      return storage.commit(operation.changes);
    case "page":
      return storage.page(operation.store, operation.before, operation.limit);
    case "object":
      return storage.object(operation.store, operation.id);
    case "sync":
      return storage.sync();
  }
}

export class Keeper {
  /** Why it is only in memory, for people, or "". */
  problem = "";
  #storage: DeviceStorage;
  #next: DeviceStorage | undefined;
  #queue: [Operation, Done][] = [];
  #busy = false;
  #working: Promise<void> | undefined;
  #open: StorageFactory | undefined;
  #opening = false;
  #closed = false;
  #why = "";
  #retryAt = Infinity;
  #retryAfter = 0;
  #againAt = Infinity;
  #since = 0;

  constructor(
    private readonly name: string,
    private readonly stores: readonly StorageStore[],
    private readonly owner: KeeperOwner,
  ) {
    this.#storage = memoryStorage(stores);
  }

  get durable(): boolean {
    return this.#storage.durable;
  }

  /** An operation is under way. */
  get busy(): boolean {
    return this.#busy;
  }

  get deadline(): number {
    return Math.min(this.#retryAt, this.#againAt);
  }

  /**
   * Has the core attached: to what `open` gives, or to memory: by choice, or because it fails, or
   * does not open within `patienceMs`; then it is changed to when it does.
   */
  async start(
    open: StorageFactory | undefined, problem: string, patienceMs: number | undefined,
  ): Promise<void> {
    this.problem = problem;
    this.#open = open;
    let isAttached = false;
    const useMemory = (): void => {
      if (!isAttached && !this.#closed) this.reattach();
      isAttached = true;
    };
    if (!open) return useMemory();
    const timer = patienceMs && setTimeout(() => {
      this.problem = `${ONLY_IN_MEMORY}it does not open`;
      useMemory();
    }, patienceMs);
    const isOpen = await this.#tryOpen();
    clearTimeout(timer);
    if (!isOpen) useMemory();
  }

  /** From memory to what `open` gives, now or as soon as it can be. */
  use(open: StorageFactory): void {
    this.#open = open;
    void this.#tryOpen();
  }

  run(operation: Operation, done: Done): void {
    this.#queue.push([operation, done]);
    this.#work();
  }

  /** For another core: what the one before asked for is not carried out. */
  reattach(): void {
    this.#queue = [];
    this.#next ??= this.#storage;
    this.#work();
  }

  /** The core gave the storage up. */
  failed(code: ErrorCode): void {
    if (this.#next) return;
    if (this.durable && code !== "no_memory") this.#fallBack(this.#why || code);
    else this.#againAt = performance.now() + AGAIN_MS;
  }

  tick(now: number): void {
    if (this.#againAt <= now) {
      this.#againAt = Infinity;
      this.reattach();
    }
    if (this.#retryAt <= now) void this.#tryOpen();
  }

  /** Waits for what is under way, or, `now`, gives it up. */
  async close(now: boolean): Promise<void> {
    this.#closed = true;
    if (now) this.#storage.abandon?.();
    this.#retryAt = this.#againAt = Infinity;
    await this.#working;
    if (this.durable) await this.#storage.sync().catch(() => {});
    for (const storage of [this.#storage, this.#next]) await storage?.close().catch(() => {});
  }

  #work(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#working = this.#workOff();
  }

  async #workOff(): Promise<void> {
    for (;;) {
      const next = this.#queue.shift();
      if (next) await this.#carryOut(...next);
      else if (this.#next && !this.#closed) this.#change(this.#next);
      else break;
    }
    this.#busy = false;
  }

  async #carryOut(operation: Operation, done: Done): Promise<void> {
    let value: unknown;
    let code: ErrorCode | undefined;
    try {
      value = await carryOut(this.#storage, operation);
    } catch (error) {
      const known = error instanceof StorageError;
      if (known && error.fenced) {
        this.#open = undefined; // to take it back would begin a quarrel
        this.owner.fenced();
      }
      this.#why = messageOf(error);
      code = known ? error.code : "io";
    }
    done(value, code);
  }

  #change(next: DeviceStorage): void {
    const before = this.#storage;
    this.#storage = next;
    this.#next = undefined;
    if (before !== next) void before.close().catch(() => {});
    this.owner.attach();
  }

  /** False: it is tried again. */
  async #tryOpen(): Promise<boolean> {
    if (this.#opening || !this.#open || this.#closed) return false;
    this.#opening = true;
    this.#retryAt = Infinity;
    let opened: DeviceStorage | undefined;
    try {
      opened = await this.#open({
        name: this.name,
        stores: this.stores,
        onLost: (reason) => {
          if (opened && (opened === this.#storage || opened === this.#next)) this.#fallBack(reason);
        },
      });
    } catch (error) {
      this.#retryLater(messageOf(error));
    }
    this.#opening = false;
    if (opened && this.#closed) await opened.close().catch(() => {});
    else if (opened) this.#useOpened(opened);
    return !!opened;
  }

  #useOpened(opened: DeviceStorage): void {
    this.problem = opened.notice;
    this.#since = performance.now();
    this.#next = opened;
    this.#work();
  }

  #fallBack(why: string): void {
    if (performance.now() - this.#since >= STABLE_MS) this.#retryAfter = 0;
    this.#next = memoryStorage(this.stores);
    this.#retryLater(why);
    this.#work();
  }

  #retryLater(why: string): void {
    this.#retryAfter = Math.min(this.#retryAfter * 2 || RETRY_FIRST_MS, RETRY_MAX_MS);
    this.#retryAt = this.#open ? performance.now() + this.#retryAfter : Infinity;
    this.problem = ONLY_IN_MEMORY + why;
    this.owner.changed();
  }
}
