/** The device's storage over any tables: numbers to names and back, and the rules of a commit. */
import type { ChangeResult, DeviceStorage, PendingPush, StorageStore } from "../core/storage.js";
import { decide, wantedBy } from "./commit.js";
import type { Tables } from "./tables.js";

const NEVER_SYNCED = { head: null, wanted: 0, missing: [] };

/** A storage over `tables`, which are closed with it. `notice`: as the storage's. */
export function storageOver(
  tables: Tables, stores: readonly StorageStore[], notice = "",
): DeviceStorage {
  return {
    durable: tables.durable,
    notice,
    async load() {
      const { database = null, states, pending: rows } = await tables.load(stores);
      const pending: PendingPush[] = [];
      for (const row of rows) {
        const store = stores.findIndex(({ name }) => name === row.store);
        if (store >= 0) pending.push({ ...row, store });
      }
      pending.sort((a, b) => a.position - b.position);
      return { database, states: states.map((state) => state ?? NEVER_SYNCED), pending };
    },
    async commit(changes) {
      let results: readonly ChangeResult[] = [];
      if (changes[0]) {
        await tables.commit(wantedBy(changes, stores), (found) => {
          const decided = decide(changes, stores, found);
          results = decided.results;
          return decided.writes;
        });
      }
      return results;
    },
    page: (store, before, limit) => tables.page(stores[store]!.name, before, limit),
    object: (store, id) => tables.object(stores[store]!.name, id),
    sync: () => tables.sync(),
    close: () => tables.close(),
    abandon: () => tables.abandon?.(),
  };
}
