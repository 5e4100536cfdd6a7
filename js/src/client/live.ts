/**
 * The live lists: what of a store is shown, kept in step with the changes that the engine tells.
 *
 * Answers and changes come in one order, that of the storage (docs/client.md), so a list that is
 * put together from pages while changes arrive is right. What is published changes at most once a
 * frame; records that did not change keep their identity, and all keep their key.
 */
import type { CoreError, CoreRecord, Phase } from "../core/core.js";
import type { EventSnapshot, SingularSnapshot, SyncRecord } from "./api.js";
import type { Ask, Change } from "./ask.js";

/** Objects that a list begins with, and that one call of `older` adds. */
export const PAGE = 50;
const LIMIT_MAX = 1000;
/** Newer objects may lengthen a list by so many before its oldest go. */
const SLACK = 1000;

/** What a view needs of the client. */
export interface Source {
  readonly store: number;
  ask(ask: Ask, done: (error: CoreError | undefined, value: unknown) => void): void;
  /** Has `publish` called in the next frame. */
  changed(): void;
}

export interface View {
  /** Begins to show; again: reads anew. */
  list(): void;
  change(change: Change): void;
  status(phase: Phase): void;
  /** Whether the snapshot is another now. */
  publish(): boolean;
}

type Shown = SyncRecord<object>;

const nameOf = (record: CoreRecord): string => (record.id ?? record.clientId)!;

/** `record` as it shows in the place of `before`, which it is where nothing changed. */
function show(record: CoreRecord, before: Shown | undefined): Shown {
  const shown = { ...record, key: before?.key ?? nameOf(record) } as Shown;
  const { state, eventId } = record;
  const may = before?.state === state && before.eventId === eventId && state !== "partial";
  return may && JSON.stringify(before) === JSON.stringify(shown) ? before : shown;
}

/** Newest first: creates that are pending, the last one first; then by id. */
export class EventView implements View {
  #records: Shown[] = [];
  #snapshot: EventSnapshot<object> = { records: [], hasOlder: false, loading: true };
  /** There are more on this device, below the last. */
  #more = false;
  #wanted = PAGE;
  #listed = false;
  #listing: object | undefined;
  /** Older ones are being fetched from the server. */
  #fetching = false;
  #waiting: { readonly from: number; readonly done: (count: number) => void }[] = [];
  #phase: Phase = "offline";
  /** It is to be read anew when it was read. */
  #again = false;
  /** It could not be read on, and would not be now: not before it is read anew. */
  #stuck = false;
  #dirty = false;

  constructor(private readonly source: Source) {}

  get snapshot(): EventSnapshot<object> {
    return this.#snapshot;
  }

  list(): void {
    this.#readAnew();
    // Nothing will be told of what another engine was asked.
    this.#records = this.#records.filter(({ id }) => id !== undefined);
  }

