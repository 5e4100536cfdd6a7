/**
 * Tables in IndexedDB: object stores of their names, whose keys are arrays. The version of the
 * database is that of the format:
 *
 *     1   one object store, `rows`, with keys [table, ...key]
 *     2   an object store a table
 *
 * A commit is one transaction: all it needs is asked for at once, and what it writes goes out in
 * the callback of the last answer, so that no transaction waits for the page.
 *
 * Invariants: whoever opens the database counts `meta.generation` up, and a commit of an older
 * opening fails. Stores outside `keeps` have no removes: none are looked for.
 */
import { deleteDB, openDB, unwrap, wrap, type IDBPDatabase, type IDBPTransaction } from "idb";
import { StorageError } from "../core/storage.js";
import type {
  DeviceStorage, StorageOptions, StorageStore, StoredRecord, StoreState,
} from "../core/storage.js";
import { TableStorage } from "./device.js";
import { databaseName } from "./name.js";
import { TABLES } from "./tables.js";
import type { Found, Held, LoadedRows, PendingRow, Tables, Wanted, Write } from "./tables.js";

const FORMAT = 2;
/** Of a page that does not let go, or a browser that does not answer. */
const TIMEOUT_MS = 10_000;
/** As many objects are looked at one by one; more, and those that are there are listed first. */
const GETS_MAX = 8;
/** Other objects between those of a commit that such a list may have. */
const LIST_SLACK = 64;

const LEFT = new StorageError("io", "the local database was let go of");

/** The keys of a store; with `before`, of ids below it. Arrays come after all strings. */
function rangeOf(store: string, before?: string): IDBKeyRange {
  return IDBKeyRange.bound([store], [store, before ?? []], true, true);
}

/** The keys of all stores but these. */
function rangesBeside(stores: readonly string[]): IDBKeyRange[] {
  const names = [...stores].sort();
  const ranges = names.map((name, at) => {
    const next = names[at + 1];
    const from = [name, []];
    return next === undefined ? IDBKeyRange.lowerBound(from)
      : IDBKeyRange.bound(from, [next], false, true);
  });
  return names[0] === undefined ? [] : [IDBKeyRange.upperBound([names[0]], true), ...ranges];
}

function failed(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const { name, message } = error as DOMException;
  if (name === "VersionError") {
    return new StorageError("bad_format", "the local database is of a newer version of the page");
  }
  return new StorageError("io", `IndexedDB: ${name}: ${message}`);
}

/** Nothing where it is through. */
function abort(transaction: IDBTransaction | undefined): void {
  try {
    transaction?.abort();
  } catch {
    // it was
  }
}

/** Event ids by id: of all that a store holds, or of `ids`. */
async function findObjects(
  table: IDBObjectStore, store: string, { ids, whole }: Wanted,
): Promise<Map<string, string>> {
  let records: readonly (StoredRecord | undefined)[];
  if (whole) {
    records = await wrap(table.getAll(rangeOf(store)) as IDBRequest<StoredRecord[]>);
  } else {
    const there = ids.size > GETS_MAX ? await listIds(table, store, ids) : [...ids];
    records = await Promise.all(
      there.map((id) => wrap(table.get([store, id]) as IDBRequest<StoredRecord | undefined>)),
    );
  }
  const found = new Map<string, string>();
  for (const record of records) if (record) found.set(record.id, record.eventId);
  return found;
}

/** Those of `ids` that are there, or may be. */
async function listIds(
  table: IDBObjectStore, store: string, ids: ReadonlySet<string>,
): Promise<string[]> {
  const sorted = [...ids].sort();
  const range = IDBKeyRange.bound([store, sorted[0]], [store, sorted[sorted.length - 1]]);
  const max = ids.size + LIST_SLACK;
  const keys = (await wrap(table.getAllKeys(range, max))) as [string, string][];
  const there = new Set(keys.map(([, id]) => id));
  const last = keys.length < max ? undefined : keys[max - 1]![1];
  return sorted.filter((id) => there.has(id) || (last !== undefined && id > last));
}

async function findRemoves(
  table: IDBObjectStore, store: string, { ids, whole }: Wanted,
): Promise<Map<string, string>> {
  const keys = whole
    ? ((await wrap(table.getAllKeys(rangeOf(store)))) as [string, string][])
    : [...ids].map((id): [string, string] => [store, id]);
  const eventIds = await Promise.all(
    keys.map((key) => wrap(table.get(key) as IDBRequest<string | undefined>)),
  );
  const found = new Map<string, string>();
  eventIds.forEach((eventId, at) => eventId !== undefined && found.set(keys[at]![1], eventId));
  return found;
}

