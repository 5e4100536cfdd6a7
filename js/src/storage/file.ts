/**
 * A device's storage in a file, for Node: everything in memory, and a log of all that was written
 * (log.ts), which is read at opening.
 *
 * A commit is one line, written before it is carried out in memory: after the end of the process
 * or a power loss the file ends with a line or in the midst of one, which is then cut off. A log
 * that has grown to twice what it holds is written anew beside it, synced, and takes its place.
 *
 * Invariants: `size` is the end of the last line that counts; operations run one after another.
 */
import { link, open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { StorageError } from "../core/storage.js";
import type {
  DeviceStorage, StorageFactory, StorageOptions, StorageStore, StoredRecord,
} from "../core/storage.js";
import { storageOver } from "./device.js";
import { lock } from "./lock.js";
import { FILE_FORMAT, headerLine, headerOf, lineOf, readLines, writesOf } from "./log.js";
import { MemoryTables } from "./memory.js";
import type { Found, LoadedRows, Tables, Wanted, Write } from "./tables.js";

/** A log below this is not worth writing anew. */
const COMPACT_MIN_BYTES = 1 << 20;
/** Writes a line, when a log is written anew. */
const COMPACT_WRITES = 500;

function failed(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  return new StorageError("io", (error as Error).message);
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(resolve(path)), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Makes a log of all that `rows` hold in the place of `path`; gives it and its size. */
async function writeAnew(
  path: string, name: string, rows: MemoryTables,
): Promise<[handle: FileHandle, size: number]> {
  const beside = `${path}.new`;
  const handle = await open(beside, "w+", 0o600);
  try {
    const header = headerLine(name);
    let size = header.length;
    await writeAll(handle, header, 0);
    let writes: Write[] = [];
    const flush = async () => {
      const line = lineOf(writes);
      await writeAll(handle, line, size);
      size += line.length;
      writes = [];
    };
    for (const write of rows.snapshot()) {
      writes.push(write);
      if (writes.length === COMPACT_WRITES) await flush();
    }
    if (writes.length > 0) await flush();
    await handle.sync();
    await rename(beside, path);
    await syncFolder(path);
    return [handle, size];
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(beside, { force: true }).catch(() => {});
    throw error;
  }
}

/** What a log was read into. */
interface Replayed {
  readonly rows: MemoryTables;
  /** The end of the last good line before the first bad one. */
  readonly size: number;
  /** A bad line has good ones behind it: it is no end of a write that was cut short. */
  readonly damaged: boolean;
}

/** Pushes alone count of what stands behind damage: they are nowhere else. */
function ofPushes(writes: readonly Write[]): readonly Write[] {
  return writes.filter(([kind, table]) => kind !== "only" && table === "pending");
}

async function replay(handle: FileHandle, path: string, name: string): Promise<Replayed> {
  const rows = new MemoryTables();
  let size = 0;
  let bad = false;
  let damaged = false;
  for await (const [line, end] of readLines(handle)) {
    if (size === 0) {
      const header = headerOf(line);
      if (!header) throw new StorageError("bad_format", `${path} is no file of syncdb's`);
      if (header.format > FILE_FORMAT) {
        throw new StorageError("bad_format", `${path} is of a newer version of syncdb`);
      }
      if (header.name !== name) {
        throw new StorageError("conflict", `${path} is of another user or server: ${header.name}`);
      }
      size = end;
      continue;
    }
    const writes = writesOf(line);
    if (!writes) bad = true;
    else if (bad) damaged = true;
    if (writes) rows.write(bad ? ofPushes(writes) : writes);
    if (!bad) size = end;
  }
  if (size === 0) throw new StorageError("bad_format", `${path} is no file of syncdb's`);
  return { rows, size, damaged };
}

class FileTables implements Tables {
  readonly durable = true;
  private last: Promise<unknown> = Promise.resolve();
  private compactAt = 0;
  private closed = false;
  private broken: StorageError | undefined;

  constructor(
    private readonly path: string,
    private readonly name: string,
    private readonly rows: MemoryTables,
    private handle: FileHandle,
    private size: number,
    private readonly unlock: () => Promise<void>,
  ) {
    this.setCompaction();
  }

  private setCompaction(): void {
    this.compactAt = Math.max(COMPACT_MIN_BYTES, 2 * this.size);
  }

  /** Runs `work` behind all that was asked for before. */
  private next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(async () => {
      if (this.broken) throw this.broken;
      if (this.closed) throw new StorageError("io", `${this.path} is closed`);
      try {
        return await work();
      } catch (error) {
        throw failed(error);
      }
    });
    this.last = result.catch(() => {});
    return result;
  }

  /** A file that was deleted or moved away would take everything and keep nothing. */
  private async checkThere(): Promise<void> {
    const [there, held] = await Promise.all([stat(this.path), this.handle.stat()]);
    if (there.ino === held.ino && there.dev === held.dev) return;
    throw new StorageError("io", `${this.path} was moved, and another took its place`);
  }

  private async append(line: Buffer): Promise<void> {
    await this.checkThere();
    try {
      await writeAll(this.handle, line, this.size);
    } catch (error) {
      // What cannot be taken back may count at the next opening: until then, nothing goes on.
      await this.handle.truncate(this.size).catch(() => (this.broken = failed(error)));
      throw error;
    }
    this.size += line.length;
  }

  load(stores: readonly StorageStore[]): Promise<LoadedRows> {
    return this.next(() => this.rows.load(stores));
  }

  commit(wanted: Wanted, decide: (found: Found) => readonly Write[]): Promise<void> {
    const done = this.next(async () => {
      const writes = decide(this.rows.find(wanted));
      if (writes.length === 0) return;
      await this.append(lineOf(writes));
      this.rows.write(writes);
    });
    void done.then(() => this.size >= this.compactAt && this.compact(), () => {});
    return done;
  }

  /** One that fails is tried again when the log has grown to twice its size once more. */
  private compact(): void {
    this.compactAt = Infinity;
    const compacted = this.next(async () => {
      try {
        const [handle, size] = await writeAnew(this.path, this.name, this.rows);
        await this.handle.close();
        this.handle = handle;
        this.size = size;
      } finally {
        this.setCompaction();
      }
    });
    compacted.catch(() => {});
  }

  page(store: string, before: string | undefined, limit: number): Promise<StoredRecord[]> {
    return this.next(() => this.rows.page(store, before, limit));
  }

  object(store: string, id: string | undefined): Promise<StoredRecord | undefined> {
    return this.next(() => this.rows.object(store, id));
  }

  sync(): Promise<void> {
    return this.next(() => this.handle.datasync());
  }

  async close(): Promise<void> {
    await this.last;
    if (this.closed) return;
    this.closed = true;
    await this.handle.close();
    await this.unlock();
  }
}

/** Reads the file, or makes one: what it holds, and what is to be told. */
async function openRows(
  path: string, name: string,
): Promise<[rows: MemoryTables, handle: FileHandle, size: number, notice?: string]> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r+");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const rows = new MemoryTables();
    return [rows, ...(await writeAnew(path, name, rows))];
  }
  try {
    const { rows, size, damaged } = await replay(handle, path, name);
    if (!damaged) {
      await handle.truncate(size);
      return [rows, handle, size];
    }
    const saved = new MemoryTables();
    saved.write(ofPushes([...rows.snapshot()]));
    const { pending } = await saved.load([]);
    await handle.close();
    const aside = `${path}.damaged-${Date.now()}`;
    await link(path, aside);
    const notice = `${path} was damaged: it is kept as ${aside}, and ${pending.length} unsynced ` +
      "pushes were saved; all else is loaded again";
    return [saved, ...(await writeAnew(path, name, saved)), notice];
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
}

/**
 * Keeps a device's storage in the file `path`, which is made where there is none, for its user
 * only. For scripts and servers in Node: all of it is held in memory too. One process has it at a
 * time.
 *
 * Opening rejects with a `StorageError`: `busy` when a process that lives has the file, `conflict`
 * when it is of another user or server, `bad_format` when it is no file of syncdb's or of a newer
 * version, `io` when it cannot be read or written. What was cut short by a crash is taken off. A
 * file that is damaged otherwise is kept beside a new one, which has the unsynced pushes that could
 * be read: `notice` says so.
 */
export function fileStorage(path: string): StorageFactory {
  return async ({ name, stores }: StorageOptions): Promise<DeviceStorage> => {
    try {
      const unlock = await lock(path);
      try {
        const [rows, handle, size, notice] = await openRows(path, name);
        const tables = new FileTables(path, name, rows, handle, size, unlock);
        return storageOver(tables, stores, notice);
      } catch (error) {
        await unlock();
        throw error;
      }
    } catch (error) {
      throw failed(error);
    }
  };
}
