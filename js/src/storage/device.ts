/** The device's storage over any tables: numbers to names and back, and the rules of a commit. */
import type {
  ChangeResult, DeviceStorage, Loaded, PendingPush, StorageChange, StorageStore, StoredRecord,
} from "../core/storage.js";
import { decide, wantedBy } from "./commit.js";
import type { Tables } from "./tables.js";

const NEVER_SYNCED = { head: null, wanted: 0, missing: [] };

export class TableStorage implements DeviceStorage {
  readonly durable: boolean;

  constructor(
    private readonly tables: Tables,
    private readonly stores: readonly StorageStore[],
    readonly notice = "",
  ) {
    this.durable = tables.durable;
  }

  async load(): Promise<Loaded> {
    const rows = await this.tables.load(this.stores);
    const pending: PendingPush[] = [];
    for (const row of rows.pending) {
      const store = this.stores.findIndex(({ name }) => name === row.store);
      if (store >= 0) pending.push({ ...row, store });
    }
    pending.sort((a, b) => a.position - b.position);
    const states = this.stores.map((_, at) => rows.states[at] ?? NEVER_SYNCED);
    return { database: rows.database, states, pending };
  }

  async commit(changes: readonly StorageChange[]): Promise<readonly ChangeResult[]> {
    let results: readonly ChangeResult[] = [];
    if (changes.length === 0) return results;
    await this.tables.commit(wantedBy(changes, this.stores), (found) => {
      const decided = decide(changes, this.stores, found);
      results = decided.results;
      return decided.writes;
    });
    return results;
  }

  page(store: number, before: string | undefined, limit: number): Promise<readonly StoredRecord[]> {
    return this.tables.page(this.stores[store]!.name, before, limit);
  }

  object(store: number, id: string | undefined): Promise<StoredRecord | undefined> {
    return this.tables.object(this.stores[store]!.name, id);
  }

  sync(): Promise<void> {
    return this.tables.sync();
  }

  close(): Promise<void> {
    return this.tables.close();
  }

  abandon(): void {
    this.tables.abandon?.();
  }
}