function write(transaction: IDBTransaction, writes: readonly Write[]): void {
  for (const [kind, at, key, value] of writes) {
    if (kind === "put") transaction.objectStore(at).put(value, [...key]);
    else if (kind === "drop") transaction.objectStore(at).delete([...key]);
    else if (kind === "clear") transaction.objectStore(at).delete(rangeOf(key));
    else {
      for (const range of rangesBeside(at)) {
        for (const table of ["objects", "removes", "states"]) {
          transaction.objectStore(table).delete(range);
        }
      }
    }
  }
}

class IndexedDbTables implements Tables {
  readonly durable = true;
  private generation = 0;
  private readonly keeps = new Set<string>();
  private readonly raw: IDBDatabase;
  /** The last transaction, of which there is one at a time. */
  private last: IDBTransaction | undefined;

  constructor(private readonly db: IDBPDatabase) {
    this.raw = unwrap(db);
  }

  /** Runs `work` in a transaction: resolves when that is stored, and leaves nothing if it fails. */
  private async run(
    durability: "relaxed" | "strict",
    work: (transaction: IDBTransaction) => Promise<void>,
  ): Promise<void> {
    try {
      const transaction = this.raw.transaction(TABLES, "readwrite", { durability });
      this.last = transaction;
      await new Promise<void>((resolve, reject) => {
        let why: unknown;
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error ?? why ?? LEFT);
        work(transaction).catch((error: unknown) => {
          why = error;
          // A request that failed aborts by itself, before or after this.
          abort(transaction);
        });
      });
    } catch (error) {
      throw failed(error);
    }
  }

  private async check(transaction: IDBTransaction): Promise<void> {
    const generation: unknown = await wrap(transaction.objectStore("meta").get(["generation"]));
    if (generation === this.generation) return;
    throw new StorageError("io", "another tab has taken the local database over", true);
  }

  /** Takes the database over from whoever had it, and learns where removes are kept. */
  lead(stores: readonly StorageStore[]): Promise<void> {
    return this.run("relaxed", async (transaction) => {
      const meta = transaction.objectStore("meta");
      const removes = transaction.objectStore("removes");
      const [last, ...counts] = await Promise.all([
        wrap(meta.get(["generation"]) as IDBRequest<number | undefined>),
        ...stores.map(({ name }) => wrap(removes.count(rangeOf(name)))),
      ]);
      this.generation = (last ?? 0) + 1;
      stores.forEach(({ name }, at) => counts[at] && this.keeps.add(name));
      meta.put(this.generation, ["generation"]);
    });
  }

  private async find(
    transaction: IDBTransaction, wanted: ReadonlyMap<string, Wanted>,
  ): Promise<Found> {
    const held = new Map<string, Held>();
    const of = (table: string) => transaction.objectStore(table);
    const [database] = await Promise.all([
      wrap(of("meta").get(["database"]) as IDBRequest<string | undefined>),
      this.check(transaction),
      ...Array.from(wanted, async ([store, what]) => {
        const [objects, removes] = await Promise.all([
          findObjects(of("objects"), store, what),
          this.keeps.has(store) ? findRemoves(of("removes"), store, what) : new Map(),
        ]);
        held.set(store, { objects, removes });
      }),
    ]);
    return { held, database: database ?? null };
  }

  commit(
    wanted: ReadonlyMap<string, Wanted>,
    decide: (found: Found) => readonly Write[],
  ): Promise<void> {
    return this.run("relaxed", async (transaction) => {
      const writes = decide(await this.find(transaction, wanted));
      for (const [kind, table, key] of writes) {
        if (kind === "put" && table === "removes") this.keeps.add(key[0]);
      }
      write(transaction, writes);
    });
  }

  /** Everything that was committed before is on disk with what is written here. */
  sync(): Promise<void> {
    return this.run("strict", async (transaction) => {
      await this.check(transaction);
      transaction.objectStore("meta").put(this.generation, ["generation"]);
    });
  }

  /** Runs `work` in a transaction that only reads. */
  private async read<T>(
    work: (transaction: IDBPTransaction<unknown, string[]>) => Promise<T>,
  ): Promise<T> {
    try {
      const transaction = this.db.transaction([...TABLES]);
      this.last = unwrap(transaction);
      return await work(transaction);
    } catch (error) {
      throw failed(error);
    }
  }

  load(stores: readonly StorageStore[]): Promise<LoadedRows> {
    return this.read(async (transaction) => {
      const [database, pending, ...states] = await Promise.all([
        transaction.objectStore("meta").get(["database"]) as Promise<string | undefined>,
        transaction.objectStore("pending").getAll() as Promise<PendingRow[]>,
        ...stores.map(({ name }) =>
          transaction.objectStore("states").get([name]) as Promise<StoreState | undefined>),
      ]);
      return { database: database ?? null, pending, states };
    });
  }

  /** Three steps: the place of the last object is found by its key, then all are read at once. */
  page(store: string, before: string | undefined, limit: number): Promise<StoredRecord[]> {
    return this.read(async (transaction) => {
      const objects = transaction.objectStore("objects");
      let range = rangeOf(store, before);
      let cursor = await objects.openKeyCursor(range, "prev");
      if (!cursor) return [];
      if (limit > 1) cursor = await cursor.advance(limit - 1);
      if (cursor) range = IDBKeyRange.bound(cursor.key, range.upper, false, true);
      return ((await objects.getAll(range)) as StoredRecord[]).reverse();
    });
  }

  object(store: string, id: string | undefined): Promise<StoredRecord | undefined> {
    return this.read((transaction) =>
      transaction.objectStore("objects").get(id === undefined ? rangeOf(store) : [store, id]));
  }

  async close(): Promise<void> {
    this.raw.close();
  }

  abandon(): void {
    this.raw.close();
    abort(this.last);
  }
}

