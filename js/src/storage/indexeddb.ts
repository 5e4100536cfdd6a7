/**
 * Tables in IndexedDB: object stores of their names, with the keys of tables.ts. The version of the
 * database is that of the format:
 *
 *     1   one object store, `rows`, with keys [table, ...key]
 *     2   an object store a table
 *
 * A commit is one transaction: all it needs is asked for at once, and what it writes goes out in
 * the callback of the last answer, so that no transaction waits for the page.
 *
 * Invariant: whoever opens the database counts `meta.generation` up, and a commit of an older
 * opening fails.
 */
import { StorageError } from "../core/storage.js";
import type {
  DeviceStorage, StorageOptions, StorageStore, StoredRecord, StoreState,
} from "../core/storage.js";
import { storageOver } from "./device.js";
import { OF_STORES, TABLES } from "./tables.js";
import type {
  Found, Held, LoadedRows, PendingRow, Row, TableName, Tables, Wanted, Write,
} from "./tables.js";

const FORMAT = 2;
/** Of a page that does not let go, or a browser that does not answer. */
const TIMEOUT_MS = 10_000;
/** Other rows between those of a commit that are read with them, rather than each by itself. */
const SLACK = 8;

const LEFT = new StorageError("io", "the local database was let go of");

const DATABASE = ["", "database"];
const GENERATION = ["", "generation"];

type Table = (name: TableName) => IDBObjectStore;

function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function failed(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const { name, message } = error as DOMException;
  return name === "VersionError"
    ? new StorageError("bad_format", "the local database is of a newer version of the page")
    : new StorageError("io", `IndexedDB: ${name}: ${message}`);
}

/** Nothing where it is through. */
function abort(transaction: IDBTransaction | undefined): void {
  try {
    transaction?.abort();
  } catch {
    // it was
  }
}

/** `work`, or an error when it takes too long. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new StorageError("busy", "another page holds the local database");
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => (timer = setTimeout(reject, TIMEOUT_MS, late))),
    ]);
  } catch (error) {
    throw failed(error);
  } finally {
    clearTimeout(timer);
  }
}

/** The keys of a store; with `before`, of ids below it. Arrays come after all strings. */
function rangeOf(store: string, before?: string): IDBKeyRange {
  return IDBKeyRange.bound([store], [store, before ?? []], true, true);
}

/** Event ids by id: of all that a singular store holds, or of `ids` and some beside them. */
async function find(
  table: IDBObjectStore, { name, type }: StorageStore, ids: ReadonlySet<string>,
): Promise<Map<string, string>> {
  const sorted = [...ids].sort();
  const max = ids.size + SLACK;
  const range = type === "singular"
    ? rangeOf(name) : IDBKeyRange.bound([name, sorted[0]], [name, sorted.at(-1)]);
  const rows: (Row | undefined)[] = await answerOf(table.getAll(range, max));
  const last = rows[max - 1]?.id;
  const rest = last ? sorted.filter((id) => id > last) : [];
  rows.push(...(await Promise.all(rest.map((id) => answerOf(table.get([name, id]))))));
  return new Map(rows.flatMap((row) => (row ? [[row.id, row.eventId]] : [])));
}

async function findAll(table: Table, wanted: Wanted): Promise<Found> {
  const held = new Map<StorageStore, Held>();
  const [database] = await Promise.all([
    answerOf<string | undefined>(table("meta").get(DATABASE)),
    ...Array.from(wanted, async ([store, ids]) => {
      const [objects, removes] = await Promise.all([
        find(table("objects"), store, ids), find(table("removes"), store, ids),
      ]);
      held.set(store, { objects, removes });
    }),
  ]);
  return { held, database };
}

function write(table: Table, writes: readonly Write[]): void {
  for (const [kind, name, key, row] of writes) {
    if (kind === "put") table(name).put(row, [...key]);
    else if (kind === "drop") table(name).delete([...key]);
    else if (kind === "clear") table(name).delete(rangeOf(key));
    else {
      // Between one of the names and the next, there are only others.
      const ends = [...name].sort().map((of) => [of, []]);
      for (const of of OF_STORES) {
        ends.forEach((end, at) => {
          const from = at ? ends[at - 1]! : [];
          table(of).delete(IDBKeyRange.bound(from, [end[0]!], true, true));
        });
        table(of).delete(IDBKeyRange.lowerBound(ends.at(-1), true));
      }
    }
  }
}

class IndexedDbTables implements Tables {
  readonly durable = true;
  readonly #db: IDBDatabase;
  #generation = 0;
  /** The last transaction, of which there is one at a time. */
  #last: IDBTransaction | undefined;

  constructor(db: IDBDatabase) {
    this.#db = db;
  }