  older(count: number): Promise<number> {
    return new Promise((done) => {
      const from = this.#records.length;
      this.#wanted = Math.max(this.#wanted, from + count);
      this.#waiting.push({ from, done });
      this.#mark();
      if (!this.#listing && !this.#fetching) this.#read(this.#records, new Map());
    });
  }

  status(phase: Phase): void {
    const came = phase === "live" && this.#phase !== phase;
    this.#phase = phase;
    // What is missing, and where, is told by lists only.
    if (!(came || this.#fetching)) return;
    if (this.#listing) this.#again = true;
    else if (this.#listed) this.#readAnew();
  }

  publish(): boolean {
    if (!this.#dirty || (this.#listing && this.#listed)) return false;
    this.#dirty = false;
    if (this.#records.length > this.#wanted + SLACK) this.#cut(this.#wanted);
    if (this.#listed && this.#more && !this.#stuck && this.#records.length < this.#wanted)
      this.#read(this.#records, new Map());
    const gap = this.#records.at(-1)?.gap ?? false;
    this.#snapshot = {
      records: this.#records.slice(),
      hasOlder: this.#more || gap,
      loading: !this.#listed || this.#waiting.length > 0,
    };
    return true;
  }

  // ---- reading

  #readAnew(): void {
    this.#again = this.#stuck = false;
    const before = new Map(this.#records.map((record) => [nameOf(record), record]));
    this.#wanted = Math.max(this.#wanted, this.#records.length);
    this.#read([], before);
  }

  /** Reads on below what `records` has, and then shows that. */
  #read(records: Shown[], before: ReadonlyMap<string, Shown>): void {
    const listing = (this.#listing = {});
    const last = records.at(-1);
    const limit = Math.min(this.#wanted - records.length + 1, LIMIT_MAX);
    const { store } = this.source;
    const ask = { kind: "list", store, limit, ...(last && { before: nameOf(last) }) } as const;
    this.source.ask(ask, (error, value) => {
      if (listing !== this.#listing) return;
      this.#listing = undefined;
      if (error) return this.#unread(error);
      const page = value as readonly CoreRecord[];
      if (!last) records.push(...this.#creates(page));
      for (const record of page)
        records.push(
          show(record, before.get(nameOf(record)) ?? before.get(record.clientId ?? "")));
      this.#records = records;
      this.#more = page.length === limit;
      if (records.length > this.#wanted) this.#cut(this.#wanted);
      else if (this.#more) return this.#read(records, before);
      this.#done();
    });
  }

  /** Creates that were seen back, whose events are not stored yet: a change will tell of them. */
  #creates(page: readonly CoreRecord[]): Shown[] {
    const there = new Set(page.map(({ clientId }) => clientId));
    return this.#records.filter(({ id, clientId }) => id === undefined && !there.has(clientId));
  }

  /** What it was to go on below is another now, or the storage failed: a reset follows that. */
  #unread(error: CoreError): void {
    if (error.code === "not_found") return this.#readAnew();
    this.#stuck = true;
    this.#done();
  }

  #cut(length: number): void {
    this.#records.length = length;
    this.#more = true;
  }

  #done(): void {
    this.#listed = true;
    this.#mark();
    if (this.#again) return this.#readAnew();
    const gap = this.#records.findIndex((record) => record.gap);
    const short = this.#records.length < this.#wanted;
    const hole = gap >= 0 && gap < this.#records.length - 1;
    // Where it is empty, all that it had may be gone, with older ones at the server.
    const isWanted = gap >= 0 ? this.#waiting.length > 0 : this.#records.length === 0;
    const end = short && !this.#more && isWanted;
    if (this.#phase !== "live" || !(hole || end)) return this.#settle();
    this.#fetch(this.#records[gap]);
  }

  /** Asks the server for what is missing below `above`; each status that follows is looked at. */
  #fetch(above: Shown | undefined): void {
    this.#fetching = true;
    const { store } = this.source;
    const limit = Math.min(Math.max(this.#wanted - this.#records.length, PAGE), LIMIT_MAX);
    const ask = { kind: "older", store, limit, ...(above && { before: nameOf(above) }) };
    this.source.ask(ask as Ask, (error) => error && this.#settle());
  }

  #settle(): void {
    this.#fetching = false;
    for (const { from, done } of this.#waiting.splice(0))
      done(Math.max(0, this.#records.length - from));
    this.#mark();
  }

  #mark(): void {
    this.#dirty = true;
    this.source.changed();
  }

  // ---- changes

  change(change: Change): void {
    if (change.kind === "reset") return this.list();
    if (change.kind === "put") this.#put(change.record);
    else this.#remove(change.record);
    this.#mark();
  }

  /** Where the object of `id` is, or would be. */
  #placeOf(id: string): number {
    let low = 0;
    let high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { id: there } = this.#records[middle]!;
      if (there === undefined || there > id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #placeOfCreate(clientId: string | undefined): number {
    if (clientId === undefined) return -1;
    for (let at = 0; at < this.#records.length; at++) {
      const { id, clientId: there } = this.#records[at]!;
      if (id !== undefined) break; // creates come first
      if (there === clientId) return at;
    }
    return -1;
  }

  #put(record: CoreRecord): void {
    const records = this.#records;
    const create = this.#placeOfCreate(record.clientId);
    let before = records[create];
    if (record.id === undefined) {
      records.splice(Math.max(create, 0), before ? 1 : 0, show(record, before));
      return;
    }
    if (before) records.splice(create, 1);
    const at = this.#placeOf(record.id);
    const there = records[at]?.id === record.id ? records[at] : undefined;
    const isEnd = at === records.length && (this.#more || at >= this.#wanted);
    if (isEnd) {
      this.#more = true;
      return;
    }
    before = there ?? before;
    records.splice(at, there ? 1 : 0, show(there?.gap ? { ...record, gap: true } : record, before));
  }

  #remove({ id, clientId }: Pick<CoreRecord, "id" | "clientId">): void {
    const records = this.#records;
    const at = id === undefined ? this.#placeOfCreate(clientId) : this.#placeOf(id);
    const gone = records[at];
    if (!gone || gone.id !== id) return;
    records.splice(at, 1);
    const above = records[at - 1];
    if (gone.gap && above) records[at - 1] = { ...above, gap: true };
  }
}

/** The one object of a singular store. */
export class SingularView implements View {
  #snapshot: SingularSnapshot<object> = { record: undefined, loading: true };
  #record: Shown | undefined;
  #loading = true;

  constructor(private readonly source: Source) {}

  get snapshot(): SingularSnapshot<object> {
    return this.#snapshot;
  }

  list(): void {
    const { store } = this.source;
    this.source.ask({ kind: "singular", store }, (error, value) => {
      if (error && error.code !== "not_found") return;
      const record = (value as readonly CoreRecord[] | undefined)?.[0];
      this.#show(error ? undefined : record);
    });
  }

  change(change: Change): void {
    if (change.kind === "reset") this.list();
    else this.#show(change.kind === "put" ? change.record : undefined);
  }

  status(): void {}

  publish(): boolean {
    const { record, loading } = this.#snapshot;
    if (record === this.#record && loading === this.#loading) return false;
    this.#snapshot = { record: this.#record, loading: this.#loading };
    return true;
  }

  #show(record: CoreRecord | undefined): void {
    this.#loading = false;
    this.#record = record && show(record, this.#record);
    this.source.changed();
  }
}
