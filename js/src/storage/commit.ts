/**
 * What the changes of a commit do, decided from what is there: the rules of
 * src/replica/storage_port.h, for every kind of storage. Pure.
 */
import type { ChangeResult, StorageChange, StorageStore, StoredRecord } from "../core/storage.js";
import type { Found, Key, Row, TableName, Wanted, Write } from "./tables.js";

type Stores = readonly StorageStore[];
type ObjectChange = Extract<StorageChange, { kind: "put" | "singular" | "remove" }>;

const ANY = -1;

const isOfObject = (change: StorageChange): change is ObjectChange =>
  ["put", "singular", "remove"].includes(change.kind);

/** What has to be read before the changes can be decided. */
export function wantedBy(changes: readonly StorageChange[], stores: Stores): Wanted {
  const wanted = new Map<StorageStore, Set<string>>();
  for (const change of changes.filter(isOfObject)) {
    for (const store of change.store === ANY ? stores : [stores[change.store]!]) {
      const ids = wanted.get(store) ?? new Set();
      wanted.set(store, ids.add(change.id));
    }
  }
  return wanted;
}

/** Carries the changes out in order: what comes of each, and what is to be written. */
export function decide(
  changes: readonly StorageChange[], stores: Stores, { held, database }: Found,
): { results: ChangeResult[]; writes: readonly Write[] } {
  const writes: Write[] = [];
  const put = (table: TableName, store: string, id: string, row: unknown) =>
    writes.push(["put", table, [store, id], row]);
  const drop = (table: TableName, key: Key) => writes.push(["drop", table, key]);

  const set = (table: "objects" | "removes", store: StorageStore, row: Row) => {
    held.get(store)![table].set(row.id, row.eventId);
    put(table, store.name, row.id, row);
  };

  /**
   * A remove that is kept already stays kept: only forgetting ends what it holds off. A singular
   * store that comes to hold nothing remembers since when.
   */
  const changeObject = (change: ObjectChange): ChangeResult => {
    const { id, eventId } = change;
    const isRemove = change.kind === "remove";
    const isAny = change.store === ANY;
    const at = isAny
      ? stores.findIndex((of) => held.get(of)!.objects.has(id) || held.get(of)!.removes.has(id))
      : change.store;
    const store = stores[at];
    if (!store) return { applied: false };
    const rows = held.get(store)!;
    const idsOf = (of: Map<string, string>) =>
      store.type === "singular" ? [...of.keys()] : of.has(id) ? [id] : [];
    const objects = idsOf(rows.objects);
    const removes = idsOf(rows.removes);
    const newest = objects.map((of) => rows.objects.get(of)!)
      .concat(removes.map((of) => rows.removes.get(of)!)).sort().pop() ?? "";
    const isHeld = objects.length > 0;
    const isAgain = eventId === newest && (isRemove || (isHeld && change.orEqual));
    if (eventId <= newest && !isAgain) return { applied: false, store: at };

    const isEmpty = isRemove || change.object === "";
    for (const of of objects) {
      rows.objects.delete(of);
      if (isEmpty || of !== id) drop("objects", [store.name, of]);
    }
    for (const of of removes) {
      rows.removes.delete(of);
      drop("removes", [store.name, of]);
    }
    if (!isEmpty) {
      const { clientId, object } = change;
      const record: StoredRecord = { id, eventId, object };
      set("objects", store, clientId ? { ...record, clientId } as StoredRecord : record);
    } else {
      const kept = isRemove ? removes[0] ?? (change.keep && !isAny && id) : id;
      if (kept) set("removes", store, { id: kept, eventId });
    }
    return { applied: isHeld || !isEmpty, store: at };
  };

  const clear = (table: "objects" | "removes", store: StorageStore) => {
    held.get(store)?.[table].clear();
    writes.push(["clear", table, store.name]);
  };

  const changeOther = (change: Exclude<StorageChange, ObjectChange>): void => {
    switch (change.kind) {
      case "state":
        put("states", stores[change.store]!.name, "", change.state);
        break;
      case "forget":
        clear("removes", stores[change.store]!);
        break;
      case "clear":
        clear("removes", stores[change.store]!);
        clear("objects", stores[change.store]!);
        drop("states", [stores[change.store]!.name, ""]);
        break;
      case "database":
        if (database && database !== change.id) writes.push(["only", stores.map((of) => of.name)]);
        put("meta", "", "database", change.id);
        break;
      case "pending_put": {
        const { pending } = change;
        put("pending", "", pending.clientId, { ...pending, store: stores[pending.store]!.name });
        break;
      }
      case "pending_drop":
        drop("pending", ["", change.clientId]);
    }
  };

  const results = changes.map((change) => {
    if (isOfObject(change)) return changeObject(change);
    changeOther(change);
    return { applied: false };
  });
  return { results, writes };
}
