/** The handles of stores: what an application calls, made into asks. */
import type { CoreRecord, Unsynced } from "../core/core.js";
import type {
  EventStore, SingularStore, StoreHandle, SyncRecord, UnsyncedPush,
} from "./api.js";
import { isCount } from "./ask.js";
import type { Ask } from "./ask.js";
import { SyncError } from "./error.js";
import { EventView, PAGE, SingularView } from "./live.js";
import type { Source, View } from "./live.js";

/** What a handle needs of the client. */
export interface Asker {
  readonly source: Source;
  /** Resolves with the answer's value, rejects with its error. */
  ask(ask: Ask): Promise<unknown>;
  /** The same of a change, which is given a client id; resolves with that. */
  change(ask: Ask): Promise<string>;
}

export interface Handle {
  readonly api: EventStore<object> | SingularStore<object>;
  readonly view: View;
  /** Something reads the snapshot. */
  readonly isShown: () => boolean;
  /** The snapshot is another: listeners are told. */
  readonly tell: () => void;
}

/** What throws in an application's listener is the application's, and stops no other. */
export function call<Value>(listener: (value: Value) => void, value: Value): void {
  try {
    listener(value);
  } catch (error) {
    (globalThis.reportError ?? console.error)(error);
  }
}

function textOf(object: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(object);
  } catch (error) {
    throw new SyncError("bad_json", String(error));
  }
  if (text === undefined) throw new SyncError("invalid_object", "it is no object");
  return text;
}

const shown = (record: CoreRecord): SyncRecord<object> =>
  ({ ...record, key: record.id ?? record.clientId }) as SyncRecord<object>;

function unsynced({ store: _, ...push }: Unsynced): UnsyncedPush<object> {
  return push as UnsyncedPush<object>;
}

/** What both types have; `view` begins with the first look at it. */
function common(asker: Asker, view: View, shows: { on: boolean }, listeners: Set<() => void>) {
  const { store } = asker.source;
  const pushes = async (isFailed: boolean): Promise<readonly UnsyncedPush<object>[]> => {
    const all = (await asker.ask({ kind: "unsynced" })) as readonly Unsynced[];
    return all.filter((push) => push.store === store && !!push.error === isFailed).map(unsynced);
  };
  const begin = (): void => {
    if (shows.on) return;
    shows.on = true;
    view.list();
  };
  const api: StoreHandle<object> = {
    pending: () => pushes(false),
    failed: () => pushes(true),
    retry: async (clientId) => void (await asker.ask({ kind: "retry", clientId })),
    discard: async (clientId) => void (await asker.ask({ kind: "discard", clientId })),
    subscribe(listener) {
      begin();
      const one = (): void => listener();
      listeners.add(one);
      return () => void listeners.delete(one);
    },
  };
  return { api, begin };
}

function handle(
  asker: Asker, view: View, make: (of: ReturnType<typeof common>) => Handle["api"]): Handle {
  const shows = { on: false };
  const listeners = new Set<() => void>();
  const api = make(common(asker, view, shows, listeners));
  const tell = (): void => {
    for (const listener of [...listeners]) call(listener, undefined);
  };
  return { api, view, isShown: () => shows.on, tell };
}

/** The first record of an answer; `undefined` where there is none. */
async function one(asker: Asker, ask: Ask): Promise<SyncRecord<object> | undefined> {
  try {
    const [record] = (await asker.ask(ask)) as readonly CoreRecord[];
    return record && shown(record);
  } catch (error) {
    if (error instanceof SyncError && error.code === "not_found") return undefined;
    throw error;
  }
}

export function eventHandle(asker: Asker): Handle {
  const view = new EventView(asker.source);
  const { store } = asker.source;
  return handle(asker, view, ({ api, begin }) => ({
    ...api,
    push: async (object) => asker.change({ kind: "push", store, object: textOf(object) }),
    update: async (id, object) =>
      asker.change({ kind: "update", store, id, object: textOf(object) }),
    remove: async (id) => void (await asker.change({ kind: "remove", store, id })),
    get: (id) => one(asker, { kind: "get", store, id }),
    async list({ before, limit = PAGE } = {}) {
      const ask = { kind: "list", store, limit, ...(before !== undefined && { before }) } as const;
      return ((await asker.ask(ask)) as readonly CoreRecord[]).map(shown);
    },
    async older(count = PAGE) {
      if (!isCount(count)) throw new SyncError("invalid_argument", "count: 1 to 1000");
      begin();
      return view.older(count);
    },
    snapshot() {
      begin();
      return view.snapshot;
    },
  }));
}

export function singularHandle(asker: Asker): Handle {
  const view = new SingularView(asker.source);
  const { store } = asker.source;
  const set = async (object: object): Promise<string> =>
    asker.change({ kind: "push", store, object: textOf(object) });
  return handle(asker, view, ({ api, begin }) => ({
    ...api,
    set,
    push: set,
    remove: async () => void (await asker.change({ kind: "remove", store })),
    get: () => one(asker, { kind: "singular", store }),
    snapshot() {
      begin();
      return view.snapshot;
    },
  }));
}
