/**
 * Tables in memory: a device's storage where there is no other, and what a file is replayed into.
 *
 * Invariant: the order of a store's ids is right or not there; it is made when it is asked for.
 */
import type { DeviceStorage, StorageStore, StoredRecord, StoreState } from "../core/storage.js";
import { TableStorage } from "./device.js";
import type {
  Found, Held, Key, LoadedRows, PendingRow, TableName, Tables, Wanted, Write,
} from "./tables.js";

class StoreRows {
  readonly objects = new Map<string, StoredRecord>();
  readonly removes = new Map<string, string>();
  private order: string[] | undefined = [];

  put(record: StoredRecord): void {
    const { order } = this;
    if (!this.objects.has(record.id)) {
      const last = order?.[order.length - 1];
      if (last === undefined || last < record.id) order?.push(record.id);
      else this.order = undefined;
    }
    this.objects.set(record.id, record);
  }

  drop(id: string): void {
    if (this.objects.delete(id)) this.order = undefined;
  }

  clear(): void {
    this.objects.clear();
    this.order = [];
  }

  /** How many ids are below `before`, and the ids, ascending. */
  private below(before: string | undefined): [number, readonly string[]] {
    const order = (this.order ??= [...this.objects.keys()].sort());
    if (before === undefined) return [order.length, order];
    let low = 0;
    let high = order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (order[middle]! < before) low = middle + 1;
      else high = middle;
    }
    return [low, order];
  }

  page(before: string | undefined, limit: number): StoredRecord[] {
    const [end, order] = this.below(before);
    const ids = order.slice(Math.max(0, end - limit), end).reverse();
    return ids.map((id) => this.objects.get(id)!);
  }
}

export class MemoryTables implements Tables {
  readonly durable: boolean = false;
  private readonly stores = new Map<string, StoreRows>();
  private readonly rest = {
    states: new Map<string, StoreState>(),
    pending: new Map<string, PendingRow>(),
    meta: new Map<string, unknown>(),
  };

  private rowsOf(store: string): StoreRows {
    let rows = this.stores.get(store);
    if (!rows) this.stores.set(store, (rows = new StoreRows()));
    return rows;
  }

  private put(table: TableName, [at, id = ""]: Key, value: unknown): void {
    if (table === "objects") this.rowsOf(at).put(value as StoredRecord);
    else if (table === "removes") this.rowsOf(at).removes.set(id, value as string);
    else (this.rest[table] as Map<string, unknown>).set(at, value);
  }

  private drop(table: TableName, [at, id = ""]: Key): void {
    if (table === "objects") this.rowsOf(at).drop(id);
    else if (table === "removes") this.rowsOf(at).removes.delete(id);
    else this.rest[table].delete(at);
  }

  /** Carries writes out; what they say was checked. */
  write(writes: readonly Write[]): void {
    for (const write of writes) {
      switch (write[0]) {
        case "put":
          this.put(write[1], write[2], write[3]);
          break;
        case "drop":
          this.drop(write[1], write[2]);
          break;
        case "clear":
          if (write[1] === "objects") this.rowsOf(write[2]).clear();
          else this.rowsOf(write[2]).removes.clear();
          break;
        case "only":
          for (const name of this.stores.keys()) {
            if (!write[1].includes(name)) this.stores.delete(name);
          }
          for (const name of this.rest.states.keys()) {
            if (!write[1].includes(name)) this.rest.states.delete(name);
          }
      }
    }
  }

  /** What the wanted rows are now. */
  find(wanted: ReadonlyMap<string, Wanted>): Found {
    const held = new Map<string, Held>();
    for (const [store, { ids, whole }] of wanted) {
      const rows = this.rowsOf(store);
      const found: Held = { objects: new Map(), removes: new Map() };
      for (const id of whole ? rows.objects.keys() : ids) {
        const record = rows.objects.get(id);
        if (record) found.objects.set(id, record.eventId);
      }
      for (const id of whole ? rows.removes.keys() : ids) {
        const eventId = rows.removes.get(id);
        if (eventId !== undefined) found.removes.set(id, eventId);
      }
      held.set(store, found);
    }
    return { held, database: this.database };
  }

  private get database(): string | null {
    return (this.rest.meta.get("database") as string | undefined) ?? null;
  }

  /** Everything, as writes that make it anew. */
  *snapshot(): Generator<Write> {
    for (const table of ["meta", "states", "pending"] as const) {
      for (const [key, value] of this.rest[table]) yield ["put", table, [key], value];
    }
    for (const [store, rows] of this.stores) {
      for (const [id, record] of rows.objects) yield ["put", "objects", [store, id], record];
      for (const [id, eventId] of rows.removes) yield ["put", "removes", [store, id], eventId];
    }
  }

  async load(stores: readonly StorageStore[]): Promise<LoadedRows> {
    return {
      database: this.database,
      states: stores.map(({ name }) => this.rest.states.get(name)),
      pending: [...this.rest.pending.values()],
    };
  }

  async commit(
    wanted: ReadonlyMap<string, Wanted>,
    decide: (found: Found) => readonly Write[],
  ): Promise<void> {
    this.write(decide(this.find(wanted)));
  }

  async page(store: string, before: string | undefined, limit: number): Promise<StoredRecord[]> {
    return this.rowsOf(store).page(before, limit);
  }

  async object(store: string, id: string | undefined): Promise<StoredRecord | undefined> {
    const { objects } = this.rowsOf(store);
    return id === undefined ? objects.values().next().value : objects.get(id);
  }

  async sync(): Promise<void> {}

  async close(): Promise<void> {}
}

/** A storage that keeps everything in memory, and nothing over a restart. */
export function memoryStorage(stores: readonly StorageStore[]): DeviceStorage {
  return new TableStorage(new MemoryTables(), stores);
}
