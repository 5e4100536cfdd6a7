/**
 * Tables in memory: a device's storage where there is no other, and what a file is replayed into.
 *
 * Invariant: the order of a store's ids is right or not there; it is made when it is asked for.
 */
import type { DeviceStorage, StorageStore, StoredRecord, StoreState } from "../core/storage.js";
import { storageOver } from "./device.js";
import { OF_STORES, TABLES } from "./tables.js";
import type {
  Found, Held, LoadedRows, PendingRow, Row, TableName, Tables, Wanted, Write,
} from "./tables.js";

export class MemoryTables implements Tables {
  readonly durable = false;
  readonly #stores = {} as Record<TableName, Map<string, Map<string, unknown>>>;
  readonly #order = new Map<string, readonly string[]>();

  constructor() {
    for (const table of TABLES) this.#stores[table] = new Map();
  }

  /** The rows of a store, by id. */
  #rows(table: TableName, store: string): Map<string, unknown> {
    const stores = this.#stores[table];
    let rows = stores.get(store);
    if (!rows) stores.set(store, (rows = new Map()));
    return rows;
  }

  /** Carries writes out; what they say was checked. */
  write(writes: readonly Write[]): void {
    for (const [kind, table, key, row] of writes) {
      if (kind === "only") {
        this.#order.clear();
        for (const of of OF_STORES) {
          for (const name of this.#stores[of].keys()) {
            if (!table.includes(name)) this.#stores[of].delete(name);
          }
        }
        continue;
      }
      const [store, id] = kind === "clear" ? [key, ""] : key;
      const rows = this.#rows(table, store);
      if (table === "objects" && !(kind === "put" && rows.has(id))) this.#order.delete(store);
      if (kind === "put") rows.set(id, row);
      else if (kind === "drop") rows.delete(id);
      else rows.clear();
    }
  }

  /** What is there of what is wanted. */
  find(wanted: Wanted): Found {
    const held = new Map<StorageStore, Held>();
    for (const [store, ids] of wanted) {
      const [objects, removes] = (["objects", "removes"] as const).map((table) => {
        const found = new Map<string, string>();
        const rows = this.#rows(table, store.name) as Map<string, Row>;
        for (const id of store.type === "singular" ? rows.keys() : ids) {
          const row = rows.get(id);
          if (row) found.set(id, row.eventId);
        }
        return found;
      });
      held.set(store, { objects: objects!, removes: removes! });
    }
    return { held, database: this.#database };
  }

  get #database(): string | undefined {
    return this.#rows("meta", "").get("database") as string | undefined;
  }

  /** Everything, as writes that make it anew. */
  *snapshot(): Generator<Write> {
    for (const table of TABLES) {
      for (const [store, rows] of this.#stores[table]) {
        for (const [id, row] of rows) yield ["put", table, [store, id], row];
      }
    }
  }

  async load(stores: readonly StorageStore[]): Promise<LoadedRows> {
    return {
      database: this.#database,
      states: stores.map(({ name }) =>
        this.#rows("states", name).get("") as StoreState | undefined),
      pending: [...this.#rows("pending", "").values()] as PendingRow[],
    };
  }

  async commit(wanted: Wanted, decide: (found: Found) => readonly Write[]): Promise<void> {
    this.write(decide(this.find(wanted)));
  }

  async page(store: string, before: string | undefined, limit: number): Promise<StoredRecord[]> {
    const rows = this.#rows("objects", store) as Map<string, StoredRecord>;
    let ids = this.#order.get(store);
    if (!ids) this.#order.set(store, (ids = [...rows.keys()].sort()));
    if (before) ids = ids.filter((id) => id < before);
    return ids.slice(-limit).reverse().map((id) => rows.get(id)!);
  }

  async object(store: string, id: string | undefined): Promise<StoredRecord | undefined> {
    const rows = this.#rows("objects", store) as Map<string, StoredRecord>;
    return id ? rows.get(id) : rows.values().next().value;
  }

  async sync(): Promise<void> {}

  async close(): Promise<void> {}
}

/** A storage that keeps everything in memory, and nothing over a restart. */
export function memoryStorage(stores: readonly StorageStore[]): DeviceStorage {
  return storageOver(new MemoryTables(), stores);
}