type Upgrade = IDBPTransaction<unknown, string[], "versionchange">;

async function upgrade(db: IDBPDatabase, from: number, transaction: Upgrade): Promise<void> {
  for (const table of TABLES) db.createObjectStore(table);
  if (from === 0) return;
  let row = await transaction.objectStore("rows").openCursor();
  while (row) {
    const [table, ...key] = row.key as string[];
    void unwrap(transaction).objectStore(table!).put(row.value, key);
    row = await row.continue();
  }
  db.deleteObjectStore("rows");
}

/** `work`, or an error when it takes too long; `late` is given what comes of it then. */
async function inTime<T>(work: Promise<T>, what: string, late: (of: T) => void): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      over = true;
      reject(new StorageError("busy", what));
    }, TIMEOUT_MS);
  });
  work.then((of) => over && late(of), () => {});
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Opens the local database in IndexedDB, as its one leader: what an earlier opening commits fails
 * from now on, with a `StorageError` that says `fenced`. An older format is brought to today's.
 *
 * Rejects with a `StorageError`: `io` where the browser refuses (private windows of some, a full
 * disk), `busy` when an older page does not let go of it, `bad_format` when it is of a newer
 * version.
 */
export async function openIndexedDB(options: StorageOptions): Promise<DeviceStorage> {
  const { name, stores, onLost } = options;
  let state: "opening" | "open" | "gone" = "opening";
  const lose = (reason: string) => {
    if (state === "open") onLost(reason);
    state = "gone";
  };
  const open = async () => {
    const db = await openDB(name, FORMAT, {
      upgrade: (made, from, _to, transaction) => {
        upgrade(made, from, transaction as Upgrade).catch(() => transaction.abort());
      },
      blocking: (_from, to, event) => {
        (event.target as IDBDatabase).close();
        lose(to === null ? "the local data was deleted"
          : "a newer version of the page took the local database");
      },
      terminated: () => lose("the browser took the local database away"),
    });
    const tables = new IndexedDbTables(db);
    await tables.lead(stores);
    return tables;
  };
  let tables: IndexedDbTables;
  try {
    const what = "the local database is held by another page, or the browser does not answer";
    tables = await inTime(open(), what, (late) => void late.close());
  } catch (error) {
    throw failed(error);
  }
  if ((state as string) === "gone") throw new StorageError("io", "the local database was closed");
  state = "open";
  const storage = new TableStorage(tables, stores);
  for (const end of ["close", "abandon"] as const) {
    const original = storage[end].bind(storage);
    storage[end] = (): never => {
      state = "gone";
      return original() as never;
    };
  }
  return storage;
}

/**
 * Deletes what is stored in this browser of one user at one server, also what was not synced yet
 * (`client.exportUnsynced()` has that): for signing out. Close the clients of all tabs first; one
 * that is open goes on in memory, and stores anew when it tries again.
 *
 * @param where `url` of the server and `user`, as the client was given them.
 * @throws StorageError `io` where the browser refuses, `busy` when a page does not let go in time:
 * the data is deleted then when that page is gone.
 */
export async function deleteLocalData(where: { url: string | URL; user: string }): Promise<void> {
  try {
    const deleted = deleteDB(databaseName(where.user, where.url));
    await inTime(deleted, "the local database is held by another page", () => {});
  } catch (error) {
    throw failed(error);
  }
}
