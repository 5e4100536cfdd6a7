/**
 * Which tab has the engine, and how the others use it: docs/browser.md, "Tabs".
 *
 * state      has                            may become
 * follower   nothing: it asks the leader    leader, apart
 * leader     the lock, the engine           follower: the lock was stolen, or another one leads
 * apart      an engine in memory            leader: it got the lock
 *
 * Each leadership has a number, its term, greater than those before; what one with a smaller term
 * says is not heard. Messages of a leader are counted, so that who missed one begins anew. A
 * follower that is seen, or waits for an answer, asks the leader whether it is there, which is
 * answered from the message's handler: these come in time where timers do not.
 */
import type { StorageFactory } from "../core/storage.js";
import type { Store } from "../store.js";
import type { ClientOptions } from "./api.js";
import type { Ask, Item } from "./ask.js";
import type { Engine, EngineOptions } from "./engine.js";
import { messageOf } from "./error.js";
import { ONLY_IN_MEMORY } from "./keeper.js";
import { watchPage } from "./page.js";

const VERSION = "1"; // of what tabs say to each other
/* A leader that stands still is replaced within 2 s: the sum of these, and of two ticks. */
const TICK_MS = 100;
const PING_MS = 400;
const PATIENCE_MS = 800; // without an answer
const STEAL_SPREAD_MS = 100;
const OPEN_PATIENCE_MS = 300; // what it had begun may hold up who takes over
const STOOD_STILL_MS = 2000; // this page itself, between two ticks
const OTHER_VERSION = `${ONLY_IN_MEMORY}another version of this page is open in another tab`;

export interface TabsOptions {
  /** Of the user's database: lock and channel have it too. */
  readonly name: string;
  readonly stores: readonly Store[];
  readonly open: StorageFactory | undefined;
  /** The storage is one for all tabs. */
  readonly isShared: boolean;
  readonly me: string;
  readonly wasm: ClientOptions["wasm"];
  /** Somebody waits for an answer. */
  isWaiting(): boolean;
  take(items: readonly Item[]): void;
  /** An engine may be needed soon. */
  prepare(): void;
  engine(more: Pick<EngineOptions, "open" | "problem" | "patienceMs" | "emit" | "fenced">): Engine;
}

/** Of a leader: that it is there; with `items`, its news, of which `seq` is the number. */
interface Leading {
  readonly type: "leader";
  readonly term: number;
  readonly seq: number;
  /** Its engine has begun, and stands so. */
  readonly begun: boolean;
  readonly status: Item | undefined;
  readonly items?: readonly Item[];
}

type Said =
  | { readonly type: "ping" }
  | { readonly type: "ask"; readonly from: string; readonly n: number; readonly ask: Ask }
  | Leading;

/** What tabs say. `syncdb`, `version` and `type` are understood by all versions. */
type Message = Said & { readonly syncdb: true; readonly version: string };

/**
 * Tabs with other stores do not talk: numbers of stores, and rules, would not be the same. Nor do
 * those with another module, as far as its address says so.
 */
function versionOf(stores: readonly Store[], wasm: TabsOptions["wasm"]): string {
  const isNamed = typeof wasm === "string" || wasm instanceof URL;
  const text = JSON.stringify([isNamed && wasm, ...stores.map(({ name, type, schema, rules }) =>
    [name, type, schema, rules])]);
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return `${VERSION}.${(hash >>> 0).toString(36)}.${text.length}`;
}

export class Tabs {
  #engine: Engine | undefined;
  #isApart = false;
  #version: string;
  #channel: BroadcastChannel | undefined;
  #request: AbortController | undefined;
  #release: (() => void) | undefined;

  #term = 0;
  #seq = 0;
  /** As a follower: this term's engine was begun with. */
  #isJoined = false;
  /** As a leader: somebody follows, the engine has begun, and what it said of its status last. */
  #isFollowed = false;
  #begun = false;
  #status: Item | undefined;