  /** Runs `work` in a transaction: resolves when that is stored, and leaves nothing if it fails. */
  async #run<T>(
    mode: "readonly" | "readwrite", work: (table: Table) => Promise<T>,
    durability: "relaxed" | "strict" = "relaxed",
  ): Promise<T> {
    try {
      const transaction = this.#db.transaction(TABLES, mode, { durability });
      this.#last = transaction;
      return await new Promise<T>((resolve, reject) => {
        let value: T;
        let why: unknown;
        transaction.oncomplete = () => resolve(value);
        transaction.onabort = () => reject(transaction.error ?? why ?? LEFT);
        work((name) => transaction.objectStore(name)).then((done) => (value = done), (error) => {
          why = error;
          abort(transaction);
        });
      });
    } catch (error) {
      throw failed(error);
    }
  }

  /** As its leader; another that has come meanwhile makes it fail. */
  #write(work: (table: Table) => Promise<unknown>, durability?: "strict"): Promise<void> {
    return this.#run("readwrite", async (table) => {
      const [last] = await Promise.all([answerOf(table("meta").get(GENERATION)), work(table)]);
      if (last === this.#generation) return;
      throw new StorageError("io", "another tab has taken the local database over", true);
    }, durability);
  }

  async #note(table: Table): Promise<void> {
    table("meta").put(this.#generation, GENERATION);
  }

  /** Takes the database over from whoever had it. */
  lead(): Promise<void> {
    return this.#run("readwrite", async (table) => {
      const last: number | undefined = await answerOf(table("meta").get(GENERATION));
      this.#generation = (last ?? 0) + 1;
      return this.#note(table);
    });
  }

  load(stores: readonly StorageStore[]): Promise<LoadedRows> {
    return this.#run("readonly", async (table) => {
      const [database, pending, ...states] = await Promise.all([
        answerOf<string | undefined>(table("meta").get(DATABASE)),
        answerOf<PendingRow[]>(table("pending").getAll()),
        ...stores.map((of) =>
          answerOf<StoreState | undefined>(table("states").get([of.name, ""]))),
      ]);
      return { database, pending, states };
    });
  }

  commit(wanted: Wanted, decide: (found: Found) => readonly Write[]): Promise<void> {
    return this.#write(async (table) => write(table, decide(await findAll(table, wanted))));
  }

  /** Three steps: the place of the last object is found by its key, then all are read at once. */
  page(store: string, before: string | undefined, limit: number): Promise<StoredRecord[]> {
    return this.#run("readonly", async (table) => {
      let range = rangeOf(store, before);
      const request = table("objects").openKeyCursor(range, "prev");
      let cursor = await answerOf(request);
      if (!cursor) return [];
      if (limit > 1) {
        cursor.advance(limit - 1);
        cursor = await answerOf(request);
      }
      if (cursor) range = IDBKeyRange.bound(cursor.key, range.upper, false, true);
      const records: StoredRecord[] = await answerOf(table("objects").getAll(range));
      return records.reverse();
    });
  }

  object(store: string, id: string | undefined): Promise<StoredRecord | undefined> {
    return this.#run("readonly", (table) =>
      answerOf(table("objects").get(id ? [store, id] : rangeOf(store))));
  }

  /** What was committed before is on disk with what is written here. */
  sync(): Promise<void> {
    return this.#write((table) => this.#note(table), "strict");
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  abandon(): void {
    this.#db.close();
    abort(this.#last);
  }
}

/** From an older format, in the transaction of `request`. */
function upgrade(request: IDBOpenDBRequest, from: number): void {
  const { result: db } = request;
  const transaction = request.transaction!;
  for (const table of TABLES) db.createObjectStore(table);
  if (!from) return;
  const rows = transaction.objectStore("rows").openCursor();
  rows.onsuccess = () => {
    const { result: row } = rows;
    if (!row) return db.deleteObjectStore("rows");
    const [table, ...key] = row.key as string[];
    transaction.objectStore(table!).put(row.value, key);
    row.continue();
  };
}

/**
 * Opens the local database in IndexedDB, as its one leader: what an earlier opening commits fails
 * from now on, with a `StorageError` that says `fenced`. An older format is brought to today's.
 *
 * Rejects with a `StorageError`: `io` where the browser refuses (private windows of some, a full
 * disk), `busy` when another page does not let go of it or the browser does not answer,
 * `bad_format` when it is of a newer version.
 */
export async function openIndexedDB(options: StorageOptions): Promise<DeviceStorage> {
  let isOpen = false;
  let isGone = false;
  let db: IDBDatabase | undefined;
  const lose = (reason: string) => {
    db?.close();
    if (isOpen && !isGone) options.onLost(reason);
    isGone = true;
  };
  const open = async () => {
    const request = indexedDB.open(options.name, FORMAT);
    request.onupgradeneeded = ({ oldVersion }) => upgrade(request, oldVersion);
    db = await answerOf(request);
    db.onclose = () => lose("the browser took the local database away");
    db.onversionchange = ({ newVersion }) => lose(newVersion
      ? "a newer version of the page took the local database" : "the local data was deleted");
    if (isGone) db.close(); // it was given up meanwhile: what follows fails
    const tables = new IndexedDbTables(db);
    await tables.lead();
    return tables;
  };
  try {
    const tables = await inTime(open());
    if (isGone) throw new StorageError("io", "the local database was closed");
    isOpen = true;
    return storageOver(tables, options.stores);
  } catch (error) {
    lose("");
    throw error;
  }
}

/**
 * Deletes a local database, also while it is open: its owner is told. Rejects with a
 * `StorageError`: `io` where the browser refuses, `busy` when a page does not let go in time; then
 * it is deleted when that page is gone.
 */
export async function deleteIndexedDB(name: string): Promise<void> {
  await inTime((async () => answerOf(indexedDB.deleteDatabase(name)))());
}
