/**
 * The client in each tab: asks and their answers, the live lists, status.
 *
 * Invariants. An ask is kept until it is answered, and asked again when an engine begins: changes
 * carry the client id they were given here, so they happen once. A change that the engine holds in
 * memory only is kept until nothing is unsynced any more, for the engine may go with its tab.
 * Asks that follow from items are made when all of these were taken, so that none overtakes one.
 */
import type { CoreError } from "../core/core.js";
import { loadModule } from "../core/module.js";
import { newClientId } from "../core/uuid.js";
import { databaseName } from "../storage/name.js";
import type { Store } from "../store.js";
import type {
  Client, ClientEvents, ClientOptions, ClientStatus, EventStore, SingularStore,
} from "./api.js";
import type { Ask, EngineStatus, Item } from "./ask.js";
import { Engine } from "./engine.js";
import { messageOf, SyncError, toError } from "./error.js";
import { inNextFrame } from "./frames.js";
import { call, eventHandle, singularHandle } from "./handles.js";
import type { Handle } from "./handles.js";
import { noUser, settle } from "./settings.js";
import type { Settings } from "./settings.js";
import { Tabs } from "./tabs.js";
import { Tokens, userOf } from "./token.js";
import { webSocket } from "#websocket";

const CLOSE_WAIT_MS = 1000;
const CHANGES = /^(push|update|remove)$/;

type Done = (error: CoreError | undefined, value: unknown) => void;
type Listener<Event extends keyof ClientEvents> = (value: ClientEvents[Event]) => void;

const UNKNOWN: ClientStatus = {
  phase: "offline", storage: "memory", paused: false, pending: 0, failed: 0, offlineSince: null,
  storesSynced: 0, eventsReceived: 0, closeCode: 0, leader: false, problem: "",
};

const isSame = (a: ClientStatus, b: ClientStatus): boolean =>
  (Object.keys(a) as (keyof ClientStatus)[]).every((name) => a[name] === b[name]);

class TabClient implements Client {
  readonly ready: Promise<void>;
  #me = newClientId();
  #tokens: Tokens;
  #tabs: Tabs | undefined;
  #module: Promise<WebAssembly.Module> | undefined;
  /** By the stores' numbers. */
  #handles: readonly Handle[];

  #lastAsk = 0;
  #asks = new Map<number, { readonly ask: Ask; readonly done: Done; readonly isView: boolean }>();
  #kept = new Map<string, Ask>();
  #hasBegun = false;
  #taking = false;
  #toPost: [number, Ask][] = [];
  #toList = new Set<Handle>();

  #now: ClientStatus;
  #told: ClientStatus;
  #engineProblem = "";
  #tokenProblem = "";
  #listeners: { readonly [Event in keyof ClientEvents]: Set<Listener<Event>> } =
    { status: new Set(), error: new Set() };
  #waits = new Set<() => void>();
  #resolve: () => void = () => {};
  #reject: (error: SyncError) => void = () => {};
  #end: SyncError | undefined;
  #closed: Promise<void> | undefined;
  #changed = inNextFrame(() => this.#publish());
  #persist: (() => void) | undefined;

  constructor(private readonly options: ClientOptions) {
    const settings = settle(options);
    this.#tokens = new Tokens(options.token);
    this.#now = this.#told = { ...UNKNOWN, paused: !!options.startOffline };
    this.#handles = options.stores.map((store, number) => this.#handle(store, number));
    if (settings.isShared)
      this.#persist = () => void globalThis.navigator?.storage?.persist?.().catch(() => {});
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.ready.catch(() => {}); // who waits for it is told
    void this.#start(settings);
  }

  get status(): ClientStatus {
    return this.#told;
  }

  store<Value extends object>(store: Store<Value, "event">): EventStore<Value>;
  store<Value extends object>(store: Store<Value, "singular">): SingularStore<Value>;
  store(store: Store): unknown {
    const handle = this.#handles[this.options.stores.indexOf(store)];
    if (handle) return handle.api;
    throw new SyncError("unknown_store", `the client was made without the store ${store.name}`);
  }

  on<Event extends keyof ClientEvents>(event: Event, listener: Listener<Event>): () => void {
    const one: Listener<Event> = (value) => listener(value);
    this.#listeners[event].add(one);
    return () => void this.#listeners[event].delete(one);
  }

  setToken(token: string): void {
    try {
      this.#tokens.set(token);
    } catch (error) {
      return this.#refuseToken(error as SyncError);
    }
    this.#tokenProblem = "";
    this.#showProblem();
    this.#postToken(token);
  }

  goOffline(): void {
    this.#post({ kind: "goOffline" });
  }