  #timer: ReturnType<typeof setInterval> | undefined;
  /** Since when the leader owes an answer; 0: it does not. */
  #since = 0;
  #tickedAt = 0;
  #pingedAt = 0;
  #unwatch: () => void;

  constructor(private readonly o: TabsOptions) {
    this.#version = versionOf(o.stores, o.wasm);
    const isShared = o.isShared && !!globalThis.navigator?.locks && !!globalThis.BroadcastChannel;
    if (isShared) this.#join();
    else this.#start(o.open, "");
    this.#unwatch = watchPage({
      network: (isThere) => {
        if (!isThere) this.#engine?.sleep();
        this.#engine?.wake();
      },
      seen: () => {
        this.#engine?.wake();
        this.#tick();
      },
      left: (stops) => {
        if (isShared) this.#release?.(); // there may be no time to wait
        if (isShared) void this.#leave(stops);
        else this.#engine?.sleep();
      },
      back: () => (isShared ? this.#join() : this.#engine?.wake()),
    });
  }

  get isLeader(): boolean {
    return this.#engine !== undefined;
  }

  /** Asks the engine, wherever it is. */
  post(n: number, ask: Ask): void {
    const from = this.o.me;
    if (this.#engine) return this.#engine.ask(from, n, ask);
    this.#say({ type: "ask", from, n, ask });
    this.#since ||= performance.now();
  }

  async close(): Promise<void> {
    this.#unwatch();
    await this.#leave(false);
  }

  // ---- joining and leaving

  #join(): void {
    if (this.#channel) return;
    this.#channel = new BroadcastChannel(this.o.name);
    this.#channel.onmessage = ({ data }) => this.#hear(data as Message);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#follow();
  }

  /** `now`: what is under way is given up. */
  async #leave(now: boolean): Promise<void> {
    clearInterval(this.#timer);
    this.#channel?.close();
    this.#channel = undefined;
    this.#request?.abort();
    this.#request = undefined;
    const release = this.#release; // a page that comes back may have another one soon
    await this.#drop(now);
    release?.();
  }

  #follow(): void {
    this.#since = this.#tickedAt = performance.now();
    this.#ping();
    this.#askForLock(false);
  }

  #askForLock(steal: boolean): void {
    this.#request?.abort();
    const request = (this.#request = new AbortController());
    let isGranted = false;
    const isOver = (): void => {
      if (request !== this.#request) return;
      if (isGranted) this.#yield();
      else this.#startApart(this.o.open, ""); // there are no locks for this page
    };
    const lead = (): Promise<void> | undefined => {
      if (request !== this.#request) return undefined;
      isGranted = true;
      return this.#lead();
    };
    const options = steal ? { steal } : { signal: request.signal };
    navigator.locks.request(this.o.name, options, lead).then(isOver, isOver);
  }

  /** Ends when the lock is to be let go. */
  #lead(): Promise<void> {
    const held = new Promise<void>((resolve) => (this.#release = resolve));
    const patienceMs = this.#term ? OPEN_PATIENCE_MS : undefined;
    this.#term = Math.max(Date.now(), this.#term + 1);
    this.#seq = this.#since = 0;
    if (this.#engine) this.#engine.use(this.o.open!);
    else this.#start(this.o.open, "", patienceMs);
    this.#isApart = false;
    this.#sayHere();
    return held;
  }

  /** The lock was stolen, or the storage is another leader's. */
  #yield(): void {
    if (!this.#channel) return;
    void this.#drop(true);
    this.#release?.();
    this.#follow();
  }

  // ---- the engine

  #start(open: StorageFactory | undefined, problem: string, patienceMs?: number): void {
    const engine: Engine = this.o.engine({
      open,
      problem,
      patienceMs,
      emit: (items) => engine === this.#engine && this.#tell(items),
      fenced: () => engine === this.#engine && this.#yield(),
    });
    this.#engine = engine;
  }

  #startApart(open: StorageFactory | undefined, problem: string): void {
    this.#isApart = true;
    this.#start(open, problem);
  }

  async #drop(now: boolean): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    this.#begun = this.#isFollowed = this.#isApart = false;
    await engine?.close(now);
  }

  /** Tells all tabs, this one last: what it asks then comes after. */
  #tell(items: readonly Item[]): void {
    for (const item of items) {
      if (item.type === "begin") this.#begun = true;
      if (item.type === "status") this.#status = item;
    }
    const { me } = this.o;
    const news = items.filter((item) => item.type !== "answer" || item.to !== me);
    if (this.#isFollowed && news.length > 0) {
      this.#seq++;
      this.#sayHere(news);
    }
    this.o.take(items);
  }

  // ---- what tabs say

  #say(message: Said): void {
    this.#channel?.postMessage({ syncdb: true, version: this.#version, ...message });
  }

  #sayHere(items?: readonly Item[]): void {
    if (this.#isApart || !this.#engine) return;
    const [term, seq, begun, status] = [this.#term, this.#seq, this.#begun, this.#status];
    this.#say({ type: "leader", term, seq, begun, status, ...(items && { items }) });
  }

  /** Whatever another page says: nothing of it may throw here. */
  #hear(message: Message): void {
    if (message?.syncdb !== true) return;
    try {
      if (message.version !== this.#version) this.#hearOther(message);
      else if (message.type === "leader") this.#hearLeader(message);
      else if (this.#engine && !this.#isApart) this.#hearFollower(this.#engine, message);
    } catch (thrown) {
      const error = { code: "bad_message", message: messageOf(thrown), path: "" } as const;
      this.o.take([{ type: "error", error }]);
    }
  }

  #hearOther({ type }: Message): void {
    if (type === "ping") this.#sayHere();
    if (type !== "leader" || this.#engine || !this.#since) return;
    this.#startApart(undefined, OTHER_VERSION);
  }

  #hearFollower(engine: Engine, message: Exclude<Said, Leading>): void {
    this.#isFollowed = true;
    engine.tick();
    if (message.type === "ping") this.#sayHere();
    else engine.ask(message.from, message.n, message.ask);
  }

  #hearLeader({ term, seq, begun, status, items }: Leading): void {
    if (term < this.#term || (term === this.#term && this.#engine)) return;
    if (this.#engine) this.#yield();
    if (term > this.#term) {
      this.#isJoined = false;
      this.#ping();
      this.o.prepare();
    }
    const isMissed = seq !== this.#seq + (items ? 1 : 0);
    this.#term = term;
    this.#seq = seq;
    this.#since = 0;
    if (begun && (isMissed || !this.#isJoined)) {
      this.#isJoined = true;
      this.o.take([{ type: "begin" }, ...(status ? [status] : [])]);
    }
    if (items) this.o.take(items);
  }

  // ---- a leader that does not answer

  #tick(): void {
    const now = performance.now();
    const stoodStill = now - this.#tickedAt > STOOD_STILL_MS;
    this.#tickedAt = now;
    if (this.#engine || !this.#channel) return;
    if (stoodStill) this.#since = 0;
    if (this.#since && now - this.#since >= PATIENCE_MS) return this.#steal();
    if (now - this.#pingedAt < PING_MS) return;
    const isSeen = globalThis.document?.visibilityState !== "hidden";
    if (!this.#since && !isSeen && !this.o.isWaiting()) return;
    this.#since ||= now;
    this.#ping();
  }

  #ping(): void {
    this.#pingedAt = performance.now();
    this.#say({ type: "ping" });
  }

  /** One of those that wait is the first, and the others hear of it. */
  #steal(): void {
    this.#since = performance.now();
    setTimeout(() => {
      if (this.#since && !this.#engine && this.#channel) this.#askForLock(true);
    }, Math.random() * STEAL_SPREAD_MS);
  }
}
