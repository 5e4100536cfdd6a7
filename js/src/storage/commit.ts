/**
 * What the changes of a commit do, decided from what is there: the rules of
 * src/replica/storage_port.h, for every kind of storage. Pure.
 */
import type { ChangeResult, StorageChange, StorageStore, StoredRecord } from "../core/storage.js";
import type { Found, Held, Wanted, Write } from "./tables.js";

type Put = Extract<StorageChange, { kind: "put" | "singular" }>;
type Remove = Extract<StorageChange, { kind: "remove" }>;

const ANY = -1;

/** Whether a change is of all that its store holds, whatever its id. */
function isWhole(change: Put | Remove, store: StorageStore): boolean {
  return change.kind === "singular" || store.type === "singular";
}

/** What has to be read before the changes can be decided. */
export function wantedBy(
  changes: readonly StorageChange[],
  stores: readonly StorageStore[],
): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const change of changes) {
    if (change.kind !== "put" && change.kind !== "singular" && change.kind !== "remove") continue;
    for (const store of change.store === ANY ? stores : [stores[change.store]!]) {
      let of = wanted.get(store.name);
      if (!of) wanted.set(store.name, (of = { ids: new Set(), whole: false }));
      of.ids.add(change.id);
      of.whole ||= isWhole(change, store);
    }
  }
  return wanted;
}

/** The rows that a change is about, and the greatest event id among them. */
interface About {
  readonly objects: readonly string[];
  readonly removes: readonly string[];
  readonly eventId: string;
}

function about(held: Held, id: string, whole: boolean): About {
  const idsIn = (rows: Map<string, string>) =>
    whole ? [...rows.keys()] : rows.has(id) ? [id] : [];
  const objects = idsIn(held.objects);
  const removes = idsIn(held.removes);
  let eventId = "";
  for (const at of objects) if (held.objects.get(at)! > eventId) eventId = held.objects.get(at)!;
  for (const at of removes) if (held.removes.get(at)! > eventId) eventId = held.removes.get(at)!;
  return { objects, removes, eventId };
}

function recordOf(change: Put): StoredRecord {
  const { id, eventId, clientId, object } = change;
  return clientId === undefined ? { id, eventId, object } : { id, eventId, clientId, object };
}

class Decision {
  readonly writes: Write[] = [];

  constructor(
    private readonly stores: readonly StorageStore[],
    private readonly found: Found,
  ) {}

  private set(
    table: "objects" | "removes", store: string, id: string, event: string, row: unknown,
  ): void {
    this.found.held.get(store)![table].set(id, event);
    this.writes.push(["put", table, [store, id], row]);
  }

  private drop(table: "objects" | "removes", store: string, ids: readonly string[]): void {
    for (const id of ids) {
      this.found.held.get(store)![table].delete(id);
      this.writes.push(["drop", table, [store, id]]);
    }
  }

  /** A singular store that comes to hold nothing remembers since when. */
  private put(change: Put): ChangeResult {
    const store = this.stores[change.store]!;
    const nothing = change.kind === "singular" && change.object === "";
    const there = about(this.found.held.get(store.name)!, change.id, isWhole(change, store));
    const isHeld = there.objects.length > 0;
    const again = isHeld && change.orEqual === true && change.eventId === there.eventId;
    if (change.eventId <= there.eventId && !again) return { applied: false };
    const gone = there.objects.filter((id) => nothing || id !== change.id);
    this.drop("objects", store.name, gone);
    this.drop("removes", store.name, there.removes);
    if (nothing) this.set("removes", store.name, change.id, change.eventId, change.eventId);
    else this.set("objects", store.name, change.id, change.eventId, recordOf(change));
    return { applied: isHeld || !nothing };
  }

  private storeWith(id: string): number {
    return this.stores.findIndex(({ name }) => {
      const held = this.found.held.get(name)!;
      return held.objects.has(id) || held.removes.has(id);
    });
  }

  /** A remove that is kept already stays kept: only forgetting ends what it holds off. */
  private remove(change: Remove): ChangeResult {
    const number = change.store === ANY ? this.storeWith(change.id) : change.store;
    const store = this.stores[number];
    if (!store) return { applied: false };
    const there = about(this.found.held.get(store.name)!, change.id, isWhole(change, store));
    const result = { applied: false, store: number };
    if (change.eventId < there.eventId) return result;
    this.drop("objects", store.name, there.objects);
    const kept = there.removes[0] ?? (change.keep && change.store !== ANY ? change.id : undefined);
    if (kept) this.set("removes", store.name, kept, change.eventId, change.eventId);
    return { ...result, applied: there.objects.length > 0 };
  }

  private clear(table: "objects" | "removes", store: string): void {
    this.found.held.get(store)?.[table].clear();
    this.writes.push(["clear", table, store]);
  }

  apply(change: StorageChange): ChangeResult {
    switch (change.kind) {
      case "put":
      case "singular":
        return this.put(change);
      case "remove":
        return this.remove(change);
      case "clear":
      case "forget": {
        const { name } = this.stores[change.store]!;
        this.clear("removes", name);
        if (change.kind === "forget") break;
        this.clear("objects", name);
        this.writes.push(["drop", "states", [name]]);
        break;
      }
      case "state":
        this.writes.push(["put", "states", [this.stores[change.store]!.name], change.state]);
        break;
      case "database": {
        const other = this.found.database !== null && this.found.database !== change.id;
        if (other) this.writes.push(["only", this.stores.map(({ name }) => name)]);
        this.writes.push(["put", "meta", ["database"], change.id]);
        break;
      }
      case "pending_put": {
        const store = this.stores[change.pending.store]!.name;
        const { clientId } = change.pending;
        this.writes.push(["put", "pending", [clientId], { ...change.pending, store }]);
        break;
      }
      case "pending_drop":
        this.writes.push(["drop", "pending", [change.clientId]]);
    }
    return { applied: false };
  }
}

/** Carries the changes out in order: what comes of each, and what is to be written. */
export function decide(
  changes: readonly StorageChange[],
  stores: readonly StorageStore[],
  found: Found,
): { results: ChangeResult[]; writes: readonly Write[] } {
  const decision = new Decision(stores, found);
  return { results: changes.map((change) => decision.apply(change)), writes: decision.writes };
}