  goOnline(): void {
    this.#post({ kind: "goOnline" });
  }

  async exportUnsynced(): Promise<string> {
    return (await this.#ask({ kind: "export" })) as string;
  }

  async delivered(): Promise<void> {
    await this.ready;
    await this.#until(() => this.#now.pending === 0 && !this.#isChanging());
    this.#publish();
  }

  async synced(): Promise<void> {
    await this.ready;
    await this.#until(() => {
      const { phase, problem } = this.#now;
      if (phase === "unauthorized") throw new SyncError(phase, problem);
      return phase === "live";
    });
    this.#publish();
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  // ---- beginning and end

  async #start(settings: Settings): Promise<void> {
    try {
      const user = settings.user ?? userOf(await this.#tokens.peek());
      if (user === undefined) throw noUser();
      if (!this.#end) this.#tabs = this.#open(settings, databaseName(user, settings.url));
    } catch (error) {
      this.#endWith(
        error instanceof SyncError ? error
          : new SyncError("unauthorized", `no token, and no user: ${messageOf(error)}`));
    }
  }

  #open({ url, open, isShared, windows }: Settings, name: string): Tabs {
    const { stores, token, webSocket: make = webSocket, ...rest } = this.options;
    if (!make) throw new SyncError("invalid_argument", "webSocket: there is none here");
    return new Tabs({
      name, stores, open, isShared, me: this.#me, wasm: this.options.wasm,
      isWaiting: () => this.#asks.size > 0,
      take: (items) => this.#take(items),
      prepare: () => void this.#load().catch(() => {}),
      engine: (more) =>
        new Engine({
          ...more, name, url, webSocket: make,
          module: () => this.#load(),
          token: (refused) => this.#tokens.next(refused),
          own: (given) => this.#tokens.own(given),
          core: {
            stores, windows, needsToken: token !== undefined, startOffline: this.#now.paused,
            ...(rest.pushTimeoutMs && { pushTimeoutMs: rest.pushTimeoutMs }),
            ...(rest.pendingMax && { pendingMax: rest.pendingMax }),
          },
        }),
    });
  }

  #load(): Promise<WebAssembly.Module> {
    return (this.#module ??= loadModule(this.options.wasm).catch((error: unknown) => {
      this.#module = undefined;
      throw error;
    }));
  }

  async #close(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_WAIT_MS)));
    await Promise.race([this.#until(() => !this.#isChanging()).catch(() => {}), late]);
    clearTimeout(timer);
    this.#endWith(new SyncError("closed", "the client was closed"));
    await this.#tabs?.close();
  }

  #endWith(error: SyncError): void {
    this.#end ??= error;
    this.#reject(error);
    for (const { done } of this.#asks.values()) done(error, undefined);
    this.#asks.clear();
    this.#look();
    this.#now = { ...this.#now, phase: "closed", leader: false, problem: "" };
    if (error.code !== "closed") {
      this.#now = { ...this.#now, problem: error.message };
      this.#tell("error", error);
      void this.#tabs?.close();
    }
    this.#publish();
  }

  // ---- asking

  #isChanging(): boolean {
    return [...this.#asks.values()].some(({ ask }) => CHANGES.test(ask.kind));
  }

  #post(ask: Ask, done: Done = () => {}, isView = false): void {
    const end = this.#end ?? (this.#closed && new SyncError("closed", "the client is closing"));
    if (end) return done(end, undefined);
    const n = ++this.#lastAsk;
    this.#asks.set(n, { ask, done, isView });
    if (this.#taking) this.#toPost.push([n, ask]);
    else this.#tabs?.post(n, ask);
  }

  #ask(ask: Ask): Promise<unknown> {
    return new Promise((resolve, reject) =>
      this.#post(ask, (error, value) => (error ? reject(toError(error)) : resolve(value))));
  }

  async #change(ask: Ask): Promise<string> {
    const clientId = newClientId();
    this.#persist?.();
    this.#persist = undefined;
    await this.#ask({ ...ask, clientId });
    return clientId;
  }

  #handle(store: Store, number: number): Handle {
    const make = store.type === "singular" ? singularHandle : eventHandle;
    return make({
      ask: (ask) => this.#ask(ask),
      change: (ask) => this.#change(ask),
      source: {
        store: number,
        ask: (ask, done) => this.#post(ask, done, true),
        changed: this.#changed,
      },
    });
  }

  // ---- taking what the engine says

  #take(items: readonly Item[]): void {
    this.#taking = true;
    try {
      for (const item of items) this.#takeOne(item);
    } finally {
      this.#taking = false;
      const [lists, posts] = [[...this.#toList], this.#toPost.splice(0)];
      this.#toList.clear();
      for (const [n, ask] of posts) this.#tabs?.post(n, ask);
      for (const { view } of lists) view.list();
      this.#look();
    }
  }

  #takeOne(item: Item): void {
    switch (item.type) {
      case "begin":
        return this.#askAgain();
      case "change": {
        const handle = this.#handles[item.store];
        if (item.kind === "remove" || (item.kind === "put" && item.record.state === "synced"))
          this.#kept.delete(item.record.clientId ?? ""); // its event is here
        if (!handle?.isShown()) return;
        if (item.kind === "reset") this.#toList.add(handle);
        else handle.view.change(item);
        return;
      }
      case "answer":
        if (item.to === this.#me) this.#answered(item.n, item.error, item.value);
        return;
      case "status":
        return this.#takeStatus(item.status, item.begun);
      case "error":
        if (item.error.code === "bad_definition") this.#endWith(toError(item.error));
        else this.#tell("error", toError(item.error));
    }
  }

  #askAgain(): void {
    const askedBefore = this.#hasBegun;
    this.#hasBegun = true;
    this.#resolve();
    const asks = [...this.#asks];
    for (const ask of this.#kept.values()) this.#post({ ...ask, askedBefore: true });
    for (const [n, { ask, isView }] of asks) {
      if (isView) this.#asks.delete(n); // what is shown is read anew
      else this.#toPost.push([n, askedBefore ? { ...ask, askedBefore } : ask]);
    }
    for (const handle of this.#handles) if (handle.isShown()) this.#toList.add(handle);
  }

  #answered(n: number, error: CoreError | undefined, value: unknown): void {
    const asked = this.#asks.get(n);
    if (!asked) return;
    this.#asks.delete(n);
    const { kind, clientId = "", store = 0 } = asked.ask;
    const isVolatile =
      this.#now.storage === "memory" || this.options.stores[store]!.type === "singular";
    if (!error && kind === "discard") this.#kept.delete(clientId);
    if (!error && isVolatile && CHANGES.test(kind)) this.#kept.set(clientId, asked.ask);
    asked.done(error, value);
  }

  #takeStatus(status: EngineStatus, isCounted: boolean): void {
    const before = this.#now;
    const { pending, failed } = isCounted ? status : before;
    this.#now = { ...status, pending, failed, leader: !!this.#tabs?.isLeader };
    this.#engineProblem = status.problem;
    if (isCounted && pending + failed === 0 && !this.#isChanging()) this.#kept.clear();
    for (const { view } of this.#handles) view.status(status.phase);
    if (status.phase === "unauthorized" && before.phase !== status.phase && !this.#now.leader)
      void this.#offerToken();
    this.#showProblem();
  }

  /** The leader has no token that the server takes; this tab may. */
  async #offerToken(): Promise<void> {
    const token = await this.#tokens.next(true).catch(() => undefined);
    if (token !== undefined) this.#postToken(token);
  }

  #postToken(token: string): void {
    this.#post({ kind: "token", token }, (error) => {
      if (error?.code !== "unauthorized") return;
      this.#tokens.drop(token);
      this.#refuseToken(toError(error));
    });
  }

  #refuseToken(error: SyncError): void {
    this.#tokenProblem = error.message;
    this.#tell("error", error);
    this.#showProblem();
  }

  /** What the engine says of itself, with what only this tab knows. */
  #showProblem(): void {
    if (this.#end) return;
    const problem = [this.#engineProblem, this.#tokenProblem].filter(Boolean).join("; ");
    this.#now = { ...this.#now, problem };
    this.#changed();
  }

  // ---- telling

  #until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        try {
          if (this.#end) throw this.#end;
          if (!isSo()) return;
          resolve();
        } catch (error) {
          reject(error as SyncError);
        }
        this.#waits.delete(look);
      };
      this.#waits.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of [...this.#waits]) look();
  }

  #tell<Event extends keyof ClientEvents>(event: Event, value: ClientEvents[Event]): void {
    for (const listener of [...this.#listeners[event]]) call(listener, value);
  }

  #publish(): void {
    for (const handle of this.#handles)
      if (handle.isShown() && handle.view.publish()) handle.tell();
    if (isSame(this.#now, this.#told)) return;
    this.#told = this.#now;
    this.#tell("status", this.#told);
  }
}

/**
 * A client of `options.user` at the server of `options.url`: it reads from this device at once, and
 * connects by itself. `client.close()` ends it.
 *
 * Throws a `SyncError`, `invalid_argument`: an option says why. What goes wrong later is told by
 * `status.problem` and `on("error")`.
 */
export function createClient(options: ClientOptions): Client {
  return new TabClient(options);
}
