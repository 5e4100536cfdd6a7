"use client";
/**
 * `syncdb/react`: hooks over a client. What they give keeps its identity until something changed,
 * so it may stand in lists of dependencies and pass through `memo`.
 *
 * On a server, and while a page takes over what a server rendered, every hook says what it says
 * before anything is loaded; no client is asked there.
 */
import {
  createContext, createElement, useContext, useMemo, useSyncExternalStore,
  type ReactElement, type ReactNode,
} from "react";
import type {
  Client, ClientStatus, EventSnapshot, EventStore, SingularSnapshot, SingularStore,
} from "../client/api.js";
import { SyncError } from "../client/error.js";
import type { Store } from "../store.js";

/** What every hook takes. */
export interface HookOptions {
  /** In place of the provider's. `null`: there is none yet. */
  readonly client?: Client | null;
}

/** The live list of an event store, and what can be done with it. */
export interface StoreView<Value extends object> extends EventSnapshot<Value>,
  Pick<EventStore<Value>, "push" | "update" | "remove" | "older" | "retry" | "discard"> {}

/** The object of a singular store, and what can be done with it. */
export interface SingularView<Value extends object> extends SingularSnapshot<Value>,
  Pick<SingularStore<Value>, "set" | "remove" | "retry" | "discard"> {}

/** A handle as the hooks read it. */
interface Source<Snapshot> {
  subscribe(listener: () => void): () => void;
  snapshot(): Snapshot;
}

const Context = createContext<Client | null | undefined>(undefined);

/**
 * Gives the hooks below it their client. `null`: there is none yet (nobody is signed in, or this is
 * a server): hooks then show nothing as loading, and changes reject with `unavailable`.
 *
 * The client is the application's: the provider does not close it.
 */
export function SyncdbProvider(props: {
  readonly client: Client | null; readonly children?: ReactNode;
}): ReactElement {
  return createElement(Context.Provider, { value: props.client }, props.children);
}

/**
 * The client of the provider above.
 *
 * Throws an `Error` where there is no provider and no `client` among the options.
 */
export function useClient(options?: HookOptions): Client | null {
  const above = useContext(Context);
  const client = options?.client === undefined ? above : options.client;
  if (client === undefined)
    throw new Error("no client: put <SyncdbProvider client={...}> above, or give { client }");
  return client;
}

const unsubscribe = (): void => {};

function without<Snapshot>(snapshot: Snapshot): Source<Snapshot> {
  return { subscribe: () => unsubscribe, snapshot: () => snapshot };
}

async function noClient(): Promise<never> {
  throw new SyncError("unavailable", "there is no client yet");
}

function useSource<Snapshot>(source: Source<Snapshot>, before: Snapshot): Snapshot {
  return useSyncExternalStore(source.subscribe, source.snapshot, () => before);
}

const NO_LIST: EventSnapshot<never> = { records: [], hasOlder: false, loading: true };
const NO_EVENTS = {
  ...without(NO_LIST), push: noClient, update: noClient, remove: noClient, older: noClient,
  retry: noClient, discard: noClient,
};

/**
 * The live list of an event store: newest first, 50 objects at first and more by `older()`.
 *
 * Throws a `SyncError`, `unknown_store`, where the client was made without the store.
 */
export function useStore<Value extends object>(
  store: Store<Value, "event">, options?: HookOptions,
): StoreView<Value> {
  const client = useClient(options);
  const handle = useMemo(() => client?.store(store) ?? NO_EVENTS, [client, store]);
  const snapshot = useSource<EventSnapshot<Value>>(handle, NO_LIST);
  return useMemo(() => {
    const { push, update, remove, older, retry, discard } = handle;
    return { ...snapshot, push, update, remove, older, retry, discard };
  }, [handle, snapshot]);
}

const NO_OBJECT: SingularSnapshot<never> = { record: undefined, loading: true };
const NO_SINGULAR = {
  ...without(NO_OBJECT), set: noClient, remove: noClient, retry: noClient, discard: noClient,
};

/**
 * The object of a singular store, as it is now.
 *
 * Throws a `SyncError`, `unknown_store`, where the client was made without the store.
 */
export function useSingular<Value extends object>(
  store: Store<Value, "singular">, options?: HookOptions,
): SingularView<Value> {
  const client = useClient(options);
  const handle = useMemo(() => client?.store(store) ?? NO_SINGULAR, [client, store]);
  const snapshot = useSource<SingularSnapshot<Value>>(handle, NO_OBJECT);
  return useMemo(() => {
    const { set, remove, retry, discard } = handle;
    return { ...snapshot, set, remove, retry, discard };
  }, [handle, snapshot]);
}

const NO_STATUS: ClientStatus = {
  phase: "offline", storage: "memory", paused: false, pending: 0, failed: 0, offlineSince: null,
  storesSynced: 0, eventsReceived: 0, closeCode: 0, leader: false, problem: "",
};

/** How the client stands; before there is one, `offline` with nothing pending. */
export function useStatus(options?: HookOptions): ClientStatus {
  const client = useClient(options);
  const source = useMemo(() => client === null ? without(NO_STATUS) : {
    subscribe: (listener: () => void) => client.on("status", listener),
    snapshot: () => client.status,
  }, [client]);
  return useSource(source, NO_STATUS);
}
